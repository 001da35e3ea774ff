"""Blocks at rest: lines of canonical JSON, numbered in the order in which they were stored.

A **line number** is local to one repository: the first line of the first block is 0, and every
event line and commit line counts. Blocks never change once written. New ones are **hot**: rows of
the database; `gc` moves them into packs, and they keep their numbers. A reader that finds neither
looks at the table of packs again: another process may just have moved them. This module knows
frames and lines, not what they say.
"""

from __future__ import annotations

import struct
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import apsw

from evgit.errors import Damage, DamagedObject, EvgitError
from evgit.formats.block import (
    EncodedBlock,
    WholeFrames,
    can_decompress,
    count_lines,
    decode_frame,
    decompress_frames,
    directory_of,
    encode_block,
    line_starts,
    may_be_joined,
    split_blocks,
)
from evgit.storage.ahead import made_ahead
from evgit.storage.block_reading import (
    DIRECTORY,
    ONE_FRAME,
    Piece,
    ReadAhead,
    StoredFrame,
    as_stored,
    checksum,
    grouped,
    joined_texts,
    pieces_of,
    wanted,
    whole_text,
    words_of,
)
from evgit.storage.database import fetch_all, fetch_one
from evgit.storage.database_errors import translated
from evgit.storage.frame_cache import Frame, FrameCache
from evgit.storage.schema import upgrade

if TYPE_CHECKING:
    from evgit.formats.block import Texts
    from evgit.storage.packs import PackStore

Form = TypeVar("Form")

CACHED_FRAME_BYTES = 1 << 24
WHOLE_READ_BYTES = 8192  # a larger block is read in parts where one frame is wanted
LINE_LIMIT = 1 << 32
CACHED_ENTRIES = 2048
_FIRST_LINE = attrgetter("first_line")
_FRAME_FIRST = itemgetter(2)
_PUT = f"INSERT INTO blocks({DIRECTORY}, data) VALUES(?,?,?,?,?)"
_TWO_WORDS = struct.Struct("<II").pack


class BlockEntry(NamedTuple):
    """The directory of a block, or of a row of several. `frames`: (offset in it, compressed size,
    first line, lines) where it is hot. `latest`: the latest event instant stored up to here, or -1;
    not known of a packed one. `sound`: the checksum is right.
    """

    first_line: int
    line_count: int
    frames: list[tuple[int, int, int, int]]
    latest: int
    sound: bool


BlockData = bytes | list[bytes] | None
"""A block as `blocks` gives it: frames, or lines; None if its lines can't be read that way."""


