"""Events: golden bytes, every rule, and that whole batches are judged as single lines are."""

from __future__ import annotations

import datetime as dt
import json
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, strategies as st

from evgit.errors import DamagedObject, EvgitError, InvalidEvent
from evgit.formats import canonical, event as events_module
from evgit.formats.event import (
    Event,
    EventBatch,
    again_id,
    again_line,
    batch_from_events,
    batch_from_lines,
    decode_event,
    decode_events,
    is_again,
    verified_batch,
    verify_event_lines,
)
from evgit.formats.event_rules import Rules

TIME = "2026-11-23T03:36:00.123456Z"
BLOB = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"

GOLDEN = Event(
    stream="account-42",
    type="deposit_made",
    data={
        "amount": 500,
        "note": 'für "Ada"\n',
        "rates": [0.5, 1e21, -0.0],
        "\U00010000": 1,
        "\uffff": 2,
    },
    time=TIME,
    version=3,
    meta={"actor": "till-7", "causation": "0" * 64},
    key="order-17",
    origin="5f1c0a",
    blobs={BLOB: 0},
)
GOLDEN_LINE = (
    '{"blobs":{"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262":0},'
    '"data":{"amount":500,"note":"für \\"Ada\\"\\n","rates":[0.5,1e+21,0],'
    '"\U00010000":1,"\uffff":2},'
    '"key":"order-17","kind":"event","meta":{"actor":"till-7",'
    '"causation":"0000000000000000000000000000000000000000000000000000000000000000"},'
    '"origin":"5f1c0a","stream":"account-42","time":"2026-11-23T03:36:00.123456Z",'
    '"type":"deposit_made","version":3}'
).encode()
GOLDEN_ID = "b377cd4b5281a7a6b7dc4067669bd2634eb4d64abeefe944c4dbe9db1ad8f451"

SMALL = Event(stream="account-42", type="deposit_made", data={"amount": 500}, time=TIME)
SMALL_LINE = (
    b'{"data":{"amount":500},"kind":"event","stream":"account-42",'
    b'"time":"2026-11-23T03:36:00.123456Z","type":"deposit_made","version":1}'
)
BARE_LINE = SMALL_LINE.replace(b'"kind":"event",', b"").replace(b',"version":1', b"")
SMALL_ID = "2d7aa5e1ba86e8f7fbbc73a63a8c1639cec72d21e64d0fcf1a0ba260b88bea50"


def line(**members: Any) -> bytes:
    """A line that is accepted, but for what `members` change (... leaves one out)."""
    given = {"stream": "account-42", "type": "deposit_made", "time": TIME, "data": {}, **members}
    return json.dumps({name: value for name, value in given.items() if value is not ...}).encode()


# ---------------------------------------------------------------------------- golden


@pytest.mark.parametrize(
    ("event", "expected", "event_id"),
    [(GOLDEN, GOLDEN_LINE, GOLDEN_ID), (SMALL, SMALL_LINE, SMALL_ID)],
    ids=["all members", "required members"],
)
def test_golden(event: Event, expected: bytes, event_id: str) -> None:
    assert event.canonical() == expected
    assert event.id == event_id
    assert canonical.object_id(expected) == event_id
    assert decode_event(expected).canonical() == expected
    assert batch_from_lines([expected]).lines == [expected]
    assert batch_from_lines([expected]).ids == [bytes.fromhex(event_id)]
    assert verify_event_lines([expected]) == [None]


def test_again_line() -> None:
    expected = b'{"id":"%b","kind":"again"}' % SMALL_ID.encode()
    assert again_line(SMALL_ID) == expected
    assert canonical.canonicalize(expected) == expected
    assert is_again(expected)
    assert again_id(expected) == SMALL_ID
    assert not is_again(SMALL_LINE)
    for damaged in (SMALL_LINE, expected[:-1], expected.replace(SMALL_ID[:2].encode(), b"XY")):
        with pytest.raises(DamagedObject):
            again_id(damaged)


# ---------------------------------------------------------------------------- lenient reading


