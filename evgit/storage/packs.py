"""The packs of a repository: which lines stand in which file, and reading them.

A pack in `packs/` counts once a row of the table `packs` says so; the row gives its lines their
numbers here. Files are never changed. When `gc` has put others in the place of some, those live on
for a while; a reader that comes too late all the same looks at the table again, once. This module
knows lines and files, not what lines say.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import apsw

from evgit.errors import DamagedObject
from evgit.formats.places import PlacedLines
from evgit.storage.block_reading import Piece
from evgit.storage.database import fetch_all, fetch_one
from evgit.storage.layout import Layout
from evgit.storage.pack_file import PackCache, PackedWindow, PackFile

KEPT_FILES = 64
KEPT_PLACED = 64
PIECE_LINES = 128
FEW = 4
"""Part of a window's lines that are worth making lines of all of it."""
NO_LINE = 1 << 32
"""Behind all lines."""
_COLUMNS = "first_line, lines, name, place, latest, checksum"
_NUMBERS = struct.Struct("<4q").pack


class Packed(NamedTuple):
    """Lines [first_line, first_line + lines) are those of the pack `name` (hex) from its line
    `place` on. `latest`: the latest event instant stored up to here, or -1. A row without a name
    says of lines that nothing led to that they have been dropped."""

    first_line: int
    lines: int
    name: str
    place: int
    latest: int

    @property
    def end(self) -> int:
        return self.first_line + self.lines

    def values(self) -> tuple[int, int, bytes, int, int, int]:
        """The row as it is stored."""
        name = bytes.fromhex(self.name)
        check = crc32(_NUMBERS(self.first_line, self.lines, self.place, self.latest) + name)
        return self.first_line, self.lines, name, self.place, self.latest, check


