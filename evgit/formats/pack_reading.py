"""Reads a pack from front to back, checking all of it, in bounded memory.

For what comes from elsewhere: every count and size is held against a limit before anything is
made of it, and what a frame declares is never trusted. Lines are given in the order of the blocks.
This module must not know where the bytes come from, nor what lines say.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from evgit.errors import DamagedObject
from evgit.formats.block import MAX_FRAME_BYTES, count_lines, decode_frame, split_lines
from evgit.formats.hashing import new_hasher
from evgit.formats.pack import (
    HEAD,
    INDEX,
    MAX_HEAD_BYTES,
    MAX_WINDOWS,
    PREFIX_BYTES,
    TAIL_BYTES,
    WINDOW,
    WINDOW_TEXT_BYTES,
    PackHead,
    WindowEntry,
    WindowHeader,
    decode_head,
    decode_index,
    decode_order,
    decode_prefix,
    decode_tail,
    decode_window,
    unchecked,
    window_header_bytes,
)
from evgit.formats.pack_blobs import check_piece, piece_sizes
from evgit.formats.pack_lines import restored_in_frame

_COUNTS_END = 28
_INDEX_ENTRY_BYTES = 24


@dataclass(frozen=True, slots=True)
class PackLimits:
    """What one pack may hold, at most: bytes of text, and lines."""

    text_bytes: int = 1 << 42
    lines: int = 1 << 32


@dataclass(frozen=True, slots=True)
class Window:
    """A window's lines, without newlines, as the blocks have them.

    `ends`: how many of `events` come before each of `commits`. What follows the last commit belongs
    to a block that a later window closes.
    """

    events: list[bytes]
    commits: list[bytes]
    ends: array[int]
    objects: list[bytes]

    def pieces(self) -> Iterator[tuple[list[bytes], bytes | None]]:
        """(event lines, commit line) one after another; None where the block goes on."""
        start = 0
        for end, commit in zip(self.ends, self.commits, strict=True):
            yield self.events[start:end], commit
            start = end
        if start < len(self.events):
            yield self.events[start:], None


class PackReader:
    """Reads one pack. `read(n)` gives up to n bytes, none at the end, as files do.

    Raises DamagedObject for whatever is not as it should be, UnsupportedFormat for a newer format.
    `head` can be looked at before `windows` is gone through; `name` and the counts are there
    afterwards, when everything has been checked.
    """

    def __init__(self, read: Callable[[int], bytes], limits: PackLimits | None = None) -> None:
        self._read = read
        self._limits = limits or PackLimits()
        self._hasher = new_hasher()
        self._offset = 0
        self._entries: list[WindowEntry] = []
        self.name = ""
        self.text_bytes = self.events = self.commits = self.objects = 0
        name, size = self._prefix()
        if name != HEAD:
            raise _wrong("it does not begin as a pack does")
        if size > MAX_HEAD_BYTES:
            raise _wrong("its head is too large")
        self.head: PackHead = decode_head(self._exactly(size))

    @property
    def size(self) -> int:
        """How many bytes have been read."""
        return self._offset

    def windows(self) -> Iterator[Window]:
        """Every window, checked; at the end blobs, index, tail and that nothing follows."""
        while True:
            start = self._offset
            name, size = self._prefix()
            if name != WINDOW:
                break
            yield self._window(start, size)
        for blob_id, length in sorted(self.head.blobs.items()):
            hasher = new_hasher()
            for piece in piece_sizes(length):
                check_piece(name, size, piece)
                hasher.update(unchecked(name, self._exactly(size)))
                start = self._offset
                name, size = self._prefix()
            if hasher.hexdigest() != blob_id:
                raise _wrong(f"blob {blob_id} has other bytes")
        if name != INDEX or size > 8 + _INDEX_ENTRY_BYTES * len(self._entries):
            raise _wrong("a frame in it is none that a pack has")
        if decode_index(self._exactly(size)) != self._entries:
            raise _wrong("its index is not that of its windows")
        digest = self._hasher.digest()
        index_offset, expected = decode_tail(self._exactly(TAIL_BYTES))
        if index_offset != start or expected != digest:
            raise _wrong("its bytes are not those that it was written with")
        if self._read(1):
            raise _wrong("something follows its end")
        self.name = self._hasher.hexdigest()

    def _window(self, start: int, size: int) -> Window:
        if len(self._entries) == MAX_WINDOWS or size < _COUNTS_END:
            raise _wrong("its windows are too many, or too small")
        beginning = WINDOW + self._exactly(_COUNTS_END - 4)
        header_bytes = window_header_bytes(beginning)
        if header_bytes > size + 4:
            raise _wrong("a window's header contradicts itself")
        header = decode_window(beginning + self._exactly(header_bytes - _COUNTS_END))
        if header_bytes + header.order_bytes != size + 4:
            raise _wrong("a window's order is not as long as it says")
        self.events += header.events
        self.commits += header.commits
        self.objects += header.objects
        if self.events + self.commits + self.objects > self._limits.lines:
            raise _wrong(f"more than {self._limits.lines:,} lines")
        places = decode_order(header, self._exactly(header.order_bytes))
        lines = self._lines(header)
        self._entries.append(
            WindowEntry(start, header_bytes, header.events, header.commits, header.objects)
        )
        commits_end = header.events + header.commits
        events = lines[: header.events]
        return Window(
            events if header.ordered else list(map(events.__getitem__, places)),
            lines[header.events : commits_end],
            header.ends,
            lines[commits_end:],
        )

    def _lines(self, header: WindowHeader) -> list[bytes]:
        lines: list[bytes] = []
        left = WINDOW_TEXT_BYTES
        for size, count in header.frames:
            text = decode_frame(self._exactly(size), min(left, MAX_FRAME_BYTES))
            left -= len(text)
            self.text_bytes += len(text)
            if self.text_bytes > self._limits.text_bytes:
                raise _wrong(f"more than {self._limits.text_bytes:,} bytes of text")
            if count_lines(text) != count:
                raise _wrong("a frame holds another number of lines than it should")
            start = header.events - len(lines)
            lines += restored_in_frame(split_lines(text), start, start + header.commits)
        return lines

    def _prefix(self) -> tuple[bytes, int]:
        return decode_prefix(self._exactly(PREFIX_BYTES))

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing:
            part = self._read(min(missing, 1 << 20))
            if not part:
                raise _wrong("it is cut short")
            parts.append(part)
            missing -= len(part)
        data = b"".join(parts)
        self._hasher.update(data)
        self._offset += size
        return data


def _wrong(how: str) -> DamagedObject:
    return DamagedObject(f"a pack is not sound: {how}")
