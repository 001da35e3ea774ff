"""Blobs: streamed in and out, named by BLAKE3, small ones together and large ones as files."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO, RawIOBase
from pathlib import Path

import pytest
from blake3 import blake3

from evgit.errors import DamagedObject, UnknownObject
from evgit.repository import Repository
from evgit.storage.blobs import CHUNK_BYTES, SMALL_BYTES, BlobStore

EMPTY = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"  # BLAKE3 of nothing


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    with Repository.init(tmp_path / "r", bare=True) as repository:
        yield repository


@pytest.fixture
def blobs(repository: Repository) -> BlobStore:
    return repository.blobs


class Dripping(RawIOBase):
    """A source that gives a few bytes at a time and never says how many there will be."""

    def __init__(self, data: bytes, step: int) -> None:
        self.left = BytesIO(data)
        self.step = step
        self.asked = 0

    def read(self, size: int = -1) -> bytes:
        self.asked = max(self.asked, size)
        return self.left.read(min(size, self.step) if size >= 0 else self.step)


@pytest.mark.parametrize(
    "size", [0, 1, SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1, CHUNK_BYTES + 5, 3 * CHUNK_BYTES]
)
@pytest.mark.parametrize("step", [7_919, 1 << 30])
def test_what_goes_in_comes_out(blobs: BlobStore, size: int, step: int) -> None:
    data = bytes(i * i % 251 for i in range(1000)) * (size // 1000 + 1)
    data = data[:size]
    blob_id, stored = blobs.write(Dripping(data, step))
    assert (blob_id, stored) == (blake3(data).hexdigest(), size)
    assert blobs.size(blob_id) == size
    with blobs.open(blob_id) as stream:
        assert stream.read() == data
    assert b"".join(blobs.chunks(blob_id)) == data
    assert blobs.write(BytesIO(data)) == (blob_id, size), "again, without doubling it"
    assert list(blobs.all()) == [(blob_id, size)]


def test_the_empty_blob_has_the_known_id(blobs: BlobStore) -> None:
    assert blobs.write(BytesIO()) == (EMPTY, 0)


def test_where_blobs_stand(repository: Repository) -> None:
    small, _ = repository.blobs.write(BytesIO(b"x" * SMALL_BYTES))
    large, _ = repository.blobs.write(BytesIO(b"x" * (SMALL_BYTES + 1)))
    assert not repository.layout.blob_file(small).exists()
    file = repository.layout.blob_file(large)
    assert file == repository.layout.blobs / large[:2] / large[2:]
    assert file.stat().st_size == SMALL_BYTES + 1
    assert [p for p in repository.layout.blobs.rglob("*") if p.is_file()] == [file]


def test_a_source_that_fails_leaves_nothing(repository: Repository) -> None:
    class Failing(Dripping):
        def read(self, size: int = -1) -> bytes:
            data = super().read(size)
            if not data:
                raise ConnectionResetError("gone")
            return data

    for size in (10, SMALL_BYTES + 10):
        with pytest.raises(Exception, match="gone"):
            repository.blobs.write(Failing(b"x" * size, 1 << 20))
    assert list(repository.blobs.all()) == []
    if repository.layout.blobs.exists():
        assert [p for p in repository.layout.blobs.rglob("*") if p.is_file()] == []


def test_no_more_than_a_chunk_is_asked_for(blobs: BlobStore) -> None:
    source = Dripping(b"abc" * CHUNK_BYTES, 1 << 30)
    blob_id, _ = blobs.write(source)
    assert source.asked <= CHUNK_BYTES
    assert max(len(chunk) for chunk in blobs.chunks(blob_id)) <= CHUNK_BYTES


def test_unknown_and_damaged_blobs(repository: Repository) -> None:
    blobs = repository.blobs
    with pytest.raises(UnknownObject):
        blobs.open("0" * 64)
    assert blobs.size("0" * 64) is None
    small, _ = blobs.write(BytesIO(b"small"))
    large, _ = blobs.write(BytesIO(b"l" * 100_000))
    gone, _ = blobs.write(BytesIO(b"g" * 100_000))
    repository._connection.execute(
        "UPDATE blobs SET data=? WHERE id=?", (b"Small", bytes.fromhex(small))
    )
    repository.layout.blob_file(large).write_bytes(b"l" * 99_999)
    repository.layout.blob_file(gone).unlink()
    for blob_id in (small, large, gone):
        with pytest.raises(DamagedObject) as caught:
            list(blobs.chunks(blob_id))
        assert caught.value.ids == [blob_id]
    problems = {problem.ids[0] for problem in repository.fsck().problems}
    assert problems == {small, large, gone}


def test_ids_by_prefix(blobs: BlobStore) -> None:
    ids = sorted(blobs.write(BytesIO(b"%d" % i))[0] for i in range(40))
    for digit in "0123456789abcdef":
        low, high = bytes.fromhex(digit.ljust(64, "0")), bytes.fromhex(digit.ljust(64, "f"))
        assert blobs.ids_with_prefix(low, high, 100) == [i for i in ids if i[0] == digit]
    assert blobs.ids_with_prefix(b"\0" * 32, b"\xff" * 32, 5) == ids[:5]