class PackStore:
    """Reads packed lines. `damaged(lines, how)` makes the error for lines that can't be read."""

    def __init__(
        self,
        connection: apsw.Connection,
        damaged: Callable[[Sequence[int], str], DamagedObject],
    ) -> None:
        self._connection = connection
        self._layout = Layout(Path(connection.filename).parent)
        self._damaged = damaged
        self._rows: list[Packed] | None = None
        self._firsts: list[int] = []
        self._files: OrderedDict[str, PackFile] = OrderedDict()
        self._cache = PackCache()
        self._placed: list[PlacedWindow] = []
        self._placed_ends: list[int] = []

    # ------------------------------------------------------------------ the table
    def rows(self) -> list[Packed]:
        """All of them, by first line, as they were when they were last looked at."""
        if self._rows is None:
            self._rows = self._read_rows()
            self._firsts = [row.first_line for row in self._rows]
        return self._rows

    def reload(self) -> bool:
        """Look at the table again; has it changed?"""
        before = self._rows
        self.forget()
        return self.rows() != before

    def forget(self) -> None:
        """Forget what was remembered of the table."""
        self._rows = None
        self._forget_placed()

    def holding(self, line: int) -> Packed | None:
        """The row that holds a line, or None."""
        rows = self.rows()
        if not rows:
            return None
        row = rows[bisect_right(self._firsts, line) - 1]
        return row if row.first_line <= line < row.end and row.name else None

    def dropped(self, first: int, end: int) -> bool:
        """Do rows say of all these lines that they have been dropped?"""
        for row in self.rows():
            if row.first_line <= first < row.end and not row.name:
                first = row.end
        return first >= end

    def same_up_to(self, line: int) -> int:
        """Up to which line all are packed, or none is, as this one is."""
        row = self.holding(line)
        if row is not None:
            return row.end
        place = bisect_right(self._firsts, line)
        return self._firsts[place] if place < len(self._firsts) else NO_LINE

    def end(self) -> tuple[int, int]:
        """(number of the line behind the last packed one, `latest` there); (0, -1) if none."""
        rows = self.rows()
        return (rows[-1].end, rows[-1].latest) if rows else (0, -1)

    def put(self, row: Packed) -> None:
        """Let a pack's lines count, inside a write transaction."""
        self._connection.execute(f"INSERT INTO packs({_COLUMNS}) VALUES(?,?,?,?,?,?)", row.values())
        self.forget()

    def remove(self, row: Packed) -> None:
        """Let them count no longer, inside a write transaction."""
        self._connection.execute("DELETE FROM packs WHERE first_line=?", (row.first_line,))
        self.forget()

    def _read_rows(self) -> list[Packed]:
        if fetch_one(self._connection, "SELECT 1 FROM sqlite_schema WHERE name='packs'") is None:
            return []  # made by an evgit that had none
        rows = []
        for values in fetch_all(
            self._connection, f"SELECT {_COLUMNS} FROM packs ORDER BY first_line"
        ):
            try:
                row = Packed(values[0], values[1], values[2].hex(), values[3], values[4])
                sound = row.values() == values
            except (AttributeError, TypeError, struct.error):
                sound = False  # not even of the right type
            if not sound:
                raise DamagedObject(
                    f"the row of the pack at line {values[0]} is damaged",
                    hint="`evgit fsck` shows the extent; restore evgit.db from a clone or a backup",
                )
            rows.append(row)
        return rows

    # ------------------------------------------------------------------ files
    def path(self, name: str) -> Path:
        """Where a pack is."""
        return self._layout.pack(name)

    def file(self, row: Packed) -> PackFile:
        """The open pack of a row. Raises DamagedObject, and _Gone if it was replaced meanwhile."""
        file = self._files.get(row.name)
        if file is None:
            try:
                file = PackFile(self.path(row.name), self._cache)
            except FileNotFoundError:
                if self.reload() and self.holding(row.first_line) != row:
                    raise _Gone from None
                raise self._hit(row, "its file is missing") from None
            except DamagedObject as error:
                raise self._hit(row, str(error)) from error
            self._files[row.name] = file
            if len(self._files) > KEPT_FILES:
                self._files.popitem(last=False)
                self._forget_placed()
        else:
            self._files.move_to_end(row.name)
        return file

    def _hit(self, row: Packed, how: str) -> DamagedObject:
        return self._damaged(range(row.first_line, row.end), f"pack {row.name[:12]}: {how}")

    # ------------------------------------------------------------------ reading
    def line(self, number: int) -> bytes | None:
        """One line; None where it is in no pack."""
        row = self.holding(number)
        if row is None:
            return None
        try:
            file = self._files.get(row.name) or self.file(row)
            line = number - row.first_line + row.place
            window = file.window_of(line)
            return file.window(window).line(line - file.window_range(window).start)
        except (DamagedObject, _Gone):
            for part in self._parts([(number, 1)]):
                return self._one(part, number)
            return None

    def add_texts(self, numbers: list[int], start: int, parts: list[bytes]) -> int:
        """Add the lines of numbers[start:] with their newlines to `parts`, up to the first that is
        not packed; the place of that. Raises DamagedObject, which need not name what is hit."""
        end = len(numbers)
        while start < end:
            try:
                there = self.placed(numbers[start])
            except _Gone:
                break
            if there is None:
                break
            window, shift, low, high = there[:4]
            start = window.add_texts(numbers, start, low, high, low - shift, parts)
        return start

    def lines(self, first: int, count: int) -> list[bytes]:
        """Lines that all are packed."""
        return [line for lines in self._lines([(first, count)]) for line in lines]

    def pieces(self, ranges: Iterable[tuple[int, int]]) -> Iterator[Piece]:
        """The lines of (first, count) ranges, all of them packed, as longer texts. Holds one window
        at a time."""
        for window, shift, group in self._by_window(ranges):
            found = None if window is None else _events_of(window, shift, group)
            if found is not None:
                yield from found
                continue
            for lines in self._lines(group):
                for start in range(0, len(lines), PIECE_LINES):
                    some = lines[start : start + PIECE_LINES]
                    yield Piece(b"\n".join([*some, b""]), len(some))

    def _by_window(
        self, ranges: Iterable[tuple[int, int]]
    ) -> Iterator[tuple[PackedWindow | None, int, list[tuple[int, int]]]]:
        """(window, the line that is its first, ranges in it) one after another, cut where windows
        end; None for what can't be found so easily."""
        window: PackedWindow | None = None
        shift = low = high = 0
        group: list[tuple[int, int]] = []
        for first, count in ranges:
            end = first + count
            while first < end:
                if not low <= first < high:
                    if group:
                        yield window, shift, group
                    group, low, high = [], 0, 0
                    with suppress(DamagedObject):  # which lines are hit is found out line by line
                        window, shift, low, high = self._window_of(first)
                if not low <= first < high:
                    yield None, 0, [(first, end - first)]
                    break
                stop = min(end, high)
                group.append((first, stop - first))
                first = stop
        if group:
            yield window, shift, group

    def block(self, line: int) -> tuple[int, int]:
        """(first line, number of lines) of the block that holds a packed line."""
        row = self.holding(line)
        assert row is not None
        file = self._file_of(row)
        number = line - row.first_line + row.place
        try:
            start, end = file.block_start(number), file.block_end(number)
        except DamagedObject as error:
            raise self._hit(row, str(error)) from error
        return start - row.place + row.first_line, end - start

    def blocks(self, row: Packed) -> Iterator[tuple[int, int, list[bytes] | None]]:
        """(first line, number of lines, lines) of every block of a row.

        None for lines that can't be read so: `lines` knows which it is.
        """
        try:
            file = self._file_of(row)
        except DamagedObject:
            yield row.first_line, row.lines, None
            return
        first, held = row.first_line, list[bytes]()
        sound, count = True, 0
        line, end = row.place, row.place + row.lines
        while line < end:
            number = file.window_of(line)
            there = file.window_range(number)
            stop = min(there.stop, end)
            try:
                window = file.window(number)
            except DamagedObject:
                count, sound = count + stop - line, False
                line = stop
                continue
            try:
                lines = window.all_lines()[line - there.start : stop - there.start]
            except DamagedObject:
                lines = []
            at = line
            for commit in window.commit_lines:
                commit += there.start
                if line <= commit < stop:
                    held += lines[at - line : commit + 1 - line]
                    count += commit + 1 - at
                    yield first, count, held if sound and len(held) == count else None
                    first, held, sound, count = first + count, [], True, 0
                    at = commit + 1
            held += lines[at - line :]
            count += stop - at
            line = stop
        if count:
            yield first, count, None

    def _file_of(self, row: Packed) -> PackFile:
        try:
            return self.file(row)
        except _Gone:
            found = self.holding(row.first_line)
            if found is None:
                raise self._hit(row, "it was replaced") from None
            return self.file(found)

    def _lines(self, ranges: Iterable[tuple[int, int]]) -> Iterator[list[bytes]]:
        """The lines of ranges, window by window."""
        run: list[_Part] = []
        try:
            for part in self._parts(ranges):
                if run and part.window is not run[0].window:
                    yield from self._run(run)
                    run = []
                run.append(part)
        except DamagedObject:
            yield from self._run(run)  # what comes before the damage
            raise
        yield from self._run(run)

    def placed(self, line: int) -> PlacedWindow | None:
        """The window that holds a line; None if it is not packed. Raises DamagedObject."""
        at = bisect_right(self._placed_ends, line)
        if at < len(self._placed) and self._placed[at].first <= line:
            return self._placed[at]
        row, file = self._open(line)
        if row is None or file is None:
            return None
        number = file.window_of(line - row.first_line + row.place)
        there = file.window_range(number)
        shift = there.start - row.place + row.first_line
        found = PlacedWindow(
            file.window(number),
            shift,
            max(shift, row.first_line),
            min(shift + len(there), row.end),
            number,
            str(file.path),
        )
        if len(self._placed) >= KEPT_PLACED:
            self._forget_placed()
        at = bisect_right(self._placed_ends, line)  # opening it may have forgotten all others
        self._placed.insert(at, found)
        self._placed_ends.insert(at, found.end)
        return found

    def _forget_placed(self) -> None:
        del self._placed[:], self._placed_ends[:]

    def _window_of(self, line: int) -> tuple[PackedWindow | None, int, int, int]:
        """The first four of `placed`; None, 0, 0, 0 if the line is not packed."""
        found = self.placed(line)
        return (None, 0, 0, 0) if found is None else found[:4]

    def _parts(self, ranges: Iterable[tuple[int, int]]) -> Iterator[_Part]:
        """Ranges cut where windows end."""
        row: Packed | None = None
        file: PackFile | None = None
        window: PackedWindow | None = None
        there = range(0)
        for first, count in ranges:
            end = first + count
            while first < end:
                if row is None or not row.first_line <= first < row.end:
                    row, file = self._open(first)
                    there = range(0)
                if row is None or file is None:
                    return
                line = first - row.first_line + row.place
                if window is None or line not in there:
                    number = file.window_of(line)
                    there = file.window_range(number)
                    try:
                        window = file.window(number)
                    except DamagedObject as error:
                        shift = row.first_line - row.place
                        hit = range(there.start + shift, min(there.stop + shift, row.end))
                        raise self._damaged(hit, str(error)) from error
                taken = min(end - first, there.stop - line, row.end - first)
                yield _Part(first, taken, line - there.start, window, row, there.start)
                first += taken

    def _open(self, line: int) -> tuple[Packed | None, PackFile | None]:
        row = self.holding(line)
        if row is None:
            return None, None
        try:
            return row, self.file(row)
        except _Gone:
            row = self.holding(line)
            return row, None if row is None else self.file(row)

    def _run(self, run: list[_Part]) -> Iterator[list[bytes]]:
        """The lines of parts of one window: all of it is decoded if many are wanted."""
        if not run:
            return
        window = run[0].window
        wanted = sum(part.size for part in run)
        if 2 * wanted > window.frame_count:
            try:
                yield _cut_out(run, window)
                return
            except DamagedObject:
                pass  # some of it can be read: up to the first line that can't
        for part in run:
            yield [self._one(part, number) for number in range(part.first, part.first + part.size)]

    def _one(self, part: _Part, number: int) -> bytes:
        """One line of a part. Raises DamagedObject naming what is hit."""
        window, line = part.window, part.line + number - part.first
        try:
            return window.line(line)
        except DamagedObject as error:
            shift = part.row.first_line - part.row.place + part.window_start
            try:
                hit = [n + shift for n in window.lines_of_frame(window.frame_of(line))]
            except DamagedObject:
                hit = [number]
            raise self._damaged(hit, str(error)) from error


