"""Canonical JSON: published vectors, every refusal, and that the fast way is never different."""

from __future__ import annotations

import inspect
import json
import struct
import sys
from enum import IntEnum
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, strategies as st

from evgit.errors import InvalidJSON
from evgit.formats import canonical, fast_json, rfc8785

# ---------------------------------------------------------------------------- vectors


def test_rfc_8785_vectors(shared_data: Path) -> None:
    inputs = sorted((shared_data / "jcs" / "testdata" / "input").glob("*.json"))
    assert len(inputs) == 6
    for path in inputs:
        expected = (shared_data / "jcs" / "testdata" / "output" / path.name).read_bytes()
        assert canonical.canonicalize(path.read_bytes()) == expected
        assert rfc8785.encode(rfc8785.parse(path.read_bytes())) == expected


def doubles(shared_data: Path) -> list[tuple[float, str]]:
    numbers = []
    with (shared_data / "jcs" / "es6testfile100k.txt").open(encoding="ascii") as file:
        for line in file:
            bits, expected = line.strip().split(",")
            numbers.append((struct.unpack(">d", bytes.fromhex(bits.zfill(16)))[0], expected))
    return numbers


def test_100000_numbers(shared_data: Path) -> None:
    numbers = doubles(shared_data)
    assert len(numbers) == 100_000
    assert [rfc8785.format_number(value) for value, _ in numbers] == [text for _, text in numbers]


def test_numbers_settled_for_the_fast_way_are_written_right(shared_data: Path) -> None:
    settled = 0
    for value, expected in doubles(shared_data):
        for number in (value, value % 1e6):
            members = {"n": number, "m": [{"n": -number}]}
            if fast_json.settle_numbers(members):
                settled += 1
                assert fast_json.ENCODER.encode(members["n"]) == (
                    expected if number is value else rfc8785.format_number(number)
                ).encode("ascii")
    assert settled > 50_000


def test_parser_suite(shared_data: Path) -> None:
    cases = sorted((shared_data / "jsontestsuite").glob("*.json"))
    assert len(cases) == 318
    accepted, refused = set(), set()
    for path in cases:
        for canonicalize in (
            canonical.canonicalize,
            lambda raw: rfc8785.encode(rfc8785.parse(raw)),
        ):
            try:
                canonicalize(path.read_bytes())
                accepted.add(path.stem)
            except InvalidJSON:
                refused.add(path.stem)
    assert not accepted & refused  # both ways agree
    assert {name for name in accepted if name.startswith("n_")} == set()
    assert {name for name in refused if name.startswith("y_")} == {
        "y_object_duplicated_key",
        "y_object_duplicated_key_and_value",
    }


# ---------------------------------------------------------------------------- refusals

