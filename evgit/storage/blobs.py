"""Blobs: raw bytes named by their BLAKE3, streamed in and out.

Blobs up to 64 KiB stand together in the database; a larger one is a file of its own, written,
synced and renamed before its row says that it exists. Nothing is ever held whole in memory but
the small ones. This module must not know which events refer to a blob.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

import apsw

from evgit.errors import DamagedObject, InvalidObject, UnknownObject
from evgit.formats.canonical import id_bytes
from evgit.formats.hashing import blake3_digest, new_hasher
from evgit.storage import database, files
from evgit.storage.database import fetch_all, fetch_one
from evgit.storage.layout import Layout

SMALL_BYTES = 65_536
CHUNK_BYTES = 1 << 20


class BlobStore:
    """Reads and writes the blobs of one repository."""

    def __init__(self, connection: apsw.Connection, layout: Layout) -> None:
        self._connection = connection
        self._layout = layout

    def write(self, source: BinaryIO, *, expected: str | None = None) -> tuple[str, int]:
        """Store everything that `source` gives; (id, size in bytes). Durable when it returns.

        Raises InvalidObject, having stored nothing, where that is not the `expected` id.
        """
        head = _read_up_to(source, SMALL_BYTES + 1)
        if len(head) <= SMALL_BYTES:
            blob_id = blake3_digest(head)
            _check_expected(blob_id, expected)
            self._add_row(blob_id, len(head), head)
            return blob_id.hex(), len(head)
        with files.translate_errors(self._layout.blobs):
            return self._write_file(head, source, expected)

    def size(self, blob_id: str) -> int | None:
        """Size in bytes, or None where there is no such blob."""
        row = fetch_one(self._connection, "SELECT size FROM blobs WHERE id=?", (id_bytes(blob_id),))
        return None if row is None else int(row[0])

    def open(self, blob_id: str) -> BinaryIO:
        """A stream of a blob's bytes, which raises DamagedObject at its end if they were wrong.

        Raises UnknownObject; DamagedObject at once if the file is gone.
        """
        row = fetch_one(self._connection, "SELECT data FROM blobs WHERE id=?", (id_bytes(blob_id),))
        if row is None:
            raise UnknownObject(f"there is no blob {blob_id}")
        with files.translate_errors(self._layout.blobs):
            try:
                if row[0] is None:
                    source: BinaryIO = self._layout.blob_file(blob_id).open("rb", buffering=0)
                else:
                    source = BytesIO(row[0])
            except FileNotFoundError as error:
                raise _damaged(blob_id, "its file is gone") from error
        return cast(BinaryIO, BufferedReader(_Verified(source, blob_id), CHUNK_BYTES))

    def chunks(self, blob_id: str) -> Iterator[bytes]:
        """A blob's bytes piece by piece. Raises DamagedObject after the last if they are wrong."""
        with self.open(blob_id) as source:
            while chunk := source.read(CHUNK_BYTES):
                yield chunk

    def ids_with_prefix(self, low: bytes, high: bytes, limit: int) -> list[str]:
        """Ids of blobs between two 32-byte bounds, both included."""
        rows = fetch_all(
            self._connection,
            "SELECT id FROM blobs WHERE id>=? AND id<=? ORDER BY id LIMIT ?",
            (low, high, limit),
        )
        return [row[0].hex() for row in rows]

    def all(self) -> Iterator[tuple[str, int]]:
        """(id, size) of every blob."""
        for blob_id, size in fetch_all(self._connection, "SELECT id, size FROM blobs ORDER BY id"):
            yield blob_id.hex(), size

    def remove_abandoned(self) -> int:
        """Remove the partial files of writers that are no more; returns how many."""
        count = 0
        for partial in self._layout.blobs.glob("partial-*"):
            with suppress(OSError), partial.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
                partial.unlink()
                count += 1
        return count

    def _add_row(self, blob_id: bytes, size: int, data: bytes | None) -> None:
        present = fetch_one(self._connection, "SELECT size, data FROM blobs WHERE id=?", (blob_id,))
        if present == (size, data):
            return
        with database.writing(self._connection):  # what was there is damaged: now it is whole
            self._connection.execute(
                "INSERT OR REPLACE INTO blobs(id, size, data) VALUES(?,?,?)", (blob_id, size, data)
            )

    def _write_file(self, head: bytes, source: BinaryIO, expected: str | None) -> tuple[str, int]:
        self._layout.blobs.mkdir(exist_ok=True)
        self.remove_abandoned()
        partial, target = self._new_partial()
        hasher, size = new_hasher(), 0
        try:
            with target:
                chunk = head
                while chunk:
                    hasher.update(chunk)
                    target.write(chunk)
                    size += len(chunk)
                    chunk = source.read(CHUNK_BYTES)
                _check_expected(hasher.digest(), expected)
                target.flush()
                os.fsync(target.fileno())
                final = self._layout.blob_file(hasher.hexdigest())
                final.parent.mkdir(exist_ok=True)
                partial.replace(final)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        files.sync_directory(final.parent)
        files.sync_directory(self._layout.blobs)
        files.sync_directory(self._layout.directory)
        self._add_row(hasher.digest(), size, None)
        return hasher.hexdigest(), size

    def _new_partial(self) -> tuple[Path, BinaryIO]:
        """A new file, locked for as long as it is open, so that others see that it is in use."""
        while True:
            partial = self._layout.blobs / f"partial-{os.urandom(8).hex()}"
            target = partial.open("xb")
            fcntl.flock(target, fcntl.LOCK_EX)
            if partial.exists():  # else it was taken for abandoned before it was locked
                return partial, target
            target.close()


class _Verified(RawIOBase):
    """A blob's bytes, checked when the last one has been read in order."""

    def __init__(self, source: BinaryIO, blob_id: str) -> None:
        super().__init__()
        self._source = source
        self._blob_id = blob_id
        self._hasher = new_hasher()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._source.read(len(buffer))
        if not chunk:
            if self._hasher.hexdigest() != self._blob_id:
                raise _damaged(self._blob_id, f"its bytes hash to {self._hasher.hexdigest()}")
            return 0
        self._hasher.update(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._source.close()
        super().close()


def _damaged(blob_id: str, how: str) -> DamagedObject:
    return DamagedObject(
        f"blob {blob_id} is damaged: {how}",
        ids=[blob_id],
        hint="store the same bytes again, or restore it from a clone or a backup",
    )


def _check_expected(blob_id: bytes, expected: str | None) -> None:
    if expected is not None and blob_id.hex() != expected:
        raise InvalidObject(f"what was to be blob {expected} is another: {blob_id.hex()}")


def _read_up_to(source: BinaryIO, limit: int) -> bytes:
    parts, have = [], 0
    while have < limit and (part := source.read(limit - have)):
        parts.append(part)
        have += len(part)
    return b"".join(parts)
