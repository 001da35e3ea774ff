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
from evgit.formats.block import COMMIT_START, decode_frame, frame_end, split_lines
from evgit.formats.canonical import MAX_OBJECT_BYTES
from evgit.formats.commit import MAX_EVENTS

FRAME_TEXT_BYTES = 1 << 18  # so much at most is lost where a line is cut
LEVEL = 3
MAX_FRAME_TEXT = FRAME_TEXT_BYTES + MAX_OBJECT_BYTES + 1
MAX_FRAME_BYTES = MAX_FRAME_TEXT + (1 << 16)  # what can't be compressed grows a little
MAX_BLOCK_BYTES = 256 << 20
CHUNK_TEXT_BYTES = 1 << 17  # so much is worth looking at together
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
TAG_START = b'{"kind":"tag",'
_TOLD_BY = 10  # bytes of a canonical line tell its kind
_COMMIT, _TAG = COMMIT_START[:_TOLD_BY], TAG_START[:_TOLD_BY]
_MAGIC = b"\x28\xb5\x2f\xfd"


class ReceivedBlock(NamedTuple):
    """Lines of one block as they came: events (or `again` lines), and the commit. No newlines."""

    lines: list[bytes]
    commit_line: bytes


def encode_transfer(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Frames of about 256 KiB that hold the texts: whole lines, each ending with a newline.

    A longer text is cut between lines.
    """
    compress = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress
    held: list[bytes] = []
    size = 0
    for whole in texts:
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
    """The lines of each frame of a transfer that comes in chunks of any size.

    With `cut_short`, an end in the middle is the end, and so is the last whole block: what follows
    it is left out.

    Holds one frame at a time, never more than 17 MiB of text, whatever size a frame declares.
    Raises InvalidObject for what is no zstd, is damaged or too big, or ends in the middle.
    """
    held = b""
    open_block: list[bytes] = []
    for chunk in chunks:
        held = held + chunk if held else bytes(chunk)
        while frame := _first_frame(held):
            held = held[len(frame) :]
            if frame[:4] != _MAGIC:
                continue  # a skippable frame holds nothing that a transfer needs
            try:
                lines = split_lines(decode_frame(frame, MAX_FRAME_TEXT))
            except DamagedObject as error:
                raise InvalidObject(f"a transfer is not sound: {error}") from None
            if cut_short:
                lines, open_block = _whole_blocks(open_block + lines, 0)
            yield lines
    if held and not cut_short:
        raise InvalidObject("a transfer ends in the middle of a frame")


def _whole_blocks(lines: list[bytes], least: int) -> tuple[list[bytes], list[bytes]]:
    """(lines up to the last commit or tag, lines after it). It is not among the first `least`."""
    starts = [line[:_TOLD_BY] for line in reversed(lines[least:])]
    places = [starts.index(start) for start in (_COMMIT, _TAG) if start in starts]
    if not places:
        return [], lines
    end = len(lines) - min(places)
    return lines[:end], lines[end:]


def _first_frame(held: bytes) -> bytes:
    """The first frame if all of it is there, else nothing. Raises InvalidObject."""
    if len(held) < 8:
        return b""
    if held[:4] == _MAGIC:
        size = _size_of_frame(held)
    elif int.from_bytes(held[:4], "little") in _SKIPPABLE:
        size = 8 + int.from_bytes(held[4:8], "little")
    else:
        raise InvalidObject("a transfer holds something that is not zstd")
    if max(size, len(held) if not size else 0) > MAX_FRAME_BYTES:
        raise InvalidObject(f"a frame of more than {MAX_FRAME_BYTES:,} bytes in a transfer")
    return held[:size] if 0 < size <= len(held) else b""


def _size_of_frame(held: bytes) -> int:
    """Bytes of the zstd frame that `held` begins with; 0 while it is not all there."""
    try:
        return frame_end(held)
    except DamagedObject:
        return 0


def whole_blocks(frames: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """The lines of some frames, cut behind a commit or a tag. Raises InvalidObject as
    `received_blocks` does, and for an end in the middle of a block."""
    held: list[bytes] = []
    size = checked = 0
    for frame in frames:
        held = held + frame if held else frame
        size += sum(map(len, frame)) + len(frame)
        if size < CHUNK_TEXT_BYTES:
            continue
        chunk, held = _whole_blocks(held, checked)
        if chunk:
            yield chunk
            size = sum(map(len, held)) + len(held)
        checked = len(held)
        if len(held) > MAX_EVENTS or size > MAX_BLOCK_BYTES:
            raise InvalidObject(
                f"a block of more than {MAX_EVENTS:,} events or {MAX_BLOCK_BYTES:,} bytes"
            )
    if held:
        yield held


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
