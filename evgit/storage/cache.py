"""`cache.db`: nodes of Merkle maps, snapshots of states, the index of the working tree.

Nothing here is truth. Deleting the file loses only time; a file that is damaged, foreign or made by
a newer evgit is thrown away and begun anew, and where no file can be written the cache lives in
memory. So nothing that goes wrong here is ever an error of the caller: reading finds nothing,
writing does nothing. What is read is checked against its name or its checksum first.

It must not know what a node, a document or a state is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import zstandard

from evgit.formats.hashing import blake3_digest

APPLICATION_ID = 0x65766763  # "evgc"
SCHEMA_VERSION = 1
PAGE_SIZE = 4096
# A cache that another process keeps busy is not worth waiting for: do without.
BUSY_TIMEOUT_MS = 5_000
DEFAULT_MAX_BYTES = 1 << 30
MAX_NODE_BYTES = 1 << 30
"""Longest node that is read back: more than any honest one holds."""

_SCHEMA = f"""
CREATE TABLE nodes(number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, data BLOB NOT NULL);
CREATE TABLE snapshots(
    number INTEGER PRIMARY KEY,
    projection BLOB NOT NULL,
    size INTEGER NOT NULL,
    log_root BLOB NOT NULL,
    map_root BLOB NOT NULL,
    documents INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    UNIQUE(projection, size, log_root)
);
CREATE TABLE files(
    file TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    hash BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    planned BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX renamed_files ON files(document) WHERE document<>file;
CREATE TABLE notes(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
PRAGMA application_id={APPLICATION_ID};
PRAGMA user_version={SCHEMA_VERSION};
"""


class Snapshot(NamedTuple):
    """A cached state: what it was made with, of which log, and the root of its Merkle map."""

    projection: bytes
    size: int
    log_root: bytes
    map_root: bytes
    documents: int

    def checksum(self) -> bytes:
        numbers = struct.pack("<QQQ", len(self.projection), self.size, self.documents)
        return blake3_digest(numbers + self.projection + self.log_root + self.map_root)[:16]


class IndexedFile(NamedTuple):
    """One file of the working tree: its name relative to the tree, the path of its document, and
    what was written: BLAKE3 of the content, and what the file system said of it afterwards.

    A size of -1 says that the content has to be looked at. `planned` is the BLAKE3 of content about
    to be written, empty but for the time until it is.
    """

    file: str
    document: str
    hash: bytes
    size: int = -1
    mtime_ns: int = 0
    inode: int = 0
    planned: bytes = b""


class Cache:
    """The cache in the file at `path`, opened when first used; in memory if `path` is None."""

    def __init__(self, path: Path | None, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._opened: apsw.Connection | None = None
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def close(self) -> None:
        if self._opened is not None:
            with suppress(apsw.Error):
                self._opened.close()
            self._opened = None

    # ------------------------------------------------------------------ nodes and snapshots

    def node(self, digest: bytes) -> bytes | None:
        """The bytes whose BLAKE3 is `digest`; None if they are not here, or not what they were."""
        rows = self._rows("SELECT data FROM nodes WHERE hash=?", (digest,))
        if not rows:
            return None
        return self._sound_node(digest, rows[0][0])

    def nodes(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """Those of several nodes that are here."""
        marks = ",".join("?" * len(digests))
        rows = self._rows(f"SELECT hash, data FROM nodes WHERE hash IN ({marks})", tuple(digests))
        found = ((digest, self._sound_node(digest, data)) for digest, data in rows)
        return {digest: text for digest, text in found if text is not None}

    def _sound_node(self, digest: bytes, data: Any) -> bytes | None:
        try:
            text = self._decompress(data, max_output_size=MAX_NODE_BYTES)
        except (zstandard.ZstdError, MemoryError, TypeError):
            text = b""
        if blake3_digest(text) != digest:
            self._write(lambda c: c.execute("DELETE FROM nodes WHERE hash=?", (digest,)))
            return None
        return text

    def add_nodes(
        self, nodes: Iterable[tuple[bytes, bytes]], snapshot: Snapshot | None = None
    ) -> None:
        """Keep (BLAKE3, bytes) pairs, and with them a snapshot that needs them."""
        rows = [(digest, self._compress(text)) for digest, text in nodes]

        def change(connection: apsw.Connection) -> None:
            connection.executemany("INSERT OR IGNORE INTO nodes(hash, data) VALUES(?, ?)", rows)
            if snapshot is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO snapshots"
                    "(projection, size, log_root, map_root, documents, checksum)"
                    " VALUES(?, ?, ?, ?, ?, ?)",
                    (*snapshot, snapshot.checksum()),
                )

        self._write(change)

    def snapshots(self, projection: bytes, size: int) -> Iterator[Snapshot]:
        """Snapshots made with `projection` of at most `size` events, the largest first."""
        seen = 0
        while True:
            rows = self._rows(
                "SELECT projection, size, log_root, map_root, documents, checksum FROM snapshots"
                " WHERE projection=? AND size<=? ORDER BY size DESC LIMIT 64 OFFSET ?",
                (projection, size, seen),
            )
            for row in rows:
                snapshot = Snapshot(*row[:5])
                if _sound(snapshot, row[5]):
                    yield snapshot
            seen += len(rows)
            if len(rows) < 64:
                return

    def last_snapshot(self, projection: bytes) -> int:
        """The size of the largest snapshot made with `projection`, of any history; 0 for none."""
        rows = self._rows("SELECT max(size) FROM snapshots WHERE projection=?", (projection,))
        return int(rows[0][0] or 0) if rows else 0

    def forget_snapshot(self, snapshot: Snapshot) -> None:
        """Drop a snapshot that proved incomplete."""
        where = "projection=? AND size=? AND log_root=?"
        self._write(lambda c: c.execute(f"DELETE FROM snapshots WHERE {where}", snapshot[:3]))

    def oversized(self) -> bool:
        """Does the cache hold more than `max_bytes`?"""
        return self._used_bytes() > self.max_bytes

    def sweep(self, references: Callable[[bytes], Iterable[bytes]]) -> None:
        """Drop the oldest snapshots, and the nodes that no kept one needs, until the cache is
        half as large as it may be. `references` gives the hashes that a node's bytes name."""
        roots = self._rows("SELECT number, map_root FROM snapshots ORDER BY number DESC", ())
        kept: set[bytes] = set()
        oldest, room = 0, self.max_bytes // 2
        for number, root in roots:
            found: set[bytes] = set()
            room -= self._mark(root, kept, found, references)
            if room < 0:
                oldest = number
                break
            kept |= found

        def change(connection: apsw.Connection) -> None:
            connection.execute("DELETE FROM snapshots WHERE number<=?", (oldest,))
            connection.execute("CREATE TEMP TABLE kept(hash BLOB PRIMARY KEY) WITHOUT ROWID")
            hashes = ((digest,) for digest in sorted(kept))
            connection.executemany("INSERT INTO temp.kept VALUES(?)", hashes)
            connection.execute("DELETE FROM nodes WHERE hash NOT IN (SELECT hash FROM temp.kept)")
            connection.execute("DROP TABLE temp.kept")

        self._write(change)
        if self._opened is not None:
            with self._forgiving():
                self._opened.execute("PRAGMA incremental_vacuum")
                self._opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _mark(
        self,
        root: bytes,
        kept: set[bytes],
        found: set[bytes],
        references: Callable[[bytes], Iterable[bytes]],
    ) -> int:
        """Add what is reachable from `root` and not kept to `found`; its stored bytes."""
        waiting, stored = [root], 0
        while waiting:
            digest = waiting.pop()
            if digest in kept or digest in found:
                continue
            text = self.node(digest)
            if text is not None:
                found.add(digest)
                rows = self._rows("SELECT length(data) FROM nodes WHERE hash=?", (digest,))
                stored += (rows[0][0] if rows else 0) + 100  # what the row and its index take
                waiting.extend(references(text))
        return stored

    def _used_bytes(self) -> int:
        rows = self._rows(
            "SELECT (page_count - freelist_count) * page_size"
            " FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
            (),
        )
        return int(rows[0][0]) if rows else 0

    # ------------------------------------------------------------------ index of the working tree

    def files(self, after: str = "", limit: int = 1000) -> list[IndexedFile]:
        """The next files of the index, by name."""
        sql = "SELECT * FROM files WHERE file>? ORDER BY file LIMIT ?"
        return [IndexedFile(*row) for row in self._rows(sql, (after, limit))]

    def file(self, file: str) -> IndexedFile | None:
        """One file of the index."""
        rows = self._rows("SELECT * FROM files WHERE file=?", (file,))
        return IndexedFile(*rows[0]) if rows else None

    def files_of(self, document: str) -> list[IndexedFile]:
        """The files that hold this document: one, or more after an interruption."""
        rows = self._rows(
            "SELECT * FROM files WHERE file=?1 AND document=?1 UNION ALL"
            " SELECT * FROM files WHERE document=?1 AND document<>file",
            (document,),
        )
        return [IndexedFile(*row) for row in rows]

    def notes(self) -> dict[str, str]:
        """What was noted beside the index, by name."""
        return {str(n): str(v) for n, v in self._rows("SELECT name, value FROM notes", ())}

    def change_index(
        self,
        *,
        written: Iterable[IndexedFile] = (),
        removed: Iterable[str] = (),
        notes: dict[str, str] | None = None,
    ) -> None:
        """Change the index: files written and removed, and all notes if `notes` is given."""

        def change(connection: apsw.Connection) -> None:
            connection.executemany("DELETE FROM files WHERE file=?", ((f,) for f in removed))
            connection.executemany(
                "INSERT OR REPLACE INTO files VALUES(?, ?, ?, ?, ?, ?, ?)", written
            )
            if notes is not None:
                connection.execute("DELETE FROM notes")
                connection.executemany("INSERT INTO notes VALUES(?, ?)", notes.items())

        self._write(change)

    # ------------------------------------------------------------------ the file

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        for _ in range(2):  # a damaged file is replaced, and the empty one asked
            with self._forgiving():
                return self._connection().execute(sql, values).fetchall()
        return []

    def _write(self, change: Callable[[apsw.Connection], object]) -> None:
        """One transaction. If the cache fails in it, what was to be kept is not."""
        with self._forgiving():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                change(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with suppress(apsw.Error):
                        connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.SchemaChangeError):
            self._begin_anew()
        except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.FullError, apsw.IOError):
            self._stay_in_memory()
        except (apsw.BusyError, apsw.LockedError):
            pass

    def _connection(self) -> apsw.Connection:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> apsw.Connection:
        if self.path is None:
            return _prepared(":memory:")
        try:
            return _prepared(str(self.path))
        except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, _ForeignError):
            self._remove()
        except apsw.Error:
            return _prepared(":memory:")
        try:
            return _prepared(str(self.path))
        except (apsw.Error, _ForeignError):
            return _prepared(":memory:")

    def _begin_anew(self) -> None:
        self.close()
        self._remove()

    def _stay_in_memory(self) -> None:
        self.close()
        self._opened = _prepared(":memory:")

    def _remove(self) -> None:
        if self.path is not None:
            for suffix in ("-wal", "-shm", ""):
                with suppress(OSError):
                    self.path.with_name(self.path.name + suffix).unlink()