@pytest.mark.parametrize(
    ("given", "time"),
    [
        ("2026-03-01T00:00:12Z", "2026-03-01T00:00:12.000000Z"),
        ("2026-03-01T00:00:12.5Z", "2026-03-01T00:00:12.500000Z"),
        ("2026-03-01t01:00:12.345678+01:00", "2026-03-01T00:00:12.345678Z"),
        ("2026-03-01 00:00", "2026-03-01T00:00:00.000000Z"),
        ("2026-03-01", "2026-03-01T00:00:00.000000Z"),
    ],
)
def test_times_are_brought_into_the_one_format(given: str, time: str) -> None:
    assert batch_from_lines([line(time=given)]).events[0].time == time
    batch = batch_from_lines([line(), line(time=given), line()])
    assert [event.time for event in batch.events] == [TIME, time, TIME]
    assert [decode_event(each) for each in batch.lines] == batch.events


def test_what_may_be_left_out_may_be_null_or_empty() -> None:
    bare = line(data={"amount": 500})
    for members in (
        {"version": 1},
        {"version": 1.0},
        {"version": None},
        {"kind": "event"},
        {"meta": {}},
        {"meta": None, "key": None, "origin": None, "blobs": None},
        {"blobs": {}},
    ):
        given = line(data={"amount": 500}, **members)
        assert batch_from_lines([given]).lines == [SMALL_LINE]
        assert batch_from_lines([bare, given, bare]).lines == [SMALL_LINE] * 3


def test_numbers_come_as_they_will_be_read_back() -> None:
    batch = batch_from_lines([line(data={"a": [1.0, 2.5, -0.0, 1e300]})])
    assert repr(batch.events[0].data) == "{'a': [1, 2.5, 0, 1e+300]}"
    assert batch.lines[0].startswith(b'{"data":{"a":[1,2.5,0,1e+300]},')


def test_a_carriage_return_is_white_space() -> None:
    assert batch_from_lines([line(data={"amount": 500}) + b"\r\n"]).lines == [SMALL_LINE]


# ---------------------------------------------------------------------------- refusals

REFUSED: list[tuple[bytes, str]] = [
    (b"", "not JSON"),
    (b"  ", "not JSON"),
    (line() + line(), "not JSON: Extra data"),
    (line()[:-1], "not JSON"),
    (b"[]", "an event is a JSON object"),
    (b"{}", "'stream' and 'type' and 'data' and 'time' missing"),
    (line(data=...), "'data' missing"),
    (line(kind="commit"), "'kind' is 'commit', not 'event'"),
    (line(kind=None), "'kind' is None"),
    (line(id=SMALL_ID), "'id' is not a member of an event"),
    (line(Stream="x"), "'Stream' is not a member of an event"),
    (line(stream=7), "'stream' must be a string"),
    (line(stream=None), "'stream' must be a string"),
    (line(stream=""), "stream name '' is empty"),
    (line(stream="a//b"), "component"),
    (line(stream="$model"), "reserved"),
    (line(stream="a@7"), "'@' and digits"),
    (line(stream="e\u0301"), "normal form C"),
    (line(stream="x" * 241), "241 bytes"),
    (line(type="deposit made"), "white space"),
    (line(type=["x"]), "'type' must be a string"),
    (line(time="yesterday"), "is not a time"),
    (line(time=1), "'time' must be a string"),
    (line(time="2026-02-30T00:00:00.000000Z"), "is not a time"),
    (line(time="2026-11-23T03:36:60.000000Z"), "is not a time"),
    (line(time="2026-11-23T24:00:00.000000Z"), "is not a time"),
    (line(time="2026-11-23T03:36:00.1234567Z"), "more than six fractional digits"),
    (line(time="0000-11-23T03:36:00.123456Z"), "is not a time"),
    (line(version=0), "'version' must be 1 to 2147483647"),
    (line(version=2**31), "'version' must be 1 to 2147483647"),
    (line(version=1.5), "'version' must be an integer"),
    (line(version=True), "'version' must be an integer"),
    (line(version="1"), "'version' must be an integer"),
    (line(meta=[]), "'meta' must be an object"),
    (line(meta="x"), "'meta' must be an object"),
    (line(key=""), "'key' must be 1 to 1024 bytes"),
    (line(key="x" * 1025), "'key' must be 1 to 1024 bytes"),
    (line(key="a\nb"), "'key' must be"),
    (line(key=7), "'key' must be a string"),
    (line(origin=""), "'origin' must be 1 to 64"),
    (line(origin="a b"), "'origin' must be 1 to 64"),
    (line(origin="x" * 65), "'origin' must be 1 to 64"),
    (line(blobs={"xyz": 1}), "'xyz', which is not an id"),
    (line(blobs={BLOB.upper(): 1}), "not an id"),
    (line(blobs={BLOB: -1}), "sizes in bytes"),
    (line(blobs={BLOB: 1.5}), "size in bytes"),
    (line(blobs=[BLOB]), "'blobs' must be an object"),
    (line()[:-1] + b',"data":{}}', "duplicate key 'data'"),
    (line()[:-1] + b',"kind":"event","kind":"event"}', "duplicate key 'kind'"),
    (line()[:-1] + b',"version":1,"version":1}', "duplicate key 'version'"),
    (line(data={"a": 1}).replace(b'"a"', b'"a":1,"\\u0061"'), "duplicate key 'a'"),
    (line(data={"a": float("nan")}), "NaN is not a JSON value"),
    (line(data=2**53 + 1), "beyond 2^53-1"),
    (line(meta={"n": 2**64}), "beyond 2^53-1"),
    (line(data="\ud800"), "lone surrogate"),
    (line(data=b"\xff".hex()).replace(b"ff", b"\xff"), "not UTF-8"),
    (line(data=7).replace(b"7", b"[" * 128 + b"]" * 128), "nested deeper than 128"),
    (line(data="x" * (16 * 2**20)), "bytes of JSON"),
]


