"""Blocks: the events of a commit and the commit that closes them, as zstd frames of JSON lines.

A line is an object's canonical bytes and a newline. Lines never straddle frames, so that one frame
can be read alone, and a block's frames one after another are a valid .zst file.

This module knows lines and frames, not what the lines say nor where blocks are kept.
"""

from __future__ import annotations

import sys
import threading
from array import array
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import accumulate, chain
from operator import eq
from typing import NamedTuple, Protocol

import zstandard

from evgit.errors import DamagedObject
from evgit.formats.canonical import MAX_OBJECT_BYTES
from evgit.formats.native import native

FRAME_BYTES = 16 * 1024
"""A frame is cut after the line that brings its text to this size."""
ZSTD_LEVEL = 1
MAX_FRAME_BYTES = FRAME_BYTES + MAX_OBJECT_BYTES + 1
"""Most text that a frame can hold: one that is almost full, and the largest line."""
_MAX_WINDOW = 1 << 25  # covers MAX_FRAME_BYTES; a frame that asks for more memory is refused
_MAGIC = b"\x28\xb5\x2f\xfd"
COMMIT_START = b'{"author":'
"""What the line of a commit begins with, by which a block ends, and no other canonical line."""
_LEAST_LINES = 3
"""Blocks that are joined have so many lines, so that none need be read to tell a small one."""
_LONGEST_HEADER = 18
_REPEATED_BYTE = 1
_LAST_COMPRESSED = 2 << 1 | 1


class Text(Protocol):
    """What one frame held, not yet as bytes of its own."""

    def __len__(self) -> int: ...

    def __buffer__(self, flags: int, /) -> memoryview: ...

    def tobytes(self) -> bytes: ...


class Texts(Protocol):
    """What several frames held."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Text]: ...


class EncodedBlock(NamedTuple):
    """`frames`: (compressed size in bytes, number of lines) of every frame in `data`, in order."""

    data: bytes
    frames: list[tuple[int, int]]


class WholeFrames(NamedTuple):
    """Frames one after another that hold whole lines, each with its newline."""

    data: bytes


class _Zstd(threading.local):
    """Contexts, which are dear to make and must not be shared between threads."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(
            level=ZSTD_LEVEL, write_checksum=True, write_content_size=True
        )
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)


_zstd = _Zstd()


def encode_frames(lines: Sequence[bytes]) -> EncodedBlock:
    """Compresses lines (each without its newline) into frames of 16 KiB of text and more."""
    return encode_text(b"\n".join(lines) + b"\n" if lines else b"")


def encode_text(text: bytes) -> EncodedBlock:
    """The same for lines that stand in one text, each with its newline."""
    compressed, frames = [], []
    compress = _zstd.compressor.compress
    start, end = 0, len(text)
    while start < end:
        stop = text.find(b"\n", start + FRAME_BYTES - 1) + 1 or end
        piece = text[start:stop]
        frame = compress(piece)
        compressed.append(frame)
        frames.append((len(frame), count_lines(piece)))
        start = stop
    return EncodedBlock(b"".join(compressed), frames)


def close_block(events: EncodedBlock, commit_line: bytes) -> EncodedBlock:
    """Adds the commit, in a frame of its own, to event frames that were compressed before."""
    frame = _zstd.compressor.compress(commit_line + b"\n")
    return EncodedBlock(events.data + frame, [*events.frames, (len(frame), 1)])


def encode_block(event_lines: Sequence[bytes], commit_line: bytes) -> EncodedBlock:
    """The block of a commit: one frame if all of it is below 16 KiB, else as `close_block`."""
    lines = [*event_lines, commit_line]
    if sum(map(len, lines)) + len(lines) < FRAME_BYTES:
        return encode_frames(lines)
    return close_block(encode_frames(event_lines), commit_line)


def encode_small_block(text: bytes) -> bytes:
    """The one frame of a block whose lines, each with its newline, are below 16 KiB."""
    return _zstd.compressor.compress(text)


def encode_text_block(text: bytes, event_bytes: int) -> EncodedBlock:
    """As `close_block`, of a text of lines, each with its newline: those of the events, which have
    so many bytes, and the commit's."""
    return close_block(encode_text(text[:event_bytes]), text[event_bytes:-1])


