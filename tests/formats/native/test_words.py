"""Words of indexes in C: order and columns, held against Python."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given, strategies as st

from evgit.formats.native import native
from evgit.history.words import numbered, numbered_in_python
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


NAMES = st.sampled_from(["a-1", "b", "caf\u00e9-2", "\U0001f600", "d-4"])


@given(
    names=st.lists(NAMES, max_size=20),
    numbers=st.dictionaries(NAMES, st.integers(0, 2**32 - 1)),
    first=st.integers(0, 2**32 - 21),
)
def test_names_are_numbered_as_in_python(
    names: list[str], numbers: dict[str, int], first: int
) -> None:
    found = numbered(names, numbers, first)
    assert found == numbered_in_python(names, numbers, first)
    if set(names) - set(numbers):
        assert found == set(names) - set(numbers)
    else:
        assert list(found) == [numbers[name] << 32 | first + i for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "numbers", "first"),
    [
        (["a"], {"a": 2**32}, 0),
        (["a"], {"a": -1}, 0),
        (["a"], {"a": 2**70}, 0),
        (["a"], {"a": 1}, 2**32),
        (["a", "a"], {"a": 1}, 2**32 - 1),
        (["a"], {"a": 1}, -1),
        (["a"], {"a": 1}, 2**70),
    ],
)
def test_what_does_not_fit_into_32_bits_is_refused(
    names: list[str], numbers: dict[str, int], first: int
) -> None:
    with pytest.raises(OverflowError):
        numbered(names, numbers, first)


def test_what_has_no_such_types_is_left_to_python() -> None:
    if native is not None:
        assert native.numbered(("a",), {"a": 1}, 0) is None  # type: ignore[arg-type]
        assert native.numbered([b"a"], {b"a": 1}, 0) is None  # type: ignore[list-item, dict-item]
        assert native.numbered(["a"], {"a": 1.0}, 0) is None  # type: ignore[dict-item]
        assert native.numbered(["a"], {"a": 1}, None) is None  # type: ignore[arg-type]


def test_a_key_that_changes_the_names_is_no_harm() -> None:
    names = [f"{'x' * 100}{number}" for number in range(50)]
    given = names.copy()

    class Changing(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            given.clear()
            return False

    if native is not None:
        found = native.numbered(given, {Changing(names[0]): 1}, 0)
        assert found is not None
        assert not given
        assert found[1] == names