@pytest.mark.parametrize(("given", "said"), REFUSED, ids=count())
def test_refused_lines(given: bytes, said: str) -> None:
    with pytest.raises(InvalidEvent) as alone:
        batch_from_lines([given], first_line_number=7)
    assert alone.value.line == 7
    assert alone.value.message.startswith("line 7: ")
    assert said in alone.value.message
    with pytest.raises(InvalidEvent) as among_others:
        batch_from_lines([line()] * 5 + [given] + [line()] * 3, first_line_number=2)
    assert among_others.value.message == alone.value.message


def test_deepest_and_longest_are_accepted() -> None:
    deep = line(data=7).replace(b"7", b"[" * 127 + b"]" * 127)
    assert batch_from_lines([deep]).events[0].stream == "account-42"
    size = 16 * 2**20 - len(SMALL_LINE) + len('{"amount":500}') - 2
    longest = batch_from_lines([line(data="x" * size)])
    assert len(longest.lines[0]) == 16 * 2**20
    with pytest.raises(InvalidEvent, match="16,777,217 bytes"):
        batch_from_lines([line(data="x" * (size + 1))])


def test_reserved_streams_can_be_asked_for() -> None:
    given = line(stream="$model")
    assert batch_from_lines([given], reserved=True).events[0].stream == "$model"
    with pytest.raises(InvalidEvent, match="reserved"):
        batch_from_lines([given])


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"data": {1, 2}}, "a set is not a JSON value (at /data)"),
        ({"data": {"when": dt.date(2026, 1, 1)}}, "a date is not a JSON value"),
        ({"data": {"n": float("inf")}}, "inf is not a JSON value"),
        ({"data": 2**53 + 1}, "beyond 2^53-1"),
        ({"meta": {"k": (1,)}}, "a tuple is not a JSON value"),
        ({"meta": [1]}, "'meta' must be an object"),
        ({"meta": []}, "'meta' must be an object"),
        ({"stream": "a//b"}, "component"),
        ({"time": "soon"}, "is not a time"),
        ({"version": 0}, "'version' must be"),
        ({"version": True}, "'version' must be an integer"),
        ({"key": ""}, "'key' must be"),
        ({"key": b"x"}, "a bytes is not a JSON value"),
        ({"stream": None}, "'stream' must be a string"),
    ],
    ids=count(),
)
def test_refused_events(members: dict[str, Any], said: str) -> None:
    given = {"stream": "s-1", "type": "t", "data": {}, "time": TIME, **members}
    event: Event = Event(**given)
    with pytest.raises(InvalidEvent) as alone:
        event.canonical()
    assert said in alone.value.message
    with pytest.raises(InvalidEvent) as second:
        batch_from_events([SMALL, event])
    assert second.value.message == "event 2: " + alone.value.message


