"""SQLite through apsw: connecting to `evgit.db`, and transactions.

This module must not know what a commit or an event is, nor what is in which table.

apsw rather than the interpreter's sqlite3, because it brings a current SQLite of its own: older
ones may carry a bug in resetting the write-ahead log that was fixed in 3.51.3 (sqlite.org).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import apsw

from evgit.errors import Damage, NotADatabase, Unavailable, UnsupportedFormat, UsageError
from evgit.storage import schema
from evgit.storage.acknowledged import Marker, encode_mark
from evgit.storage.database_errors import translate_errors, translated

APPLICATION_ID = 0x65766774  # "evgt", where file(1) and SQLite look for it
BUSY_TIMEOUT_MS = 30_000
# Every changed page is written whole at each commit, and a commit touches some eight of them:
# small pages make it cheaper (docs/decisions/storage.md has the figures).
PAGE_SIZE = 1024
CHECKPOINT_PAGES = 1000  # SQLite's own measure
BULK_CHECKPOINT_PAGES = 8000
_CREATE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE

NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs"})


def refuse_network_file_system(path: Path) -> None:
    """Raise Unavailable where SQLite's locks and shared memory don't work."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # no such table on this system: nothing to go by
    best, kind = "", ""
    real = str(path.resolve())
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    if kind in NETWORK_FILE_SYSTEMS:
        raise Unavailable(
            f"{path} is on a network file system ({kind} at {best}), where the locks that keep "
            "concurrent writers apart can't be trusted",
            hint="keep the repository on a local disk and move it with clone and push",
        )


class _Connection(apsw.Connection):
    """A connection that knows its process: SQLite's locks don't pass to a forked child."""

    def __init__(self, name: str, flags: int) -> None:
        super().__init__(name, flags)
        self.process = os.getpid()
        self.view: tuple[int, int] | None = None
        self.last_view: tuple[int, int] = -1, -1
        self.marker: Marker | None = None
        self.mark: bytes | None = None
        self.refusal: tuple[str, str] | None = None


def create(path: Path) -> apsw.Connection:
    """A new `evgit.db` at `path` with all tables, connected."""
    refuse_network_file_system(path.parent)
    with translate_errors(path):
        connection = _Connection(str(path), _CREATE)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.execute(f"PRAGMA page_size={PAGE_SIZE}")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode=WAL")
        with writing(connection):
            connection.execute(schema.CREATE)
        _configure(connection)
        return connection


def open_existing(
    path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS, marker: Path | None = None
) -> apsw.Connection:
    """Connect to the `evgit.db` at `path`. `marker`: where to say what was acknowledged.

    Raises NotADatabase, UnsupportedFormat (made by a newer evgit), ReadOnly or Locked. A database
    that can't be written (permissions, a read-only disk) can still be read.
    """
    with _no_opening(path), translate_errors(path):
        try:
            connection = _Connection(str(path), apsw.SQLITE_OPEN_READWRITE)
            _check_identity(connection, path, busy_timeout_ms)
        except (apsw.ReadOnlyError, apsw.CantOpenError):
            # A WAL database on a read-only disk has no place for its shared memory. Without it
            # the file alone is read, which is right only if the log beside it holds nothing.
            log = path.with_name(path.name + "-wal")
            alone = not log.exists() or log.stat().st_size == 0
            uri = path.absolute().as_uri() + ("?immutable=1" if alone else "")
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            connection = _Connection(uri, flags)
            _check_identity(connection, path, busy_timeout_ms)
        _configure(connection)
        connection.marker = None if marker is None else Marker(marker)
        return connection


@contextmanager
def _no_opening(path: Path) -> Iterator[None]:
    """Say of damage found so early that no command will get past it."""
    try:
        yield
    except Damage as error:
        raise Damage(
            f"{error.message}; it can't be opened",
            hint="restore it from a clone or a backup; nothing was changed",
        ) from error


def _check_identity(connection: apsw.Connection, path: Path, busy_timeout_ms: int) -> None:
    connection.set_busy_timeout(busy_timeout_ms)
    application: int = connection.pragma("application_id")
    version: int = connection.pragma("user_version")
    if application != APPLICATION_ID:
        raise NotADatabase(
            f"{path} is a SQLite database, but not an evgit one",
            hint="restore it from a clone or a backup; nothing was changed",
        )
    if version > schema.SHALLOW_VERSION:
        raise UnsupportedFormat(
            f"{path} has storage format {version}; this evgit reads up to {schema.SHALLOW_VERSION}",
            hint="use a newer evgit",
        )


def _configure(connection: apsw.Connection) -> None:
    # Checkpoints stay at every 1,000 pages: a log that is written over in place syncs in half the
    # time of one that grows, and after some hundred commits it is.
    connection.execute(
        "PRAGMA synchronous=FULL; PRAGMA cache_size=-32768; PRAGMA temp_store=MEMORY;"
        "PRAGMA journal_size_limit=16777216"
    )


def will_acknowledge(connection: apsw.Connection, number: int, finished: int) -> None:
    """Inside of `writing`: note this operation as acknowledged as soon as it is durable."""
    if isinstance(connection, _Connection):
        connection.mark = encode_mark(number, finished)


def forbid_writing(connection: apsw.Connection, message: str, hint: str) -> None:
    """From now on, `writing` raises UsageError with these words."""
    assert isinstance(connection, _Connection)
    connection.refusal = message, hint


def refuse_if_forbidden(connection: apsw.Connection) -> None:
    """Raise UsageError where `forbid_writing` was called."""
    if isinstance(connection, _Connection) and connection.refusal is not None:
        message, hint = connection.refusal
        raise UsageError(message, hint=hint)


