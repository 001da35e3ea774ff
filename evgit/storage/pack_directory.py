"""The directory of packs: writing a new one durably, one `gc` at a time, and clearing away.

A pack is written under a name that says that it is not finished, synced, given its name, and the
directory is synced; only then may a row say that it counts. What a killed writer left is removed
later. This module knows files, not what they hold.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evgit.errors import Locked
from evgit.storage import files
from evgit.storage.layout import Layout

LIVES_ON_SECONDS = 3600
"""So long is a pack kept that no row names: readers and writers may be about to."""


class PackDirectory:
    """`packs/` of one repository."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other consolidations out. Raises Locked where one is under way."""
        with files.translate_errors(self._layout.packs):
            if not self._layout.packs.exists():
                self._layout.packs.mkdir(exist_ok=True)
                files.sync_directory(self._layout.directory)
            lock = self._layout.packs_lock.open("ab")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Locked(
                    "another gc is under way in this repository",
                    hint="wait for it to finish; nothing was changed",
                ) from None
            yield

    def is_locked(self) -> bool:
        """Is a consolidation under way?"""
        with suppress(OSError), self._layout.packs_lock.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def write(self, fill: Callable[[Callable[[bytes], object]], str]) -> tuple[str, int]:
        """(name, size in bytes) of a new pack. `fill(write)` writes it and returns its name."""
        with files.translate_errors(self._layout.packs):
            partial = self._layout.partial_pack(os.urandom(8).hex())
            try:
                with partial.open("xb") as target:
                    fcntl.flock(target, fcntl.LOCK_EX)
                    name = fill(target.write)
                    target.flush()
                    os.fsync(target.fileno())
                    size = target.tell()
                    partial.rename(self._layout.pack(name))
            except BaseException:
                with suppress(OSError):
                    partial.unlink(missing_ok=True)
                raise
            files.sync_directory(self._layout.packs)
        return name, size

    def remove(self, name: str) -> None:
        """Remove a pack that nothing needs any more."""
        self._layout.pack(name).unlink(missing_ok=True)

    def remove_abandoned(self, wanted: Collection[str]) -> list[Path]:
        """Remove what killed writers left: unfinished packs, and those, older than an hour, that
        are not among the `wanted` names. Returns what was removed."""
        removed = []
        for partial in self._layout.packs.glob(self._layout.partial_pack("*").name):
            with suppress(OSError), partial.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
                partial.unlink()
                removed.append(partial)
        for pack in self._layout.packs.glob(self._layout.pack("*").name):
            with suppress(OSError):
                old = time.time() - pack.stat().st_mtime > LIVES_ON_SECONDS
                if old and pack.name.removesuffix(pack.suffix) not in wanted:
                    pack.unlink()
                    removed.append(pack)
        return removed
