"""Moves hot blocks into packs, merges small packs, and gives back what that frees.

One pack at a time: it is written, synced and read back before one transaction lets its lines count
instead of the hot rows and packs that held them. Being killed at any moment leaves the old or the
new, and perhaps a file that nothing names, which a later `gc` removes. Appends and reads go on
meanwhile; only that transaction holds the write lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from evgit.errors import Damage, DamagedObject, Locked
from evgit.formats.hashing import new_hasher
from evgit.formats.pack import FULL_LINES, WINDOW_LINES, PackHead
from evgit.formats.pack_reading import PackReader
from evgit.formats.pack_writing import NORMAL, THOROUGH, Effort, PackWriter
from evgit.history.history import History
from evgit.maintenance.index_folding import fold_index
from evgit.maintenance.pruning import Pruned, joined
from evgit.storage import database, schema
from evgit.storage.database import fetch_all, fetch_one
from evgit.storage.database_errors import translate_errors
from evgit.storage.layout import Layout
from evgit.storage.pack_directory import LIVES_ON_SECONDS, PackDirectory
from evgit.storage.packs import Packed

MERGE_RATIO = 4
"""A pack is rewritten together with what follows it if that is at least a quarter as long."""
MICROSECONDS = 1_000_000
VACUUM_BYTES = 1 << 30
"""SQLite rewrites the whole file to shrink it, and writers wait: not if this much would stay."""

Progress = Callable[[int, int], None]
Step = Callable[[str], None]


@dataclass(slots=True)
class GcReport:
    """What a gc did. Sizes in bytes; `before` and `after`: of database and packs together."""

    packed_lines: int = 0
    packs_written: int = 0
    packs_replaced: int = 0
    packs_removed: int = 0
    pruned_commits: int = 0
    pruned_lines: int = 0
    before: int = 0
    after: int = 0


def gc(
    history: History,
    layout: Layout,
    *,
    repository: str,
    now: int,
    aggressive: bool = False,
    prune: Callable[[], Pruned] | None = None,
    progress: Progress | None = None,
    step: Step = lambda name: None,
) -> GcReport:
    """Consolidate a repository. `repository`: its id; `now`: an instant.

    `aggressive`: rewrite all packs, compressed as well as it goes. `prune`: drops what nothing
    leads to, in a transaction of its own. `step` is called between the steps, with the name of
    what was done: for tests that interrupt there. Raises Locked while another one is under way,
    Damage where a block can't be read: then that stays as it is.
    """
    with PackDirectory(layout).locked():
        return _Gc(history, layout, repository, now, aggressive, prune, progress, step).run()


class _Gc:
    def __init__(
        self,
        history: History,
        layout: Layout,
        repository: str,
        now: int,
        aggressive: bool,
        prune: Callable[[], Pruned] | None,
        progress: Progress | None,
        step: Step,
    ) -> None:
        self._history = history
        self._connection = history.connection
        self._layout = layout
        self._directory = PackDirectory(layout)
        self._repository = repository
        self._now = now
        self._effort: Effort = THOROUGH if aggressive else NORMAL
        self._aggressive = aggressive
        self._prune = prune
        self._progress = progress or (lambda done, total: None)
        self._step = step
        self._total = 0
        self.report = GcReport()

    def run(self) -> GcReport:
        self.report.before = self._size()
        with database.writing(self._connection):
            schema.upgrade(self._connection)
        self._history.blocks.packs.reload()
        self._clear_away()
        if self._prune is not None:
            pruned = self._prune()
            self.report.pruned_commits = pruned.commits
            self.report.pruned_lines = sum(end - first for first, end in pruned.ranges)
            self._step("pruned")
        united = joined(sorted(self._regions()))
        regions = [each for region in united for each in self._without_dropped(*region)]
        self._total = sum(end - first for first, end in regions)
        for first, end in regions:
            while first < end:
                first = self._consolidate(first, end)
        fold_index(self._history, self._step)
        self._shrink()
        self.report.after = self._size()
        return self.report

    # ------------------------------------------------------------------ what to move
    def _regions(self) -> Iterator[tuple[int, int]]:
        """(first line, line behind the last) of what is to be written anew, ascending."""
        rows = self._history.blocks.packs.rows()
        with database.reading(self._connection):
            end, _ = self._history.blocks.end()
            if self._aggressive:
                if end:
                    yield 0, end
                return
            hot: list[tuple[int, int]] = []
            before = 0
            for row in [*rows, Packed(end, 0, "", 0, -1)]:
                if before < row.first_line:
                    hot.append((before, row.first_line))
                before = max(before, row.end)
        yield from hot[:-1]
        if hot and hot[-1][1] < end:
            yield hot.pop()
        yield from self._thinned(rows)
        first = hot[-1][0] if hot else end
        for row in reversed(rows):
            small = row.lines < FULL_LINES and row.name
            if row.end != first or not small or row.lines > MERGE_RATIO * (end - first):
                break
            first = row.first_line
        if first < end:
            yield first, end

    def _thinned(self, rows: list[Packed]) -> Iterator[tuple[int, int]]:
        """Rows of packs of which a good part has been dropped."""
        if all(row.name for row in rows):
            return
        used = Counter[str]()
        for row in rows:
            used[row.name] += row.lines
        for row in rows:
            with suppress(DamagedObject):
                if row.name and used[row.name] * MERGE_RATIO < self._lines_of(row) * 3:
                    yield row.first_line, row.end

    def _lines_of(self, row: Packed) -> int:
        return self._history.blocks.packs.file(row).lines

    def _without_dropped(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        for row in self._history.blocks.packs.rows():
            if not row.name and first < row.end and row.first_line < end:
                if first < row.first_line:
                    yield first, row.first_line
                first = row.end
        if first < end:
            yield first, end

    # ------------------------------------------------------------------ one pack
    def _consolidate(self, first: int, end: int) -> int:
        """Put the lines from `first` on, up to `end` at most, into a pack; the line behind it."""
        done, total = self.report.packed_lines, self._total
        source = _Source(self._history, first, end, lambda n: self._progress(done + n, total))

        def fill(write: Callable[[bytes], object]) -> str:
            writer = PackWriter(
                write,
                PackHead(self._repository),
                effort=self._effort,
                window_lines=WINDOW_LINES,
            )
            for lines in source.blocks():
                writer.add_block(lines[:-1], lines[-1])
            return writer.finish().name

        try:
            with database.reading(self._connection):
                name, _ = self._directory.write(fill)
        except DamagedObject as error:
            raise Damage(
                f"nothing was moved from line {first} on, because a block can't be read: {error}",
                hint="`evgit fsck` shows the extent; restore what is damaged from a clone or a "
                "backup first",
            ) from error
        self._step("written")
        self._read_back(name, source)
        self._step("verified")
        self._swap(Packed(first, source.end - first, name, 0, source.latest))
        self._step("swapped")
        self.report.packs_written += 1
        self.report.packed_lines += source.end - first
        return source.end

    def _read_back(self, name: str, source: _Source) -> None:
        """Raise Damage unless the new pack holds exactly what was to be put into it."""
        hasher = new_hasher()
        try:
            with self._layout.pack(name).open("rb") as file:
                reader = PackReader(file.read)
                for window in reader.windows():
                    for events, commit in window.pieces():
                        hasher.update(b"\n".join([*events, b""]))
                        if commit is not None:
                            hasher.update(commit + b"\n")
        except DamagedObject as error:
            raise Damage(f"the new pack is not what was written: {error}") from error
        if reader.name != name or hasher.digest() != source.digest():
            raise Damage("the new pack is not what was written", hint="check disk and memory")

    def _swap(self, new: Packed) -> None:
        packs = self._history.blocks.packs
        with database.writing(self._connection):
            packs.reload()
            for row in packs.rows():
                if row.end <= new.first_line or row.first_line >= new.end:
                    continue
                packs.remove(row)
                if row.name and row.end <= new.end:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO replaced_packs(name, replaced) VALUES(?,?)",
                        (bytes.fromhex(row.name), self._now),
                    )
                    self.report.packs_replaced += 1
                elif row.end > new.end:  # the rest of it is for the next pack
                    rest = new.end - row.first_line
                    packs.put(
                        Packed(new.end, row.lines - rest, row.name, row.place + rest, row.latest)
                    )
            self._history.blocks.drop(new.first_line, new.end)
            packs.put(new)
        self._history.blocks.forget()

    # ------------------------------------------------------------------ what is left over
    def _clear_away(self) -> None:
        """Remove packs that were replaced an hour ago, and what killed ones left."""
        before = self._now - LIVES_ON_SECONDS * MICROSECONDS
        packs = self._history.blocks.packs
        used = {row.name for row in packs.rows()}
        with database.writing(self._connection):
            replaced = {
                name.hex(): at
                for name, at in fetch_all(
                    self._connection, "SELECT name, replaced FROM replaced_packs"
                )
            }
            gone = [name for name, at in replaced.items() if at <= before or name in used]
            for name in gone:
                self._connection.execute(
                    "DELETE FROM replaced_packs WHERE name=?", (bytes.fromhex(name),)
                )
        for name in gone:
            if name not in used:
                self._directory.remove(name)
                self.report.packs_removed += 1
        kept = used | (replaced.keys() - set(gone))
        self.report.packs_removed += len(self._directory.remove_abandoned(kept))
        self._step("cleared")

    def _shrink(self) -> None:
        """Give free pages back to the file system where that does not take long."""
        page, pages, free = (
            int(fetch_one(self._connection, f"PRAGMA {name}")[0])
            for name in ("page_size", "page_count", "freelist_count")
        )
        if free * 4 > pages and (pages - free) * page <= VACUUM_BYTES:
            with suppress(Locked), translate_errors(self._layout.database):
                self._connection.execute("PRAGMA temp_store=FILE")
                try:
                    self._connection.execute("VACUUM")
                finally:
                    self._connection.execute("PRAGMA temp_store=MEMORY")
        database.empty_log(self._connection)
        self._step("shrunk")

    def _size(self) -> int:
        found = [self._layout.database, *self._layout.packs.glob(self._layout.pack("*").name)]
        return sum(path.stat().st_size for path in found if path.exists())


class _Source:
    """The blocks from one line on, as far as they go into one pack, and what was read of them."""

    def __init__(
        self, history: History, first: int, end: int, progress: Callable[[int], None]
    ) -> None:
        self._history = history
        self._first = first
        self._limit = end
        self._progress = progress
        self._hasher = new_hasher()
        self.end = first
        self.latest = -1

    def blocks(self) -> Iterator[list[bytes]]:
        """The lines of each block, its commit last."""
        store = self._history.blocks
        latest = {row.first_line: row.latest for row in store.packs.rows()}
        for entry, data in store.blocks(self._first - 1):
            if entry.first_line >= self._limit or self.end - self._first >= FULL_LINES:
                return
            if entry.first_line != self.end:
                raise DamagedObject(f"lines {self.end} to {entry.first_line - 1} are missing")
            lines = [line for _, some in store.decode(entry, data) for line in some]
            self._hasher.update(b"\n".join([*lines, b""]))
            self.end += entry.line_count
            self.latest = max(self.latest, entry.latest, latest.get(entry.first_line, -1))
            yield lines
            self._progress(self.end - self._first)

    def digest(self) -> bytes:
        """BLAKE3 of all lines read, each with its newline."""
        return self._hasher.digest()