class writing:  # noqa: N801 - used as a function: `with writing(connection):`
    """One write transaction: all of it is durable afterwards, or none of it happened.

    Raises what `translated` makes of SQLite's errors, also of those inside.
    """

    # A class, as a generator's context manager takes as long as two of the statements inside. One
    # of them may be used again and again.
    __slots__ = ("_connection", "_execute")

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute

    def __enter__(self) -> None:
        connection = self._connection
        if isinstance(connection, _Connection):
            if connection.process != os.getpid():
                raise UsageError(
                    "this repository was opened before the process forked, so it can't be written"
                    " here",
                    hint="open it again in the child process",
                )
            if connection.refusal is not None:
                refuse_if_forbidden(connection)
        try:
            self._execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            raise translated(error, Path(connection.filename)) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection = self._connection
        if error is None:
            try:
                self._execute("COMMIT")
                if isinstance(connection, _Connection) and connection.mark is not None:
                    if connection.marker is not None:
                        connection.marker.write(connection.mark)
                    connection.mark = None
                return
            except BaseException as failure:
                error = failure
        if isinstance(connection, _Connection):
            connection.mark = None
        if connection.in_transaction:
            with suppress(apsw.Error):  # the first error is the one to tell
                connection.execute("ROLLBACK")
        if isinstance(error, apsw.Error):
            raise translated(error, Path(connection.filename)) from error
        if kind is None:
            raise error


class reading:  # noqa: N801 - used as a function: `with reading(connection):`
    """One consistent view for several statements; joins a transaction that is under way."""

    __slots__ = ("_connection", "_joined")

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._joined = False

    def __enter__(self) -> None:
        connection = self._connection
        self._joined = connection.in_transaction
        if self._joined:
            return
        try:
            if not isinstance(connection, _Connection):
                connection.execute("BEGIN")
                return
            # Only a statement looks whether others have written; what it says, and that this
            # connection itself has written, is asked without one. One call takes half the time.
            connection.execute("BEGIN; PRAGMA data_version").fetchone()
            view = connection.data_version(), connection.total_changes()
            if view != connection.last_view:  # the same object says that it is the same view
                connection.last_view = view
            connection.view = connection.last_view
        except BaseException as error:
            self._end()
            if isinstance(error, apsw.Error):
                raise translated(error, Path(connection.filename)) from error
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._joined:
            self._end()
            if isinstance(error, apsw.Error | UnicodeDecodeError):
                raise translated(error, Path(self._connection.filename)) from error

    def _end(self) -> None:
        connection = self._connection
        if isinstance(connection, _Connection):
            connection.view = None
        try:
            connection.execute("COMMIT")
        except apsw.Error:  # after corruption; nothing was written in any case
            if connection.in_transaction:
                connection.execute("ROLLBACK")


class Answers:
    """What statements answered inside of `reading`, as long as nobody has written since.

    Inside of a transaction that writes nothing is kept.
    """

    __slots__ = ("_connection", "_known", "_limit", "_view")

    def __init__(self, connection: apsw.Connection, limit: int = 64) -> None:
        self._connection = connection if isinstance(connection, _Connection) else None
        self._limit = limit
        self._view: tuple[int, int] | None = None
        self._known: dict[Any, Any] = {}

    def known(self) -> dict[Any, Any]:
        """The answers that still hold, by what was asked; new ones are put into it."""
        connection = self._connection
        view = None if connection is None else connection.view
        if view is None:
            return {}
        if view is not self._view or len(self._known) >= self._limit:
            self._view, self._known = view, {}
        return self._known


@contextmanager
def in_bulk(connection: apsw.Connection) -> Iterator[None]:
    """Let the write-ahead log grow to 8 MiB before what is written is moved out of it: pages that
    change again and again are then moved once."""
    connection.wal_autocheckpoint(BULK_CHECKPOINT_PAGES)
    try:
        yield
    finally:
        connection.wal_autocheckpoint(CHECKPOINT_PAGES)


def empty_log(connection: apsw.Connection) -> None:
    """Move everything from the write-ahead log into the file itself, durably."""
    with translate_errors(Path(connection.filename)):
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def integrity_problems(connection: apsw.Connection, limit: int = 100) -> list[str]:
    """What SQLite's own check finds wrong with the file's structure; empty if nothing."""
    found: list[str] = []
    try:
        for (text,) in connection.execute(f"PRAGMA integrity_check({int(limit)})"):
            if text != "ok":
                found.append(str(text))
    except apsw.Error as error:
        found.append(str(error))
    return found


def fetch_one(connection: apsw.Connection, sql: str, parameters: Sequence[Any] = ()) -> Any:
    """The first row as a tuple, or None. (apsw types a column as a union of all that fits one.)"""
    try:
        return connection.execute(sql, parameters).fetchone()
    except (apsw.Error, UnicodeDecodeError) as error:
        raise translated(error, Path(connection.filename)) from error


def fetch_all(connection: apsw.Connection, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """All rows, as tuples."""
    try:
        return connection.execute(sql, parameters).fetchall()
    except (apsw.Error, UnicodeDecodeError) as error:
        raise translated(error, Path(connection.filename)) from error


def setting(connection: apsw.Connection, name: str) -> Any:
    """A value of the `settings` table, or None."""
    row = fetch_one(connection, "SELECT value FROM settings WHERE name=?", (name,))
    return None if row is None else row[0]


def set_setting(connection: apsw.Connection, name: str, value: Any) -> None:
    """Write a value of the `settings` table."""
    connection.execute("INSERT OR REPLACE INTO settings(name, value) VALUES(?,?)", (name, value))