def test_events_made_in_python() -> None:
    event: Event = Event(stream="s", type="t", data=[1.0, {"x": None}], time="2026-01-01")
    batch = batch_from_events([SMALL, event, GOLDEN])
    assert batch.lines[0] == SMALL_LINE
    assert batch.lines[1] == (
        b'{"data":[1,{"x":null}],"kind":"event","stream":"s",'
        b'"time":"2026-01-01T00:00:00.000000Z","type":"t","version":1}'
    )
    assert batch.lines[2] == GOLDEN_LINE
    assert batch.events == [decode_event(each) for each in batch.lines]
    assert [(batch.first_time, batch.last_time)] == [("2026-01-01T00:00:00.000000Z", TIME)]
    assert batch.select([2, 0]).lines == [GOLDEN_LINE, SMALL_LINE]
    assert batch.select([2, 0]).ids == [bytes.fromhex(GOLDEN_ID), bytes.fromhex(SMALL_ID)]
    assert batch.ids[1:] == [canonical.digest(batch.lines[1]), bytes.fromhex(GOLDEN_ID)]
    assert batch.select([0]).ids == [bytes.fromhex(SMALL_ID)]


def test_nothing_is_a_batch_too() -> None:
    assert len(batch_from_lines([])) == len(batch_from_events([])) == 0
    assert verify_event_lines([]) == []
    batch = verified_batch([])
    assert batch is not None
    assert len(batch) == 0


# ---------------------------------------------------------------------------- stored lines


def test_stored_lines_are_decoded() -> None:
    text = SMALL_LINE + b"\n" + GOLDEN_LINE + b"\n"
    assert decode_events(text) == [decode_event(SMALL_LINE), decode_event(GOLDEN_LINE)]
    assert decode_events(b"") == []
    for damaged in (SMALL_LINE[:-1], b"[]", b"\xff", again_line(SMALL_ID)):
        with pytest.raises(DamagedObject) as error:
            decode_event(damaged)
        assert error.value.ids == [canonical.object_id(damaged)]
        with pytest.raises(DamagedObject):
            decode_events(text + damaged)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((b'{"data"', b'{ "data"'), "not in canonical form"),
        ((b',"version":1', b""), "not in canonical form"),
        ((b'"kind":"event",', b""), "not in canonical form"),
        ((b":500", b":500.0"), "not in canonical form"),
        ((b":500", b":5e2"), "not in canonical form"),
        ((b"account", b"\\u0061ccount"), "not in canonical form"),
        ((b":1}", b':1,"version":1}'), "duplicate key 'version'"),
        ((b'"kind":"event",', b'"key":null,"kind":"event",'), "not in canonical form"),
        ((b'"kind":"event",', b'"kind":"event","meta":{},'), "not in canonical form"),
        ((b".123456Z", b"Z"), "not in canonical form"),
        ((b".123456Z", b".1234567Z"), "more than six fractional digits"),
        ((b"account-42", b"account//42"), "component"),
        ((b":1}", b':1,"zzz":1}'), "'zzz' is not a member of an event"),
        ((b"}", b""), "not JSON"),
    ],
    ids=count(),
)
def test_a_stored_line_must_be_canonical(change: tuple[bytes, bytes], said: str) -> None:
    changed = SMALL_LINE.replace(*change)
    assert changed != SMALL_LINE
    problems = verify_event_lines([SMALL_LINE, changed, GOLDEN_LINE])
    assert problems[0] is None
    assert said in (problems[1] or "")
    assert problems[2] is None
    assert verified_batch([SMALL_LINE, changed]) is None


def test_stored_names_need_no_unicode_form_and_may_be_reserved() -> None:
    lines = [SMALL_LINE.replace(b"account-42", name.encode()) for name in ("e\u0301", "$model")]
    assert verify_event_lines(lines) == [None, None]
    batch = verified_batch(lines)
    assert batch is not None
    assert [event.stream for event in batch.events] == ["e\u0301", "$model"]


