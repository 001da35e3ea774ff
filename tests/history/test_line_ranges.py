"""Arithmetic on ranges of lines against plain lists of lines."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st

from evgit.history.line_ranges import (
    LineRange,
    LineSet,
    clipped,
    decode_ranges,
    encode_ranges,
    joined,
    total,
)

range_lists = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=12)


def lines(ranges: list[LineRange]) -> list[int]:
    return [line for first, count in ranges for line in range(first, first + count)]


@given(range_lists)
def test_joining_keeps_lines_and_order(ranges: list[LineRange]) -> None:
    found = joined(ranges)
    assert lines(found) == lines(ranges)
    assert all(count for _, count in found)
    assert all(a[0] + a[1] != b[0] for a, b in pairwise(found))
    assert total(found) == total(ranges) == len(lines(ranges))


@given(range_lists, st.integers(-3, 100), st.integers(-3, 100))
def test_clipping_is_slicing(ranges: list[LineRange], start: int, stop: int) -> None:
    expected = lines(ranges)[max(start, 0) : max(stop, 0)]
    assert lines(list(clipped(ranges, start, stop))) == expected


@given(range_lists, range_lists)
def test_a_set_of_lines(taken: list[LineRange], ranges: list[LineRange]) -> None:
    held = LineSet(taken)
    gone = set(lines(taken))
    assert [line for line in range(-1, 75) if line in held] == sorted(gone)
    kept = held.removed_from(ranges)
    assert lines(kept) == [line for line in lines(ranges) if line not in gone]
    assert kept == joined(kept)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))))
def test_ranges_come_back_from_bytes(ranges: list[LineRange]) -> None:
    assert decode_ranges(encode_ranges(ranges)) == ranges


def test_ranges_as_bytes_are_little_endian_words() -> None:
    assert encode_ranges([(1, 2), (0x01020304, 5)]).hex() == "01000000020000000403020105000000"
