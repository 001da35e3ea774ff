"""Blobs: large ones in bounded memory, and whatever may happen to their files."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evgit.errors import DamagedObject, StorageFull, Unavailable, UnknownObject
from evgit.repository import NewEvent, Repository

LARGE = b"0123456789abcdef" * 20_000  # 320,000 bytes: a file of its own
MEASURE = """
import resource, sys
from evgit.repository import Repository

class Zeros:
    left = int(sys.argv[2]) << 20
    def read(self, size=-1):
        taken = min(self.left, size if size >= 0 else self.left)
        self.left -= taken
        return bytes(taken)

with Repository.open(sys.argv[1]) as repository:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    blob_id, size = repository.write_blob(Zeros())
    read = sum(len(chunk) for chunk in repository.blobs.chunks(blob_id))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(size, read, grown)
"""


@pytest.fixture
def repository(quick_path):
    with Repository.init(quick_path) as opened:
        yield opened


def files(repository: Repository) -> list[Path]:
    return [path for path in repository.layout.blobs.rglob("*") if path.is_file()]


def test_a_large_blob_takes_little_memory(quick_path, repository):
    megabytes = int(os.environ.get("EVGIT_BLOB_MEGABYTES", "256"))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(quick_path), str(megabytes)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    size, read, grown_kilobytes = map(int, done.stdout.split())
    assert size == read == megabytes << 20
    assert grown_kilobytes < 32_768
    repository.layout.blob_file(next(repository.blobs.all())[0]).unlink()


def test_wrong_bytes_are_noticed_at_the_end(repository):
    blob_id, _ = repository.write_blob(io.BytesIO(LARGE))
    path = repository.layout.blob_file(blob_id)
    for wrong in (LARGE[:-1] + b"!", LARGE[:-1], LARGE + b"!", b""):
        path.write_bytes(wrong)
        with repository.open_blob(blob_id) as source, pytest.raises(DamagedObject) as told:
            source.read()
        assert told.value.ids == [blob_id]
        assert [p.ids for p in repository.fsck().problems] == [(blob_id,)]
    assert repository.write_blob(io.BytesIO(LARGE)) == (blob_id, len(LARGE))
    assert repository.open_blob(blob_id).read() == LARGE
    assert repository.fsck().clean


def test_a_small_blob_stored_again_is_whole_again(repository):
    blob_id, _ = repository.write_blob(io.BytesIO(b"small"))
    repository.history.connection.execute("UPDATE blobs SET data=x'00'")
    with pytest.raises(DamagedObject):
        repository.open_blob(blob_id).read()
    repository.write_blob(io.BytesIO(b"small"))
    assert repository.open_blob(blob_id).read() == b"small"


def test_a_missing_file_is_named(repository):
    blob_id, size = repository.write_blob(io.BytesIO(LARGE))
    repository.append([NewEvent("scan-1", "scanned", blobs={blob_id: size})])
    repository.layout.blob_file(blob_id).unlink()
    with pytest.raises(DamagedObject, match="file is gone") as told:
        repository.open_blob(blob_id)
    assert told.value.ids == [blob_id]
    (problem,) = repository.fsck().problems
    assert (problem.kind, problem.ids) == ("blob", (blob_id,))
    with pytest.raises(UnknownObject):
        repository.open_blob("0" * 64)


def test_a_killed_writer_leaves_a_file_that_the_next_one_removes(quick_path, repository):
    class Endless:
        def read(self, size: int) -> bytes:
            time.sleep(0.001)
            return bytes(min(size, 4096))

    child = os.fork()
    if not child:
        try:
            with Repository.open(quick_path) as opened:
                opened.write_blob(Endless())  # type: ignore[arg-type]
        finally:
            os._exit(1)
    deadline = time.monotonic() + 20
    while not files(repository) and time.monotonic() < deadline:
        time.sleep(0.01)
    (partial,) = files(repository)
    repository.write_blob(io.BytesIO(LARGE))
    assert partial.exists(), "its writer lives"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert repository.fsck().clean, "a partial file is no blob"
    blob_id, _ = repository.write_blob(io.BytesIO(LARGE + b"other"))
    assert not partial.exists()
    assert len(files(repository)) == 2
    assert repository.open_blob(blob_id).read() == LARGE + b"other"


def test_a_source_that_fails_leaves_nothing(repository):
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 200_000:
                raise RuntimeError("the source broke")
            return super().read(size if size is not None and 0 <= size < 100_000 else 100_000)

    with pytest.raises(RuntimeError, match="the source broke"):
        repository.write_blob(Failing(LARGE))
    assert files(repository) == []
    assert list(repository.blobs.all()) == []


def test_a_file_that_may_not_grow(repository):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(StorageFull):
            repository.write_blob(io.BytesIO(LARGE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(repository) == []


def test_a_place_that_is_no_directory(repository):
    repository.layout.blobs.write_bytes(b"in the way")
    with pytest.raises(Unavailable) as told:
        repository.write_blob(io.BytesIO(LARGE))
    assert str(repository.layout.blobs) in told.value.message
