"""A disk that fails when told to: an SQLite VFS that counts what changes files and spoils one.

It stands between SQLite and the real file system, through apsw's hooks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import apsw


@dataclass
class FaultyDisk:
    """Counts writes, syncs and truncations; from the `fail_at`-th on they fail with `error`.

    `once`: only that one fails. `torn`: a write that fails has written half of its bytes.
    """

    fail_at: int = 0
    error: type[apsw.Error] = apsw.IOError
    once: bool = True
    torn: bool = False
    count: int = 0
    failed: list[str] = field(default_factory=list)

    def arm(
        self, fail_at: int, error: type[apsw.Error], *, once: bool = True, torn: bool = False
    ) -> None:
        self.fail_at, self.error, self.once, self.torn = fail_at, error, once, torn
        self.count = 0
        self.failed.clear()

    def disarm(self) -> None:
        self.fail_at = 0

    def fails(self, what: str) -> bool:
        """Count one change; must it fail?"""
        self.count += 1
        hit = self.count == self.fail_at or (0 < self.fail_at < self.count and not self.once)
        if hit:
            self.failed.append(what)
        return hit


class _File(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: object, flags: list[int]) -> None:
        super().__init__("unix", name, flags)  # type: ignore[arg-type]
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        if self._disk.fails(f"write of {len(data)} bytes at {offset}"):
            if self._disk.torn:
                super().xWrite(data[: len(data) // 2], offset)
            raise self._disk.error("the disk fails, as the test wants")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._disk.fails("sync"):
            raise self._disk.error("the disk fails, as the test wants")
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        if self._disk.fails(f"truncation to {size}"):
            raise self._disk.error("the disk fails, as the test wants")
        super().xTruncate(size)


class _FaultyVFS(apsw.VFS):
    def __init__(self, disk: FaultyDisk) -> None:
        super().__init__("faulty", "unix", makedefault=True)
        self._disk = disk

    def xOpen(self, name: object, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self._disk, name, flags)


@contextmanager
def faulty_disk() -> Iterator[FaultyDisk]:
    """Every database opened inside stands on a disk that fails when it is told to."""
    disk = FaultyDisk()
    vfs = _FaultyVFS(disk)
    try:
        yield disk
    finally:
        vfs.unregister()
        apsw.set_default_vfs("unix")
