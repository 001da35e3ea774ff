"""A published directory as a place to fetch from, wherever its files are.

It must not know how a file is got, nor believe what the list says of packs: they are held to
their names and go through quarantine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from evgit.errors import InvalidObject, TransferInterrupted, UnknownObject
from evgit.formats.published_list import (
    FILE_NAME,
    MAX_LIST_BYTES,
    PublishedPack,
    decode_list,
)
from evgit.storage.files import open_regular, translate_errors
from evgit.sync.messages import check_commit_id
from evgit.sync.transports.packs import Part, Read

CHUNK_BYTES = 1 << 20


class Place(Protocol):
    """Where the files are. Paths are relative, with slashes."""

    where: str

    def small(self, path: str, limit: int) -> bytes:
        """All of a file of at most `limit` bytes. Raises NotARepository, InvalidObject."""
        ...

    def pack(self, path: str, pack: PublishedPack) -> AbstractContextManager[Read]:
        """A pack's bytes from the beginning, exactly as many as the list says."""
        ...

    def blob(self, path: str, offset: int) -> tuple[int, Iterator[bytes]]:
        """(size, bytes from an offset on). Raises UnknownObject."""
        ...

    def close(self) -> None:
        """No more is asked."""
        ...


class PublishedSource:
    """What is published at a place. Raises InvalidObject for a list that is none."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.where = place.where
        self.list = decode_list(place.small(FILE_NAME, MAX_LIST_BYTES))
        self.repository = self.list.repository
        self.refs = self.list.refs
        self.requires: list[str] = []

    def root(self) -> str:
        """The root commit's line."""
        return self.list.root

    def parts(self) -> list[Part]:
        """The packs, each building on those before it."""
        return [
            Part(
                pack.name,
                f"pack {pack.name[:12]} of {self.where}",
                pack.commits,
                pack.events,
                tuple(pack.tips),
                partial(self._place.pack, f"packs/{pack.name}.evpack", pack),
            )
            for pack in self.list.packs
        ]

    def blob(self, blob_id: str, offset: int) -> tuple[int, Iterator[bytes]]:
        """(size, bytes from an offset on). Raises UnknownObject."""
        check_commit_id(blob_id)
        return self._place.blob(f"blobs/{blob_id[:2]}/{blob_id[2:]}", offset)

    def close(self) -> None:
        """No more is asked."""
        self._place.close()


class DirectoryPlace:
    """A directory on this machine, or mounted there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.where = f"the published directory {directory}"

    def small(self, path: str, limit: int) -> bytes:
        """All of a file."""
        with self._open(path) as file, translate_errors(self._directory):
            data = file.read(limit + 1)
        if len(data) > limit:
            raise InvalidObject(f"{path} of {self.where} has more than {limit:,} bytes")
        return data

    @contextmanager
    def pack(self, path: str, pack: PublishedPack) -> Iterator[Read]:
        """A pack's bytes."""
        with self._open(path) as file:
            yield limited(file, pack.bytes, f"pack {pack.name[:12]} of {self.where}")

    def blob(self, path: str, offset: int) -> tuple[int, Iterator[bytes]]:
        """A blob's bytes."""
        try:
            file = self._open(path)
        except TransferInterrupted:
            raise blob_missing(path, self.where) from None
        with translate_errors(self._directory):
            size = file.seek(0, 2)
            file.seek(offset)
        return size, _chunks(file)

    def close(self) -> None:
        """Nothing is open."""

    def _open(self, path: str) -> BinaryIO:
        try:
            return open_regular(self._directory / path)
        except FileNotFoundError:
            raise missing(path, self.where) from None


def missing(path: str, where: str) -> TransferInterrupted:
    """The error for a file that the list names and that is not there."""
    return TransferInterrupted(
        f"{path} is not in {where}",
        hint="it may just have been published anew: try again; if not, publish it anew there",
    )


def blob_missing(path: str, where: str) -> UnknownObject:
    """The error for a blob that is not there."""
    return UnknownObject(
        f"{path}, which an event needs, is not in {where}", hint="publish it anew there"
    )


def limited(file: BinaryIO, size: int, called: str) -> Read:
    """Reads a file, of which there are to be exactly so many bytes."""
    left = size

    def read(count: int) -> bytes:
        nonlocal left
        data = file.read(min(count, left + 1))
        left -= len(data)
        if left < 0 or (count and not data and left):
            raise InvalidObject(f"{called} has not the {size:,} bytes that the list says")
        return data

    return read


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
