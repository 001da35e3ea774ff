"""What the file system says and does, in our words: errors, and names that outlive a power cut.

It must not know what any file is for.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from evgit.errors import InvalidInput, ReadOnly, StorageFull, Unavailable

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


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of the one at `path` once it is whole, durably.

    Whoever reads meanwhile has the old one or the new one. Nothing is left of one that fails.
    """
    partial = path.with_name(f".{path.name[:200]}.{os.urandom(6).hex()}.partial")
    with translate_errors(path):
        try:
            with partial.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def open_regular(path: Path) -> BinaryIO:
    """A file to read, of a directory that somebody else may have made: no symbolic link, no pipe
    or device, which might never give an end. Raises FileNotFoundError, InvalidInput."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InvalidInput(
                f"{path} is a symbolic link, which is not followed here", hint="put the file there"
            ) from None
        raise translated(error, path) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInput(f"{path} is not a file")
    return os.fdopen(descriptor, "rb")