TOO_DEEP = "[" * 129 + "]" * 129
DEEPEST = "[" * 128 + "]" * 128


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON: Expecting value at column 1"),
        ("{", "column 2"),
        ('{"a":1}\n{"b":2}', "not JSON: Extra data at line 2 column 1"),
        ("[NaN]", "NaN is not a JSON value"),
        ("[-Infinity]", "-Infinity is not a JSON value"),
        ("[9007199254740993]", "9007199254740993 is beyond 2^53-1"),
        ("-9007199254740993", "beyond 2^53-1"),
        ("1000000000000000000000", "beyond 2^53-1"),  # its double is written 1e+21
        ("1" * 5000, "(5000 characters) is beyond"),
        ("1e999", "1e999 is out of the range of a double"),
        ('{"a":{"b":1,"b":1}}', "duplicate key 'b'"),
        ('{"a":1,"\\u0061":2}', "duplicate key 'a'"),
        ('["\\ud800"]', "lone surrogate"),
        ('{"\\udc00":1}', "lone surrogate"),
        ('["\\ud800\\u0041"]', "lone surrogate"),
        ("\ud800", "lone surrogate at character 0"),
        (b'"\xff"', "not UTF-8: invalid start byte at byte 1"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b"\xef\xbb\xbf1", "byte order mark"),
        ("\ufeff1", "byte order mark"),
        ('"\n"', "Invalid control character"),
        (TOO_DEEP, "nested deeper than 128 at character 128"),
        ('["' + "[" * 200 + '",' + TOO_DEEP + "]", "nested deeper than 128 at character"),
        ("[" * 100_000, "nested deeper than 128"),
        ('{"a":' * 100_000, "nested deeper than 128"),
        ("\\" * 200_000 + "[" * 129, "nested deeper than 128"),
        ('"' + "\\" * 200_000 + "[" * 129, "not JSON"),
        (b" " * (16 * 2**20) + b"1", "16,777,217 bytes"),
    ],
    ids=count(),
)
def test_refused_texts(text: str | bytes, said: str) -> None:
    for take in (canonical.parse, canonical.canonicalize):
        with pytest.raises(InvalidJSON) as error:
            take(text)
        assert said in error.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0", "1"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.10", "1.1"),
        ("1E2", "100"),
        ("1e-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("1e21", "1e+21"),
        ("123456789012345680000", "123456789012345680000"),
        ("9007199254740991", "9007199254740991"),
        ("9007199254740992", "9007199254740992"),  # the form of its own double
        ("5e-324", "5e-324"),
        ("1e-400", "0"),
        (' { "b" : [ ] , "a" : { } } ', '{"a":{},"b":[]}'),
        ('"\\u0008\\u0009\\u000a\\u000c\\u000d\\u0022\\u005c\\u002f"', '"\\b\\t\\n\\f\\r\\"\\\\/"'),
        ('"\\u0000\\u001F\\u007f\\u2028"', '"\\u0000\\u001f\x7f\u2028"'),
        ('"\\ud83d\\ude00"', '"😀"'),
        ('{"\uffff":1,"\U00010000":2}', '{"\U00010000":2,"\uffff":1}'),  # as UTF-16 sorts them
        ('{"é":1,"e\u0301":2}', '{"e\u0301":2,"é":1}'),  # different keys: nothing is normalized
        (DEEPEST, DEEPEST),
    ],
)
def test_forms(text: str, expected: str) -> None:
    assert canonical.canonicalize(text).decode() == expected
    assert canonical.canonicalize(expected).decode() == expected


class Colour(IntEnum):
    RED = 1


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({1, 2}, "a set is not a JSON value"),
        ({"a": [{"b/~": (1,)}]}, "a tuple is not a JSON value (at /a/0/b~1~0)"),
        (b"x", "a bytes is not a JSON value"),
        (msgspec.Raw(b"1"), "a Raw is not a JSON value"),
        (object(), "a object is not a JSON value"),
        ({"a": {1: 2}}, "the key 1 is not a string (at /a)"),
        ({None: 2}, "the key None is not a string"),
        ([float("nan")], "nan is not a JSON value (at /0)"),
        ({"n": float("-inf")}, "-inf is not a JSON value (at /n)"),
        (2**53 + 1, "an integer is beyond 2^53-1"),
        (10**21, "an integer is beyond 2^53-1"),
        (10**5000, "an integer is beyond 2^53-1"),
        ("\ud800", "lone surrogate"),
        ({"\udfff": 1}, "lone surrogate"),
        (CYCLE, "nested deeper than 128"),
        ("x" * (16 * 2**20), "16,777,218 bytes"),
    ],
    ids=count(),
)
def test_refused_values(value: object, said: str) -> None:
    with pytest.raises(InvalidJSON) as error:
        canonical.encode(value)
    assert said in error.value.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**53, b"9007199254740992"),
        (10**20, b"100000000000000000000"),
        (-(2**53) + 1, b"-9007199254740991"),
        ([1.0, -0.0, 1e21, True, None], b"[1,0,1e+21,true,null]"),
        (Colour.RED, b"1"),
        ({}, b"{}"),
    ],
)
def test_encoded_values(value: object, expected: bytes) -> None:
    assert canonical.encode(value) == expected