# ---------------------------------------------------------------------------- batch is single

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**54), 2**54),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-100, 100).map(float),
    st.text(max_size=5),
    st.sampled_from(['"', "\\", '\\"', "😀", "\U00010000", "key", "version"]),
)
OBJECT_KEYS = st.sampled_from(["a", "b", "\U00010000", "\uffff", '"', "\\", "kind", "version"])
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(OBJECT_KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBERS = st.fixed_dictionaries(
    {
        "stream": st.sampled_from(["a-1", "b/c", "é", "e\u0301", "$x", "a@b", "a@1", "", "😀"]),
        "type": st.sampled_from(["made", "a.b", "😀", "a b", ""]),
        "time": st.sampled_from(
            [TIME, "2026-11-23T03:36:00Z", "2026-11-23T03:36:00.5+01:00", "2026-02-29T00:00:00Z"]
        ),
        "data": DATA,
    },
    optional={
        "version": st.sampled_from([1, 2, 1.0, 0, None, True, 2**31]),
        "kind": st.sampled_from(["event", "event", "commit", None]),
        "meta": st.one_of(st.none(), st.dictionaries(OBJECT_KEYS, DATA, max_size=2)),
        "key": st.sampled_from([None, "k", "", 1, "a\tb", "😀"]),
        "origin": st.sampled_from([None, "o1", "a b", ""]),
        "blobs": st.sampled_from([None, {}, {BLOB: 1}, {BLOB: 2.0}, {"x": 1}, {BLOB: -1}]),
        "id": st.just("x"),
    },
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Lines of events, right and wrong, with members in any order and some of them twice."""
    members = list(draw(MEMBERS).items())
    if draw(st.integers(0, 5)):
        members = [pair for pair in members if pair[0] != "id"]
    members += draw(st.lists(st.sampled_from(members), max_size=1))
    members = draw(st.permutations(members))
    ascii_only = draw(st.booleans())
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    text = ",".join(
        f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=ascii_only, separators=separators)}"
        for name, value in members
    )
    return f"{{{text}}}".encode()


def slow(given: bytes, rules: Rules) -> tuple[list[Event], list[bytes]] | str:
    try:
        return found(events_module._slow(given, rules))
    except EvgitError as error:
        return error.message


def found(batch: EventBatch) -> tuple[list[Event], list[bytes]]:
    return batch.events, batch.lines


def told_apart(given: list[Event]) -> list[str]:
    """1, 1.0 and True are equal in Python; members may be in any order."""
    return [json.dumps(msgspec.structs.asdict(event), sort_keys=True) for event in given]


@given(st.lists(lines(), min_size=1, max_size=4), st.booleans(), st.booleans())
@example([SMALL_LINE, SMALL_LINE[:-1] + b',"version":1,"kind":"event"}'], False, False)
@example([BARE_LINE], False, False)
@example([BARE_LINE, BARE_LINE[:-1] + b',"data":1}'], False, False)
# As long as the canonical line would be, with a displaced member in the place of one left out.
@example([SMALL_LINE.replace(b',"version":1', b',"data":1234')], False, False)
@example([BARE_LINE[:-1] + b',"data":{"amount":501},"a":1}'], False, False)
@example([BARE_LINE.replace(b".123456Z", b"Z"), BARE_LINE], False, False)
@example([BARE_LINE.replace(b".123456Z", b"Z")[:-1] + b',"data":1}', BARE_LINE], False, False)
def test_a_batch_is_judged_as_its_lines_are(
    given: list[bytes], stored: bool, reserved: bool
) -> None:
    rules = Rules(stored=stored, reserved=reserved)
    one_by_one = [slow(each, rules) for each in given]
    fast = events_module._fast(given, rules)
    if fast is not None:
        assert [([event], [text]) for event, text in zip(*found(fast), strict=True)] == one_by_one
        assert told_apart(fast.events) == told_apart([each[0][0] for each in one_by_one])
    for each, expected in zip(given, one_by_one, strict=True):
        alone = events_module._fast([each], rules)
        assert alone is None or found(alone) == expected

    if not stored:
        first_wrong = next((i for i, each in enumerate(one_by_one) if isinstance(each, str)), None)
        if first_wrong is None:
            batch = batch_from_lines(given, reserved=reserved)
            assert batch.lines == [each[1][0] for each in one_by_one]
            assert batch.events == [each[0][0] for each in one_by_one]
            again = batch_from_events(batch.events, reserved=reserved)
            assert again.lines == batch.lines
            assert verify_event_lines(batch.lines) == [None] * len(given)
            assert decode_events(b"\n".join(batch.lines)) == batch.events
        else:
            with pytest.raises(InvalidEvent) as error:
                batch_from_lines(given, reserved=reserved)
            assert error.value.message == f"line {first_wrong + 1}: {one_by_one[first_wrong]}"


@given(st.lists(lines(), min_size=1, max_size=4))
def test_only_canonical_lines_are_verified(given: list[bytes]) -> None:
    rules = Rules(stored=True, reserved=True)
    for each, problem in zip(given, verify_event_lines(given), strict=True):
        result = slow(each, rules)
        assert (problem is None) == (not isinstance(result, str) and result[1] == [each])
