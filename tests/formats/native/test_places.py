"""Where lines are, in C and in Python: the same of any bytes."""

from __future__ import annotations

from array import array
from itertools import accumulate, takewhile

import pytest
from hypothesis import example, given, strategies as st

from evgit.formats import block, places
from evgit.formats.native import native

IMPLEMENTATIONS = (None, native)
TEXTS = st.lists(st.sampled_from([b"\n", b"a", b"\r", b"\x00", b"line of some length"]))


@given(TEXTS.map(b"".join))
@example(b"")
@example(b"\n" * 5000)
@example(b"x" * 5000)
def test_lines_begin_behind_newlines(text: bytes) -> None:
    expected = [0]
    while expected[-1] < len(text):
        expected.append(text.find(b"\n", expected[-1]) + 1 or len(text))
    for implementation in IMPLEMENTATIONS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(block, "native", implementation)
            assert block.line_starts(text).tolist() == expected


def test_the_lines_of_positions_follow_from_sizes_and_shifts() -> None:
    sizes, shifts = array("q", [3, 3, 10]), array("q", [5, 0, -2])
    for implementation in IMPLEMENTATIONS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(places, "native", implementation)
            assert places.lines_at([0, 2, 3, 9, 10, 11], 1, sizes, shifts) == [7, 1, 7]
            assert places.lines_at([], 0, sizes, shifts) == []


NUMBERS = st.one_of(st.integers(0, 40), st.sampled_from([1 << 31, 1 << 32, (1 << 62) - 1]))
SIGNED = st.one_of(st.integers(-50, 50), st.integers(-(1 << 63), (1 << 63) - 1))


@given(
    st.lists(NUMBERS),
    st.integers(0, 5),
    st.lists(st.tuples(SIGNED, SIGNED), max_size=20),
    st.booleans(),
)
def test_lines_at_is_the_same_of_any_numbers(
    positions: list[int], start: int, rows: list[tuple[int, int]], ascending: bool
) -> None:
    if ascending:
        rows, positions = sorted(rows), sorted(positions)
    sizes, shifts = array("q", [a for a, _ in rows]), array("q", [b for _, b in rows])
    answers = []
    for implementation in IMPLEMENTATIONS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(places, "native", implementation)
            answers.append(places.lines_at(positions, start, sizes, shifts))
    assert answers[0] == answers[1]


@given(
    st.lists(NUMBERS, max_size=30),
    st.integers(0, 3),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 3),
    st.permutations(range(24)),
    st.lists(st.integers(1, 9), max_size=8),
    st.booleans(),
)
def test_spans_hold_every_line_where_it_stands(
    numbers: list[int],
    start: int,
    low: int,
    high: int,
    base: int,
    order: list[int],
    sizes: list[int],
    ascending: bool,
) -> None:
    """Whatever the tables say, both give the same; where they are sound, it is right."""
    if ascending:
        numbers, order = sorted(numbers), sorted(order)
    table, starts = array("I", order), array("I", accumulate(sizes, initial=0))
    answers: list[object] = []
    for implementation in IMPLEMENTATIONS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(places, "native", implementation)
            try:
                answers.append(places.spans(numbers, start, low, high, base, table, starts))
            except IndexError:
                answers.append(None)
    assert answers[0] == answers[1]
    if answers[0] is None:
        return
    stop, found = places.spans(numbers, start, low, high, base, table, starts)
    wanted = list(takewhile(lambda number: low <= number < high, numbers[start:]))
    assert stop == start + len(wanted)
    stand = [starts[frame] + at for frame, first, end in found for at in range(first, end)]
    assert stand == [order[number - low + base] for number in wanted]
    assert all(0 <= first < end <= sizes[frame] for frame, first, end in found)


def test_what_is_no_array_of_numbers_is_left_to_python() -> None:
    if native is not None:
        words, bytes_ = array("I", [1]), array("B", [1])
        assert native.spans([0], 0, 0, 1, 0, words, bytes_) is None
        assert native.spans([0], 0, -1, 1, 0, words, words) is None
        assert native.spans(["0"], 0, 0, 1, 0, words, words) is None  # type: ignore[list-item]
        assert native.lines_at([0], 0, words, words) is None
        assert native.lines_at([-1], 0, array("q", [1]), array("q", [1])) is None
        assert native.lines_at([0], 0, array("q", [1]), array("q")) is None


@given(st.lists(st.binary(max_size=9), min_size=1), st.data())
def test_lines_are_picked_by_their_places(contents: list[bytes], data: st.DataObject) -> None:
    lines = [content.replace(b"\n", b"") + b"\n" for content in contents]
    order = array("I", data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=30)))
    end = data.draw(st.integers(0, len(order)))
    first = data.draw(st.integers(0, end))
    expected = b"".join(lines[place] for place in order[first:end])
    for implementation in IMPLEMENTATIONS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(places, "native", implementation)
            text = bytearray(b"".join(lines))
            assert places.PlacedLines(text).picked(order, first, end) == expected
            with pytest.raises(IndexError):
                places.PlacedLines(text).picked(array("I", [0, len(lines)]), 0, 2)


def test_no_line_is_picked_where_none_can_be() -> None:
    for implementation in filter(None, IMPLEMENTATIONS):
        for starts, order, first, end in (
            ([0, 2, 4], [2], 0, 1),
            ([0, 2, 4], [0xFFFFFFFF], 0, 1),
            ([0, 2, 4], [0], 0, 2),
            ([0, 2, 4], [0], 1, 0),
            ([0, 2, 4], [0], -1, 1),
            ([0, 2, 4], [0], 0, 1 << 63),
            ([3, 2, 4], [0], 0, 1),
            ([0, 9, 4], [0], 0, 1),
            ([], [0], 0, 1),
        ):
            found = implementation.picked_lines(
                b"a\nb\n", array("I", starts), array("I", order), first, end
            )
            assert found is None
        words, numbers = array("I", [0, 2, 4]), array("q", [0])
        assert implementation.picked_lines(b"a\nb\n", words, numbers, 0, 1) is None
        assert implementation.picked_lines(b"a\nb\n", numbers, words, 0, 1) is None
        assert implementation.picked_lines(b"a\nb\n", words, words, 0, 0) == b""