class _ForeignError(Exception):
    """The file is not a cache of this build."""


def _sound(snapshot: Snapshot, checksum: object) -> bool:
    try:
        return snapshot.checksum() == checksum
    except (TypeError, struct.error):
        return False


def _prepared(name: str) -> apsw.Connection:
    """A connection to a cache that has all its tables. Raises _ForeignError or apsw.Error."""
    connection = apsw.Connection(name)
    try:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        identity = (connection.pragma("application_id"), connection.pragma("user_version"))
        if identity != (APPLICATION_ID, SCHEMA_VERSION):
            _create(connection)
        connection.execute(
            "PRAGMA synchronous=OFF; PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=4000;"
            "PRAGMA journal_size_limit=16777216"
        )
        # Also finds out now, not in the middle, that the file or its directory can't be written.
        connection.execute("BEGIN IMMEDIATE; COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: apsw.Connection) -> None:
    connection.execute(f"PRAGMA page_size={PAGE_SIZE}; PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")  # of several processes, one creates
    identity = (connection.pragma("application_id"), connection.pragma("user_version"))
    if identity == (APPLICATION_ID, SCHEMA_VERSION):
        connection.execute("COMMIT")
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() or (0,)
    if identity != (0, 0) or tables:
        raise _ForeignError
    connection.execute(_SCHEMA)
    connection.execute("COMMIT")
