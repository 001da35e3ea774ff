"""Stored lines of events that are certified in one pass over their bytes.

Two things are held: that nothing is certified that the slow way refuses or would write otherwise,
and that ordinary events are certified, so that the first can't come of certifying nothing.
"""

from __future__ import annotations

import json
import struct
import sys
from array import array
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, strategies as st

from evgit.errors import EvgitError
from evgit.formats import canonical, event as events_module, rfc8785
from evgit.formats.event import Event, batch_from_lines
from evgit.formats.event_rules import Rules
from evgit.formats.native import native
from evgit.formats.times import to_instants

TIME = "2026-11-23T03:36:00.123456Z"
BLOBS = {"0" * 64: 0, "af" * 32: 2**53 - 1}
RULES = Rules(stored=True, reserved=True)

Facts = tuple[str, bytes, str, str, list[int], list[str], list[int], list[int]]
Certify = Callable[[list[bytes]], Facts | None]


def by_the_rules(lines: list[bytes]) -> Facts | None:
    """What the native part says, by the slow way, which has no doubts."""
    events: dict[int, Event] = {}
    for place, line in enumerate(lines):
        try:
            found = events_module._slow(line, RULES)
        except EvgitError:
            continue
        if found.lines == [line]:
            events[place] = found.events[0]
    if not events:
        return None
    times = [event.time for event in events.values()]
    instants = dict(zip(events, to_instants(times), strict=True))
    return (
        "\n".join(events[i].stream if i in events else "" for i in range(len(lines))),
        array("q", [instants.get(i, -1) for i in range(len(lines))]).tobytes(),
        min(times),
        max(times),
        [i for i, event in events.items() if event.key is not None],
        [event.key for event in events.values() if event.key is not None],
        [i for i, event in events.items() if event.blobs],
        [i for i in range(len(lines)) if i not in events],
    )


IMPLEMENTATIONS: dict[str, Certify] = {"rules": by_the_rules}
if native is not None:
    IMPLEMENTATIONS["native"] = native.certified_lines

QUICKEST = list(IMPLEMENTATIONS.values())[-1]
"""For what takes time, and says nothing new of the rules themselves."""


@pytest.fixture(params=IMPLEMENTATIONS, scope="module")
def certify(request: pytest.FixtureRequest) -> Certify:
    return IMPLEMENTATIONS[request.param]


def line(data: str = "{}", *, before: str = "", meta: str = "", **members: Any) -> bytes:
    """A canonical line whose data is just this text; `before`: what stands before `kind`."""
    given = {"stream": "account-42", "time": TIME, "type": "deposit_made", "version": 1, **members}
    named = ",".join(
        f"{json.dumps(k)}:{json.dumps(v, ensure_ascii=False)}" for k, v in given.items()
    )
    return f'{{"data":{data},{before}"kind":"event",{meta}{named}}}'.encode()


def check(certify: Certify, lines: list[bytes]) -> list[bool]:
    """Which lines are certified, all of them rightly."""
    good = [certify([each]) is not None for each in lines]
    certified = [each for each, is_good in zip(lines, good, strict=True) if is_good]
    if certified:
        assert certify(certified) == by_the_rules(certified)
    else:
        assert certify([]) is None
    return good


def certifies(certify: Certify, given: bytes) -> bool:
    return check(certify, [given]) == [True]


# ---------------------------------------------------------------------------- what is certified

ORDINARY = [
    line(),
    line("7"),
    line("null"),
    line("[]"),
    line("[[],{},[{}],true,false,null]"),
    line('{"":0,"A":1,"a":2,"aa":3,"b":{"x":[1,2]},"é":4,"€":5,"\uffff":6}'),
    line(
        '"\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u0007\\u000b\\u000e\\u001f/\x7f\x80é€😀\ud7ff\ue000\U0010ffff"'
    ),
    line("[0,-1,10,9007199254740991,-9007199254740991]"),
    line("[0.5,-0.5,12.5,1.1,0.000001,0.00000100000000000001,123456789012.345,-99999999999999.9]"),
    line("[0.30000000000000004,-66.66666666666667,123456789012345.67,0.0000033333333333333333]"),
    line("[" * 60 + "]" * 60),
    line(before='"key":"order-17",'),
    line(before='"key":"%s",' % ("é" * 512)),
    line(meta='"meta":{"actor":"till-7","n":[1]},'),
    line(meta='"origin":"5f1c0a",'),
    line(meta='"meta":{"a":1},"origin":"%s",' % ("~" * 64)),
    line(stream="$model"),
    line(stream="a/b.c/..d/e..@7x @x/é😀"),
    line(stream="x" * 240),
    line(stream="@"),
    line(stream="7"),
    line(type="payment.succeeded"),
    line(type="!" * 240),
    line(version=2**31 - 1),
    line(time="0001-01-01T00:00:00.000000Z"),
    line(time="9999-12-31T23:59:59.999999Z"),
    line(time="2024-02-29T23:59:59.999999Z"),
    line(time="2000-02-29T00:00:00.000000Z"),
    b'{"blobs":%b,' % json.dumps(BLOBS, separators=(",", ":")).encode() + line()[1:],
]


