"""How blocks are fetched for reading in order: rows by line, frames, and the lines wanted of them.

It knows rows and frames; what to say when one is damaged, `blocks` knows.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import apsw

from evgit.errors import EvgitError
from evgit.formats.block import COMMIT_START, Texts, WholeFrames, count_lines
from evgit.storage.database_errors import translate_errors

DIRECTORY = "first_line, latest, frames, checksum"
SMALLEST_GROUP = 4096  # bytes of frames decompressed at once, to begin with
LARGEST_GROUP = 262_144
"""In the end: who decompresses ahead waits for Python before and after each, up to 5 ms where
another thread is folding, so that each has to be worth more than 10 ms of that."""
LEAST_COUNTED = 2048  # bytes: as many counts a smaller frame, which is as much work for Python
TEXT_BYTES = 16_384
GOOD_TEXT_BYTES = 12_288  # in frames with so much on average, compression loses hardly anything
SMALL_FRAMES = 2  # at the end of every large block: its last events, and its commit
READ_AHEAD_BYTES = 1 << 20
READ_AHEAD_BLOCKS = 512
NEWLINE = b"\n"
_NEWLINE_BYTE = 10
ONE_FRAME = 8
"""Bytes of the directory of a block of one frame."""


_TWO_NUMBERS = struct.Struct("<qq").pack


class StoredFrame(NamedTuple):
    """A frame as it is stored, with `lines` lines from line `first` on.

    Wanted are those from its `start`-th up to, not including, its `stop`-th.
    """

    data: bytes
    first: int
    lines: int
    start: int
    stop: int


class Piece(NamedTuple):
    """Stored lines, each with its newline. `lines`: how many there have to be; who takes them
    counts what it finds in them, for nobody has before."""

    text: bytes | memoryview
    lines: int


class ReadAhead:
    """Fetches blocks by line; the more of them are wanted in order, the more at once."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self._ends: list[int] = []  # the lines behind them
        self.end = 0
        """The line behind the block that was given last."""
        self._place = 0
        self._limit = 1

    def block(self, line: int) -> Any:
        """(directory of four columns, data) of the block that holds the line, or None."""
        rows, ends, place = self._rows, self._ends, self._place
        while place < len(rows) and ends[place] <= line:
            place += 1
        if place >= len(rows) or not rows[place][0] <= line < ends[place]:
            self._fetch(line, in_order=bool(rows) and place >= len(rows))
            rows, ends, place = self._rows, self._ends, 0
            if not rows or not rows[0][0] <= line < ends[0]:
                return None
        self._place, self.end = place, ends[place]
        return rows[place]

    def plain(self, end: int) -> list[StoredFrame]:
        """Behind the block that was given last, as many of those that are fetched as have one frame
        each, which is wanted whole up to line `end`, and a sound directory."""
        found: list[StoredFrame] = []
        rows, ends, first = self._rows, self._ends, self.end
        for place in range(self._place + 1, len(rows)):
            start, latest, directory, check, data = rows[place]
            behind = ends[place]
            if start != first or behind > end or type(data) is not bytes:
                break
            if len(directory) != ONE_FRAME or check != checksum(first, latest, directory):
                break
            found.append(StoredFrame(data, first, behind - first, 0, behind - first))
            first = behind
        if found:
            self._place, self.end = self._place + len(found), first
        return found

    def _fetch(self, line: int, *, in_order: bool) -> None:
        self._limit = min(self._limit * 2, READ_AHEAD_BLOCKS) if in_order else 1
        self._rows, self._ends, held = [], [], 0
        with translate_errors(Path(self._connection.filename)):
            cursor = self._connection.execute(
                f"SELECT {DIRECTORY}, data FROM blocks WHERE first_line>=(SELECT max(first_line)"
                " FROM blocks WHERE first_line<=?) ORDER BY first_line LIMIT ?",
                (line, self._limit),
            )
            # Row by row: after a thousand small blocks the next ones may be large.
            for row in cursor:
                self._rows.append(row)
                held += len(row[4]) if isinstance(row[4], bytes) else 0
                if held >= READ_AHEAD_BYTES:
                    break
            cursor.close()
        self._ends = _ends_of(self._rows)


def _ends_of(rows: list[Any]) -> list[int]:
    """The line behind each of these blocks."""
    directories = [row[2] for row in rows]
    try:
        words = words_of(b"".join(directories))
    except TypeError:  # damage may change types
        words = ()
    if len(words) == 2 * len(rows) and set(map(len, directories)) == {ONE_FRAME}:
        return [row[0] + lines for row, lines in zip(rows, words[1::2], strict=True)]
    return [row[0] + lines_in(row[2]) for row in rows]


