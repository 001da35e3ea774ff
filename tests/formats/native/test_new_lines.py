"""Lines of what is new, written in C: what Python writes, or nothing."""

from __future__ import annotations

import enum
import gc
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from evgit.errors import EvgitError
from evgit.formats import closing
from evgit.formats.event import Event, batch_from_events, batch_of_new
from evgit.formats.merkle import Frontier
from evgit.formats.native import native
from evgit.formats.times import to_instant, to_text

WRITES = native is not None
END_OF_TIME = to_instant("9999-12-31T23:59:59.999999Z")
ORIGIN = "0123456789abcdef"


class Text(str):
    """Not the string that it looks like."""

    __slots__ = ()


class Number(enum.IntEnum):
    ONE = 1


plain_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
any_text = plain_text | st.text(max_size=6) | st.sampled_from(["\ud800", "\U0001d11e", "\x7f\x00"])
keys = any_text | st.sampled_from([1, None, Text("k"), "\ue000", "\U0001d11e", "\uffff"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**53), 2**53)
    | st.floats()
    | any_text
    | st.sampled_from([b"bytes", Text("t"), Number.ONE, {1}, (1, 2), 2**53 - 1, 1 - 2**53])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)
instants = st.integers(0, END_OF_TIME)
names = st.sampled_from(
    ["a-1", "b/c", "\xfc-1", 'with"quote', "back\\slash", "$odd", "a@1", "", ".."]
)


def by_python(members: dict[str, Any], instant: int) -> bytes | None:
    try:
        event = Event(time=to_text(instant), **members)
        return batch_from_events([event]).lines[0]
    except (EvgitError, TypeError):
        return None


@settings(max_examples=400)
@given(names, st.just("done") | any_text, values, st.dictionaries(keys, values, max_size=3),
       st.integers(-1, 3) | st.sampled_from([2**31 - 1, 2**31, 2**70, True]),
       st.just(ORIGIN) | any_text, instants)  # fmt: skip
@example("a-1", "done", {"z": [{}], "a": {"b": [[], None, True]}}, {"k": "v"}, 1, ORIGIN, 0)
def test_what_c_writes_of_an_event_is_what_python_writes(
    stream: Any, event_type: Any, data: Any, meta: Any, version: Any, origin: Any, instant: int
) -> None:
    found = batch_of_new(stream, event_type, data, meta, version, origin, instant)
    members = {"stream": stream, "type": event_type, "data": data, "meta": meta}
    expected = by_python({**members, "version": version, "origin": origin}, instant)
    if found is not None:
        assert found.lines == [expected]
        assert found.streams == [stream]
        assert found.keyed == []
        assert list(found.instants) == [instant]
        assert found.events == batch_from_events(found.events).events
        assert found.times == [to_text(instant)]


@settings(max_examples=200)
@given(st.sampled_from(["a-1", "\xfc/2"]), st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | plain_text,
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(max_codepoint=0xD7FF), max_size=8), inner, max_size=5),
    max_leaves=6), instants)  # fmt: skip
def test_c_writes_whatever_is_ordinary(stream: str, data: Any, instant: int) -> None:
    found = batch_of_new(stream, "done", data, {}, 1, ORIGIN, instant)
    assert (found is not None) == (WRITES and depth(data) <= 6)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize("instant", [-1, END_OF_TIME + 1, 2**63 - 1, 2**63, -(2**70)])
def test_c_writes_no_time_that_there_is_not(instant: int) -> None:
    assert batch_of_new("a", "done", {}, {}, 1, ORIGIN, instant) is None


@pytest.mark.parametrize(
    "data",
    [
        "x" * 16_383, {"k" * 9000: "\n" * 9000}, dict.fromkeys(map(str, range(33))),
        [[[[[[[]]]]]]], {"a": 1.0}, {"a": float("nan")}, {"\U0001d11e": 1},
    ],
)  # fmt: skip
def test_c_leaves_to_python_what_is_long_deep_or_odd(data: Any) -> None:
    assert batch_of_new("a", "done", data, {}, 1, ORIGIN, 7) is None


