"""Blobs on their way in: parts of them are kept, so that a transfer goes on where it stopped.

It must not know who sends them, nor which events list them.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from pathlib import Path

from evgit.errors import InvalidObject, Locked
from evgit.storage import files
from evgit.storage.blobs import BlobStore


class Inbox:
    """Receives blobs into a repository."""

    def __init__(self, directory: Path, blobs: BlobStore) -> None:
        self._directory = directory
        self._blobs = blobs

    def held(self, blob_id: str) -> int:
        """How many bytes of a blob are here already."""
        try:
            return self._path(blob_id).stat().st_size
        except FileNotFoundError:
            return 0

    def take(self, blob_id: str, size: int, offset: int, chunks: Iterable[bytes]) -> None:
        """Store a blob of `size` bytes, of which `chunks` gives those from `offset` on.

        `blob_id` is 64 hex digits. Raises InvalidObject for other bytes than it names, Locked while
        another process receives the same; what `chunks` raises leaves what came so far.
        """
        path = self._path(blob_id)
        with files.translate_errors(path):
            self._directory.mkdir(exist_ok=True)
            part = path.open("a+b")
        with part:
            try:
                fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Locked(
                    f"blob {blob_id} is being received by another process", hint="try again later"
                ) from None
            if part.tell() < offset:
                raise InvalidObject(f"blob {blob_id} is sent from byte {offset:,}, not held so far")
            part.truncate(offset)
            for chunk in chunks:
                offset += len(chunk)
                if offset > size:
                    path.unlink()
                    raise InvalidObject(
                        f"blob {blob_id} has more than the {size:,} bytes announced"
                    )
                with files.translate_errors(path):
                    part.write(chunk)
            if offset < size:
                if not offset:
                    path.unlink()
                raise InvalidObject(f"{size - offset:,} bytes of blob {blob_id} did not come")
            part.seek(0)
            try:
                self._blobs.write(part, expected=blob_id)
            finally:
                path.unlink(missing_ok=True)

    def _path(self, blob_id: str) -> Path:
        return self._directory / f"{blob_id}.blob"