@pytest.mark.parametrize("given", ORDINARY, ids=range(len(ORDINARY)))
def test_ordinary_lines_are_certified(certify: Certify, given: bytes) -> None:
    assert certifies(certify, given)


def test_real_events_are_certified(shared_data: Path) -> None:
    for name in ("click-history", "github-webhooks"):
        packed = (shared_data / f"{name}.jsonl.zst").read_bytes()
        with TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed)) as file:
            given = [json.dumps({"time": TIME, **json.loads(each)}).encode() for each in file][:200]
        lines = batch_from_lines(given).lines
        found = QUICKEST(lines)
        assert found is not None
        assert found[-1] == []
        assert found == by_the_rules(lines)


# ---------------------------------------------------------------------------- what is not

WRONG = [
    b"",
    b"{}",
    b"[]",
    line() + b" ",
    line() + b"\n",
    b" " + line(),
    b"\xef\xbb\xbf" + line(),
    line() + line(),
    line()[:-1] + b',"zzz":1}',
    line(before='"key":null,'),
    line(before='"key":"",'),
    line(before='"key":7,'),
    line(before='"key":"\\n",'),
    line(before='"key":"\x7f",'),
    line(before='"key":"\x85",'),
    line(before='"key":"%s",' % ("x" * 1025)),
    line(before='"id":"x",'),
    line(before='"key":"a","key":"a",'),
    line(meta='"meta":{},'),
    line(meta='"meta":null,'),
    line(meta='"meta":[],'),
    line(meta='"origin":"",'),
    line(meta='"origin":"a b",'),
    line(meta='"origin":"é",'),
    line(meta='"origin":"%s",' % ("~" * 65)),
    line(meta='"origin":"x","meta":{"a":1},'),
    *(line(stream=name) for name in ("", "a//b", "/a", "a/", ".", "..", "a/../b", "a/.", "a@7")),
    *(line(stream=name) for name in ("x" * 241, "é" * 121, "@0", "x\x7f", "x\x80", "x\x9f", "x\n")),
    *(line(type=name) for name in ("", "a b", "a\u00a0b", "a\u3000b", "\x7f", "x" * 241)),
    *(line(version=number) for number in (0, -1, 2**31, 1.5, True, "1")),
    line().replace(b'"version":1', b'"version":01'),
    line().replace(b'"version":1', b'"version":1.0'),
    line().replace(b'"version":1', b'"version":1e0'),
    line().replace(b"event", b"commit", 1),
    *(
        line(time=TIME.replace(*change))
        for change in (
            ("2026", "0000"), ("-11-", "-13-"), ("-11-", "-00-"), ("-23", "-31"), ("-23", "-00"),
            ("T03", "T24"), (":36:", ":60:"), (":00.", ":60."), ("T", " "), ("Z", "z"),
            ("123456Z", "12345Z"), ("123456Z", "1234567Z"), ("Z", "+00:00"), ("6Z", "٦Z"),
        )
    ),
    *(line(time=f"{year}-02-29T00:00:00.000000Z") for year in (1900, 2023, 2100, 9999)),
    *(
        b'{"blobs":%b,' % blobs + line()[1:]
        for blobs in (
            b"{}", b"[]", b'{"x":1}', b'{"%b":1}' % (b"A" * 64), b'{"%b":-1}' % (b"a" * 64),
            b'{"%b":1.5}' % (b"a" * 64), b'{"%b":9007199254740992}' % (b"a" * 64),
            b'{"%b":1,"%b":1}' % (b"a" * 64, b"a" * 64), b'{"%b":01}' % (b"a" * 64),
            b'{"%b":1,"%b":1}' % (b"b" * 64, b"a" * 64), b'{"%b":1,}' % (b"b" * 64),
            b'{"%b":1 }' % (b"a" * 64), b'{"%b":1}' % (b"a" * 63), b'{"%b":1}' % (b"a" * 65),
        )
    ),
    *(
        line(data)
        for data in (
            "-0", "01", "-", "+1", "1.", ".5", "1.0", "1.50", "-0.0", "0.0", "1e2", "1E2", "00.5",
            "9007199254740993", "-9007199254740993", "0.0000001", "1e999", "NaN", "Infinity",
            "0.30000000000000005", "9007199254740993.5",
            '{"a":1,"a":2}', '{"b":1,"a":2}', '{"aa":1,"a":2}', '{"a":1,}', '{"a"}', '{"a":}',
            "{,}",
            "{1:1}", "[1,]", "[,1]", "[1 ,2]", "[1}", '{"a":1]', "[", "{", "]", "", " 1", "tru",
            "truee", "True", "nul", '"\\u0041"', '"\\u0008"', '"\\u000A"', '"\\u001F"', '"\\u0020"',
            '"\\/"', '"\\x"', '"\t"', '"\n"', '"', '"\\', '"\\"', '"\\u00', "'a'", "1 2", "1//",
            '"\\ud800"', '"\\ud83d\\ude00"', '{"\\u0061":1}', '{"\uffff":1,"\U00010000":2}',
            "[" * 128 + "]" * 128, "[" * 100_000, '{"a":' * 100_000,
        )
    ),
    *(
        line('"x"').replace(b'"x"', b'"' + wrong + b'"')
        for wrong in (
            b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xc2\x41", b"\xe0\x80\x80",
            b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xe2\x82", b"\xe2\x82\x41",
            b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
            b"\xfe", b"\xff", b"\x00",
            b"\xf0\x9f\x98", b"\xf0\x9f\x98\x41", b"\xf0\x41\x98\x80", b"12345678\xed\xa0\x80",
        )
    ),
]  # fmt: skip