class PlacedWindow(NamedTuple):
    """A window and its lines: `shift` is the number that its first line has or would have; those
    from `first` up to, not including, `end` are in one row. `number`: its own in the pack at
    `path`."""

    window: PackedWindow
    shift: int
    first: int
    end: int
    number: int
    path: str


class _Part(NamedTuple):
    """`size` lines from `first` on, which are those of a window from its `line` on."""

    first: int
    size: int
    line: int
    window: PackedWindow
    row: Packed
    window_start: int


class _Gone(Exception):
    """A pack was replaced by others while it was looked for."""


def _events_of(
    window: PackedWindow, shift: int, ranges: list[tuple[int, int]]
) -> Iterator[Piece] | None:
    """The event lines of ranges in one window, as longer texts; None where that is not all they
    hold, or where they can't be read all at once. `shift`: the line that is the window's first."""
    commits = window.commit_lines
    spans: list[tuple[int, int]] = []
    start = end = before = 0
    for first, count in ranges:
        line = first - shift
        before = bisect_left(commits, line, before if line >= end + before else 0)
        if before < len(commits) and commits[before] < line + count:
            return None
        if line - before != end:
            spans.append((start, end))
            start = line - before
        end = line - before + count
    spans.append((start, end))
    wanted = sum(end - start for start, end in spans)
    try:
        if wanted <= window.header.events // FEW:
            places = [place for span in spans for place in window.event_places(*span)]
            return _in_order(window.lines_at(places))
        return _picked(window.events_as_they_stand(), window.places(), spans)
    except DamagedObject:
        return None


