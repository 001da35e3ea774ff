"""Lines of text from a file or standard input, plain, gzip or zstd.

Compression is recognised by the first bytes, never by the name, so it works on a pipe too. Memory
is bounded whatever the input holds: a line may have 16 MiB, a batch ends at 8 MiB, and compressed
input is unpacked in small pieces.

What is tolerated: CRLF line ends (JSON counts the CR as white space), blank lines (skipped, and
counted in line numbers), a missing last line end, a UTF-8 byte order mark, several compressed
frames or members one after the other. What is refused: UTF-16 and UTF-32, and compressed data that
is cut short.

This module must not know what a line means.
"""

from __future__ import annotations

import gzip
import io
import os
import select
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Self, cast

import zstandard

from evgit.bridges.named_files import STANDARD, open_to_read
from evgit.errors import InvalidEvent, InvalidInput, UsageError
from evgit.formats.block import ended_lines

MAX_LINE_BYTES = 16 * 2**20
MAX_BATCH_BYTES = 8 * 2**20

_CHUNK_BYTES = 256 * 1024
# Four bytes of zstd can stand for 128 KiB, so a piece of 1 KiB unpacks to at most 32 MiB.
_ZSTD_PIECE_BYTES = 1024
_ZSTD_MAX_WINDOW = 2**27

_UTF8_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_MAGIC = b"\x2a\x4d\x18"  # after one byte of 0x50..0x5f: RFC 8878, section 3.1.2


class LineBatch:
    """Some lines, each given with its newline, and the 1-based number of each (`numbers[i]`)."""

    __slots__ = ("_ended", "numbers")

    def __init__(self, ended: list[bytes], numbers: Sequence[int]) -> None:
        self._ended = ended
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self._ended)

    @property
    def lines(self) -> list[bytes]:
        """The lines without their newlines."""
        return [line[:-1] for line in self._ended]

    @property
    def text(self) -> bytes:
        """The lines one after another, each with its newline."""
        return b"".join(self._ended)


