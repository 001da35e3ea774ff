"""Backups: all of a repository, at one moment, in files that are written once.

    evgit-backup.json   which packs there are, and which state
    packs/NAME.evpack   all blocks in the order of storing, also those that no ref leads to
    state/HASH.zst      refs, operations, tags, settings, which blobs there are: JSON lines
    blobs/xx/…          all blobs

The list takes its place last: until then the backup before it stands. The next backup into the
same directory writes the lines that came since, a new state and new blobs. Readers and writers of
the repository go on meanwhile. This module must not know how a backup becomes a repository again.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import msgspec
import zstandard

from evgit.errors import ReadOnly, UsageError
from evgit.formats.again import is_again
from evgit.formats.backup_list import FILE_NAME, BackedUp, BackupList, decode_list, encode_list
from evgit.formats.boundary import is_boundary
from evgit.formats.hashing import blake3_digest
from evgit.formats.pack import FULL_LINES, PackHead
from evgit.formats.pack_writing import PackWriter
from evgit.formats.times import to_text
from evgit.history.history import History
from evgit.maintenance.backup_place import MARK, refuse_another
from evgit.storage import database, files, schema
from evgit.storage.blobs import BlobStore
from evgit.storage.copy_directory import CopyDirectory, is_there
from evgit.storage.database import fetch_all
from evgit.storage.layout import Layout
from evgit.storage.packs import Packed
from evgit.storage.places import file_place, outside

FILES = {".tar", ".gz", ".tgz", ".zip", ".bz2", ".xz", ".zst", ".7z", ".evpack"}
"""Endings of names that people give to files."""
TABLES = {
    "settings": "name, value",
    "refs": "name, target",
    "operations": "number, started, finished, actor, writer, command, arguments, changes",
    "objects": "id, data",
    "blobs": "id, size",
    "boundaries": "number, lines, id, size, here, taken_from",
    "boundary_states": "number, projection, part, data",
}
SHALLOW = ("boundaries", "boundary_states")
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class BackupReport:
    """What a backup did. `full`: it was written without one before it; the counts are of what was
    written, `bytes` of packs; `lines` of all that it holds."""

    full: bool = True
    lines: int = 0
    commits: int = 0
    events: int = 0
    blobs: int = 0
    packs: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """What is backed up. `repository`: its id; `now`: an instant."""

    history: History
    blobs: BlobStore
    layout: Layout
    repository: str
    now: int


def back_up(
    subject: Subject,
    target: Path,
    *,
    full: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    step: Callable[[str], None] = lambda name: None,
) -> BackupReport:
    """Back up into a directory, or into one tar file where `target` is a file or is called `.tar`.

    `full`: write everything anew; `force`: also over a backup that has commits which this
    repository lacks, because it is newer or that of another copy. `step` is called with the
    name of what was done: for tests that interrupt there. Raises UsageError for a directory that
    holds other things and for what can be no file, Conflict for the backup of another repository or
    of more than this one, AlreadyExists for a file that is no backup, Locked,
    Damage where something can't be read.
    """
    place = outside(target)
    if place.is_dir() or (not place.exists() and place.suffix not in FILES):
        copy = _copy_in(place)
        with files.translate_errors(target), copy.locked(_busy(place)):
            refuse_another(subject.history, subject.repository, target, place, force)
            return _Backup(subject, copy, progress, step).run(full)
    place = file_place(target)
    if place.suffix != ".tar" and not place.exists():
        raise UsageError(
            f"a backup is a directory, or one .tar file, so {target} can't be one",
            hint="name a directory, or FILE.tar, and compress that if need be",
        )
    if place.exists():
        refuse_another(subject.history, subject.repository, target, place, force)
    directory = place.with_name(f".{place.name[:200]}.{os.urandom(6).hex()}.partial")
    try:
        copy = _copy_in(directory)
        with files.translate_errors(target), copy.locked(_busy(directory)):
            report = _Backup(subject, copy, progress, step).run(True)
            with files.replacing(place) as file, tarfile.open(fileobj=file, mode="w") as tar:
                for path in sorted(directory.rglob("*")):
                    if path.is_file() and path.name != "lock":
                        tar.add(path, str(path.relative_to(directory)), filter=_plain)
            return report
    finally:
        rmtree(directory, ignore_errors=True)


def _copy_in(directory: Path) -> CopyDirectory:
    return CopyDirectory(directory, FILE_NAME, "state")


def _busy(directory: Path) -> str:
    return f"another backup into {directory} is under way"


class _Backup:
    def __init__(
        self,
        subject: Subject,
        copy: CopyDirectory,
        progress: Progress | None,
        step: Callable[[str], None],
    ) -> None:
        self._subject = subject
        self._history = subject.history
        self._connection = subject.history.connection
        self._copy = copy
        self._directory = copy.path
        self._progress = progress or (lambda done, total: None)
        self._step = step
        self.report = BackupReport()

    def run(self, full: bool) -> BackupReport:
        mark = self._mark()
        before = None if full else self._before(mark)
        for name in ("packs", "state", "blobs"):
            (self._directory / name).mkdir(exist_ok=True)
        with database.reading(self._connection):  # one moment of it all
            packs = list(before.packs) if before else []
            first = before.lines if before else 0
            latest = packs[-1].latest_instant if packs else -1
            packs += self._write_packs(first, latest)
            self._step("packs")
            self._write_blobs()
            self._step("blobs")
            state = self._write_state()
            self._step("state")
            last, _ = self._history.end()
            found = BackupList(
                bare=self._subject.layout.worktree is None,
                commits=self._history.graph.count(),
                last=self._history.graph.owning(last - 1).hex,
                of=mark,
                packs=packs,
                repository=self._subject.repository,
                state=state,
                time=to_text(self._subject.now),
            )
        self._copy.write_list(encode_list(found))
        self._step("list")
        self._clear_away(found)
        self.report.full = before is None
        self.report.lines = found.lines
        return self.report

    def _mark(self) -> str:
        found = database.setting(self._connection, MARK)
        if found is None:
            found = os.urandom(16).hex()
            # A database on a read-only disk can be backed up, but whole each time.
            with suppress(ReadOnly), database.writing(self._connection):
                database.set_setting(self._connection, MARK, found)
        return str(found)

    def _before(self, mark: str) -> BackupList | None:
        """The backup that is there, where what was stored since can be put behind it."""
        if not self._copy.list.exists():
            return None
        found = decode_list(self._copy.list.read_bytes())
        end, _ = self._history.end()
        if found.of != mark or not 0 < found.lines <= end:
            return None
        if self._dropped(found.lines) != _lines(p for p in found.packs if not p.name):
            return None  # gc has dropped what the backup still has
        if self._history.graph.owning(found.lines - 1).hex != found.last:
            return None
        for pack in found.packs:
            if pack.name and not is_there(self._copy.pack(pack.name), pack.bytes):
                return None
        return found

    def _dropped(self, end: int) -> list[range]:
        """Lines before one that have been dropped."""
        packs = self._history.blocks.packs
        packs.reload()
        rows = (row for row in packs.rows() if not row.name and row.first_line < end)
        return _lines(row._replace(lines=min(row.lines, end - row.first_line)) for row in rows)

    # ------------------------------------------------------------------ writing
    def _write_packs(self, first: int, latest: int) -> Iterator[BackedUp]:
        """Write all lines from one on, into packs that each hold whole blocks."""
        end, _ = self._history.end()
        source = _Source(self._history, first, latest)

        def fill(writer: PackWriter) -> None:
            for lines in source.blocks():
                own = lines[:-1]
                writer.add_block(own, lines[-1])
                if not (own and is_boundary(own[-1])):  # else they stand for events
                    self.report.events += len(own) - sum(map(is_again, own))
                self._progress(source.next_line - first, end - first)

        while source.next_line < end:
            gap = source.gap()
            if gap:
                start = source.next_line
                source.skip(gap)
                yield BackedUp(0, start, _time(source.latest), gap, "")
                continue
            start = source.next_line
            written = self._copy.write_pack(PackHead(self._subject.repository), fill)
            self.report.packs += 1
            self.report.bytes += written.bytes
            self.report.commits += written.commits
            yield BackedUp(
                written.bytes, start, _time(source.latest), source.next_line - start, written.name
            )
        files.sync_directory(self._copy.packs)

    def _write_blobs(self) -> None:
        blobs = self._subject.blobs
        self.report.blobs += sum(self._copy.write_blob(blobs, *blob) for blob in blobs.all())
        files.sync_directory(self._directory / "blobs")

    def _write_state(self) -> str:
        """Write the rows of the tables that hold truth; the name of the file."""
        data = zstandard.ZstdCompressor(level=9, write_checksum=True).compress(
            b"".join(line + b"\n" for line in self._state_lines())
        )
        name = blake3_digest(data).hex()
        path = self._directory / "state" / f"{name}.zst"
        if not path.is_file():
            with files.replacing(path) as file:
                file.write(data)
        return name

    def _state_lines(self) -> Iterator[bytes]:
        config = self._subject.layout.config
        if config.is_file():
            text = config.read_text("utf-8")
            yield msgspec.json.encode({"file": config.name, "text": text})
        shallow = schema.is_shallow(self._connection)
        for table, columns in TABLES.items():
            if table in SHALLOW and not shallow:
                continue
            rows = fetch_all(self._connection, f"SELECT {columns} FROM {table} ORDER BY 1")
            for row in rows:
                if table == "settings" and row[0] == MARK:
                    continue
                values = [v.hex() if isinstance(v, bytes) else v for v in row]
                if table == "objects":
                    values[1] = row[1].decode()  # a line of JSON
                yield msgspec.json.encode({"row": values, "table": table})

    def _clear_away(self, found: BackupList) -> None:
        """Remove what this backup does not name: the one before it is not needed any more."""
        named = {self._copy.pack(pack.name) for pack in found.packs}
        named.add(self._directory / "state" / f"{found.state}.zst")
        named |= {self._copy.blob(blob_id) for blob_id, _ in self._subject.blobs.all()}
        for name in ("packs", "state", "blobs"):
            for path in (self._directory / name).rglob("*"):
                if path not in named and not path.is_dir():
                    path.unlink()
        self._copy.remove_partial_lists()


class _Source:
    """The blocks from one line on, in their order."""

    def __init__(self, history: History, first: int, latest: int) -> None:
        self._store = history.blocks
        self._found = history.blocks.blocks(first - 1)
        self._waiting = next(self._found, None)
        self._end, _ = history.end()
        self.next_line = first
        self.latest = latest

    def gap(self) -> int:
        """How many lines from the next one on have been dropped."""
        first = self._waiting[0].first_line if self._waiting else self._end
        return first - self.next_line

    def skip(self, lines: int) -> None:
        """Go over lines that have been dropped."""
        self.next_line += lines

    def blocks(self) -> Iterator[list[bytes]]:
        """The lines of each block up to the next gap, or as many as fill a pack."""
        start = self.next_line
        while self._waiting is not None and self.next_line - start < FULL_LINES:
            entry, data = self._waiting
            if entry.first_line != self.next_line:
                return
            yield [line for _, some in self._store.decode(entry, data) for line in some]
            row = self._store.packs.holding(entry.first_line) if entry.latest < 0 else None
            self.latest = max(self.latest, entry.latest, row.latest if row else -1)
            self.next_line += entry.line_count
            self._waiting = next(self._found, None)


def _lines(rows: Iterable[Packed | BackedUp]) -> list[range]:
    """The lines of rows, those that follow one another as one range."""
    found: list[range] = []
    for row in rows:
        first, end = row.first_line, row.first_line + row.lines
        if found and found[-1].stop == first:
            first = found.pop().start
        found.append(range(first, end))
    return found


def _time(latest: int) -> str:
    return to_text(latest) if latest >= 0 else ""


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o644
    return info