def test_what_is_wrong_is_never_certified(certify: Certify) -> None:
    assert [each for each in WRONG if certify([each]) is not None] == []


UNUSUAL = [
    line("1e+21"),
    line("1e-7"),
    line("9007199254740992"),
    line("1000000000000000100"),
    line('{"\U00010000":1,"\uffff":2}'),
    line('{"a\\"b":1}'),
    line("[" * 127 + "]" * 127),
    line(before='"key":"a\\"b",'),
    line(stream='a"b'),
    line(type="出金"),
]


def test_what_is_unusual_may_be_left_to_others(certify: Certify) -> None:
    assert by_the_rules(UNUSUAL) is not None
    check(certify, UNUSUAL)
    if certify is not by_the_rules:
        assert certify(UNUSUAL) is None
        found = certify([*ORDINARY, *UNUSUAL])
        assert found is not None
        assert found[-1] == [len(ORDINARY) + i for i in range(len(UNUSUAL))]


def test_size_is_limited(certify: Certify) -> None:
    longest = 16 * 2**20 - len(line('""'))
    assert certify([line(f'"{"x" * longest}"')]) is not None
    assert certify([line(f'"{"x" * (longest + 1)}"')]) is None


# ---------------------------------------------------------------------------- mutations

SAMPLES = [
    line('{"a":[1,-2.5,"é😀\\n\\u0001"],"b":null}', before='"key":"k",', meta='"meta":{"a":1},'),
    b'{"blobs":{"%b":10},' % (b"0a" * 32) + line("true", meta='"origin":"o",', stream="a/b@7c")[1:],
]
BYTES = sorted(set(b'\x00\x1f !"+,-./0129:@AZ[\\]aefnu{}\x7f\x80\x85\xbf\xc2\xe2\xed\xf0\xf4\xff'))


def mutated(sample: bytes, values: Iterable[int]) -> Iterable[bytes]:
    for place in range(len(sample)):
        yield sample[:place]
        yield sample[:place] + sample[place + 1 :]
        yield sample[:place] + sample[place : place + 1] + sample[place:]
        for value in values:
            yield sample[:place] + bytes([value]) + sample[place + 1 :]
            yield sample[:place] + bytes([value]) + sample[place:]


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
def test_changed_bytes_are_judged_rightly(certify: Certify, sample: bytes) -> None:
    assert certifies(certify, sample)
    values = BYTES[::8] if certify is by_the_rules else range(256)
    given = list(mutated(sample, values))
    good = [each for each in given if certify([each]) is not None]
    assert 0 < len(good) < len(given) / 2
    found = certify(good)
    assert found == by_the_rules(good)
    assert found is not None
    assert found[-1] == []


