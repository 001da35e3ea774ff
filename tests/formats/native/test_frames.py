"""What zstd frames say of themselves, read without zstd."""

from __future__ import annotations

import pytest
import zstandard
from hypothesis import given, strategies as st

from evgit.formats.block import MAX_FRAME_BYTES, can_decompress, can_decompress_in_python
from evgit.formats.native import native


def frame(data: bytes, level: int = 1, *, checksum: bool = True, size: bool = True) -> bytes:
    return zstandard.ZstdCompressor(
        level=level, write_checksum=checksum, write_content_size=size
    ).compress(data)


TEXTS = [b"x", b"some text\n" * 30, b"a" * 300, b"a" * 70_000, bytes(range(256)) * 1200]
FRAMES = [frame(text, level) for text in TEXTS for level in (-1, 1, 3, 19)]


def test_whole_frames() -> None:
    assert can_decompress_in_python(FRAMES)
    assert can_decompress(FRAMES)
    if native is not None:
        assert native.declared(FRAMES) == 4 * sum(map(len, TEXTS))


UNUSUAL = {
    "nothing": [],
    "no bytes": [b""],
    "without checksum": [frame(TEXTS[1], checksum=False)],
    "without its size": [frame(TEXTS[1], size=False)],
    "empty": [frame(b"")],
    "no frame": [b"no frame at all"],
    "something behind it": [FRAMES[0] + b"x"],
    "two": [FRAMES[0] + FRAMES[1]],
    "skippable": [b"\x50\x2a\x4d\x18\x00\x00\x00\x00"],
    "too much": [frame(bytes(MAX_FRAME_BYTES)), FRAMES[0]],
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_unusual(name: str) -> None:
    assert not can_decompress_in_python(UNUSUAL[name])
    assert not can_decompress(UNUSUAL[name])


def agree(data: bytes) -> None:
    """The native part says no more than what is so."""
    if native is not None and native.declared([data]) is not None:
        assert can_decompress_in_python([data])
        assert native.declared([data]) == zstandard.get_frame_parameters(data).content_size


@pytest.mark.parametrize("data", FRAMES[:8])
def test_every_prefix_and_every_flipped_bit(data: bytes) -> None:
    for place in range(len(data)):
        agree(data[:place])
        for bit in range(8):
            agree(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])


@given(st.binary(max_size=40), st.sampled_from(FRAMES[:8]), st.integers(0, 40))
def test_any_bytes(given: bytes, data: bytes, place: int) -> None:
    agree(given)
    agree(b"\x28\xb5\x2f\xfd" + given)
    agree(data[:place] + given + data[place:])
