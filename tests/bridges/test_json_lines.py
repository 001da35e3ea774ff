"""Reading and writing lines: compression, line ends, limits, and batches that don't depend on how
the bytes arrive."""

from __future__ import annotations

import gzip
import io
import os
import random
import resource
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, strategies as st

from evgit.bridges import json_lines
from evgit.bridges.json_lines import LineReader
from evgit.bridges.line_writing import LineWriter
from evgit.errors import InvalidEvent, InvalidInput, NotFound, ReadOnly, StorageFull, UsageError

SKIPPABLE = b"\x5a\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"xyz"


class Dribble(io.RawIOBase):
    """A pipe that gives its bytes in pieces of random size."""

    def __init__(self, data: bytes, seed: int = 1, most: int = 7) -> None:
        self._rest = data
        self._random = random.Random(seed)
        self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        count = min(len(buffer), len(self._rest), self._random.randint(1, self._most))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def read(data: bytes, size: int = 1000) -> list[tuple[int, bytes]]:
    batches = LineReader(io.BytesIO(data)).batches(size)
    return [pair for batch in batches for pair in zip(batch.numbers, batch.lines, strict=True)]


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        zstd,
        lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:]),
        lambda data: SKIPPABLE + zstd(data[:7]) + SKIPPABLE + zstd(data[7:]) + SKIPPABLE,
    ],
    ids=["plain", "gzip", "zstd", "two gzip members", "zstd frames and skippable ones"],
)
@pytest.mark.parametrize("open_source", [io.BytesIO, Dribble])
def test_compression_is_recognised_by_its_first_bytes(pack, open_source):
    data = b"".join(b'{"n":%d}\n' % n for n in range(5000))
    batches = list(LineReader(open_source(pack(data))).batches(999))
    assert [len(batch.lines) for batch in batches] == [999] * 5 + [5]
    assert b"".join(line + b"\n" for batch in batches for line in batch.lines) == data


def test_line_ends_blank_lines_and_byte_order_mark():
    data = b'\xef\xbb\xbf{"a":1}\r\n\r\n  \t\n{"b":2}\n\n\n{"c":3}'
    assert read(data) == [(1, b'{"a":1}\r'), (4, b'{"b":2}'), (7, b'{"c":3}')]
    assert read(data, size=1) == read(data)


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\n \r\n", b"\xef\xbb\xbf", zstd(b""), SKIPPABLE])
def test_nothing_in_it(data):
    assert read(data) == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_wide_characters_are_refused_with_advice(encoding):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    with pytest.raises(InvalidInput, match="not UTF-8") as refused:
        read(mark + '{"a":1}\n'.encode(encoding))
    assert "iconv" in refused.value.hint


@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), max_size=60),
    st.integers(1, 20),
    st.integers(0, 2**32),
)
def test_batches_depend_on_the_lines_alone(lines, size, seed):
    lines = [b"#" + line for line in lines]  # no line is a mark or a magic number
    data = b"\n".join(lines)
    at_once = list(LineReader(io.BytesIO(data)).batches(size))
    in_pieces = list(LineReader(Dribble(data, seed)).batches(size))
    assert [(b.lines, list(b.numbers)) for b in at_once] == [
        (b.lines, list(b.numbers)) for b in in_pieces
    ]
    assert [line for batch in at_once for line in batch.lines] == lines
    assert all(len(batch.lines) == size for batch in at_once[:-1])


def test_a_batch_ends_early_where_lines_are_big(monkeypatch):
    monkeypatch.setattr(json_lines, "MAX_BATCH_BYTES", 100)
    lines = [b"x" * 60, b"y" * 60, b"z" * 10, b"w" * 300, b"v"]
    for source in (io.BytesIO, Dribble):
        batches = LineReader(source(b"\n".join(lines))).batches(4)
        assert [b.lines for b in batches] == [lines[:2], lines[2:4], lines[4:]]


