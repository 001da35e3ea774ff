"""SQLite through apsw: connecting, the schema of `evgit.db`, transactions, errors in our words.

Truth is in `blocks`, `objects`, `blobs`, `refs`, `operations` and `settings`. The other tables are
indexes of the blocks, which `evgit reindex` can make again. This module must not know what
a commit or an event is.

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
import msgspec

from evgit.errors import (
    Damage,
    EvgitError,
    Locked,
    NotADatabase,
    ReadOnly,
    StorageFull,
    Unavailable,
    UnsupportedFormat,
    UsageError,
)

APPLICATION_ID = 0x65766774  # "evgt", where file(1) and SQLite look for it
SCHEMA_VERSION = 3
SHALLOW_VERSION = 4  # with the tables of boundaries, whose blocks an earlier evgit can't read
BUSY_TIMEOUT_MS = 30_000
# Every changed page is written whole at each commit, and a commit touches some eight of them:
# small pages make it cheaper (docs/decisions/storage.md has the figures).
PAGE_SIZE = 1024
CHECKPOINT_PAGES = 1000  # SQLite's own measure
BULK_CHECKPOINT_PAGES = 8000
_CREATE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE

PACKS = """
CREATE TABLE packs(
    first_line INTEGER PRIMARY KEY,
    lines INTEGER NOT NULL,
    name BLOB NOT NULL,
    place INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE replaced_packs(name BLOB PRIMARY KEY, replaced INTEGER NOT NULL) WITHOUT ROWID;
"""

SHALLOW = """
CREATE TABLE boundaries(
    number INTEGER PRIMARY KEY,
    lines INTEGER NOT NULL,
    id BLOB NOT NULL,
    size INTEGER NOT NULL,
    here TEXT NOT NULL,
    taken_from TEXT NOT NULL
);
CREATE TABLE boundary_states(
    number INTEGER, projection BLOB, part INTEGER, data BLOB NOT NULL,
    PRIMARY KEY(number, projection, part)
) WITHOUT ROWID;
"""

TRUTH = """
CREATE TABLE settings(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE blocks(
    first_line INTEGER PRIMARY KEY,
    latest INTEGER NOT NULL,
    frames BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE objects(id BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE blobs(id BLOB PRIMARY KEY, size INTEGER NOT NULL, data BLOB);
CREATE TABLE refs(name TEXT PRIMARY KEY, target TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE operations(
    number INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    actor TEXT NOT NULL,
    writer TEXT NOT NULL,
    command TEXT NOT NULL,
    arguments TEXT NOT NULL,
    changes TEXT NOT NULL
);
"""

INDEXES = """
CREATE TABLE commits(
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    events INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    height INTEGER NOT NULL,
    size INTEGER NOT NULL,
    time INTEGER NOT NULL,
    parent INTEGER,
    further_parents BLOB,
    segment BLOB,
    held_back INTEGER,
    checksum INTEGER NOT NULL,
    postings BLOB,
    fingerprints BLOB,
    keys BLOB
);
CREATE INDEX commits_by_prefix ON commits(substr(id, 1, 4));
CREATE UNIQUE INDEX commits_by_chain ON commits(chain, size, height);
CREATE TABLE chains(
    number INTEGER PRIMARY KEY,
    parent INTEGER,
    fork_height INTEGER NOT NULL,
    fork_size INTEGER NOT NULL,
    height INTEGER NOT NULL,
    size INTEGER NOT NULL,
    covered INTEGER NOT NULL,
    frontier BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE merkle_nodes(
    chain INTEGER, level INTEGER, place INTEGER, hash BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY(chain, level, place)
) WITHOUT ROWID;
CREATE TABLE streams(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE runs(
    number INTEGER PRIMARY KEY,
    family INTEGER NOT NULL,
    level INTEGER NOT NULL,
    last INTEGER NOT NULL,
    entries INTEGER NOT NULL
);
CREATE INDEX runs_by_family ON runs(family, number);
CREATE TABLE run_pages(
    run INTEGER, first BLOB, ordinal INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY(run, first)
) WITHOUT ROWID;
CREATE TABLE merged_lines(
    block INTEGER, number INTEGER, place INTEGER,
    first_line INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY(block, number, place)
) WITHOUT ROWID;
CREATE TABLE held_back(number INTEGER PRIMARY KEY, lines BLOB NOT NULL);
"""

COMMIT_PAGES = """
CREATE TABLE commit_pages(
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    size INTEGER NOT NULL,
    height INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX commit_pages_by_chain ON commit_pages(chain, size, height);
"""

RUN_PAGE_DATA = """
CREATE TABLE IF NOT EXISTS run_page_data(number INTEGER PRIMARY KEY, data BLOB NOT NULL);
"""

INDEX_TABLES = (
    "commits",
    "chains",
    "merkle_nodes",
    "streams",
    "runs",
    "run_pages",
    "merged_lines",
    "held_back",
    "commit_pages",
    "run_page_data",
)

NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs"})


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
            connection.execute(
                TRUTH
                + PACKS
                + INDEXES
                + COMMIT_PAGES
                + RUN_PAGE_DATA
                + f"PRAGMA user_version={SCHEMA_VERSION};"
            )
        _configure(connection)
        return connection


def open_existing(path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> apsw.Connection:
    """Connect to the `evgit.db` at `path`.

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
    if version > SHALLOW_VERSION:
        raise UnsupportedFormat(
            f"{path} has storage format {version}; this evgit reads up to {SHALLOW_VERSION}",
            hint="use a newer evgit",
        )


def _configure(connection: apsw.Connection) -> None:
    # Checkpoints stay at every 1,000 pages: a log that is written over in place syncs in half the
    # time of one that grows, and after some hundred commits it is.
    connection.execute(
        "PRAGMA synchronous=FULL; PRAGMA cache_size=-32768; PRAGMA temp_store=MEMORY;"
        "PRAGMA journal_size_limit=16777216"
    )


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

    # A class, as a generator's context manager takes as long as two of the statements inside.
    __slots__ = ("_connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        connection = self._connection
        if isinstance(connection, _Connection):
            if connection.process != os.getpid():
                raise UsageError(
                    "this repository was opened before the process forked, so it can't be written"
                    " here",
                    hint="open it again in the child process",
                )
            refuse_if_forbidden(connection)
        try:
            connection.execute("BEGIN IMMEDIATE")
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
                connection.execute("COMMIT")
                return
            except BaseException as failure:
                error = failure
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
            connection.execute("BEGIN")
            if isinstance(connection, _Connection):
                # Only a statement looks whether others have written; what it says, and that this
                # connection itself has written, is asked without one.
                connection.execute("PRAGMA data_version").fetchone()
                connection.view = connection.data_version(), connection.total_changes()
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
        if connection.in_transaction:
            with suppress(apsw.Error):  # after corruption; nothing was written in any case
                connection.execute("COMMIT")
        if connection.in_transaction:
            connection.execute("ROLLBACK")


class Answers:
    """What statements answered inside of `reading`, as long as nobody has written since.

    Inside of a transaction that writes nothing is kept.
    """

    __slots__ = ("_connection", "_known", "_limit", "_view")

    def __init__(self, connection: apsw.Connection, limit: int = 64) -> None:
        self._connection = connection
        self._limit = limit
        self._view: tuple[int, int] | None = None
        self._known: dict[Any, Any] = {}

    def known(self) -> dict[Any, Any]:
        """The answers that still hold, by what was asked; new ones are put into it."""
        connection = self._connection
        view = connection.view if isinstance(connection, _Connection) else None
        if view is None:
            return {}
        if view != self._view or len(self._known) >= self._limit:
            self._view, self._known = view, {}
        return self._known


def upgrade(connection: apsw.Connection) -> None:
    """Give a database made by an earlier evgit the tables that it lacks, inside a transaction."""
    version = connection.pragma("user_version")
    if version < 2:
        connection.execute(PACKS)
    if version < SCHEMA_VERSION:
        connection.execute(COMMIT_PAGES + f"PRAGMA user_version={SCHEMA_VERSION};")
    connection.execute(RUN_PAGE_DATA)


def is_shallow(connection: apsw.Connection) -> bool:
    """Are there tables of boundaries?"""
    return bool(connection.pragma("user_version") >= SHALLOW_VERSION)


def become_shallow(connection: apsw.Connection) -> None:
    """Make the tables of boundaries, inside a transaction."""
    upgrade(connection)
    if not is_shallow(connection):
        connection.execute(SHALLOW + f"PRAGMA user_version={SHALLOW_VERSION};")


def become_whole(connection: apsw.Connection) -> None:
    """Drop the tables of boundaries, inside a transaction."""
    if is_shallow(connection):
        connection.execute(
            "DROP TABLE boundaries; DROP TABLE boundary_states;"
            f"PRAGMA user_version={SCHEMA_VERSION};"
        )


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