class ClosedLines(Protocol):
    """Lines that only stand for what is not stored here, and that nobody may take for more."""

    def __contains__(self, line: int) -> bool: ...

    def refuse(self, line: int) -> EvgitError:
        """The error for one of them."""

    def open_ranges(self, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """(first, count) ranges as they are given; raises at the first closed line."""


class BlockStore:
    """Reads and writes blocks. `name_lines(lines)` names damaged lines for error texts.

    `closed`: lines that `line` and `texts` refuse to read; None where there are none.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._last_named: tuple[Sequence[int], list[str]] = (), []
        self._connection = connection
        self._execute = connection.cursor().execute  # a cursor for each call takes as long again
        self._frames = FrameCache(CACHED_FRAME_BYTES)
        self._entries: list[BlockEntry] = []
        self._packs: PackStore | None = None
        self._looked_for_packs = False
        self.closed: ClosedLines | None = None
        self.name_lines: Callable[[Sequence[int]], list[str]] = lambda lines: []

    @property
    def packs(self) -> PackStore:
        """The packs that hold what is not hot."""
        if self._packs is None:
            from evgit.storage.packs import PackStore

            self._packs = PackStore(self._connection, self._damaged)
            self._looked_for_packs = True
        return self._packs

    # ------------------------------------------------------------------ writing
    def end(self) -> tuple[int, int]:
        """(number of the next line to be stored, latest event instant stored so far or -1).

        Raises DamagedObject where the last block's directory can't be trusted.
        """
        row = fetch_one(
            self._connection,
            f"SELECT {DIRECTORY} FROM blocks ORDER BY first_line DESC LIMIT 1",
        )
        self._look_again()
        packed = self.packs.end() if self._any_packs() else (0, -1)
        if row is None or (isinstance(row[0], int) and row[0] < packed[0]):
            return packed
        self._check(row)
        first_line, latest, frames, _ = row
        return first_line + sum(words_of(frames)[1::2]), latest

    def put(self, first_line: int, block: EncodedBlock, latest: int) -> None:
        """Store a block whose first line is the next one, inside a write transaction."""
        self.put_all([(first_line, latest, directory_of(block.frames), block.data)])

    def put_frame(self, first_line: int, frame: bytes, lines: int, latest: int) -> None:
        """The same for a block that is one frame, in as few steps as can be."""
        directory = _TWO_WORDS(len(frame), lines)
        check = checksum(first_line, latest, directory)
        self._execute(_PUT, (first_line, latest, directory, check, frame))

    def put_all(self, blocks: Iterable[tuple[int, int, bytes, bytes]]) -> None:
        """The same for blocks that follow one another: (first line, latest event instant stored by
        then, directory, frames) of each."""
        self._connection.executemany(
            _PUT,
            [
                (first, latest, directory, checksum(first, latest, directory), data)
                for first, latest, directory, data in blocks
            ],
        )

    def put_together(self, rows: Iterable[tuple[int, int, bytes, bytes]]) -> None:
        """The same for rows that may have several blocks each, in one frame."""
        upgrade(self._connection)
        self.put_all(rows)

    def drop(self, first: int, end: int) -> None:
        """Take whole blocks out of the rows, inside a write transaction: lines [first, end). Raises
        DamagedObject where others stand in one row with them and can't be read."""
        for line in (first, end):
            self._part_row(line)
        self._connection.execute(
            "DELETE FROM blocks WHERE first_line>=? AND first_line<?", (first, end)
        )

    def _part_row(self, line: int) -> None:
        """Give each block a row of its own, if a line begins one in the middle of a row."""
        row = fetch_one(
            self._connection,
            f"SELECT {DIRECTORY}, data FROM blocks WHERE first_line<? ORDER BY first_line DESC"
            " LIMIT 1",
            (line,),
        )
        entry = None if row is None else _entry(*row[:4])
        if entry is None or line >= entry.first_line + entry.line_count:
            return
        first, blocks = entry.first_line, self._blocks_in(entry, row[4])
        self._connection.execute("DELETE FROM blocks WHERE first_line=?", (first,))
        for lines in blocks:
            self.put(first, encode_block(lines[:-1], lines[-1]), entry.latest)
            first += len(lines)
        self.forget()

    def forget(self) -> None:
        """Forget what was remembered, after a roll-back: its line numbers will be used again."""
        self._last_named = (), []
        self._frames.clear()
        self._entries.clear()
        self._look_again()

    # ------------------------------------------------------------------ reading
    def entry(self, line: int) -> BlockEntry:
        """The directory of the block that holds a line."""
        if self._is_packed(line):
            return BlockEntry(*self.packs.block(line), [], -1, True)
        row = fetch_one(
            self._connection,
            f"SELECT {DIRECTORY} FROM blocks WHERE first_line<=? ORDER BY first_line DESC LIMIT 1",
            (line,),
        )
        if row is not None:
            self._check(row)
            entry = _entry(*row)
            if line < entry.first_line + entry.line_count:
                return entry
        if self._have_moved(line):
            return self.entry(line)
        raise self._missing(line)

    def lines(self, first: int, count: int) -> list[bytes]:
        """`count` lines from `first` on, which must lie in one block."""
        if self._is_packed(first):
            return self.packs.lines(first, count)
        found: list[bytes] = []
        while count:
            try:
                start, frame = self._frame_of(first)
            except Damage:
                if self._have_moved(first):
                    return found + self.lines(first, count)
                raise
            end = min(len(frame), first - start + count)
            taken = _split(frame.lines(first - start, end))
            found += taken
            first += len(taken)
            count -= len(taken)
        return found

    def line(self, number: int, *, closed: bool = False) -> bytes:
        """One line. Raises DamagedObject naming it if its frame can't be read.

        `closed`: also one that only stands for something.
        """
        if self.closed is not None and not closed and number in self.closed:
            raise self.closed.refuse(number)
        if self._any_packs():
            line = self.packs.line(number)
            if line is not None:
                return line
        try:
            start, frame = self._frame_of(number)
        except Damage:
            if self._have_moved(number):
                return self.line(number, closed=closed)
            raise
        return frame.line(number - start)

    def text_of(self, numbers: list[int]) -> bytes | None:
        """Single lines anywhere, one after another, as one text in which each has its newline; None
        where that can't be had, and `line` says of each why."""
        if self.closed is not None:
            return None
        parts: list[bytes] = []
        done = 0
        packs = self.packs if self._any_packs() else None
        try:
            while done < len(numbers):
                if packs is not None:
                    done = packs.add_texts(numbers, done, parts)
                if done < len(numbers):
                    done = self._add_hot_texts(numbers, done, parts, packs)
        except Damage:
            return None  # line by line, it is found out which
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _add_hot_texts(
        self, numbers: Sequence[int], start: int, parts: list[bytes], packs: PackStore | None
    ) -> int:
        """Add the lines of numbers[start:] with their newlines to `parts`, up to the first that is
        packed; the place of that."""
        low = high = 0
        for place in range(start, len(numbers)):
            number = numbers[place]
            if not low <= number < high:
                if place > start and packs is not None and packs.holding(number) is not None:
                    return place
                low, frame = self._frame_of(number)
                high = low + len(frame)
            parts.append(frame.lines(number - low, number - low + 1))
        return len(numbers)

    def texts(
        self, ranges: Iterable[tuple[int, int]], *, closed: bool = False, alone: bool = False
    ) -> Iterator[bytes]:
        """The lines of (first, count) ranges, in blocks or over several, as longer texts.

        For bulk reading: blocks that follow one another are fetched together and decompressed
        ahead by another thread, nothing is cached, and every text ends with a newline. `closed`:
        also those that only stand for something. `alone`: without that thread, for who has other
        use for the processor's cores.
        """
        return self._in_bulk(ranges, self._packed_texts, self._hot_texts, closed, alone)

    def sendable(self, ranges: Iterable[tuple[int, int]]) -> Iterator[bytes | WholeFrames]:
        """The same to be sent elsewhere: hot lines of large blocks in the frames that they are
        stored in, which can be read."""
        return self._in_bulk(ranges, self._packed_texts, self._hot_frames, alone=True)

    def pieces(self, ranges: Iterable[tuple[int, int]]) -> Iterator[Piece]:
        """The same for who counts lines anyway, as events: what doesn't have as many as it says has
        to be read with `texts`, which says what is wrong."""
        return self._in_bulk(ranges, self._packed_pieces, self._hot_pieces)

    def _in_bulk(
        self,
        ranges: Iterable[tuple[int, int]],
        packed_ones: Callable[[Iterable[tuple[int, int]]], Iterator[Form]],
        hot_ones: Callable[[list[StoredFrame], Texts | None], Iterable[Form]],
        closed: bool = False,
        alone: bool = False,
    ) -> Iterator[Form]:
        """The lines of ranges, wherever they are, in the form that these functions give them."""
        if self.closed is not None and not closed:
            ranges = self.closed.open_ranges(ranges)
        left = iter(ranges)
        while True:
            moved: list[tuple[int, int]] = []
            cut = self._cut_at_packs(left)
            for packed, some in groupby(cut, self._packed_ranges()):
                if packed:
                    yield from packed_ones(some)
                else:
                    for group, texts in self._groups(some, moved, alone):
                        yield from hot_ones(group, texts)
                if moved:
                    break
            if not moved:
                return
            left = chain(moved, cut)

    def _groups(
        self, ranges: Iterable[tuple[int, int]], moved: list[tuple[int, int]], alone: bool
    ) -> Iterator[tuple[list[StoredFrame], Texts | None]]:
        """The frames of hot ranges, and their texts if they could be decompressed together. What
        was moved meanwhile, and ends it, is put into `moved`."""
        groups = map(_looked_at, grouped(self._wanted_frames(ranges, moved)))
        return map(_decompressed, groups) if alone else made_ahead(_decompressed, groups)

    def _packed_texts(self, ranges: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        return (bytes(piece.text) for piece in self.packs.pieces(ranges))

    def _hot_texts(self, group: list[StoredFrame], texts: Texts | None) -> Iterable[bytes]:
        whole = None if texts is None else whole_text(group, texts)
        if whole is not None:
            return [whole]
        return joined_texts(self._wanted_texts(group, texts))

    def _hot_frames(
        self, group: list[StoredFrame], texts: Texts | None
    ) -> Iterable[bytes | WholeFrames]:
        whole = as_stored(group, texts)
        return self._hot_texts(group, texts) if whole is None else [whole]

    def _packed_pieces(self, ranges: Iterable[tuple[int, int]]) -> Iterator[Piece]:
        return self.packs.pieces(ranges)

    def _hot_pieces(self, group: list[StoredFrame], texts: Texts | None) -> Iterable[Piece]:
        found = None if texts is None else pieces_of(texts, group)
        if found is None:
            return (Piece(text, count_lines(text)) for text in self._hot_texts(group, texts))
        return found

    def _cut_at_packs(self, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The same lines in ranges that are wholly packed or wholly hot, as far as is known."""
        low = high = 0
        for each in ranges:
            first, count = each
            end = first + count
            if low <= first and end <= high:
                yield each
                continue
            if self._any_packs():
                low, high = first, self.packs.same_up_to(first)
            while self._any_packs() and (stop := self.packs.same_up_to(first)) < end:
                yield first, stop - first
                first = stop
            if first < end:
                yield first, end - first

    def _wanted_frames(
        self, ranges: Iterable[tuple[int, int]], moved: list[tuple[int, int]]
    ) -> Iterator[StoredFrame]:
        """The frames that hold the lines of the ranges, in order."""
        ahead = ReadAhead(self._connection)
        for first, count in ranges:
            end = first + count
            while first < end:
                row = ahead.block(first)
                if row is None:
                    if self._have_moved(first):
                        moved.append((first, end - first))
                        return
                    raise self._missing(first)
                self._check(row)
                offset, frame_first = 0, row[0]
                if frame_first == first and len(row[2]) == ONE_FRAME:  # as most small blocks are
                    lines = ahead.end - first
                    if ahead.end <= end and isinstance(row[4], bytes):
                        yield StoredFrame(row[4], first, lines, 0, lines)
                        yield from ahead.plain(end)
                        first = ahead.end
                        continue
                words = words_of(row[2])
                data = row[4] if isinstance(row[4], bytes) else b""  # damage may change types
                start, stop = first - frame_first, end - frame_first  # of what is left of the block
                for size, lines in zip(words[0::2], words[1::2], strict=True):
                    if stop <= 0:
                        break
                    if start < lines:
                        low = start if start > 0 else 0
                        high = stop if stop < lines else lines
                        piece = data[offset : offset + size]
                        yield StoredFrame(piece, frame_first, lines, low, high)
                    offset += size
                    frame_first += lines
                    start -= lines
                    stop -= lines
                first = frame_first

    def _wanted_texts(self, group: list[StoredFrame], texts: Texts | None) -> Iterator[bytes]:
        """The wanted lines of each frame of a group. `texts`: of all of them, if they are known.

        Raises DamagedObject behind those that can be read.
        """
        known = iter(() if texts is None else texts)
        for frame in group:
            text = next(known, None)
            found = b"" if text is None else text.tobytes()
            if text is None or count_lines(found) != frame.lines:
                # Alone, it is found out what is wrong with it.
                data = frame.data
                found = self._decode(data, 0, len(data), frame.first, frame.lines)
            yield wanted(found, frame)

    def blocks(self, after: int = -1, at_once: int = 16) -> Iterator[tuple[BlockEntry, BlockData]]:
        """(directory, contents) of every block in order, for checking and re-indexing.

        Several in one row that can't be read are given as one. `after`: the last line of a row or
        pack. Raises Damage where the database can't give the next ones, `at_once` rows at a time.
        """
        self._look_again()
        for row in self.packs.rows() if self._any_packs() else ():
            if row.end <= after + 1:
                continue
            yield from self._hot_blocks(after, row.first_line, at_once)
            for first, count, lines in self.packs.blocks(row) if row.name else ():
                if first > after:
                    yield BlockEntry(first, count, [], -1, True), lines
            after = row.end - 1
        yield from self._hot_blocks(after, LINE_LIMIT, at_once)

    def _hot_blocks(
        self, after: int, end: int, at_once: int
    ) -> Iterator[tuple[BlockEntry, BlockData]]:
        while True:
            rows = fetch_all(
                self._connection,
                f"SELECT {DIRECTORY}, data FROM blocks WHERE first_line>? AND first_line<?"
                " ORDER BY first_line LIMIT ?",
                (after, end, at_once),
            )
            if not rows:
                return
            for *directory, data in rows:
                if not isinstance(directory[0], int) or directory[0] <= after:
                    raise DamagedObject(f"the block after line {after} is out of place")
                after = directory[0]
                entry = _entry(*directory)
                if not may_be_joined(len(entry.frames), entry.line_count):
                    yield entry, data
                    continue
                try:
                    blocks = self._blocks_in(entry, data)
                except DamagedObject:
                    blocks = []  # who decodes it finds out what is wrong
                if len(blocks) < 2:
                    yield entry, data
                    continue
                first = entry.first_line
                for lines in blocks:
                    yield BlockEntry(first, len(lines), [], entry.latest, True), lines
                    first += len(lines)

    def _blocks_in(self, entry: BlockEntry, data: BlockData) -> list[list[bytes]]:
        """The lines of every block in a row. Raises DamagedObject."""
        lines = [line for _, some in self.decode(entry, data) for line in some]
        return split_blocks(lines)

    def decode(self, entry: BlockEntry, data: BlockData) -> Iterator[tuple[int, list[bytes]]]:
        """(first line, lines) of each frame. Raises DamagedObject at the first bad one."""
        if not entry.sound:
            raise self._damaged_directory(entry.first_line)
        if not entry.frames and not isinstance(data, bytes):
            lines = self.lines(entry.first_line, entry.line_count) if data is None else data
            yield entry.first_line, lines
        for offset, size, first, count in entry.frames:
            yield first, _split(self._decode(data, offset, size, first, count))

    # ------------------------------------------------------------------ hot or packed
    def any_packs(self) -> bool:
        """Is there any pack, now?"""
        self._look_again()
        return self._any_packs()

    def _any_packs(self) -> bool:
        """Is there any pack, as far as is known?"""
        if not self._looked_for_packs:
            self._looked_for_packs = True
            if _has_packs(self._connection):
                self.packs.forget()
        return self._packs is not None

    def _look_again(self) -> None:
        """Forget which packs there are: where all lines count, one must not be overlooked."""
        if self._packs is None:
            self._looked_for_packs = False
        else:
            self._packs.forget()

    def _is_packed(self, line: int) -> bool:
        return self._any_packs() and self.packs.holding(line) is not None

    def _packed_ranges(self) -> Callable[[tuple[int, int]], bool]:
        """What says of one range after another whether it is packed."""
        low = high = 0

        def is_packed(found: tuple[int, int]) -> bool:
            nonlocal low, high
            if low <= found[0] < high:
                return True
            row = self.packs.holding(found[0]) if self._any_packs() else None
            if row is None:
                return False
            low, high = row.first_line, row.end
            return True

        return is_packed

    def _have_moved(self, line: int) -> bool:
        """Has another process moved a line that is not found any more into a pack, or parted the
        row that it was in?"""
        packed = self.packs.reload() and self.packs.holding(line) is not None
        if not packed and not self._was_parted(line):
            return False
        self._frames.clear()
        self._entries.clear()
        return True

    def _was_parted(self, line: int) -> bool:
        """Is the block of a line no longer in the row that is remembered?"""
        place = bisect_right(self._entries, line, key=_FIRST_LINE) - 1
        row = None
        if place >= 0 and not self._is_packed(line):
            row = fetch_one(
                self._connection,
                f"SELECT {DIRECTORY} FROM blocks WHERE first_line<=? ORDER BY first_line DESC"
                " LIMIT 1",
                (line,),
            )
        return row is not None and _entry(*row) != self._entries[place]

    def _frame_of(self, line: int) -> tuple[int, Frame]:
        """(first line, lines) of the hot frame that holds a line."""
        entry = self._cached_entry(line)
        frames = entry.frames
        if not frames:  # packed, by now
            raise self._missing(line)
        offset, size, first, count = frames[bisect_right(frames, line, key=_FRAME_FIRST) - 1]
        cached = self._frames.get(first)
        if cached is None:
            data = self._part(entry, offset, size)
            cached = self._decode_lines(data, size, first, count)
            self._frames.keep(first, cached)
        return first, cached

    def _cached_entry(self, line: int) -> BlockEntry:
        # Blocks don't change, so their directories are worth remembering, in order of lines.
        place = bisect_right(self._entries, line, key=_FIRST_LINE) - 1
        if place >= 0:
            known = self._entries[place]
            if line < known.first_line + known.line_count:
                return known
        entry = self.entry(line)
        if len(self._entries) >= CACHED_ENTRIES:
            self._entries.clear()
        insort(self._entries, entry, key=_FIRST_LINE)
        return entry

    def _part(self, entry: BlockEntry, offset: int, size: int) -> bytes:
        last = entry.frames[-1]
        if last[0] + last[1] <= WHOLE_READ_BYTES:
            row = fetch_one(
                self._connection,
                "SELECT substr(data, ?, ?) FROM blocks WHERE first_line=?",
                (offset + 1, size, entry.first_line),
            )
            return b"" if row is None else bytes(row[0] or b"")  # no bytes come as NULL
        try:
            blob = self._connection.blob_open("main", "blocks", "data", entry.first_line, False)
            try:
                blob.seek(min(offset, blob.length()))
                return blob.read(size)
            finally:
                blob.close()
        except apsw.SQLError:  # no such row: moved since its directory was read, or lost
            raise self._missing(entry.first_line) from None
        except apsw.Error as error:
            raise translated(error, Path(self._connection.filename)) from error

    def _check(self, row: Sequence[Any]) -> None:
        if row[3] != checksum(row[0], row[1], row[2]):
            raise self._damaged_directory(row[0])

    def _damaged_directory(self, first_line: int) -> DamagedObject:
        if not isinstance(first_line, int):
            return self._damaged((), "a block without a number")
        row = fetch_one(
            self._connection, "SELECT min(first_line) FROM blocks WHERE first_line>?", (first_line,)
        )
        return self._damaged(range(first_line, row[0] or LINE_LIMIT), "a block's directory")

    def _missing(self, line: int) -> DamagedObject:
        return DamagedObject(
            f"line {line} of the store is missing",
            ids=self._named((line,)),
            hint="`evgit fsck` shows the extent",
        )

    def _decode(self, data: BlockData, offset: int, size: int, first: int, count: int) -> bytes:
        try:
            data = data if isinstance(data, bytes) else b""  # damage may change types
            text = decode_frame(data[offset : offset + size])
            if count_lines(text) != count:
                raise DamagedObject(f"a frame holds {count_lines(text)} lines, not {count}")
        except DamagedObject as error:
            raise self._damaged(range(first, first + count), str(error)) from error
        return text

    def _decode_lines(self, data: bytes, size: int, first: int, count: int) -> Frame:
        """The lines of a frame: looked for once, not counted before."""
        try:
            text = decode_frame(data[:size])
            frame = Frame(text, line_starts(text))
            if len(frame) != count or text[-1:] != b"\n":
                raise DamagedObject(f"a frame holds {len(frame)} lines, not {count}")
        except DamagedObject as error:
            raise self._damaged(range(first, first + count), str(error)) from error
        return frame

    def _named(self, lines: Sequence[int]) -> list[str]:
        if self._last_named[0] != lines:  # all blocks in a damaged frame ask for the same
            try:
                self._last_named = lines, self.name_lines(lines)
            except Damage:
                return []  # what could name them is damaged as well
        return self._last_named[1]

    def _damaged(self, lines: Sequence[int], how: str) -> DamagedObject:
        ids = self._named(lines)
        named = ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
        return DamagedObject(
            f"stored bytes are damaged ({how}); objects hit: {named or 'unknown'}",
            ids=ids,
            hint="`evgit fsck` shows the extent; other reads and appends go on. "
            "Restore the objects from a clone or a backup",
        )


def _looked_at(group: list[StoredFrame]) -> tuple[list[StoredFrame], list[bytes] | None]:
    """A group, and its frames if they can be decompressed together."""
    frames = [frame.data for frame in group]
    return group, frames if can_decompress(frames) else None


def _decompressed(
    looked_at: tuple[list[StoredFrame], list[bytes] | None],
) -> tuple[list[StoredFrame], Texts | None]:
    """The group, and the texts of its frames if they could be decompressed together. Whatever
    needs more Python is done before or after: it would hold up the thread that reads."""
    group, frames = looked_at
    return group, None if frames is None else decompress_frames(frames)


def _has_packs(connection: apsw.Connection) -> bool:
    """Is any row in the table of packs, if there is one?"""
    table = "SELECT 1 FROM sqlite_schema WHERE name='packs'"
    return (
        fetch_one(connection, table) is not None
        and fetch_one(connection, "SELECT 1 FROM packs LIMIT 1") is not None
    )


def _entry(first_line: int, latest: int, directory: bytes, check: int) -> BlockEntry:
    words = words_of(directory)
    frames: list[tuple[int, int, int, int]] = []
    offset, line = 0, first_line
    for place in range(0, len(words), 2):
        frames.append((offset, words[place], line, words[place + 1]))
        offset += words[place]
        line += words[place + 1]
    sound = check == checksum(first_line, latest, directory)
    return BlockEntry(first_line, line - first_line, frames, latest, sound)


def _split(text: bytes) -> list[bytes]:
    lines = text.split(b"\n")
    lines.pop()  # what follows the last newline: nothing
    return lines
