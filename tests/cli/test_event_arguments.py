"""Events as people write them: what a word means, and that nothing is silently something else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from evgit.cli.event_arguments import events_from_lines, expectations, pairs, value
from evgit.errors import InvalidEvent, InvalidJSON, UsageError
from evgit.formats import canonical

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SAFE = st.integers(-(2**53) + 1, 2**53 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | SAFE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_what_reads_as_json_is_json(thing: object) -> None:
    assert value(json.dumps(thing, ensure_ascii=False)) == thing


@given(TEXT)
def test_everything_else_is_a_string(text: str) -> None:
    found = value(text)
    try:
        expected = json.loads(text)
    except ValueError:
        expected = text
    assert found == expected or text in ("NaN", "Infinity", "-Infinity")


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "", "0x10", "1.", "True", "{", "é"]
)
def test_these_are_strings(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize(
    "text", ["9007199254740993", '{"a":1,"a":2}', '"\\ud800"', "[" * 129 + "]" * 129]
)
def test_json_that_cannot_be_kept_is_not_made_a_string(text: str) -> None:
    with pytest.raises(InvalidJSON):
        value(text)


def test_pairs() -> None:
    assert pairs(["a=1", "b=x=y", "c="], "the data") == {"a": 1, "b": "x=y", "c": ""}
    for wrong in (["a"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(UsageError):
            pairs(wrong, "the data")


def test_expectations_name_a_stream() -> None:
    assert expectations(["3"], "a") == {"a": 3}
    assert expectations(["b=none", "c=d=any"], None) == {"b": "none", "c=d": "any"}
    for wrong, stream in ((["3"], None), (["a=-1"], None), (["a=x"], None), (["1", "a=2"], "a")):
        with pytest.raises(UsageError):
            expectations(wrong, stream)


@given(st.dictionaries(st.sampled_from(["data", "meta", "key", "time", "version", "blobs"]), JSON))
def test_a_line_is_an_event_or_refused_with_its_number(members: dict[str, object]) -> None:
    line = canonical.encode({"stream": "a", "type": "b"} | members)
    refused_line = None
    try:
        (event,) = events_from_lines([b"", line])
    except InvalidEvent as error:
        refused_line = error.line
    if refused_line is None:
        assert event.data == members.get("data", {})
        assert event.version == members.get("version", 1)
    else:
        assert refused_line == 2