def _in_order(lines: list[bytes]) -> Iterator[Piece]:
    """Lines as texts."""
    for first in range(0, len(lines), PIECE_LINES):
        some = lines[first : first + PIECE_LINES]
        yield Piece(b"".join(some), len(some))


def _picked(
    lines: PlacedLines, places: array[int], spans: Iterable[tuple[int, int]]
) -> Iterator[Piece]:
    """The lines at places[start:end] of each span, as texts. Some at a time: a line that is brought
    into the processor's cache when it is picked is still there when it is read."""
    for start, end in spans:
        for first in range(start, end, PIECE_LINES):
            stop = min(first + PIECE_LINES, end)
            yield Piece(lines.picked(places, first, stop), stop - first)


def _cut_out(run: list[_Part], window: PackedWindow) -> list[bytes]:
    """The lines of parts of one window, all of whose frames that may be needed are decoded."""
    starts = [window.events_before(part.line) for part in run]
    ends = [window.events_before(part.line + part.size) for part in run]
    found: list[bytes] = []
    if sum(ends) - sum(starts) == sum(part.size for part in run):
        lines = window.events()
        for start, end in zip(starts, ends, strict=True):
            found += lines[start:end]
        return found
    lines = window.all_lines()
    for part in run:
        found += lines[part.line : part.line + part.size]
    return found
