"""Blobs that travel in a pack: pieces of raw bytes in skippable frames behind the windows.

The head of the pack says which blobs it brings and how large each is. So where each piece stands
can be computed, and a piece is found without reading those before it. This module must not know
files, nor what blobs are for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from evgit.errors import DamagedObject
from evgit.formats.pack import BLOB, PREFIX_BYTES, checked, decode_prefix, unchecked

PIECE_BYTES = 1 << 20
_AROUND = PREFIX_BYTES + 4


def frames_bytes(size: int) -> int:
    """How many bytes of a pack the frames of a blob of `size` bytes take."""
    return size + _AROUND * -(-size // PIECE_BYTES)


def encode_pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The frames of one blob, whose bytes come in chunks of any size."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= PIECE_BYTES:
            yield checked(BLOB, bytes(held[:PIECE_BYTES]))
            del held[:PIECE_BYTES]
    if held:
        yield checked(BLOB, bytes(held))


def piece_sizes(size: int) -> Iterator[int]:
    """How many bytes of a blob stand in each of its frames."""
    while size:
        piece = min(size, PIECE_BYTES)
        yield piece
        size -= piece


def check_piece(name: bytes, size: int, expected: int) -> None:
    """Raise DamagedObject unless a frame of this name and size holds `expected` bytes of a blob."""
    if name != BLOB or size != expected + 4:
        raise DamagedObject("a pack is not sound: it lacks a piece of a blob that its head names")


def offsets(blobs: Mapping[str, int], index_offset: int) -> dict[str, int]:
    """{id: where its first frame stands} in a pack whose index is at `index_offset`.

    Raises DamagedObject where that can't be.
    """
    at = index_offset - sum(map(frames_bytes, blobs.values()))
    if at < 0:
        raise DamagedObject("a pack is not sound: its blobs are larger than it is")
    found: dict[str, int] = {}
    for blob_id, size in sorted(blobs.items()):
        found[blob_id] = at
        at += frames_bytes(size)
    return found


def decode_piece(frame: bytes, expected: int) -> bytes:
    """What a whole frame holds, which must be `expected` bytes. Raises DamagedObject."""
    name, size = decode_prefix(frame)
    check_piece(name, size, expected)
    return unchecked(BLOB, frame[PREFIX_BYTES:])