closings = st.tuples(
    st.lists(st.binary(max_size=300), min_size=1, max_size=18),
    st.lists(st.binary(min_size=32, max_size=32), max_size=40),
    any_text | st.just("me <me@example.org>"),
    any_text,
    instants,
    st.sampled_from([{}, {}, {}, {"ticket": 7}]),
)


@settings(max_examples=300)
@given(closings)
@example(([b"x" * 16_000, b"y"], [], "me", "a" * 400, 5, {}))
@example(([b"x"], [b"i" * 32] * 7, "me", "m" * 16_380, 5, {}))
def test_what_c_closes_a_block_with_is_what_python_closes_it_with(given: Any) -> None:
    lines, before, author, message, instant, meta = given
    frontier = Frontier()
    frontier.extend(before)
    peaks = frontier.to_bytes()
    more = {
        "parent": "ab" * 32, "author": author, "message": message, "meta": meta, "guards": {},
        "instant": instant,
    }  # fmt: skip

    def closed() -> Any:
        try:
            found = closing.close(lines, frontier.size, peaks, **more)
        except EvgitError as error:
            return type(error), error.message
        return list(found.ids), found.id, found.peaks, found.text

    with pytest.MonkeyPatch.context() as patch:
        quickly = closed()
        patch.setattr(closing, "native", None)
        assert quickly == closed()


@pytest.mark.parametrize(
    "arguments",
    [
        ([], 0, b"", "ab" * 32, "me", "", 5),
        ([b"x"] * 17, 0, b"", "ab" * 32, "me", "", 5),
        ((b"x",), 0, b"", "ab" * 32, "me", "", 5),
        (["x"], 0, b"", "ab" * 32, "me", "", 5),
        ([b"x"], 1, b"", "ab" * 32, "me", "", 5),
        ([b"x"], 3, b"p" * 32, "ab" * 32, "me", "", 5),
        ([b"x"], -1, b"p" * 32 * 64, "ab" * 32, "me", "", 5),
        ([b"x"], 2**63, b"p" * 32, "ab" * 32, "me", "", 5),
        ([b"x"], 2**52, b"p" * 32, "ab" * 32, "me", "", 5),
        ([b"x"], 0, b"", "AB" * 32, "me", "", 5),
        ([b"x"], 0, b"", "ab" * 31, "me", "", 5),
        ([b"x"], 0, b"", "\xfc" * 64, "me", "", 5),
        ([b"x"], 0, b"", "ab" * 32, "\ud800", "", 5),
        ([b"x"], 0, b"", "ab" * 32, "me", None, 5),
        ([b"x"], 0, b"", "ab" * 32, "me", "", -5),
        ([b"x"], 0, b"", "ab" * 32, "me", "", 5.0),
    ],
)
def test_c_closes_nothing_that_is_out_of_the_ordinary(arguments: Any) -> None:
    assert native is None or native.close_block(*arguments) is None


def test_what_runs_when_a_value_is_refused_may_change_the_dict() -> None:
    """Under the sanitizers a look at the key that is let go of here would be seen."""
    if native is None:
        return  # Python's own dicts see to it
    before = gc.get_threshold()
    for allocations in range(1, 20):
        data: dict[str, Any] = {"a": "\ud800", "k" * 500 + str(allocations): 1}

        def change(phase: str, info: object, data: dict[str, Any] = data) -> None:
            data.clear()

        gc.callbacks.append(change)
        gc.set_threshold(allocations, 1, 1)
        try:
            found = native.new_event_line("a-1", "t", data, {}, 1, ORIGIN, 0)
        finally:
            gc.set_threshold(*before)
            gc.callbacks.remove(change)
        assert found is None or found.startswith(b'{"data":{},')
