"""Files that a person names, to be read or written: what fails, and how, in one manner.

What is not there: NotFound. A directory in the place of a file: UsageError. What can't be read or
written for any other reason: Unavailable. This module must not know what a file holds.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from evgit.errors import (
    EvgitError,
    NotFound,
    ReadOnly,
    StorageFull,
    Unavailable,
    UsageError,
)

STANDARD = "-"
"""The name of standard input, or standard output."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


def open_to_read(path: str | os.PathLike[str], *, hint: str = "") -> BinaryIO:
    """The file, open. `hint`: what to say to who named none. Raises as this module says."""
    name = os.fspath(path)
    try:
        if Path(path).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise NotFound(f"no file {name!r}", hint=hint) from error
    except (IsADirectoryError, NotADirectoryError) as error:
        what = "is a" if isinstance(error, IsADirectoryError) else "lies in no"
        raise UsageError(f"{name!r} {what} directory", hint=hint or "name one file") from error
    except OSError as error:
        raise Unavailable(
            f"{name!r} can't be read: {error.strerror or error}",
            hint="look at its permissions" if isinstance(error, PermissionError) else "",
        ) from error
    except ValueError as error:  # a name with a zero byte
        raise UsageError(f"{name!r} is no name of a file: {error}") from error


def cannot_write(name: str, error: OSError) -> EvgitError:
    """The error for a file, or standard output, that can't be written."""
    words = f"{name} can't be written: {error.strerror or error}"
    if isinstance(error, FileNotFoundError):
        return NotFound(words, hint="make its directory first")
    if isinstance(error, IsADirectoryError | NotADirectoryError):
        return UsageError(words, hint="name a file in a directory")
    if error.errno in _FULL:
        return StorageFull(words, hint="make room, or write elsewhere")
    return ReadOnly(words, hint="write elsewhere, or to standard output with -")
