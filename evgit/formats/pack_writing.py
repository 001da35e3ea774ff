"""Writes a pack, window by window, into whatever takes bytes.

Blocks go in one after another; memory holds one window. It must not know where the bytes go, nor
what lines say beyond the stream of an event, by which it puts lines together.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

import zstandard

from evgit.formats.hashing import new_hasher
from evgit.formats.pack import (
    WINDOW_LINES,
    WINDOW_TEXT_BYTES,
    PackHead,
    WindowEntry,
    WindowHeader,
    encode_head,
    encode_index,
    encode_tail,
    encode_window,
)
from evgit.formats.pack_blobs import encode_pieces
from evgit.formats.pack_lines import shortened


class Effort(NamedTuple):
    """How a pack is compressed. Frames are closed by the line that brings them to so much text,
    those of clustered events by the end of its stream, if that brings them to no more than twice
    as much: so reading a stream decompresses one frame of a window, most often.

    Levels are zstd's. Ids and roots, of which commit lines are full, can't be compressed at all:
    matches below seven bytes in them cost more than they save.
    """

    event_frame_bytes: int
    event_level: int
    commit_frame_bytes: int
    commit_level: int
    threads: int = 0


FAST = Effort(1 << 16, 1, 1 << 16, 1)
NORMAL = Effort(24 << 10, 11, 1 << 16, 1, 2)
THOROUGH = Effort(1 << 16, 15, 1 << 18, 16, 2)


class Written(NamedTuple):
    """A finished pack. `name`: BLAKE3 of its bytes, hex. Counts of lines and of bytes."""

    name: str
    bytes: int
    events: int
    commits: int
    objects: int


class PackWriter:
    """Writes one pack. Feed it blocks in order, parents before children, then `finish`.

    `cluster`: put event lines of one stream together inside a window; costs a sort, makes reading
    one stream cheap. Otherwise they stand as in their blocks.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        head: PackHead,
        *,
        cluster: bool = True,
        effort: Effort = NORMAL,
        window_lines: int = WINDOW_LINES,
    ) -> None:
        self._write = write
        self._hasher = new_hasher()
        self._offset = 0
        self._cluster = cluster
        self._effort = effort
        self._window_lines = window_lines
        self._compress_events = _compressor(effort.event_level, effort.event_frame_bytes)
        self._compress_commits = _compressor(
            effort.commit_level, effort.commit_frame_bytes, min_match=7
        )
        self._entries: list[WindowEntry] = []
        self._events: list[bytes] = []
        self._commits: list[bytes] = []
        self._objects: list[bytes] = []
        self._ends = array("I")
        self._text = 0
        self._put(encode_head(head))

    def add_block(self, event_lines: Sequence[bytes], commit_line: bytes) -> None:
        """A whole block: its event and `again` lines, and the commit that closes it."""
        self.add_events(event_lines)
        self.close_block(commit_line)

    def add_events(self, lines: Iterable[bytes]) -> None:
        """Event and `again` lines of the block that is next to be closed. It may be fed in parts,
        and may be larger than a window."""
        for line in lines:
            if len(self._events) == self._window_lines:
                self.end_window()
            self._make_room(line)
            self._events.append(line)

    def close_block(self, commit_line: bytes) -> None:
        """The commit line of a block, all of whose event lines have been added."""
        if len(self._commits) == self._window_lines:
            self.end_window()
        self._make_room(commit_line)
        self._commits.append(commit_line)
        self._ends.append(len(self._events))

    def add_object(self, line: bytes) -> None:
        """A tag, or another object that is in no block."""
        if len(self._objects) == self._window_lines:
            self.end_window()
        self._make_room(line)
        self._objects.append(line)

    def add_blob(self, chunks: Iterable[bytes]) -> None:
        """The bytes of one of the blobs that the head names: in order of their ids, and when no
        more lines follow."""
        self.end_window()
        for piece in encode_pieces(chunks):
            self._put(piece)

    def finish(self) -> Written:
        """Write what is left, the index and the tail. The writer is of no use afterwards."""
        self.end_window()
        index_offset = self._offset
        self._put(encode_index(self._entries))
        self._put(encode_tail(index_offset, self._hasher.digest()))
        return Written(
            self._hasher.hexdigest(),
            self._offset,
            sum(entry.events for entry in self._entries),
            sum(entry.commits for entry in self._entries),
            sum(entry.objects for entry in self._entries),
        )

    def end_window(self) -> None:
        """Write what has been added as a window of its own, if there is anything."""
        events, commits, objects = self._events, self._commits, self._objects
        if not events and not commits and not objects:
            return
        streams = list(map(stream_member, events)) if self._cluster else []
        order = sorted(range(len(streams)), key=streams.__getitem__)
        ordered = not self._cluster or order == list(range(len(events)))
        places = array("I")
        if not ordered:
            events = list(map(events.__getitem__, order))
            streams.sort()
            places = array("I", bytes(4 * len(order)))
            for place, number in enumerate(order):
                places[number] = place
        frames = [
            *self._frames(
                events, self._effort.event_frame_bytes, self._compress_events, streams=streams
            ),
            *self._frames(
                commits, self._effort.commit_frame_bytes, self._compress_commits, shortened
            ),
            *self._frames(objects, self._effort.commit_frame_bytes, self._compress_commits),
        ]
        header = WindowHeader(
            len(events),
            len(commits),
            len(objects),
            [(len(data), lines) for data, lines in frames],
            self._ends,
            ordered,
        )
        frame, header_bytes = encode_window(header, places)
        self._entries.append(
            WindowEntry(self._offset, header_bytes, len(events), len(commits), len(objects))
        )
        self._put(frame)
        for data, _ in frames:
            self._put(data)
        self._events, self._commits, self._objects = [], [], []
        self._ends = array("I")
        self._text = 0

    def _make_room(self, line: bytes) -> None:
        self._text += len(line) + 1
        if self._text > WINDOW_TEXT_BYTES:
            self._text = len(line) + 1
            self.end_window()
            self._text = len(line) + 1

    def _frames(
        self,
        lines: list[bytes],
        frame_bytes: int,
        compressor: zstandard.ZstdCompressor,
        stored: Callable[[list[bytes]], list[bytes]] = list,
        streams: Sequence[bytes] = (),
    ) -> list[tuple[bytes, int]]:
        """(compressed, number of lines) of the frames that hold these lines.

        `stored`: the lines of a frame as they stand in it. `streams`: of each line, ascending, if
        frames are to end where one does.
        """
        texts: list[bytes | bytearray | memoryview[int]] = []
        counts: list[int] = []
        ends = list(accumulate(len(line) + 1 for line in lines))
        start = 0
        while start < len(lines):
            before = ends[start - 1] if start else 0
            stop = min(bisect_left(ends, before + frame_bytes, start) + 1, len(lines))
            if streams:
                end = bisect_right(streams, streams[stop - 1], stop)
                stop = end if ends[end - 1] <= before + 2 * frame_bytes else stop
            texts.append(b"\n".join([*stored(lines[start:stop]), b""]))
            counts.append(stop - start)
            start = stop
        if self._effort.threads and len(texts) > 1:
            found = compressor.multi_compress_to_buffer(texts, threads=self._effort.threads)
            return [(found[place].tobytes(), count) for place, count in enumerate(counts)]
        return [(compressor.compress(text), n) for text, n in zip(texts, counts, strict=True)]

    def _put(self, data: bytes) -> None:
        self._write(data)
        self._hasher.update(data)
        self._offset += len(data)


def stream_member(line: bytes) -> bytes:
    """What tells the streams of canonical event lines apart; nothing for an `again` line.

    The members of an event are sorted, and of those behind `stream` only `type` is a free text, in
    which a quote has a backslash before it: so the last match is the member itself.
    """
    start = line.rfind(b',"stream":"')
    return line[start : line.find(b'","time":"', start)] if start >= 0 else b""


def _compressor(level: int, size: int, *, min_match: int = 0) -> zstandard.ZstdCompressor:
    """One for texts of about `size` bytes. `min_match`: shortest match, where not the level's."""
    chosen = {"min_match": min_match} if min_match else {}
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, source_size=size, write_checksum=True, write_content_size=True, **chosen
    )
    return zstandard.ZstdCompressor(compression_params=parameters)