# ---------------------------------------------------------------------------- generated

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.integers(-(10**6), 10**6).map(lambda number: number / 100),
    st.text(max_size=12),
    st.text(max_size=12, alphabet='"\\\n\x00\x1f\x7fé€😀'),
)
BASIC = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), max_size=9)
KEYS = BASIC.filter(lambda key: '"' not in key and "\\" not in key)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=5,
)
EVENTS = st.builds(
    Event,
    stream=st.sampled_from(["account-42", "a/b", "é", "$model", "x@y", "a.b", "e\u0301"]),
    type=st.sampled_from(["deposit_made", "payment.succeeded", "A-b"]),
    data=VALUES,
    time=st.datetimes().map(lambda time: f"{time:%Y}".zfill(4) + f"{time:-%m-%dT%H:%M:%S.%fZ}"),
    version=st.integers(1, 2**31 - 1),
    meta=st.dictionaries(KEYS, VALUES, max_size=3),
    key=st.one_of(st.none(), KEYS.filter(bool)),
    origin=st.one_of(st.none(), st.just("5f1c0a")),
    blobs=st.sampled_from([{}, {}, BLOBS]),
)


@given(given=st.lists(EVENTS, min_size=1, max_size=4))
def test_ordinary_events_are_certified(given: list[Event]) -> None:
    lines = [encoded(event) for event in given]
    assert check(QUICKEST, lines) == [True] * len(lines)


def encoded(event: Event) -> bytes:
    """Its canonical line, by the slow way."""
    members = canonical.encode(events_module._given_members(event))
    return events_module._slow(members, RULES).lines[0]


@given(
    event=EVENTS,
    changes=st.lists(
        st.tuples(st.integers(0), st.integers(0, 3), st.binary(max_size=3)), max_size=3
    ),
)
def test_hostile_lines_are_judged_rightly(
    event: Event, changes: list[tuple[int, int, bytes]]
) -> None:
    changed = encoded(event)
    for place, cut, put in changes:
        place %= len(changed) + 1
        changed = changed[:place] + put + changed[place + cut :]
    check(QUICKEST, [changed])


# ---------------------------------------------------------------------------- published cases


def test_parser_suite(shared_data: Path) -> None:
    cases = sorted((shared_data / "jsontestsuite").glob("*.json"))
    assert len(cases) == 318
    certified = 0
    for path in cases:
        raw = path.read_bytes()
        forms = [raw]
        try:
            forms.append(canonical.canonicalize(raw))
        except EvgitError:
            pass
        for form in forms:
            given = line("@").replace(b"@", form)
            good = check(QUICKEST, [given])[0]
            assert not (good and path.name.startswith("n_"))
            certified += good
    assert certified > 100


def test_rfc_8785_vectors(certify: Certify, shared_data: Path) -> None:
    outputs = sorted((shared_data / "jcs" / "testdata" / "output").glob("*.json"))
    assert len(outputs) == 6
    good = [check(certify, [line("@").replace(b"@", path.read_bytes())])[0] for path in outputs]
    assert good.count(True) >= 3


def test_doubles_are_certified_in_one_form_each(shared_data: Path) -> None:
    with (shared_data / "jcs" / "es6testfile100k.txt").open(encoding="ascii") as file:
        bits = [each.split(",")[0] for each in file][::40]
    values = [struct.unpack(">d", bytes.fromhex(each.zfill(16)))[0] for each in bits]
    forms = []
    for value in values:
        rounded = [float(f"{value % 1e6:.{digits}g}") for digits in (2, 9, 15, 16)]
        small = [value % 1e-3, float(f"{value % 1e-5:.8g}")]
        forms += [rfc8785.format_number(each) for each in [value, *rounded, *small]]
        forms += [f"{each:.7f}" for each in rounded[:2]]
    good = [form for form in forms if QUICKEST([line(form)]) is not None]
    assert len(good) > len(forms) / 3
    assert [rfc8785.format_number(float(form)) for form in good] == good


def test_text_is_judged_as_its_lines_are() -> None:
    if native is None:
        return
    lines = [*ORDINARY[:5], *UNUSUAL, *ORDINARY[5:], b""]
    assert native.certified_text(b"\n".join(lines) + b"\n") == native.certified_lines(lines)
    assert native.certified_text(b"") is None
    assert native.certified_text(b"\n") is None
    assert native.certified_text(b"\n" * 1000) is None
    assert native.certified_text(line()) is None
    assert native.certified_text(line() + b"\n") == native.certified_lines([line()])
    assert native.certified_text(line() + b"\n" + line()) is None
    assert native.certified_lines([]) is None
    for wrong in (None, "text", [b"x", "x"], (b"x",), bytearray(b"x")):
        with pytest.raises(TypeError):
            native.certified_lines(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        native.certified_text("text")  # type: ignore[arg-type]


def test_references_are_counted_right() -> None:
    if native is None:
        return
    lines = [*ORDINARY, *UNUSUAL]
    before = [sys.getrefcount(each) for each in lines]
    for _ in range(100):
        native.certified_lines(lines)
        native.certified_lines(UNUSUAL)
    assert [sys.getrefcount(each) for each in lines] == before
