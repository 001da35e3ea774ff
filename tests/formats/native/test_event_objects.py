"""Objects of lines of events: what msgspec makes of the same lines, whoever makes them."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import example, given, settings, strategies as st

from evgit.formats import canonical, event_objects
from evgit.formats.event import Event
from evgit.formats.event_objects import lines_decoder, slots_of
from evgit.formats.native import native
from evgit.state.modelling.events import OnceEvent

TIME = "2026-11-23T03:36:00.123456Z"


class StreamAndData(msgspec.Struct):
    stream: str
    data: dict[str, Any]


class Plain(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    number: int = msgspec.field(name="version")
    what: str = msgspec.field(name="type")
    when: str = msgspec.field(name="time")
    blobs: dict[str, Any] = {}
    absent: int | None = None
    key: str | None = "none"
    more: dict[str, Any] = {}


class Untracked(msgspec.Struct):
    stream: str
    data: Any


class AsAnEvent(msgspec.Struct, tag_field="kind", tag="event"):
    origin: str | None
    meta: Any


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    stream: str


class Other(msgspec.Struct, tag_field="kind", tag="commit"):
    stream: str


class WithList(msgspec.Struct):
    stream: str
    seen: list[int] = []


class Long(msgspec.Struct):
    stream: Annotated[str, msgspec.Meta(min_length=3)]


class Amount(msgspec.Struct):
    amount: int = 0


class Typed(msgspec.Struct):
    stream: str
    data: Amount


class Checked(msgspec.Struct):
    stream: str

    def __post_init__(self) -> None:
        if self.stream == "x":
            raise ValueError("not x")


NATIVE_FORMS = [Event, OnceEvent, StreamAndData, Plain, Untracked, AsAnEvent]
OTHER_FORMS: list[Any] = [Strict, Other, WithList, Long, Typed, Checked, dict, dict[str, Any]]
FORMS = [*NATIVE_FORMS, *OTHER_FORMS]
IMPLEMENTATIONS = [None] if native is None else [None, native]


def outcome(decode: Callable[[bytes], list[Any]], text: bytes) -> list[str] | str:
    """What is made of a text, told apart as 1 and 1.0 are not by themselves; or what is wrong."""
    try:
        found = decode(text)
    except event_objects.NOT_DECODED as error:
        return f"{type(error).__name__}: {error}"
    return list(map(repr, found))


def agree(text: bytes, forms: Iterable[Any] = FORMS) -> None:
    for form in forms:
        expected = outcome(msgspec.json.Decoder(form).decode_lines, text)
        for implementation in IMPLEMENTATIONS:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(event_objects, "native", implementation)
                assert outcome(lines_decoder(form), text) == expected, form


def line(**members: Any) -> bytes:
    given = {
        "data": {},
        "kind": "event",
        "stream": "account-42",
        "time": TIME,
        "type": "deposit_made",
        "version": 1,
        **members,
    }
    return canonical.encode({k: v for k, v in given.items() if v is not None}) + b"\n"


TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet='ab"\\\n\x00\x1f\x7f\u00e9\u20ac\U0001f600', max_size=40),
    st.integers(0, 80).map("x".__mul__),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-canonical.MAX_SAFE_INTEGER, canonical.MAX_SAFE_INTEGER),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)
LINES = st.builds(
    line,
    data=st.one_of(OBJECTS, VALUES.filter(lambda value: value is not None)),
    key=st.none() | TEXTS,
    meta=st.none() | OBJECTS,
    origin=st.none() | TEXTS,
    blobs=st.none() | st.just({"0" * 64: 5}),
    stream=TEXTS,
    type=TEXTS,
    version=st.integers(1, 2**31 - 1),
)

SMALL = line(data={"amount": 500, "note": "für"}, meta={"actor": "till-7"})
WHOLE = line(
    data={"a": [1, -2.5, 1e300, True, False, None, {}, []], "b": {"c": {"d": 'x"\\\n\x01'}}},
    key="k",
    meta={"actor": "é"},
    origin="5f1c0a",
)


@given(st.lists(LINES, max_size=3))
@example([SMALL, WHOLE, SMALL])
@example([])
def test_lines_of_events_become_what_msgspec_makes_of_them(lines: list[bytes]) -> None:
    text = b"".join(lines)
    agree(text)
    agree(text[:-1])


@given(LINES, st.data())
@settings(max_examples=200)
def test_so_does_anything_else(original: bytes, data: st.DataObject) -> None:
    changed = bytearray(SMALL + original)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(changed)))
        cut = data.draw(st.integers(0, 3))
        new = st.sampled_from([b'"', b"\\", b"\n", b"{", b"}", b"[", b",", b":", b"0", b"-", b"."])
        changed[place : place + cut] = data.draw(
            st.one_of(st.binary(max_size=2), new, st.just(b""))
        )
    agree(bytes(changed))


def test_so_does_every_part_of_a_line() -> None:
    for end in range(len(WHOLE)):
        agree(WHOLE[:end], NATIVE_FORMS)
        agree(SMALL + WHOLE[end:], NATIVE_FORMS)


@pytest.mark.parametrize(
    "value",
    [
        *("-0", "01", "-01", "1.", ".5", "1e", "1e+", "-", "1E5", "1e400", "-1e-400", "0.1", "1.0"),
        *("9" * 18, "9" * 19, "-" + "9" * 18, "9" * 25, "0." + "1" * 70, "2.5e-3", "1e05"),
        *("9007199254740993", "9223372036854775807", "18446744073709551615", "tru", "nul", "NaN"),
        *(
            '"\\u0041"',
            '"\\u00e9"',
            '"\\u001f"',
            '"\\u001F"',
            '"\\u0020"',
            '"\\/"',
            '"\\x"',
            '"\\"',
        ),
        *('"\\ud83d\\ude00"', '"\\ud800"', '"a\tb"', '"\x7f"', "[1,]", '{"a":1,}', '{"a":1,"a":2}'),
        *("[" * 31 + "]" * 31, "[" * 33 + "]" * 33, '{"a":' * 40 + "1" + "}" * 40, "[1 ]", "{}"),
        *('""', '{"":""}', '{"a\\nb":1}', '{"\\u0061":1}', "[[],[[]],{}]", "[1;2]", '{"a";1}'),
    ],
)
def test_values_of_all_forms(value: str) -> None:
    agree(SMALL.replace(b"500", value.encode()))
    agree(SMALL.replace(b'{"amount":500', b'{"other":{"amount":' + value.encode() + b"}"))
    agree(line(data={}).replace(b'"data":{}', b'"data":' + value.encode()))
    agree(SMALL.replace(b'"version":1', b'"version":' + value.encode()))


@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3"]
)
def test_bytes_that_are_no_utf8(bad: bytes) -> None:
    for place in (b"till-7", b"amount", b"account-42", b"deposit_made", TIME.encode()):
        agree(SMALL.replace(place, bad))
        agree(SMALL.replace(place, place + bad + b"\\n"))


def test_strings_that_are_kept_stay_what_they_are() -> None:
    names = [f"{'n' * (number % 60)}{number}" for number in range(5000)]
    text = b"".join(
        line(stream=name, type=name, data={name: name, "next": {name: name}}) for name in names * 2
    )
    agree(text, [Event, StreamAndData])


def test_a_text_may_be_any_buffer() -> None:
    for decode in (lines_decoder(Event), msgspec.json.Decoder(Event).decode_lines):
        assert decode(memoryview(SMALL)) == decode(SMALL)


def test_deep_values_end_no_stack() -> None:
    for opened, closed in (("[", "]"), ('{"a":', "}")):
        for depth in (100_000, 100):
            agree(line(data=5).replace(b"5", (opened * depth + "1" + closed * depth).encode()))
        agree(line(data=5).replace(b"5", (opened * 100_000).encode()))


def test_which_classes_can_be_filled_in() -> None:
    assert all(slots_of(form) is not None for form in NATIVE_FORMS)
    assert all(slots_of(form) is None for form in (Strict, Other, WithList, Long, Typed, Checked))


@pytest.mark.parametrize("form", NATIVE_FORMS)
def test_ordinary_lines_need_no_help(form: type[msgspec.Struct]) -> None:
    def fail(line: bytes) -> Any:
        raise AssertionError(line)

    for implementation in filter(None, IMPLEMENTATIONS):
        plan = implementation.event_objects_plan(form, slots_of(form) or (), False)
        text = SMALL + WHOLE if form is not AsAnEvent else WHOLE
        found = implementation.event_objects(plan, text, fail)
        assert list(map(repr, found)) == outcome(msgspec.json.Decoder(form).decode_lines, text)


@pytest.mark.parametrize("form", [StreamAndData, Untracked, Event, OnceEvent])
def test_the_collector_looks_at_the_same_objects(form: Any) -> None:
    texts = [SMALL, WHOLE, *([line(data=5), line(data=[])] if form is not StreamAndData else [])]
    for text in texts:
        (expected,) = msgspec.json.Decoder(form).decode_lines(text)
        (found,) = lines_decoder(form)(text)
        assert gc.is_tracked(found) == gc.is_tracked(expected)
        assert gc.is_tracked(found.data) == gc.is_tracked(expected.data)


def test_what_is_made_is_let_go_of() -> None:
    text = (SMALL + WHOLE) * 20 + line(stream='"', key="k")
    damaged = text + b'{"data":{"a":[1,2,{"b":"c"}'
    for form in NATIVE_FORMS[:-1]:
        decode = lines_decoder(form)
        decode(text)
        gc.collect()
        before = sys.getrefcount(form), sys.getrefcount(None), sys.getallocatedblocks()
        for _ in range(20):
            decode(text)
            with pytest.raises(event_objects.NOT_DECODED):
                decode(damaged)
        gc.collect()
        after = sys.getrefcount(form), sys.getrefcount(None), sys.getallocatedblocks()
        assert after[0] == before[0]
        assert abs(after[1] - before[1]) < 50
        assert after[2] - before[2] < 200


def test_what_odd_lines_raise_is_raised() -> None:
    def interrupt(line: bytes) -> Any:
        raise KeyboardInterrupt

    for implementation in filter(None, IMPLEMENTATIONS):
        plan = implementation.event_objects_plan(Event, slots_of(Event) or (), False)
        with pytest.raises(KeyboardInterrupt):
            implementation.event_objects(plan, SMALL + b"{}\n", interrupt)
        with pytest.raises(TypeError):
            implementation.event_objects(plan, "no bytes", interrupt)
        with pytest.raises(ValueError, match="Capsule"):
            implementation.event_objects(None, SMALL, interrupt)
        assert implementation.event_objects_plan(Event, (("canonical", 0, ...),), False) is None
        assert implementation.event_objects_plan(dict, (("stream", 0, ...),), False) is None
        # What their slots don't cover is for nobody else to begin.
        for form in (list, dict, type, float, ValueError):
            assert implementation.event_objects_plan(form, (), False) is None
        twice = (("stream", 4, ...), ("stream", 4, ...))
        assert implementation.event_objects_plan(StreamAndData, twice, False) is None


def test_json_dumps_of_python_is_decoded_too() -> None:
    spaced = json.dumps(json.loads(SMALL)).encode()
    agree(spaced + b"\n\n" + SMALL + b"\r\n")