def encode_together(
    text: bytes,
    ends: Sequence[int],
    lines: Sequence[int],
    kept: Sequence[EncodedBlock | None] = (),
) -> Iterator[tuple[int, EncodedBlock]]:
    """(number of blocks, frames) of blocks that stand in a text, each up to its one of `ends` and
    of so many `lines`: small ones that follow one another become one frame together, large ones
    are as `encode_block` has them, or as they are in `kept`."""
    start = held = 0  # where blocks begin that are to be joined, and how many there are
    before = 0
    for number, end in enumerate(ends):
        if end - before >= FRAME_BYTES:
            yield from _in_one_frame(text, start, ends[number - held : number], lines, number)
            found = kept[number] if kept else None
            yield 1, found or _encode_large(text[before:end])
            start, held = end, 0
        else:
            held += 1
            if end - start >= FRAME_BYTES:
                joined = ends[number + 1 - held : number + 1]
                yield from _in_one_frame(text, start, joined, lines, number + 1)
                start, held = end, 0
        before = end
    yield from _in_one_frame(text, start, ends[len(ends) - held :], lines, len(ends))


def _encode_large(text: bytes) -> EncodedBlock:
    commit = text.rfind(b"\n", 0, -1) + 1
    return close_block(encode_text(text[:commit]), text[commit:-1])


def _in_one_frame(
    text: bytes, start: int, ends: Sequence[int], lines: Sequence[int], behind: int
) -> Iterator[tuple[int, EncodedBlock]]:
    """The blocks up to number `behind`, which begin at `start`."""
    counts = lines[behind - len(ends) : behind]
    if sum(counts) < _LEAST_LINES:
        for end in ends:
            yield 1, encode_text(text[start:end])
            start = end
        return
    frame = _zstd.compressor.compress(text[start : ends[-1]])
    yield len(ends), EncodedBlock(frame, [(len(frame), sum(counts))])


def may_be_joined(frames: int, lines: int) -> bool:
    """May so many frames with so many lines be of several blocks?"""
    return frames == 1 and lines >= _LEAST_LINES


def split_blocks(lines: Sequence[bytes]) -> list[list[bytes]]:
    """The lines of each of the blocks that these lines are; the last may lack its commit."""
    blocks: list[list[bytes]] = []
    start = 0
    for place, line in enumerate(lines, 1):
        if line.startswith(COMMIT_START):
            blocks.append(list(lines[start:place]))
            start = place
    return [*blocks, list(lines[start:])] if start < len(lines) else blocks


def is_cut_alike(texts: Sequence[bytes]) -> bool:
    """Are these the texts of the frames that `encode_block` would make of a large block?"""
    *events, commit = texts
    if not events or not all(texts) or commit.find(b"\n") != len(commit) - 1:
        return False
    ends = [text.find(b"\n", FRAME_BYTES - 1) + 1 or len(text) for text in events]
    return (
        all(map(eq, ends, map(len, events)))
        and min(map(len, events[:-1]), default=FRAME_BYTES) >= FRAME_BYTES
        and sum(map(len, texts)) >= FRAME_BYTES
    )


def directory_of(frames: Sequence[tuple[int, int]]) -> bytes:
    """(compressed size, lines) of each frame, as a repository keeps them beside a block."""
    words = array("I", chain.from_iterable(frames))
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()


def decode_frame(frame: bytes, max_size: int = MAX_FRAME_BYTES) -> bytes:
    """The text of one frame, which `frame` holds and nothing else.

    Never makes more than `max_size` bytes, whatever size the frame declares. Raises DamagedObject
    when the bytes are not a frame, its checksum is wrong, or it is too big.
    """
    try:
        declared = zstandard.get_frame_parameters(frame)
        if not declared.has_checksum or declared.content_size > max_size:
            raise DamagedObject(
                f"a zstd frame without checksum, or of more than {max_size:,} bytes"
            )
        # No more than the declared size is made; a frame that holds more or less is an error.
        return _zstd.decompressor.decompress(
            frame, max_output_size=max_size, allow_extra_data=False
        )
    except (zstandard.ZstdError, MemoryError) as error:
        raise DamagedObject(f"a zstd frame is damaged: {error}") from None


def decode_frames(frames: Sequence[bytes]) -> list[bytes] | None:
    """The texts of several frames, at the cost of one call: Python can do other things meanwhile.

    None where that can't be done, or a frame is not as it should be: `decode_frame` knows which.
    """
    found = decompress_frames(frames) if can_decompress(list(frames)) else None
    return None if found is None else [text.tobytes() for text in found]


