"""SQLite's errors said in evgit's words: what happened, to which file, what to do next.

It must not know what was being read or written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from evgit.errors import (
    Damage,
    EvgitError,
    Locked,
    NotADatabase,
    ReadOnly,
    StorageFull,
    Unavailable,
)


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise SQLite's errors about the file at `path` as evgit's."""
    try:
        yield
    except (apsw.Error, UnicodeDecodeError) as error:
        raise translated(error, path) from error


class _Answer(msgspec.Struct, frozen=True):
    """What evgit says where SQLite says `errors`, about the file at {path}."""

    errors: tuple[type[Exception], ...]
    raised: type[EvgitError]
    message: str
    hint: str = ""


# The first line that fits is taken; the last one fits everything.
_ANSWERS = (
    _Answer(
        (apsw.BusyError, apsw.LockedError),
        Locked,
        "{path} is locked by another process (waited as long as allowed)",
        "wait for the other evgit to finish, then run the same command again; nothing was changed",
    ),
    _Answer(
        (apsw.ReadOnlyError, apsw.PermissionsError, apsw.AuthError),
        ReadOnly,
        "{path} can't be written: {detail}",
        "check the permissions of the file and of its directory",
    ),
    _Answer(
        (apsw.CantOpenError,),
        ReadOnly,
        "{path} can't be opened: {detail}",
        "check that it exists and that you may read it and write its directory",
    ),
    _Answer(
        (apsw.FullError,),
        StorageFull,
        "no space left to write {path}; the transaction was undone, nothing was changed",
        "free some space, then run the same command again",
    ),
    _Answer(
        (apsw.NotADBError,),
        NotADatabase,
        "{path} is not an evgit database (or its first page is damaged)",
        "restore it from a clone or a backup; nothing was changed",
    ),
    _Answer(  # no row that evgit writes breaks a constraint, unless others are wrong
        (apsw.CorruptError, apsw.ConstraintError, UnicodeDecodeError),
        Damage,
        "{path} is damaged: {detail}",
        "run `evgit fsck` for the extent, `evgit reindex` if only indexes are hit",
    ),
    _Answer(
        (apsw.IOError,),
        Unavailable,
        "reading or writing {path} failed: {detail}",
        "check the disk (full, failing, or taken away?) and try again",
    ),
    _Answer((Exception,), Unavailable, "the database {path} refused: {detail}"),
)


def translated(error: apsw.Error | UnicodeDecodeError, path: Path) -> EvgitError:
    """The evgit error for an SQLite error, or undecodable text, in the database at `path`."""
    answer = next(answer for answer in _ANSWERS if isinstance(error, answer.errors))
    return answer.raised(answer.message.format(path=path, detail=error), hint=answer.hint)