def test_a_line_over_the_limit_is_refused_with_its_number(monkeypatch):
    monkeypatch.setattr(json_lines, "MAX_LINE_BYTES", 50)
    assert read(b"x" * 50 + b"\n") == [(1, b"x" * 50)]
    for data in (b"a\n\n" + b"x" * 51 + b"\nb\n", b"a\n\n" + b"x" * 51):
        with pytest.raises(InvalidEvent, match="line 3: longer than"):
            list(LineReader(Dribble(data)).batches(1))
    with pytest.raises(InvalidEvent, match="line 3: longer than"):
        read(b"a\n\n" + b"x" * 51 + b"\nb\n")


def test_a_compressed_bomb_is_refused_before_it_fills_memory():
    bomb = zstandard.ZstdCompressor(level=1).compress(bytes(2**29))
    reader = LineReader(io.BytesIO(bomb))
    with pytest.raises(InvalidEvent, match="line 1: longer than 16 MiB"):
        next(reader.batches(10))


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_compressed_data_that_is_cut_short_or_damaged(pack):
    data = b"".join(b'{"n":%d,"x":"%s"}\n' % (n, os.urandom(8).hex().encode()) for n in range(999))
    whole = pack(data)
    for cut in range(5, len(whole), 997):
        with pytest.raises(InvalidInput, match="damaged or cut short"):
            read(whole[:cut])
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 0x55]) + whole[middle + 1 :]
    with pytest.raises(InvalidInput, match="damaged or cut short"):
        read(flipped)
    with pytest.raises(InvalidInput, match="damaged or cut short"):
        read(whole + b"garbage")


def test_names_and_sizes_for_progress(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"{}\n" * 10)
    with LineReader(path) as reader:
        assert (reader.name, reader.bytes_total) == ("events.jsonl", 30)
        list(reader.batches(3))
        assert reader.bytes_read == 30
    assert LineReader(io.BytesIO(b"")).bytes_total is None


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(NotFound, match=r"no file '.*absent'"):
        LineReader(tmp_path / "absent")
    with pytest.raises(UsageError, match="is a directory"):
        LineReader(tmp_path)
    with pytest.raises(UsageError, match="a batch of 0 lines"):
        list(LineReader(io.BytesIO(b"{}")).batches(0))


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz", "events.jsonl.zst"])
def test_what_is_written_is_read_back(tmp_path, name):
    path = tmp_path / name
    data = b"".join(b'{"n":%d}\n' % n for n in range(30_000))
    for _ in range(2):  # the second time over the first
        with LineWriter(path) as writer:
            writer.write(data[:100_000])
            writer.write(data[100_000:])
        assert b"".join(line + b"\n" for _, line in read(path.read_bytes())) == data
    packed = {"gz": b"\x1f\x8b", "zst": b"\x28\xb5"}.get(name.rpartition(".")[2], b'{"')
    assert path.read_bytes().startswith(packed)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_an_export_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"before\n")
    with pytest.raises(TypeError), LineWriter(path) as writer:
        writer.write(b"after\n" * 100_000 + None)
    assert path.read_bytes() == b"before\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["events.jsonl"]


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.jsonl.zst"])
@pytest.mark.parametrize("lines", [12, 3000])
def test_a_file_that_can_take_no_more_leaves_what_was_there(tmp_path, name, lines):
    path = tmp_path / name
    path.write_bytes(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(ReadOnly, match="can't be written: File too large"):
            write_noise(path, lines)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def write_noise(path: Path, lines: int) -> None:
    with LineWriter(path) as writer:
        for _ in range(lines):
            writer.write(os.urandom(999) + b"\n")


def test_equal_contents_are_equal_files(tmp_path):
    for name in ("a.gz", "b.gz"):
        with LineWriter(tmp_path / name) as writer:
            writer.write(b"{}\n")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(NotFound, match="can't be written"):
        LineWriter(tmp_path / "absent" / "file")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="can't be written: Not a directory"):
        LineWriter(tmp_path / "file" / "below")
    with pytest.raises(UsageError, match="can't be written: Is a directory"):
        LineWriter(tmp_path)
    full = pytest.raises(StorageFull, match="'/dev/full' can't be written")
    with full, LineWriter("/dev/full") as writer:
        writer.write(b"{}\n")


def test_a_device_is_written_directly():
    with LineWriter(Path(os.devnull)) as writer:
        writer.write(b"{}\n")
    assert Path(os.devnull).is_char_device()
