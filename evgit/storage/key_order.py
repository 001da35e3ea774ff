"""Keys of sorted runs as bytes: put in order, and in the columns in which a page is compressed.

The native part does what takes a dozen passes in Python. What keys mean and where pages are kept
is not known here.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable

from evgit.formats.native import native

_LITTLE = sys.byteorder == "little"
_FEW_KEYS = 64  # so few are sorted sooner than they are copied


def in_order(keys: Iterable[int]) -> array[int]:
    """Unsigned 64-bit keys in ascending order."""
    if native is None or (isinstance(keys, array) and len(keys) < _FEW_KEYS):
        return array("Q", sorted(keys))
    words = keys if isinstance(keys, array) and keys.typecode == "Q" else array("Q", keys)
    return array("Q", native.sorted_words(words))


def columns_of(keys: array[int]) -> bytes:
    """The bytes of keys: all first (highest) bytes, then all second bytes, and so on."""
    return columns_in_python(keys) if native is None else native.columns_of_words(keys)


def keys_of(columns: bytes) -> array[int]:
    """The keys whose bytes stand in columns. ValueError where they can't."""
    if len(columns) % 8:
        raise ValueError("a page of keys is cut off")
    return (
        keys_in_python(columns) if native is None else array("Q", native.words_of_columns(columns))
    )


def columns_in_python(keys: array[int]) -> bytes:
    """As `columns_of`, without the native part."""
    words = array("Q", keys)
    if not _LITTLE:
        words.byteswap()
    raw = words.tobytes()
    return b"".join([raw[column::8] for column in range(7, -1, -1)])


def keys_in_python(columns: bytes) -> array[int]:
    """As `keys_of`, without the native part."""
    count = len(columns) // 8
    raw = bytearray(len(columns))
    for column in range(8):
        raw[7 - column :: 8] = columns[column * count : (column + 1) * count]
    words = array("Q", bytes(raw))
    if not _LITTLE:
        words.byteswap()
    return words
