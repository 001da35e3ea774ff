"""Blocks: what a frame holds, where frames are cut, and that damage and bombs are refused."""

from __future__ import annotations

import io
import itertools
import random
import threading
import tracemalloc

import pytest
import zstandard
from hypothesis import given, strategies as st

from evgit.errors import DamagedObject
from evgit.formats.block import (
    FRAME_BYTES,
    MAX_FRAME_BYTES,
    EncodedBlock,
    close_block,
    decode_frame,
    decode_frames,
    encode_block,
    encode_frames,
    frame_end,
    iter_frames,
    split_lines,
)

EVENTS = [b'{"n":%d}' % number for number in range(3)]
COMMIT = b'{"kind":"commit"}'


def frames_of(block: EncodedBlock) -> list[bytes]:
    starts = itertools.accumulate((size for size, _ in block.frames), initial=0)
    return [
        block.data[start : start + size]
        for start, (size, _) in zip(starts, block.frames, strict=False)
    ]


def test_golden_block() -> None:
    """What any zstd makes of a block of format 1. The compressed bytes may differ by version."""
    stored = bytes.fromhex(
        "28b52ffd242a5101007b226e223a307d0a7b226e223a317d0a7b226e223a327d0a7b226b696e64223a22636f6d"
        "6d6974227d0ab0a5cc38"
    )
    assert decode_frame(stored) == b'{"n":0}\n{"n":1}\n{"n":2}\n{"kind":"commit"}\n'
    assert frame_end(stored) == len(stored)
    block = encode_block(EVENTS, COMMIT)
    assert block.frames == [(len(block.data), 4)]
    assert decode_frame(block.data) == decode_frame(stored)
    assert split_lines(decode_frame(block.data)) == [*EVENTS, COMMIT]
    parameters = zstandard.get_frame_parameters(block.data)
    assert parameters.has_checksum
    assert parameters.content_size == 42
    assert parameters.dict_id == 0


def test_frames_are_cut_at_16_kib_of_text() -> None:
    line = b"x" * 1023  # 16 of them and their newlines are exactly 16 KiB
    assert FRAME_BYTES == 16_384
    assert [lines for _, lines in encode_frames([line] * 15).frames] == [15]
    assert [lines for _, lines in encode_frames([line] * 16).frames] == [16]
    assert [lines for _, lines in encode_frames([line] * 17).frames] == [16, 1]
    assert [lines for _, lines in encode_frames([line] * 32).frames] == [16, 16]
    assert encode_frames([]) == EncodedBlock(b"", [])
    assert [lines for _, lines in encode_frames([b"y" * 100_000, b"z"]).frames] == [1, 1]


def test_a_commit_has_a_frame_of_its_own_unless_all_is_small() -> None:
    line = b"x" * 1023
    assert [lines for _, lines in encode_block([], COMMIT).frames] == [1]
    assert [lines for _, lines in encode_block([line] * 15, COMMIT).frames] == [16]
    assert [lines for _, lines in encode_block([line] * 15, line).frames] == [15, 1]
    assert [lines for _, lines in encode_block([line] * 20, COMMIT).frames] == [16, 4, 1]
    early = encode_frames([line] * 20)
    assert close_block(early, COMMIT) == encode_block([line] * 20, COMMIT)


@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"") * 300), max_size=9)
)
def test_blocks_are_read_back(lines: list[bytes]) -> None:
    block = encode_block(lines, COMMIT)
    read = [split_lines(decode_frame(frame)) for frame in frames_of(block)]
    assert list(itertools.chain(*read)) == [*lines, COMMIT]
    assert [
        (len(frame), len(text)) for frame, text in zip(frames_of(block), read, strict=True)
    ] == (block.frames)
    walked = list(iter_frames(block.data))
    assert [(size, len(split_lines(text))) for _, size, text in walked] == block.frames
    assert b"".join(text for _, _, text in walked) == b"\n".join([*lines, COMMIT, b""])
    with zstandard.ZstdDecompressor().stream_reader(
        io.BytesIO(block.data), read_across_frames=True
    ) as reader:  # the frames one after another are a .zst file
        assert reader.read() == b"\n".join([*lines, COMMIT, b""])


