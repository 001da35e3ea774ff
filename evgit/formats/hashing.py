"""Ids: the BLAKE3-256 of bytes, of one line or of many; and ids that stand one after another.

The native part hashes several lines side by side; without it `blake3` hashes one after another.
What the bytes mean is not known here.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, overload

from evgit.formats.native import native

if TYPE_CHECKING:
    from blake3 import blake3

ID_BYTES = 32


class JoinedIds(Sequence[bytes]):
    """32-byte ids that stand one after another in `joined`, split when one is asked for."""

    __slots__ = ("_split", "joined")

    def __init__(self, joined: bytes) -> None:
        self.joined = joined
        self._split: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self.joined) // ID_BYTES

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if self._split is None:
            ids = self.joined
            self._split = [ids[i : i + ID_BYTES] for i in range(0, len(ids), ID_BYTES)]
        return self._split[place]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, JoinedIds):
            return self.joined == other.joined
        return self[:] == other

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self[:])

    def all_differ(self) -> bool:
        """Is no id in it twice?"""
        words = array("Q", self.joined)
        return len(set(words[:: ID_BYTES // 8])) == len(self) or len(set(self)) == len(self)


def joined_ids(ids: Sequence[bytes]) -> bytes:
    """The ids one after another."""
    return ids.joined if isinstance(ids, JoinedIds) else b"".join(ids)


@cache
def _blake3() -> Any:
    """The hasher of the package `blake3`, loaded when it is needed: with the native part many a
    command needs none."""
    return import_module("blake3").blake3


def new_hasher() -> blake3:
    """Hashes what comes piece by piece: `update`, then `digest` or `hexdigest`."""
    hasher: blake3 = _blake3()()
    return hasher


def _digest(data: bytes | bytearray | memoryview) -> bytes:
    digest: bytes = _blake3()(data).digest()
    return digest


blake3_digest = _digest if native is None else native.blake3
"""The BLAKE3-256 of all of these bytes, 32 bytes."""


def hashed(lines: Sequence[bytes]) -> Sequence[bytes]:
    """The BLAKE3-256 of each line."""
    if native is not None:
        if len(lines) == 1:
            return [native.blake3(lines[0])]
        joined = native.hashed(lines, 0)
        if joined is not None:
            return JoinedIds(joined)
    return hashed_in_python(lines)


def hashed_text(text: bytes, ended: Callable[[], Sequence[bytes]]) -> Sequence[bytes]:
    """The BLAKE3-256 of each line of a text, which has its newline, without that.

    `ended`: gives the lines with their newlines, where they are needed.
    """
    joined = None if native is None else native.hashed_text(text)
    return hashed_ended_in_python(ended()) if joined is None else JoinedIds(joined)


def hashed_ended_in_python(lines: Sequence[bytes]) -> list[bytes]:
    """The BLAKE3-256 of each line, without its newline."""
    hasher = new_hasher()
    reset, update, digest = hasher.reset, hasher.update, hasher.digest
    ids = []
    for line in lines:
        reset()
        update(line[:-1])  # one after another: they stay where the processor finds them at once
        ids.append(digest())
    return ids


def hashed_in_python(lines: Sequence[bytes]) -> list[bytes]:
    """The BLAKE3-256 of each line."""
    hasher = new_hasher()  # one for all: making one takes as long as hashing a line
    reset, update, digest = hasher.reset, hasher.update, hasher.digest
    ids = []
    for line in lines:
        reset()
        update(line)
        ids.append(digest())
    return ids
