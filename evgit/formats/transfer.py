"""What travels between machines: lines of canonical JSON in zstd frames, blocks in order.

A transfer is a valid .zst file: events, then the commit that closes their block, block after
block, parents before children; lines of tags stand between blocks. Lines never straddle frames. It
carries no index, so that it can be made and checked while it flows. This module must not know
where bytes come from, nor what a line says beyond its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import zstandard

from evgit.errors import DamagedObject, InvalidObject
from evgit.formats.block import (
    COMMIT_START,
    WholeFrames,
    count_lines,
    decode_frame,
    frame_end,
    split_lines,
)
from evgit.formats.canonical import MAX_OBJECT_BYTES
from evgit.formats.commit import MAX_EVENTS

FRAME_TEXT_BYTES = 1 << 18  # so much at most is lost where a line is cut
LEVEL = 1
"""Higher ones take longer, and give no fewer bytes for lines with an id and a hash in them."""
MAX_FRAME_TEXT = FRAME_TEXT_BYTES + MAX_OBJECT_BYTES + 1
MAX_FRAME_BYTES = MAX_FRAME_TEXT + (1 << 16)  # what can't be compressed grows a little
MAX_BLOCK_BYTES = 256 << 20
CHUNK_TEXT_BYTES = 1 << 17  # so much is worth looking at together
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
TAG_START = b'{"kind":"tag",'
_MAGIC = b"\x28\xb5\x2f\xfd"


class Frame(NamedTuple):
    """A frame of a transfer, and the whole lines that it holds, each with its newline. `data` is
    nothing where the lines came in another way."""

    data: bytes
    text: bytes


class WholeBlocks(NamedTuple):
    """Some blocks (and lines of tags) of a transfer, whole: their lines in several texts, each in
    one of `frames`; there are none of those where they hold other lines as well. `size`: bytes of
    all lines."""

    texts: list[bytes]
    frames: list[bytes]
    size: int

    @classmethod
    def in_frames(cls, frames: list[bytes]) -> WholeBlocks:
        """Those that stand in frames of a transfer. Raises DamagedObject."""
        texts = [decode_frame(frame, MAX_FRAME_TEXT) for frame in frames]
        return cls(texts, frames, sum(map(len, texts)))

    def folded(self) -> WholeBlocks:
        """The same to be kept for a while: without texts, if they can be had again."""
        return WholeBlocks([], self.frames, self.size) if self.frames else self

    def unfolded(self) -> WholeBlocks:
        """The same with texts."""
        return self if self.texts else WholeBlocks.in_frames(self.frames)

    @property
    def held(self) -> int:
        """Bytes that are held for it."""
        return sum(map(len, self.texts)) + sum(map(len, self.frames))

    @property
    def lines(self) -> list[bytes]:
        """All lines, without newlines."""
        return split_lines(b"".join(self.unfolded().texts))


class ReceivedBlock(NamedTuple):
    """Lines of one block as they came: events (or `again` lines), and the commit. No newlines."""

    lines: list[bytes]
    commit_line: bytes


def encode_transfer(texts: Iterable[bytes | WholeFrames]) -> Iterator[bytes]:
    """Frames of about 256 KiB that hold the texts: whole lines, each ending with a newline.

    A longer text is cut between lines. What is in frames already stays in them.
    """
    compress = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress
    held: list[bytes] = []
    size = 0
    for whole in texts:
        if isinstance(whole, WholeFrames):
            if held:
                yield compress(b"".join(held))
                held, size = [], 0
            yield whole.data
            continue
        for text in _pieces(whole):
            if held and size + len(text) > FRAME_TEXT_BYTES:
                yield compress(b"".join(held))
                held, size = [], 0
            held.append(text)
            size += len(text)
    if held:
        yield compress(b"".join(held))


def _pieces(text: bytes) -> Iterator[bytes]:
    start = 0
    while len(text) - start > FRAME_TEXT_BYTES:
        end = text.rfind(b"\n", start, start + FRAME_TEXT_BYTES) + 1
        if end <= start:
            end = text.index(b"\n", start) + 1
        yield text[start:end]
        start = end
    yield text[start:] if start else text


def decode_transfer(chunks: Iterable[bytes], *, cut_short: bool = False) -> Iterator[list[bytes]]:
    """The lines of each frame of a transfer, as `transfer_frames` gives them."""
    return (split_lines(frame.text) for frame in transfer_frames(chunks, cut_short=cut_short))


def frames_of_lines(groups: Iterable[list[bytes]]) -> Iterator[Frame]:
    """Lines (without newlines) that were frames, or parts of them, as `transfer_frames` gives."""
    return (Frame(b"", b"\n".join([*lines, b""])) for lines in groups if lines)


def transfer_frames(chunks: Iterable[bytes], *, cut_short: bool = False) -> Iterator[Frame]:
    """The frames of a transfer that comes in chunks of any size.

    With `cut_short`, an end in the middle is the end, and so is the last whole block: what follows
    it is left out.

    Holds one frame at a time, never more than 17 MiB of text, whatever size a frame declares.
    Raises InvalidObject for what is no zstd, is damaged or too big, or ends in the middle.
    """
    held, start = b"", 0
    open_block: list[Frame] = []
    for chunk in chunks:
        held = held[start:] + chunk if start < len(held) else bytes(chunk)
        start = 0
        while frame := _first_frame(held, start):
            start += len(frame)
            if frame[:4] != _MAGIC:
                continue  # a skippable frame holds nothing that a transfer needs
            try:
                text = decode_frame(frame, MAX_FRAME_TEXT)
            except DamagedObject as error:
                raise InvalidObject(f"a transfer is not sound: {error}") from None
            if text and not text.endswith(b"\n"):
                raise InvalidObject("a transfer is not sound: a frame's last line has no end")
            if not cut_short:
                yield Frame(frame, text)
            elif end := _end_of_last(text):
                yield from open_block
                yield Frame(frame if end == len(text) else b"", text[:end])
                open_block = [Frame(b"", text[end:])] if end < len(text) else []
            else:
                open_block.append(Frame(frame, text))
    if start < len(held) and not cut_short:
        raise InvalidObject("a transfer ends in the middle of a frame")


def _end_of_last(text: bytes) -> int:
    """Where the last line of a commit or a tag ends in whole lines; 0 where there is none."""
    last = text.rfind(b"\n", 0, -1) + 1
    if text.startswith((COMMIT_START, TAG_START), last):
        return len(text)  # as in most cases
    last = max(text.rfind(b"\n" + COMMIT_START), text.rfind(b"\n" + TAG_START))
    if last < 0 and not text.startswith((COMMIT_START, TAG_START)):
        return 0
    return text.index(b"\n", last + 1) + 1


def _first_frame(held: bytes, start: int) -> bytes:
    """The frame that begins there if all of it is there, else nothing. Raises InvalidObject."""
    there = len(held) - start
    if there < 8:
        return b""
    magic = held[start : start + 4]
    if magic == _MAGIC:
        size = _size_of_frame(held, start)
    elif int.from_bytes(magic, "little") in _SKIPPABLE:
        size = 8 + int.from_bytes(held[start + 4 : start + 8], "little")
    else:
        raise InvalidObject("a transfer holds something that is not zstd")
    if max(size, there if not size else 0) > MAX_FRAME_BYTES:
        raise InvalidObject(f"a frame of more than {MAX_FRAME_BYTES:,} bytes in a transfer")
    return held[start : start + size] if 0 < size <= there else b""


def _size_of_frame(held: bytes, start: int) -> int:
    """Bytes of the zstd frame that begins there; 0 while it is not all there."""
    try:
        return frame_end(held, start) - start
    except DamagedObject:
        return 0


def whole_blocks(frames: Iterable[Frame]) -> Iterator[WholeBlocks]:
    """The lines of some frames, cut behind a commit or a tag. Raises InvalidObject as
    `received_blocks` does; what comes last may end in the middle of a block."""
    held: list[Frame] = []
    size = looked_at = lines = 0
    for frame in frames:
        held.append(frame)
        size += len(frame.text)
        if size < CHUNK_TEXT_BYTES:
            continue
        for place in range(len(held) - 1, looked_at - 1, -1):
            end = _end_of_last(held[place].text)
            if end:
                yield _cut(held, place, end)
                rest = [Frame(b"", held[place].text[end:])] if end < len(held[place].text) else []
                held = rest + held[place + 1 :]
                size, looked_at, lines = sum(len(one.text) for one in held), 0, 0
                break
        lines += sum(count_lines(one.text) for one in held[looked_at:])
        looked_at = len(held)
        if lines > MAX_EVENTS or size > MAX_BLOCK_BYTES:
            raise InvalidObject(
                f"a block of more than {MAX_EVENTS:,} events or {MAX_BLOCK_BYTES:,} bytes"
            )
    if held:
        yield _cut(held, len(held) - 1, len(held[-1].text))


def _cut(held: list[Frame], place: int, end: int) -> WholeBlocks:
    """The lines of frames up to a byte of the text of one of them."""
    taken = held[: place + 1]
    texts = [frame.text for frame in taken]
    frames = [frame.data for frame in taken]
    if end < len(texts[-1]) or not all(frames):
        texts[-1] = texts[-1][:end]
        frames = []
    return WholeBlocks(texts, frames, sum(map(len, texts)))


def received_blocks(frames: Iterable[list[bytes]]) -> Iterator[ReceivedBlock | bytes]:
    """Blocks, and lines of tags, as they follow one another. Raises InvalidObject.

    Kinds are told by how canonical lines begin; that they are canonical is for others to check. A
    block of more than 65,536 events or 256 MiB is refused before all of it is held.
    """
    lines: list[bytes] = []
    size = 0
    for frame in frames:
        for line in frame:
            if line.startswith(COMMIT_START):
                yield ReceivedBlock(lines, line)
                lines, size = [], 0
            elif line.startswith(TAG_START):
                if lines:
                    raise InvalidObject("a tag stands inside a block of a transfer")
                yield line
            else:
                lines.append(line)
                size += len(line)
                if len(lines) > MAX_EVENTS or size > MAX_BLOCK_BYTES:
                    raise InvalidObject(
                        f"a block of more than {MAX_EVENTS:,} events or {MAX_BLOCK_BYTES:,} bytes"
                    )
    if lines:
        raise InvalidObject("a transfer ends in the middle of a block")