def test_frames_of_every_kind_of_block_end_where_they_end() -> None:
    noise = random.Random(1).randbytes(300_000)
    for text in (b"", b"a", b"a" * 1_000_000, noise, noise[:1000] + b"b" * 400_000 + noise):
        for checksum in (True, False):
            frame = zstandard.ZstdCompressor(write_checksum=checksum).compress(text)
            assert frame_end(frame) == len(frame)
            assert frame_end(b"before" + frame + b"after", 6) == 6 + len(frame)
            for size in {0, 3, 4, 5, 6, 8, len(frame) // 2, len(frame) - 1}:
                with pytest.raises(DamagedObject):
                    frame_end(frame[:size])


# ---------------------------------------------------------------------------- damage

BLOCK = encode_block([b'{"amount":%d}' % (number * 7919 % 10_007) for number in range(300)], COMMIT)


def test_no_flipped_bit_changes_the_text_in_silence() -> None:
    text = decode_frame(BLOCK.data)
    unnoticed = 0
    for bit in range(len(BLOCK.data) * 8):
        damaged = bytearray(BLOCK.data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert decode_frame(bytes(damaged)) == text
            unnoticed += 1  # some bits of a frame mean nothing: RFC 8878 has decoders ignore them
        except DamagedObject:
            pass
    assert unnoticed < len(BLOCK.data) * 8 / 20


@given(st.integers(0, len(BLOCK.data) - 1))
def test_a_cut_is_noticed(size: int) -> None:
    with pytest.raises(DamagedObject):
        decode_frame(BLOCK.data[:size])
    if size:
        with pytest.raises(DamagedObject):
            list(iter_frames(BLOCK.data[:size]))


@given(st.binary(max_size=60), st.booleans())
def test_noise_is_refused(noise: bytes, like_a_frame: bool) -> None:
    data = b"\x28\xb5\x2f\xfd" * like_a_frame + noise
    with pytest.raises(DamagedObject):
        decode_frame(data)
    with pytest.raises(DamagedObject):
        list(iter_frames(data or b"x"))


def test_what_a_frame_must_not_be() -> None:
    text = b"a line\n"
    good = zstandard.ZstdCompressor(write_checksum=True).compress(text)
    assert decode_frame(good) == text
    for frame in (
        good + b"x",
        good + good,
        zstandard.ZstdCompressor(write_checksum=False).compress(text),
        b"\x50\x2a\x4d\x18\x01\x00\x00\x00x",  # a skippable frame
    ):
        with pytest.raises(DamagedObject):
            decode_frame(frame)
    with pytest.raises(DamagedObject, match="last line"):
        split_lines(b"a line\nanother")
    assert split_lines(b"") == []


def lying(frame: bytes, size: int) -> bytes:
    """The frame with another declared content size, in eight bytes (RFC 8878, 3.1.1.1)."""
    header = zstandard.frame_header_size(frame)
    descriptor = frame[4] & 0b00111111 | 0b11100000  # single segment, size in eight bytes
    return frame[:4] + bytes([descriptor]) + size.to_bytes(8, "little") + frame[header:]


def test_bombs_do_not_go_off() -> None:
    compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
    bomb = compressor.compress(b"\0" * (1 << 28))
    at_limit = compressor.compress(b"\0" * MAX_FRAME_BYTES)
    assert len(decode_frame(at_limit)) == MAX_FRAME_BYTES
    for frame in (bomb, lying(bomb, 1000), lying(bomb, 1 << 50), lying(at_limit, 1 << 62)):
        tracemalloc.start()
        with pytest.raises(DamagedObject):
            decode_frame(frame)
        with pytest.raises(DamagedObject):
            list(iter_frames(frame))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * MAX_FRAME_BYTES
    with pytest.raises(DamagedObject, match="more than 10 bytes"):
        decode_frame(encode_frames([b"x" * 20]).data, max_size=10)


def test_frames_without_declared_size_are_refused_or_bounded() -> None:
    compressor = zstandard.ZstdCompressor(level=1, write_checksum=True).compressobj()
    stream = compressor.compress(b"\0" * (1 << 26)) + compressor.flush()
    assert zstandard.get_frame_parameters(stream).content_size == zstandard.CONTENTSIZE_UNKNOWN
    with pytest.raises(DamagedObject):
        decode_frame(stream)


def test_threads_do_not_disturb_each_other() -> None:
    lines = [random.Random(seed).randbytes(3000).hex().encode() for seed in range(40)]
    expected = encode_block(lines, COMMIT)
    failures: list[object] = []

    def work() -> None:
        for _ in range(20):
            block = encode_block(lines, COMMIT)
            if block != expected or b"".join(t for _, _, t in iter_frames(block.data)) != (
                b"\n".join([*lines, COMMIT, b""])
            ):
                failures.append(block)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@given(
    st.lists(st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b""))), max_size=6),
    st.data(),
)
def test_frames_decoded_at_once_are_those_decoded_one_by_one(
    lines: list[list[bytes]], data: st.DataObject
) -> None:
    frames = [frames_of(encode_frames(part))[0] for part in lines if part]
    assert decode_frames(frames) == ([decode_frame(frame) for frame in frames] or None)
    if not frames:
        return
    place = data.draw(st.integers(0, len(frames) - 1))
    frame = bytearray(frames[place])
    change = data.draw(st.sampled_from(["flip", "cut", "more", "skippable", "twice", "empty"]))
    if change == "flip":
        frame[data.draw(st.integers(0, len(frame) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    elif change == "cut":
        del frame[data.draw(st.integers(0, len(frame) - 1)) :]
    elif change == "empty":
        frame[:] = zstandard.ZstdCompressor(write_checksum=True).compress(b"")
    else:
        skippable = b"\x50\x2a\x4d\x18\0\0\0\0"
        frame += {"more": b"x", "skippable": skippable, "twice": bytes(frame)}[change]
    frames[place] = bytes(frame)
    found = decode_frames(frames)
    if found is not None:
        assert found == [decode_frame(frame) for frame in frames]


def test_frames_that_declare_too_much_are_left_to_be_decoded_one_by_one() -> None:
    def frame(size: int) -> bytes:
        return zstandard.ZstdCompressor(write_checksum=True).compress(bytes(size))

    assert decode_frames([frame(MAX_FRAME_BYTES)]) == [bytes(MAX_FRAME_BYTES)]
    assert decode_frames([frame(MAX_FRAME_BYTES + 1)]) is None
    assert decode_frames([frame(MAX_FRAME_BYTES), frame(1)]) is None
    plain = zstandard.ZstdCompressor(write_checksum=False)
    assert decode_frames([plain.compress(b"x")]) is None
    unsized = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False)
    assert decode_frames([unsized.compress(b"x")]) is None