def grouped(frames: Iterable[StoredFrame]) -> Iterator[list[StoredFrame]]:
    """As many frames as are worth decompressing at once, in order.

    What `frames` raises is raised behind those that it gave before.
    """
    group: list[StoredFrame] = []
    held, limit = 0, SMALLEST_GROUP
    try:
        for frame in frames:
            group.append(frame)
            held += max(len(frame.data), LEAST_COUNTED)
            if held >= limit:
                yield group
                group, held, limit = [], 0, min(limit * 2, LARGEST_GROUP)
    except EvgitError:
        if group:
            yield group
        raise
    if group:
        yield group


def as_stored(group: Sequence[StoredFrame], texts: Texts | None) -> WholeFrames | None:
    """The frames of a group, to be read by others as they are; None where they are not sound, not
    wanted whole, or of small blocks, which are better compressed together. `texts`: theirs."""
    if texts is None or any(frame.start or frame.stop != frame.lines for frame in group):
        return None
    if sum(map(len, texts)) < GOOD_TEXT_BYTES * (len(group) - SMALL_FRAMES):
        return None
    found = [text.tobytes() for text in texts]
    if list(map(count_lines, found)) != [frame.lines for frame in group]:
        return None
    if any(map(_holds_blocks, found)):
        return None
    return WholeFrames(b"".join([frame.data for frame in group]))


def _holds_blocks(text: bytes) -> bool:
    last = text.rfind(NEWLINE, 0, -1) + 1
    return last > 0 and text.startswith(COMMIT_START, last)


def whole_text(group: Sequence[StoredFrame], texts: Texts) -> bytes | None:
    """The lines of all frames of a group, whose texts these are. None where not all are wanted, or
    a frame has not as many as it should."""
    found = [text.tobytes() for text in texts]
    counts = [text.count(NEWLINE) for text in found]
    if counts != [frame.lines for frame in group] or any(
        frame.start or frame.stop != frame.lines for frame in group
    ):
        return None
    return b"".join(found)


def wanted(text: bytes, frame: StoredFrame) -> bytes:
    """The wanted lines of a frame, whose text this is."""
    if frame.start == 0 and frame.stop == frame.lines:
        return text
    lines = text.split(NEWLINE)
    lines.pop()
    return NEWLINE.join(lines[frame.start : frame.stop]) + NEWLINE


def pieces_of(texts: Texts, group: Sequence[StoredFrame]) -> list[Piece] | None:
    """The wanted lines of frames whose texts these are, TEXT_BYTES of them and more at a time; None
    where something is known to be wrong."""
    pieces: list[Piece] = []
    short: list[bytes] = []
    held = lines = 0
    for text, frame in zip(texts, group, strict=True):
        if len(text) >= TEXT_BYTES and frame.stop - frame.start == frame.lines and not short:
            whole = memoryview(text)
            if whole[-1] != _NEWLINE_BYTE:
                return None
            pieces.append(Piece(whole, frame.lines))
            continue
        part = text.tobytes()
        if count_lines(part) != frame.lines:
            return None
        part = wanted(part, frame)
        short.append(part)
        held += len(part)
        lines += frame.stop - frame.start
        if held >= TEXT_BYTES:
            pieces.append(Piece(b"".join(short), lines))
            short, held, lines = [], 0, 0
    if short:
        pieces.append(Piece(b"".join(short), lines))
    return pieces


def joined_texts(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Short texts joined into ones of TEXT_BYTES and more, but for the last.

    What `texts` raises is raised behind those that it gave before.
    """
    pieces: list[bytes] = []
    held = 0
    try:
        for text in texts:
            pieces.append(text)
            held += len(text)
            if held >= TEXT_BYTES:
                yield b"".join(pieces)
                pieces, held = [], 0
    except EvgitError:
        if pieces:
            yield b"".join(pieces)
        raise
    if pieces:
        yield b"".join(pieces)


def checksum(first_line: int, latest: int, frames: bytes) -> int:
    """CRC-32 of a block's directory; the frames have checksums of their own."""
    try:
        return crc32(_TWO_NUMBERS(first_line, latest) + frames)
    except (struct.error, TypeError):
        return -1  # not even of the right type


def words_of(directory: bytes) -> Sequence[int]:
    """The numbers of a block's directory: of each frame, its size in bytes and its lines."""
    if not isinstance(directory, bytes) or len(directory) % 8:
        return ()  # the checksum is wrong, too
    words = array("I", directory)
    if sys.byteorder == "big":
        words.byteswap()
    return words


def lines_in(directory: bytes) -> int:
    """How many lines the frames of a block have."""
    if isinstance(directory, bytes) and len(directory) == ONE_FRAME:
        return int.from_bytes(directory[4:], "little")
    return sum(words_of(directory)[1::2])