def test_depth_does_not_depend_on_the_caller() -> None:
    def at(depth: int) -> bytes:
        return canonical.canonicalize(DEEPEST) if depth == 0 else at(depth - 1)

    assert at(sys.getrecursionlimit() // 3) == DEEPEST.encode()


def test_an_exhausted_stack_is_an_error_of_ours() -> None:
    deepest = canonical.parse(DEEPEST)

    def at(depth: int) -> None:
        if depth:
            at(depth - 1)
        else:
            with pytest.raises(InvalidJSON, match="the stack that is left"):
                rfc8785.encode(deepest)

    at(sys.getrecursionlimit() - len(inspect.stack(0)) - 100)


def test_ids_are_blake3_of_the_bytes() -> None:
    expected = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert canonical.object_id(b"") == expected
    assert canonical.digest(b"") == bytes.fromhex(expected)


# ---------------------------------------------------------------------------- fast is slow

KEYS = st.one_of(
    st.sampled_from(["a", "b", "é", "\uffff", "\U00010000", "😀", '"', "\\", "\\u0061", "", ":"]),
    st.text(max_size=4),
)
INTEGERS = st.one_of(
    st.integers(-1000, 1000),
    st.integers(-(10**22), 10**22),
    st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, -(2**53), 2**63, 2**64, 10**21]),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    INTEGERS,
    st.floats(),
    st.floats(1e-7, 1e-3),
    st.floats(1e14, 1e22),
    st.integers(-(10**16), 10**16).map(float),
    st.text(max_size=6),
    st.sampled_from(['"', "\\", '\\"', "\x00\x1f", "\x7f", "😀:", "\ud800", "\u2028"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=20,
)


def judged(action: Any, *arguments: Any) -> Any:
    """("refused",), or what came of it in a form that tells 1 from 1.0 and True."""
    try:
        result = action(*arguments)
    except InvalidJSON:
        return ("refused",)
    return result if isinstance(result, bytes) else repr(result)


@given(VALUES)
@example([float("nan")])
@example({"a": {"\U00010000": 1, "\uffff": 2}})
def test_encode_fast_equals_slow(value: Any) -> None:
    fast = fast_json.encode(value)
    assert fast is None or fast == judged(rfc8785.encode, value)
    assert judged(canonical.encode, value) == judged(rfc8785.encode, value)


@given(st.lists(VALUES, max_size=5))
def test_many_are_encoded_as_each_alone(values: list[Any]) -> None:
    def alone(values: list[Any]) -> list[bytes]:
        return [canonical.encode(value) for value in values]

    assert judged(canonical.encode_all, values) == judged(alone, values)


class _Pairs(dict[str, Any]):
    """An object that json.dumps writes with the given pairs, duplicates and all."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__({"": 0} if pairs else {})
        self._pairs = pairs

    def items(self) -> Any:
        return self._pairs


TEXT_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(st.tuples(KEYS, inner), max_size=4).map(_Pairs),
    ),
    max_leaves=12,
)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """JSON, with duplicate keys, in several styles, and sometimes with a byte changed."""
    text = json.dumps(
        draw(TEXT_VALUES),
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1])),
    )
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    if raw and draw(st.integers(0, 3)) == 0:
        position = draw(st.integers(0, len(raw) - 1))
        change = draw(st.binary(max_size=2))
        raw[position : position + draw(st.integers(0, 2))] = change
    return bytes(raw)


@given(texts())
@example(b'{"a":{"k":1,"k":2}}')
@example(b'{"a":1,"\\u0061":1}')
@example(b'{"a\\"":"\\\\","a\\u0022":1}')
@example(b'{"x":"{\\"a\\":1,\\"a\\":2}"}')
def test_parse_fast_equals_slow(raw: bytes) -> None:
    slow = judged(rfc8785.parse, raw)
    fast = fast_json.parse(raw)
    assert fast is fast_json.DOUBT or repr(fast) == slow
    assert judged(canonical.parse, raw) == slow
    assert judged(canonical.canonicalize, raw) == judged(
        lambda text: rfc8785.encode(rfc8785.parse(text)), raw
    )


@given(VALUES)
def test_canonical_text_is_a_fixed_point(value: Any) -> None:
    line = judged(canonical.encode, value)
    if isinstance(line, bytes):
        assert canonical.canonicalize(line) == line
        assert b"\n" not in line


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_settled_numbers_are_written_as_the_slow_way_does(value: dict[str, Any]) -> None:
    before = judged(rfc8785.encode, value)
    if fast_json.settle_numbers(value):
        try:
            line = fast_json.ENCODER.encode(value)
        except UnicodeEncodeError:
            assert before == ("refused",)
        else:
            assert fast_json.has_astral(line) or line == before
            assert fast_json.has_astral(line) == any(ord(c) > 0xFFFF for c in "".join(keys(value)))


def keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in keys(item))]
    return [key for item in value for key in keys(item)] if isinstance(value, list) else []


@given(VALUES.filter(lambda value: judged(rfc8785.encode, value) != ("refused",)))
def test_strings_are_counted(value: Any) -> None:
    def strings(item: Any) -> int:
        if isinstance(item, dict):
            return len(item) + sum(map(strings, item.values()))
        return sum(map(strings, item)) if isinstance(item, list) else isinstance(item, str)

    for text in (rfc8785.encode(value), json.dumps(value).encode()):
        assert fast_json.count_strings(text) == 2 * strings(value)
