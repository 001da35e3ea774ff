"""Packs: blocks, and other objects, as one .zst file of JSON lines that can be read in parts.

A pack is zstd frames of lines between *skippable* frames (RFC 8878, section 3.1.2), which every
zstd decoder passes over: `zstdcat FILE | head` shows the lines. The skippable frames hold what
finding and checking needs (docs/format.md, "Pack"):

    head  window frame*  window frame*  …  blob*  index  tail

A **window** is a bounded run of consecutive lines of the blocks. Its event lines may stand in
another order than in their blocks, with those of one stream together; the window says which. Commit
lines stand behind the event lines.

This module knows bytes: no files, no repositories, and not what lines say.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple
from zlib import crc32

import zstandard

from evgit.errors import DamagedObject, EvgitError, InvalidInput, UnsupportedFormat
from evgit.formats import canonical

FORMAT = 2
"""1 had commit lines as they are named, and nothing else that 2 has not."""
READABLE = (1, 2)
SKIPPABLE_MAGIC = 0x184D2A57
WINDOW_LINES = 1 << 18
"""Most event lines in a window; most commit lines, too, and most lines of other objects."""
WINDOW_TEXT_BYTES = 1 << 26
"""Most text in a window, newlines included."""
FULL_LINES = 1 << 20
"""A pack is closed behind the block that brings it to so many lines, and then left alone."""
PAGE_EVENTS = 1024
MAX_HEAD_BYTES = 1 << 24
MAX_WINDOWS = 1 << 20
MAX_STORED_FRAME_BYTES = 1 << 25  # what can't be compressed grows a little
HEAD, WINDOW, BLOB, INDEX, TAIL = b"head", b"wind", b"blob", b"indx", b"tail"
PREFIX_BYTES = 12  # magic, size, name
TAIL_BYTES = PREFIX_BYTES + 8 + 32 + 4

_PREFIX = struct.Struct("<II4s")
_COUNTS = struct.Struct("<6I")
_ENTRY = struct.Struct("<QIIII")
_TAIL = struct.Struct("<Q32s")
_CHECK = struct.Struct("<I")
_ID = re.compile(r"[0-9a-f]{64}")
_MEMBERS = {"blobs", "format", "refs", "repository", "requires"}
MAX_BLOB_BYTES = (1 << 53) - 1
# Two bits of each of four places stand in one byte, those of the first place lowest.
_LANES = [bytes(byte >> shift & 3 for byte in range(256)) for shift in (0, 2, 4, 6)]
_SHIFTED = [bytes(byte << shift & 255 for byte in range(256)) for shift in (0, 2, 4, 6)]


@dataclass(frozen=True, slots=True)
class PackHead:
    """What a pack is of. `repository`: id of its root commit.

    `refs`: {full name: target}, where the pack brings any. `requires`: ids of commits that the
    pack's commits build on and does not hold. `blobs`: {id: size in bytes} of those that travel in
    it (`formats.pack_blobs`).
    """

    repository: str
    refs: dict[str, str] = field(default_factory=dict)
    requires: list[str] = field(default_factory=list)
    blobs: dict[str, int] = field(default_factory=dict)


class WindowHeader(NamedTuple):
    """What a window says of itself, in front of its frames.

    `frames`: (compressed size in bytes, lines) of each. `ends`: how many of the window's event
    lines come before each of its commit lines, in the order of the blocks. `ordered`: do its event
    lines stand as in their blocks?
    """

    events: int
    commits: int
    objects: int
    frames: list[tuple[int, int]]
    ends: array[int]
    ordered: bool

    @property
    def order_bytes(self) -> int:
        """Size of what says where the event lines stand."""
        return 0 if self.ordered else sum(map(_page_bytes, _page_counts(self.events)))


class WindowEntry(NamedTuple):
    """A window in the index. `offset`: of its skippable frame; `header_bytes`: of what that says
    up to the order, its checksum included."""

    offset: int
    header_bytes: int
    events: int
    commits: int
    objects: int


# ---------------------------------------------------------------------------- writing


def skippable(name: bytes, content: bytes) -> bytes:
    """A skippable frame of ours: its name, what it holds, and nothing else."""
    return _PREFIX.pack(SKIPPABLE_MAGIC, 4 + len(content), name) + content


def checked(name: bytes, content: bytes) -> bytes:
    """A skippable frame whose name and content are followed by their CRC-32."""
    return skippable(name, content + _CHECK.pack(crc32(content, crc32(name))))


def encode_head(head: PackHead) -> bytes:
    """The frame that a pack begins with. Raises InvalidInput for more than fits into one."""
    members: dict[str, object] = {"format": FORMAT, "repository": head.repository}
    if head.blobs:
        members["blobs"] = head.blobs
    if head.refs:
        members["refs"] = head.refs
    if head.requires:
        members["requires"] = head.requires
    line = canonical.encode(members)
    if len(line) + 4 > MAX_HEAD_BYTES:
        raise InvalidInput(
            "too many refs and blobs for one pack", hint="put a part of the history into each"
        )
    return checked(HEAD, line)


def encode_window(header: WindowHeader, places: Sequence[int]) -> tuple[bytes, int]:
    """(the skippable frame before a window's frames, its `header_bytes`).

    `places`: where each event line stands among the window's event lines; unused if `ordered`.
    """
    gaps = array("I", header.ends)
    for number in range(len(gaps) - 1, 0, -1):
        gaps[number] -= gaps[number - 1]
    ends = zstandard.ZstdCompressor(level=3, write_checksum=False).compress(_little(gaps))
    content = b"".join(
        [
            _COUNTS.pack(
                header.events,
                header.commits,
                header.objects,
                len(header.frames),
                len(ends),
                int(header.ordered),
            ),
            _little(array("I", [number for frame in header.frames for number in frame])),
            ends,
        ]
    )
    content += _CHECK.pack(crc32(content, crc32(WINDOW)))
    pages = [] if header.ordered else [_encode_page(page) for page in _pages(places)]
    return skippable(WINDOW, content + b"".join(pages)), 4 + len(content)


def encode_index(entries: Sequence[WindowEntry]) -> bytes:
    """The frame that says where the windows are."""
    return checked(
        INDEX, _CHECK.pack(len(entries)) + b"".join(_ENTRY.pack(*entry) for entry in entries)
    )


def encode_tail(index_offset: int, digest: bytes) -> bytes:
    """The last TAIL_BYTES of a pack. `digest`: BLAKE3 of all bytes before them."""
    return checked(TAIL, _TAIL.pack(index_offset, digest))


# ---------------------------------------------------------------------------- reading


def decode_prefix(data: bytes) -> tuple[bytes, int]:
    """(name, bytes that follow the name) of the skippable frame that begins with these bytes."""
    if len(data) < PREFIX_BYTES:
        raise _wrong("it is cut short")
    magic, size, name = _PREFIX.unpack(data[:PREFIX_BYTES])
    if magic != SKIPPABLE_MAGIC or size < 4:
        raise _wrong("a frame of its own is not where it should be")
    return name, size - 4


def unchecked(name: bytes, data: bytes) -> bytes:
    """The content of a checked frame's bytes after its name. Raises DamagedObject."""
    if len(data) < 4 or crc32(data[:-4], crc32(name)) != _CHECK.unpack(data[-4:])[0]:
        raise _wrong(f"the checksum of its {name.decode('ascii', 'replace')!r} frame is wrong")
    return data[:-4]


def decode_head(data: bytes) -> PackHead:
    """What the `head` frame says, of its bytes after the name."""
    try:
        line = unchecked(HEAD, data)
        members: Any = canonical.parse(line)
        if not isinstance(members, dict) or canonical.encode(members) != line:
            raise _wrong("its head is not canonical")
    except DamagedObject:
        raise
    except EvgitError as error:
        raise _wrong(f"its head is not JSON: {error}") from None
    if members.get("format") not in READABLE or not members.keys() <= _MEMBERS:
        raise UnsupportedFormat(
            f"a pack of format {members.get('format')!r}; this evgit reads formats up to {FORMAT}",
            hint="use a newer evgit",
        )
    refs, requires = members.get("refs", {}), members.get("requires", [])
    blobs = members.get("blobs", {})
    if not (
        _is_id(members.get("repository"))
        and isinstance(refs, dict)
        and all(isinstance(target, str) for target in refs.values())
        and isinstance(requires, list)
        and all(map(_is_id, requires))
        and isinstance(blobs, dict)
        and all(map(_is_id, blobs))
        and all(type(size) is int and 0 <= size <= MAX_BLOB_BYTES for size in blobs.values())
    ):
        raise _wrong("its head has members of the wrong kind")
    return PackHead(members["repository"], refs, requires, blobs)


def decode_window(data: bytes) -> WindowHeader:
    """A window's header, of its first `header_bytes` after magic and size. Never trusts counts."""
    content = data[4:-4]
    if len(data) < 8 + _COUNTS.size or crc32(data[:-4]) != _CHECK.unpack(data[-4:])[0]:
        raise _wrong("a window's header is damaged")
    events, commits, objects, frame_count, ends_bytes, flags = _COUNTS.unpack_from(content)
    check_window_counts(events, commits, objects)
    frames_end = _COUNTS.size + 8 * frame_count
    if flags not in (0, 1) or len(content) != frames_end + ends_bytes:
        raise _wrong("a window's header contradicts itself")
    words = _words(content[_COUNTS.size : frames_end])
    sizes, lines = words[0::2].tolist(), words[1::2].tolist()
    if sum(lines) != events + commits + objects or (
        frame_count and not (0 < min(sizes) <= max(sizes) <= MAX_STORED_FRAME_BYTES and min(lines))
    ):
        raise _wrong("a window's frames are not as many lines as it says")
    return WindowHeader(
        events,
        commits,
        objects,
        list(zip(sizes, lines, strict=True)),
        _decode_ends(content[frames_end:], commits, events),
        bool(flags),
    )


def window_header_bytes(start: bytes) -> int:
    """`header_bytes` of a window whose first 28 bytes after magic and size these are."""
    if len(start) < 4 + _COUNTS.size:
        raise _wrong("it is cut short")
    events, commits, objects, frame_count, ends_bytes, _ = _COUNTS.unpack_from(start, 4)
    check_window_counts(events, commits, objects)
    if frame_count > events + commits + objects or ends_bytes > 4 * commits + 64:
        raise _wrong("a window's header contradicts itself")
    return 4 + _COUNTS.size + int(8 * frame_count) + int(ends_bytes) + 4


def check_window_counts(events: int, commits: int, objects: int) -> None:
    """Raise DamagedObject where a window says that it is larger than one may be."""
    if max(events, commits, objects) > WINDOW_LINES:
        raise _wrong(f"a window of more than {WINDOW_LINES:,} lines of a kind")


def decode_order(header: WindowHeader, data: bytes, *, sound: bool = False) -> array[int]:
    """Where each event line of a window stands. Raises DamagedObject unless each place is taken
    exactly once. `data`: the order of the whole window; `sound`: it was checked when it came."""
    if header.ordered:
        return array("I", range(header.events))
    if len(data) != header.order_bytes:
        raise _wrong("a window's order is cut short")
    low, packed, start = [], [], 0
    for count in _page_counts(header.events):
        end = start + _page_bytes(count)
        page = check_page(data[start:end], count)
        low.append(page[: 2 * count])
        packed.append(page[2 * count : -4])
        start = end
    places = _places(b"".join(low), b"".join(packed))
    del places[header.events :]
    # A full window has no numbers to spare: 18 bits say no place beyond it.
    if header.events < WINDOW_LINES and max(places, default=0) >= max(header.events, 1):
        raise _wrong("a window's order is no permutation")
    if not sound and len(set(places)) != header.events:
        raise _wrong("a window's order is no permutation")
    return places


def page_of(event: int, events: int) -> tuple[int, int, int]:
    """(offset in a window's order, bytes, number of events) of the page that holds an event."""
    page = event // PAGE_EVENTS
    count = min(PAGE_EVENTS, events - page * PAGE_EVENTS)
    return page * _page_bytes(PAGE_EVENTS), _page_bytes(count), count


def check_page(data: bytes, count: int) -> bytes:
    """The page of `count` events itself. Raises DamagedObject unless its checksum is right."""
    if len(data) != _page_bytes(count) or crc32(data[:-4]) != _CHECK.unpack(data[-4:])[0]:
        raise _wrong("a page of a window's order is damaged")
    return data


def place_in_page(page: bytes, count: int, event: int) -> int:
    """The place of one event of a checked page."""
    high = page[2 * count + (event >> 2)] >> 2 * (event & 3) & 3
    return page[2 * event] | page[2 * event + 1] << 8 | high << 16


def decode_page(data: bytes, count: int) -> list[int]:
    """The places of the `count` events of a page."""
    check_page(data, count)
    return _places(data[: 2 * count], data[2 * count : -4]).tolist()[:count]


def _places(low: bytes, packed: bytes) -> array[int]:
    """Places of their lower 16 bits, and their two upper ones, four to a byte."""
    raw = bytearray(16 * len(packed))
    raw[0 : 2 * len(low) : 4] = low[0::2]
    raw[1 : 2 * len(low) : 4] = low[1::2]
    for lane, table in enumerate(_LANES):
        raw[2 + 4 * lane :: 16] = packed.translate(table)
    places = array("I", bytes(raw))
    if sys.byteorder == "big":
        places.byteswap()
    return places


def decode_index(data: bytes) -> list[WindowEntry]:
    """The windows that the `indx` frame names, of its bytes after the name."""
    content = unchecked(INDEX, data)
    if len(content) < 4 or len(content) != 4 + _ENTRY.size * _CHECK.unpack_from(content)[0]:
        raise _wrong("its index is cut short")
    return [WindowEntry(*values) for values in _ENTRY.iter_unpack(content[4:])]


def decode_tail(data: bytes) -> tuple[int, bytes]:
    """(offset of the index, BLAKE3 of all bytes before the tail), of the last TAIL_BYTES."""
    name, size = decode_prefix(data)
    if name != TAIL or size + PREFIX_BYTES != TAIL_BYTES or len(data) != TAIL_BYTES:
        raise _wrong("it is cut short")
    offset, digest = _TAIL.unpack(unchecked(TAIL, data[PREFIX_BYTES:]))
    return offset, digest


def in_block_order(
    header: WindowHeader, events: list[bytes], commits: list[bytes], places: Sequence[int]
) -> list[bytes]:
    """A window's lines in the order of the blocks, of its lines as they stand in it."""
    ordered = events if header.ordered else list(map(events.__getitem__, places))
    if not commits:
        return ordered
    lines: list[bytes] = []
    start = 0
    for end, commit in zip(header.ends, commits, strict=True):
        lines += ordered[start:end]
        lines.append(commit)
        start = end
    lines += ordered[start:]
    return lines


def _decode_ends(data: bytes, commits: int, events: int) -> array[int]:
    try:
        if zstandard.get_frame_parameters(data).content_size != 4 * commits:
            raise _wrong("a window's commit lines are not as many as it says")
        text = zstandard.ZstdDecompressor(max_window_size=1 << 25).decompress(
            data, max_output_size=4 * commits, allow_extra_data=False
        )
    except (zstandard.ZstdError, MemoryError) as error:
        raise _wrong(f"a window's header is damaged: {error}") from None
    ends = list(accumulate(_words(text)))
    if len(ends) != commits or (ends and ends[-1] > events):
        raise _wrong("a window's commit lines stand behind its end")
    return array("I", ends)


def _pages(places: Sequence[int]) -> list[Sequence[int]]:
    return [places[start : start + PAGE_EVENTS] for start in range(0, len(places), PAGE_EVENTS)]


def _page_counts(events: int) -> list[int]:
    whole, rest = divmod(events, PAGE_EVENTS)
    return [PAGE_EVENTS] * whole + ([rest] if rest else [])


def _page_bytes(count: int) -> int:
    return 2 * count + (count + 3) // 4 + 4


def _encode_page(places: Sequence[int]) -> bytes:
    low = array("H", [place & 0xFFFF for place in places])
    if sys.byteorder == "big":
        low.byteswap()
    high = bytes(place >> 16 for place in places) + bytes(-len(places) % 4)
    packed = 0
    for lane, table in enumerate(_SHIFTED):
        packed |= int.from_bytes(high[lane::4].translate(table), "little")
    content = low.tobytes() + packed.to_bytes(len(high) // 4, "little")
    return content + _CHECK.pack(crc32(content))


def _little(words: array[int]) -> bytes:
    if sys.byteorder == "big":
        words = array("I", words)
        words.byteswap()
    return words.tobytes()


def _words(data: bytes) -> array[int]:
    words = array("I", data)
    if sys.byteorder == "big":
        words.byteswap()
    return words


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _wrong(how: str) -> DamagedObject:
    return DamagedObject(f"a pack is not sound: {how}")