class LineReader:
    """Reads lines in batches from a path, `-` (standard input) or an open binary file.

    `name` is for messages. `bytes_read` counts what was taken from the source, compressed as it
    is; `bytes_total` is its size, None where that is not known (a pipe). `before_waiting` is called
    when nothing is there to be read yet.
    """

    def __init__(self, source: str | os.PathLike[str] | BinaryIO) -> None:
        self.bytes_read = 0
        self.before_waiting: Callable[[], None] | None = None
        self._opened: IO[bytes] | None = None
        if not isinstance(source, str | os.PathLike):
            self.name = str(getattr(source, "name", "input"))
            self._file: IO[bytes] = source
        elif os.fspath(source) == STANDARD:
            self.name = "standard input"
            self._file = sys.stdin.buffer
        else:
            self.name = Path(source).name
            self._file = self._opened = open_to_read(
                source, hint="give one file of JSON lines, or - for standard input"
            )
        self.bytes_total = _size(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._opened.close()

    def batches(self, size: int) -> Iterator[LineBatch]:
        """Batches of `size` lines; fewer where they come to 8 MiB, and at the end.

        Where a batch ends depends on the lines alone, not on how the bytes arrive.
        Raises InvalidEvent for a line over 16 MiB, InvalidInput for what is not text in UTF-8 or
        is damaged compressed data; lines before that have been given out in whole batches.
        """
        if size < 1:
            raise UsageError(f"a batch of {size} lines makes no sense", hint="give 1 or more")
        waiting: list[bytes] = []
        numbers: Sequence[int] = range(1, 1)
        waiting_bytes = 0
        for lines, found in self._numbered():
            waiting += lines
            numbers = found if not numbers else _join(numbers, found)
            waiting_bytes += sum(map(len, lines)) - len(lines)
            start = 0
            while len(waiting) - start >= size or waiting_bytes >= MAX_BATCH_BYTES:
                count = min(size, _lines_within(waiting, start, waiting_bytes))
                end = start + count
                ended = waiting[start:end]
                yield LineBatch(ended, numbers[start:end])
                waiting_bytes -= sum(map(len, ended)) - count
                start = end
            if start:
                waiting, numbers = waiting[start:], numbers[start:]
        if waiting:
            yield LineBatch(waiting, numbers)

    def _numbered(self) -> Iterator[tuple[list[bytes], Sequence[int]]]:
        """Lines with their numbers, without blank ones."""
        next_number = 1
        for lines in self._split():
            numbers: Sequence[int] = range(next_number, next_number + len(lines))
            next_number += len(lines)
            if any(map(bytes.isspace, lines)):
                kept = [(n, line) for n, line in zip(numbers, lines, strict=True) if line.strip()]
                lines = [line for _, line in kept]
                numbers = [n for n, _ in kept]
            if lines:
                yield lines, numbers

    def _split(self) -> Iterator[list[bytes]]:
        """Lines, each with its newline, also the last one."""
        parts: list[bytes] = []  # the beginning of a line whose end has not come yet
        length = 0
        ended = 0
        for chunk in self._text():
            lines = ended_lines(chunk)
            if len(chunk) > MAX_LINE_BYTES:
                for number, line in enumerate(lines, ended + 1):
                    if len(line) - line.endswith(b"\n") > MAX_LINE_BYTES:
                        raise _too_long(number)
            if not lines:
                continue
            length += len(lines[0]) - lines[0].endswith(b"\n")
            if length > MAX_LINE_BYTES:
                raise _too_long(ended + 1)
            if parts:
                lines[0] = b"".join([*parts, lines[0]])
                parts = []
            if not lines[-1].endswith(b"\n"):
                parts = [lines.pop()]
            length = sum(map(len, parts))
            if lines:
                ended += len(lines)
                yield lines
        if length:
            yield [b"".join([*parts, b"\n"])]

    def _text(self) -> Iterator[bytes]:
        """Unpacked chunks, without a byte order mark. A chunk is never longer than a line may be
        by more than what 1 KiB of zstd can hold."""
        chunks = self._unpacked()
        # 4 bytes tell the marks apart; a chunk from a pipe may have fewer.
        start = b""
        for chunk in chunks:
            start += chunk
            if len(start) >= 4:
                break
        if start.startswith(_WIDE_MARKS):
            raise InvalidInput(
                f"{self.name} is UTF-16 or UTF-32, not UTF-8",
                hint="convert it first: iconv -f UTF-16 -t UTF-8 FILE | evgit import -",
            )
        yield start.removeprefix(_UTF8_MARK)
        yield from chunks

    def _unpacked(self) -> Iterator[bytes]:
        raw = self._raw()
        start = b""
        for chunk in raw:
            start += chunk
            if len(start) >= 4:
                break
        try:
            if start.startswith(_GZIP_MAGIC):
                yield from _gunzip(start, raw)
            elif start.startswith(_ZSTD_MAGIC) or _is_skippable(start):
                yield from _unzstd(start, raw)
            else:
                yield start
                yield from raw
        except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
            raise InvalidInput(
                f"{self.name} is damaged or cut short: {error}",
                hint="what came before the damage was read; get the file again and run this again",
            ) from error

    def _raw(self) -> Iterator[bytes]:
        # read1 gives what a pipe has now; a plain raw file has read alone, which does the same.
        read = getattr(self._file, "read1", self._file.read)
        while True:
            if self.before_waiting is not None and _would_wait(self._file):
                self.before_waiting()
            chunk = read(_CHUNK_BYTES)
            if not chunk:
                return
            self.bytes_read += len(chunk)
            yield chunk


def _size(file: IO[bytes]) -> int | None:
    try:
        status = os.fstat(file.fileno())
    except (OSError, AttributeError, io.UnsupportedOperation):
        return None
    return status.st_size if status.st_size else None


def _would_wait(file: IO[bytes]) -> bool:
    """May reading from it wait for somebody to write?"""
    try:
        return not select.select([file], [], [], 0)[0]
    except (OSError, ValueError, TypeError, io.UnsupportedOperation):
        return False  # no file of the system's


def _join(first: Sequence[int], second: Sequence[int]) -> Sequence[int]:
    if isinstance(first, range) and isinstance(second, range) and first.stop == second.start:
        return range(first.start, second.stop)
    return [*first, *second]


def _lines_within(ended: list[bytes], start: int, total: int) -> int:
    """How many of the lines from `start` on, which have `total` bytes without their newlines, come
    to MAX_BATCH_BYTES (the one that reaches it included)."""
    if total < MAX_BATCH_BYTES:
        return len(ended) - start
    sums = accumulate(len(line) - 1 for line in ended[start:])
    return next(i for i, reached in enumerate(sums, 1) if reached >= MAX_BATCH_BYTES)


def _too_long(number: int) -> InvalidEvent:
    return InvalidEvent(
        f"longer than {MAX_LINE_BYTES // 2**20} MiB",
        line=number,
        hint="give one event a line; keep big contents in blobs (evgit hash-object -w FILE)",
    )


def _is_skippable(start: bytes) -> bool:
    return start[1:4] == _SKIPPABLE_MAGIC and start[0] & 0xF0 == 0x50


class _Joined(io.RawIOBase):
    """Chunks as a readable file, for gzip."""

    def __init__(self, start: bytes, rest: Iterator[bytes]) -> None:
        self._chunk = memoryview(start)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        if not self._chunk:
            self._chunk = memoryview(next(self._rest, b""))
        view = memoryview(cast(bytearray, buffer))
        count = min(len(view), len(self._chunk))
        view[:count] = self._chunk[:count]
        self._chunk = self._chunk[count:]
        return count


def _gunzip(start: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=io.BufferedReader(_Joined(start, rest), _CHUNK_BYTES)) as unpacked:
        while chunk := unpacked.read1(_CHUNK_BYTES):
            yield chunk


def _unzstd(start: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """Frame after frame, by hand: the library's own reader takes a cut for the end."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MAX_WINDOW)
    frame = decompressor.decompressobj()
    begun = False
    chunk = start
    while chunk:
        view = memoryview(chunk)
        while view:
            unpacked = frame.decompress(view[:_ZSTD_PIECE_BYTES])
            view = view[_ZSTD_PIECE_BYTES:] if not frame.eof else _after(frame, view)
            begun = not frame.eof
            if frame.eof:
                frame = decompressor.decompressobj()
            if unpacked:
                yield unpacked
        chunk = next(rest, b"")
    if begun:
        raise EOFError("the last zstd frame has no end")


def _after(frame: zstandard.ZstdDecompressionObj, view: memoryview) -> memoryview:
    piece = min(len(view), _ZSTD_PIECE_BYTES)
    return view[piece - len(frame.unused_data) :]
