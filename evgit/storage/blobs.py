"""Blobs: raw bytes named by their BLAKE3, streamed in and out.

Blobs up to 64 KiB stand together in the database; a larger one is a file of its own, written,
synced and renamed before its row says that it exists. Nothing is ever held whole in memory but
the small ones. This module must not know which events refer to a blob.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import apsw
from blake3 import blake3

from evgit.errors import DamagedObject, ReadOnly, StorageFull, Unavailable, UnknownObject
from evgit.storage import database
from evgit.storage.database import fetch_all, fetch_one
from evgit.storage.layout import Layout

SMALL_BYTES = 65_536
CHUNK_BYTES = 1 << 20


class BlobStore:
    """Reads and writes the blobs of one repository."""

    def __init__(self, connection: apsw.Connection, layout: Layout) -> None:
        self._connection = connection
        self._layout = layout

    def write(self, source: BinaryIO) -> tuple[str, int]:
        """Store everything that `source` gives; (id, size in bytes). Durable when it returns."""
        head = _read_up_to(source, SMALL_BYTES + 1)
        if len(head) <= SMALL_BYTES:
            blob_id = blake3(head).digest()
            self._add_row(blob_id, len(head), head)
            return blob_id.hex(), len(head)
        try:
            return self._write_file(head, source)
        except OSError as error:
            raise _storage_error(error, self._layout.blobs) from error

    def size(self, blob_id: str) -> int | None:
        """Size in bytes, or None where there is no such blob."""
        row = fetch_one(
            self._connection, "SELECT size FROM blobs WHERE id=?", (bytes.fromhex(blob_id),)
        )
        return None if row is None else int(row[0])

    def open(self, blob_id: str) -> BinaryIO:
        """A stream of a blob's bytes. Raises UnknownObject; DamagedObject if its file is gone."""
        row = fetch_one(
            self._connection, "SELECT data FROM blobs WHERE id=?", (bytes.fromhex(blob_id),)
        )
        if row is None:
            raise UnknownObject(f"there is no blob {blob_id}")
        if row[0] is not None:
            return BytesIO(row[0])
        try:
            return self._layout.blob_file(blob_id).open("rb")
        except FileNotFoundError as error:
            raise DamagedObject(
                f"the file of blob {blob_id} is gone",
                ids=[blob_id],
                hint="restore it from a clone or a backup",
            ) from error
        except OSError as error:
            raise _storage_error(error, self._layout.blobs) from error

    def chunks(self, blob_id: str) -> Iterator[bytes]:
        """A blob's bytes piece by piece. Raises DamagedObject after the last if they are wrong."""
        hasher = blake3()
        with self.open(blob_id) as source:
            while chunk := source.read(CHUNK_BYTES):
                hasher.update(chunk)
                yield chunk
        if hasher.hexdigest() != blob_id:
            raise DamagedObject(
                f"blob {blob_id} is damaged: its bytes hash to {hasher.hexdigest()}",
                ids=[blob_id],
                hint="restore it from a clone or a backup",
            )

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

    def _add_row(self, blob_id: bytes, size: int, data: bytes | None) -> None:
        with database.writing(self._connection):
            self._connection.execute(
                "INSERT INTO blobs(id, size, data) VALUES(?,?,?) ON CONFLICT(id) DO NOTHING",
                (blob_id, size, data),
            )

    def _write_file(self, head: bytes, source: BinaryIO) -> tuple[str, int]:
        self._layout.blobs.mkdir(exist_ok=True)
        partial = self._layout.blobs / f"partial-{os.getpid()}-{secrets.token_hex(6)}"
        hasher, size = blake3(), 0
        try:
            with partial.open("xb") as target:
                chunk = head
                while chunk:
                    hasher.update(chunk)
                    target.write(chunk)
                    size += len(chunk)
                    chunk = source.read(CHUNK_BYTES)
                target.flush()
                os.fsync(target.fileno())
            final = self._layout.blob_file(hasher.hexdigest())
            final.parent.mkdir(exist_ok=True)
            partial.replace(final)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        _sync_directory(final.parent)
        _sync_directory(self._layout.blobs)
        self._add_row(hasher.digest(), size, None)
        return hasher.hexdigest(), size


def _read_up_to(source: BinaryIO, limit: int) -> bytes:
    parts, have = [], 0
    while have < limit and (part := source.read(limit - have)):
        parts.append(part)
        have += len(part)
    return b"".join(parts)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _storage_error(error: OSError, path: Path) -> Unavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            f"no space left to write {path}; nothing was stored",
            hint="free some space, then run the same command again",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ReadOnly(f"{path} can't be written: {error}", hint="check its permissions")
    return Unavailable(f"{path}: {error}")
