"""A directory outside of any repository that packs and blobs are written into, beside a list.

    LIST                what there is; takes its place last, so that who reads has old or new whole
    packs/NAME.evpack
    blobs/xx/…

What is there already is not written again. It must not know which lines and blobs are wanted, nor
what the list says.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from evgit.errors import Locked, UsageError
from evgit.formats.pack import PackHead
from evgit.formats.pack_writing import PackWriter, Written
from evgit.storage import files
from evgit.storage.blobs import BlobStore

PARTIAL = "partial-"


class CopyDirectory:
    """One such directory. `list_name`: of its list; `others`: what else may stand in it."""

    def __init__(self, path: Path, list_name: str, *others: str) -> None:
        self.path = path
        self.list = path / list_name
        self.packs = path / "packs"
        self._ours = {list_name, "packs", "blobs", "lock", *others}

    def pack(self, name: str) -> Path:
        """The file of a pack."""
        return self.packs / f"{name}.evpack"

    def blob(self, blob_id: str) -> Path:
        """The file of a blob, whose id is given as 64 hex digits."""
        return self.path / "blobs" / blob_id[:2] / blob_id[2:]

    @contextmanager
    def locked(self, busy: str) -> Iterator[None]:
        """Make it, and keep other writers out.

        Raises UsageError where it holds other things and no list, Locked, which says `busy`, where
        another process writes.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        foreign = sorted({path.name for path in self.path.iterdir()} - self._ours)
        foreign = [name for name in foreign if not name.startswith(".")]
        if foreign and not self.list.exists():
            raise UsageError(
                f"{self.path} holds other things: {', '.join(foreign[:3])}",
                hint="name a new or empty directory",
            )
        with (self.path / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Locked(busy, hint="wait for it to finish") from None
            yield

    def write_pack(self, head: PackHead, fill: Callable[[PackWriter], None]) -> Written:
        """Write a pack, durable but for its name; `fill` gives the writer what goes into it."""
        partial = self.packs / (PARTIAL + os.urandom(8).hex())
        try:
            with partial.open("xb") as file:
                writer = PackWriter(file.write, head)
                fill(writer)
                written = writer.finish()
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.pack(written.name))
        finally:
            partial.unlink(missing_ok=True)
        return written

    def write_blob(self, blobs: BlobStore, blob_id: str, size: int) -> bool:
        """Copy a blob; False where it is there already."""
        path = self.blob(blob_id)
        if is_there(path, size):
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as file:
            for chunk in blobs.chunks(blob_id):
                file.write(chunk)
        return True

    def write_list(self, data: bytes) -> None:
        """Let a new list take the place of the old one."""
        with files.replacing(self.list) as file:
            file.write(data)

    def remove_partial_lists(self) -> None:
        """Remove what writers that were killed left of lists."""
        for path in self.path.glob(f".{self.list.name}.*.partial"):
            path.unlink()


def is_there(path: Path, size: int) -> bool:
    """Is there a file with so many bytes?"""
    return path.is_file() and path.stat().st_size == size
