"""A file system that is really full: a tmpfs of one megabyte, where this process may mount one.

Elsewhere a limit on the size of files takes its place, which fails the same writes otherwise.
"""

from __future__ import annotations

import io
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evgit.errors import StorageFull, Unavailable
from evgit.repository import Repository
from tests.faults.making import ids, numbered

SIZE = 1 << 20
NOISE = bytes(range(256)) * 1200  # a blob with a file of its own


@contextmanager
def small_disk(directory: Path) -> Iterator[type[Unavailable]]:
    """Little room in `directory`; gives the error that a full one is told by."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(directory)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if mounted:
        try:
            yield StorageFull
        finally:
            subprocess.run(["umount", "-l", str(directory)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 3, hard))
    try:
        yield Unavailable
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def append_for_ever(repository: Repository, acknowledged: list[str]) -> None:
    for number in range(0, 1_000_000, 50):
        events = numbered(number % 80_000, 50, day=1 + number // 80_000, note=str(number))
        acknowledged += repository.append(events).ids


def test_appending_until_the_disk_is_full_and_after(tmp_path):
    with small_disk(tmp_path) as error:
        Repository.init(tmp_path).close()
        with Repository.open(tmp_path) as repository:
            acknowledged: list[str] = []
            with pytest.raises(error) as told:
                append_for_ever(repository, acknowledged)
            assert told.value.hint
            assert len(acknowledged) > 100
            assert ids(repository) == acknowledged, "the same connection goes on reading"
            with pytest.raises(error):
                repository.write_blob(io.BytesIO(NOISE * 4))
            files = repository.layout.blobs.rglob("*")
            assert [path for path in files if path.is_file()] == []
            assert repository.fsck().problems == []
        with Repository.open(tmp_path) as repository:
            assert ids(repository) == acknowledged, "and so does a new one"
            assert repository.fsck().problems == []


def test_room_is_made_and_the_same_append_succeeds(tmp_path):
    with small_disk(tmp_path) as error:
        Repository.init(tmp_path).close()
        ballast = tmp_path / "ballast"
        with Repository.open(tmp_path) as repository:
            repository.append(numbered(0, 5))
            with pytest.raises(OSError, match=r"No space left|File too large"):
                ballast.write_bytes(bytes(2 * SIZE))
            big = numbered(100, 3000, note="n" * 50)
            if error is StorageFull:
                with pytest.raises(StorageFull):
                    repository.append(big)
                assert len(ids(repository)) == 5
            ballast.unlink()
            assert repository.append(big).appended == 3000
            assert repository.append(big).already == 3000
            assert repository.fsck().problems == []


def test_init_on_a_full_disk(tmp_path):
    with small_disk(tmp_path) as error:
        (tmp_path / "ballast").write_bytes(bytes(SIZE // 3))
        with pytest.raises(OSError, match=r"No space left|File too large"):
            (tmp_path / "more").write_bytes(bytes(SIZE))
        if error is StorageFull:
            with pytest.raises(Unavailable) as told:
                Repository.init(tmp_path / "new")
            assert told.value.hint
        for name in ("ballast", "more"):
            (tmp_path / name).unlink()
        with Repository.init(tmp_path / "new") as repository:
            assert repository.fsck().problems == []
