"""What the file system says and does, in our words: errors, and names that outlive a power cut.

It must not know what any file is for.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evgit.errors import ReadOnly, StorageFull, Unavailable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise what the system says of the file or directory at `path` as evgit's errors."""
    try:
        yield
    except OSError as error:
        raise translated(error, path) from error


def translated(error: OSError, path: Path) -> Unavailable:
    """The evgit error for a system error about `path`."""
    if error.errno in _FULL:
        return StorageFull(
            f"no space left to write {path}; nothing was stored",
            hint="free some space, then run the same command again",
        )
    if error.errno in _FORBIDDEN:
        return ReadOnly(
            f"{path} can't be read or written: {error.strerror}",
            hint="check the permissions of the file and of its directory",
        )
    return Unavailable(
        f"{path}: {error.strerror or error}", hint="check the path and the disk, then try again"
    )


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable: syncing a file does not sync its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
