"""From a backup to a repository, which is there only once all of it has been checked.

The packs are taken over as they are, the tables filled again, the indexes made anew, and
everything checked as `fsck` does; then the database gets its name. Names of files come from hashes
that the list gives, so that a backup can't say where to write. It must not know how backups are
made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

import apsw
import msgspec

from evgit.errors import AlreadyExists, Damage, DamagedObject, InvalidInput, InvalidObject
from evgit.formats.canonical import id_bytes
from evgit.formats.hashing import new_hasher
from evgit.history.history import History
from evgit.maintenance.backup import SHALLOW, TABLES
from evgit.maintenance.backup_source import Source, damaged, list_of, open_source, state_lines
from evgit.maintenance.fsck import FsckReport, fsck
from evgit.maintenance.reindex import reindex
from evgit.storage import database, files, schema
from evgit.storage.blobs import BlobStore
from evgit.storage.layout import Layout
from evgit.storage.packs import Packed
from evgit.storage.refs import RefStore

CHUNK_BYTES = 1 << 20
Progress = Callable[[int, int], None]


def restore(source: Path, layout: Layout, progress: Progress | None = None) -> FsckReport:
    """Make the repository at `layout` of a backup, and check all of it.

    Raises AlreadyExists, NotFound, InvalidObject, and Damage where the backup is not sound; nothing
    is left then.
    """
    _refuse_taken(layout)
    opened = open_source(source)
    try:
        with files.translate_errors(layout.directory):
            layout.directory.mkdir(parents=True, exist_ok=True)
            layout.unfinished.touch()
            try:
                report = _Restoring(opened, layout, progress).run()
            except BaseException:
                rmtree(layout.directory, ignore_errors=True)
                if layout.worktree is not None:
                    with suppress(OSError):
                        layout.worktree.rmdir()
                raise
            layout.unfinished.unlink()
            return report
    finally:
        opened.close()


def _refuse_taken(layout: Layout) -> None:
    place = layout.worktree or layout.directory
    if layout.database.exists():
        raise AlreadyExists(f"{layout.directory} is an evgit repository already")
    if layout.unfinished.exists():  # of an attempt that was killed
        rmtree(layout.directory)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise AlreadyExists(
            f"{place} exists already, and is not empty", hint="name a new or empty directory"
        )


class _Restoring:
    def __init__(self, source: Source, layout: Layout, progress: Progress | None) -> None:
        self._source = source
        self._layout = layout
        self._progress = progress
        self._list = list_of(source)

    def run(self) -> FsckReport:
        self._copy_packs()
        partial = self._layout.new_database(os.urandom(4).hex())
        connection = database.create(partial)
        try:
            report = self._fill(connection)
            database.empty_log(connection)
            connection.close()
            self._layout.publish_database(partial)
            return report
        finally:
            connection.close()
            self._layout.remove_database(partial)

    def _copy_packs(self) -> None:
        self._layout.packs.mkdir(exist_ok=True)
        for pack in self._list.packs:
            if not pack.name:
                continue
            hasher = new_hasher()
            with (
                self._source.open(f"packs/{pack.name}.evpack") as file,
                files.replacing(self._layout.pack(pack.name)) as copy,
            ):
                while chunk := file.read(CHUNK_BYTES):
                    hasher.update(chunk)
                    copy.write(chunk)
            if hasher.hexdigest() != pack.name:
                raise damaged(self._source.path, f"packs/{pack.name}.evpack", "is damaged")
        files.sync_directory(self._layout.packs)

    def _fill(self, connection: apsw.Connection) -> FsckReport:
        """Truth into the tables, indexes from that, and all of it checked."""
        history, refs = History(connection), RefStore(connection)
        blobs = BlobStore(connection, self._layout)
        listed: list[tuple[str, int]] = []
        try:
            with database.writing(connection):
                for pack in self._list.packs:
                    latest = pack.latest_instant
                    packed = Packed(pack.first_line, pack.lines, pack.name, 0, latest)
                    history.blocks.packs.put(packed)
                for table, row in self._state():
                    if table == "blobs":
                        listed.append((str(row[0]), int(row[1])))
                    else:
                        _insert(connection, table, row)
            history.forget()
            for blob_id, _ in listed:
                name = f"blobs/{blob_id[:2]}/{blob_id[2:]}"
                with self._source.open(name) as file:
                    try:
                        blobs.write(file, expected=blob_id)
                    except (InvalidInput, DamagedObject):
                        raise damaged(self._source.path, name, "is damaged") from None
            reindex(history, self._progress)
            report = fsck(history, refs, blobs, self._progress)
        except (apsw.Error, msgspec.MsgspecError, ArithmeticError, LookupError) as error:
            raise Damage(f"the backup is not sound: {error}", hint="use another backup") from None
        except (AttributeError, TypeError, ValueError) as error:
            raise Damage(f"the backup is not sound: {error}", hint="use another backup") from None
        self._compare(connection, history)
        if not report.clean:
            first = report.problems[0]
            raise Damage(
                f"the backup is not sound: {first.message}"
                + (f" ({len(report.problems):,} problems)" if len(report.problems) > 1 else ""),
                hint="use another backup",
            )
        return report

    def _compare(self, connection: apsw.Connection, history: History) -> None:
        end, _ = history.end()
        found = database.setting(connection, "repository")
        if (
            end != self._list.lines
            or found != self._list.repository
            or history.graph.count() != self._list.commits
            or history.graph.owning(end - 1).hex != self._list.last
        ):
            raise Damage("the backup does not hold what its list says", hint="use another backup")

    def _state(self) -> Iterator[tuple[str, list[Any]]]:
        """(table, row) of everything but blocks; the configuration is written on the way."""
        for found in state_lines(self._source, self._list.state):
            if "file" in found:
                self._layout.config.write_text(str(found["text"]), "utf-8")
            elif found["table"] in TABLES:
                yield found["table"], found["row"]
            else:
                raise InvalidObject(f"the backup has rows of a table {found['table']!r}")


_IN_HEX = {"boundaries": (2,), "boundary_states": (1, 3)}


def _insert(connection: apsw.Connection, table: str, row: list[Any]) -> None:
    if table == "objects":
        row = [id_bytes(str(row[0])), str(row[1]).encode()]
    if table in SHALLOW:
        schema.become_shallow(connection)
    for place in _IN_HEX.get(table, ()):
        row[place] = None if row[place] is None else bytes.fromhex(row[place])
    marks = ",".join("?" * len(row))
    connection.execute(f"INSERT INTO {table}({TABLES[table]}) VALUES({marks})", row)
