"""From a backup to a repository, which is there only once all of it has been checked.

The packs are taken over as they are, the tables filled again, the indexes made anew, and
everything checked as `fsck` does; then the database gets its name. Names of files come from hashes
that the list gives, so that a backup can't say where to write. It must not know how backups are
made.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import Any, BinaryIO, Protocol, cast

import apsw
import msgspec
import zstandard
from blake3 import blake3

from evgit.errors import AlreadyExists, Damage, InvalidObject, NotFound
from evgit.formats.backup_list import FILE_NAME, MAX_LIST_BYTES, BackupList, decode_list
from evgit.formats.canonical import id_bytes
from evgit.history.history import History
from evgit.maintenance.backup import SHALLOW, TABLES
from evgit.maintenance.fsck import FsckReport, fsck
from evgit.maintenance.reindex import reindex
from evgit.storage import database, files
from evgit.storage.blobs import BlobStore
from evgit.storage.layout import Layout
from evgit.storage.packs import Packed
from evgit.storage.refs import RefStore

CHUNK_BYTES = 1 << 20
MAX_STATE_LINE = 1 << 26
Progress = Callable[[int, int], None]


class Source(Protocol):
    """Where the files of a backup are, by names that this module makes."""

    def open(self, name: str) -> BinaryIO:
        """A file to read. Raises NotFound, InvalidInput for what is no plain file."""
        ...

    def close(self) -> None:
        """No more is read."""
        ...


class _Directory:
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, name: str) -> BinaryIO:
        try:
            return files.open_regular(self._path / name)
        except FileNotFoundError:
            raise NotFound(
                f"{name} is missing in the backup {self._path}", hint="use another backup"
            ) from None

    def close(self) -> None:
        pass


class _Tar:
    def __init__(self, path: Path) -> None:
        self._path = path
        with _tar_errors(path):
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115
            self._members = {m.name: m for m in self._tar.getmembers() if m.isreg()}

    def open(self, name: str) -> BinaryIO:
        member = self._members.get(name)
        if member is None:
            raise NotFound(
                f"{name} is missing in the backup {self._path}", hint="use another backup"
            )
        with _tar_errors(self._path):
            return cast(BinaryIO, self._tar.extractfile(member))

    def close(self) -> None:
        self._tar.close()


@contextmanager
def _tar_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise InvalidObject(
            f"{path} is not the backup of a repository: {error}", hint="evgit backup makes one"
        ) from None


def is_backup(path: Path) -> bool:
    """Does this look like what `back_up` makes?"""
    if path.is_dir():
        return (path / FILE_NAME).is_file()
    return path.suffix == ".tar" and path.is_file()


def restore(source: Path, layout: Layout, progress: Progress | None = None) -> FsckReport:
    """Make the repository at `layout` of a backup, and check all of it.

    Raises AlreadyExists, NotFound, InvalidObject, and Damage where the backup is not sound; nothing
    is left then.
    """
    _refuse_taken(layout)
    opened = _opened(source)
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


def read_list(source: Path) -> BackupList:
    """The list of the backup at a path. Raises NotFound, InvalidObject."""
    opened = _opened(source)
    try:
        return _list_of(opened)
    finally:
        opened.close()


def _opened(source: Path) -> Source:
    if source.is_dir():
        return _Directory(source)
    if not source.exists():
        raise NotFound(f"there is no backup {source}", hint="evgit backup makes one")
    return _Tar(source)


def _list_of(source: Source) -> BackupList:
    with source.open(FILE_NAME) as file:
        data = file.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        raise InvalidObject(f"{FILE_NAME} has more than {MAX_LIST_BYTES:,} bytes")
    return decode_list(data)


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
        self._list = _list_of(source)

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
            hasher = blake3()
            with (
                self._source.open(f"packs/{pack.name}.evpack") as file,
                files.replacing(self._layout.pack(pack.name)) as copy,
            ):
                while chunk := file.read(CHUNK_BYTES):
                    hasher.update(chunk)
                    copy.write(chunk)
            if hasher.hexdigest() != pack.name:
                raise Damage(
                    f"pack {pack.name} of the backup is damaged: its bytes hash to "
                    f"{hasher.hexdigest()}",
                    hint="use another backup",
                )
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
                with self._source.open(f"blobs/{blob_id[:2]}/{blob_id[2:]}") as file:
                    blobs.write(file, expected=blob_id)
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
        hasher = blake3()
        with self._source.open(f"state/{self._list.state}.zst") as file:
            while chunk := file.read(CHUNK_BYTES):
                hasher.update(chunk)
        if hasher.hexdigest() != self._list.state:
            raise Damage(
                f"state/{self._list.state}.zst of the backup is damaged", hint="use another backup"
            )
        with self._source.open(f"state/{self._list.state}.zst") as file:
            for line in _lines(file):
                found = msgspec.json.decode(line)
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
        database.become_shallow(connection)
    for place in _IN_HEX.get(table, ()):
        row[place] = None if row[place] is None else bytes.fromhex(row[place])
    marks = ",".join("?" * len(row))
    connection.execute(f"INSERT INTO {table}({TABLES[table]}) VALUES({marks})", row)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines of a zstd file, none of them longer than 64 MiB."""
    held = b""
    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 25).stream_reader(file) as text:
            while chunk := text.read(CHUNK_BYTES):
                *lines, held = (held + chunk).split(b"\n")
                yield from lines
                if len(held) > MAX_STATE_LINE:
                    raise InvalidObject("the backup's state has a line that is too long")
    except zstandard.ZstdError as error:
        raise Damage(f"the backup's state is damaged: {error}", hint="use another backup") from None
    if held:
        raise Damage("the backup's state is cut short", hint="use another backup")
