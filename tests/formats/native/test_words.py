"""Words of indexes in C: order and columns, held against Python."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given, strategies as st

from evgit.storage.key_order import (
    columns_in_python,
    columns_of,
    in_order,
    keys_in_python,
    keys_of,
)

WORD = st.one_of(
    st.integers(0, 2**64 - 1),
    st.integers(0, 300),
    st.builds(lambda n: n << 32 | 7, st.integers(0, 99)),
)
WORDS = st.lists(WORD, max_size=300)


@given(WORDS, st.integers(1, 4))
def test_words_are_put_in_order(words: list[int], again: int) -> None:
    words *= again
    assert in_order(array("Q", words)) == array("Q", sorted(words))
    assert in_order(words) == array("Q", sorted(words))


def test_many_words_are_put_in_order() -> None:
    words = array("Q", [(n * 0x9E3779B97F4A7C15) % 2**64 for n in range(20_000)])
    before = words[:]
    assert in_order(words) == array("Q", sorted(words))
    assert in_order(in_order(words)) == array("Q", sorted(words))
    assert words == before


@given(WORDS)
def test_columns_are_those_of_python(words: list[int]) -> None:
    keys = array("Q", words)
    columns = columns_of(keys)
    assert columns == columns_in_python(keys)
    assert columns == b"".join(bytes(k >> 8 * n & 255 for k in words) for n in range(7, -1, -1))
    assert keys_of(columns) == keys_in_python(columns) == keys


def test_what_is_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="cut off"):
        keys_of(bytes(12))