def can_decompress(frames: list[bytes]) -> bool:
    """Do these say of themselves that each is a frame that `decompress_frames` may be given?"""
    declared_by_all = None if native is None else native.declared(frames)
    if declared_by_all is not None:
        return declared_by_all <= MAX_FRAME_BYTES
    return can_decompress_in_python(frames)


def can_decompress_in_python(frames: Sequence[bytes]) -> bool:
    """The same, frame by frame."""
    try:
        declared = [zstandard.get_frame_parameters(frame) for frame in frames]
        sizes = [found.content_size for found in declared]
        if not frames or not all(found.has_checksum for found in declared) or 0 in sizes:
            return False
        if sum(sizes) > MAX_FRAME_BYTES:  # what doesn't say how much it holds says 2**64 - 1
            return False
        return all(map(_is_one_frame, frames))
    except (zstandard.ZstdError, DamagedObject):
        return False


def _is_one_frame(data: bytes) -> bool:
    """Does a frame with a checksum end where these bytes do? As `frame_end` has it, which is asked
    where the frame has more than one block: small ones have one."""
    place = zstandard.frame_header_size(data)
    block = int.from_bytes(data[place : place + 3], "little")
    if block & 7 == _LAST_COMPRESSED:
        return place + 7 + (block >> 3) == len(data)  # with this header, and the checksum
    return frame_end(data) == len(data)


def decompress_frames(frames: Sequence[bytes]) -> Texts | None:
    """The texts of several frames that were looked at (`can_decompress`), each with `tobytes`.

    None as in `decode_frames`. It takes one call, for which Python is not needed: another thread
    can do it ahead.
    """
    decode = getattr(_zstd.decompressor, "multi_decompress_to_buffer", None)
    if decode is None:  # only zstandard's C backend has it
        return None
    try:
        found: Texts = decode(frames)
        return found
    except (zstandard.ZstdError, ValueError, MemoryError):
        return None


def iter_frames(data: bytes, max_size: int = MAX_FRAME_BYTES) -> Iterator[tuple[int, int, bytes]]:
    """(offset, compressed size, text) of every frame in a block, found without a directory."""
    offset = 0
    while offset < len(data):
        end = frame_end(data, offset)
        yield offset, end - offset, decode_frame(data[offset:end], max_size)
        offset = end


def split_frames(data: bytes, offset: int = 0) -> list[bytes]:
    """The frames that stand one after another from `offset` on. Raises DamagedObject."""
    frames = []
    while offset < len(data):
        end = frame_end(data, offset)
        frames.append(data[offset:end])
        offset = end
    return frames


def frame_end(data: bytes, offset: int = 0) -> int:
    """Where the zstd frame at `offset` ends, read from its block headers without decompressing.

    The layout is RFC 8878, section 3.1.1. Raises DamagedObject when there is no whole frame.
    """
    header = data[offset : offset + _LONGEST_HEADER]
    if header[:4] != _MAGIC:
        raise DamagedObject("stored bytes do not begin a zstd frame")
    try:
        position = offset + zstandard.frame_header_size(header)
        checksum = 4 if zstandard.get_frame_parameters(header).has_checksum else 0
    except zstandard.ZstdError as error:
        raise DamagedObject(f"a zstd frame is damaged: {error}") from None
    last = False
    while not last and position + 3 <= len(data):
        block = int.from_bytes(data[position : position + 3], "little")
        last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
        position += 3 + (1 if kind == _REPEATED_BYTE else size)
    if not last or position + checksum > len(data):
        raise DamagedObject("a zstd frame is cut short")
    return position + checksum


def ended_lines(text: bytes | bytearray) -> list[bytes]:
    """The lines of a text with their newlines: a third of the time that splitting it takes, which
    looks at byte after byte."""
    return BytesIO(text).readlines()


def line_starts(text: bytes | bytearray) -> array[int]:
    """Where each line of a text of less than 4 GiB begins, and, behind them, where the last one
    ends; it need not have a newline."""
    found = None if native is None else native.line_starts(text)
    if found is None:
        return array("I", accumulate(map(len, ended_lines(text)), initial=0))
    return array("I", found)


def count_lines(text: bytes) -> int:
    """How many newlines there are: a quarter of the time that `count` takes, which looks at byte
    after byte, where this looks for the next one."""
    return len(text) - len(text.replace(b"\n", b""))


def split_lines(text: bytes) -> list[bytes]:
    """The lines of a frame's text, without newlines. Raises DamagedObject if the last has none."""
    lines = text.split(b"\n")
    if lines.pop():
        raise DamagedObject("a frame's last line has no end")
    return lines
