"""Consolidating on a disk that fails, or killed at any moment: old packs and rows, or the new."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import apsw
import pytest

from evgit.errors import EvgitError, StorageFull, Unavailable
from evgit.maintenance import index_folding
from evgit.repository import NewEvent, Repository
from tests import independent_reader
from tests.faults.faulty_disk import faulty_disk
from tests.faults.making import ids, numbered

DAY = 86_400_000_000


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_folding, "PAGE_COMMITS", 4)
    monkeypatch.setattr(index_folding, "LEAST_COMMITS", 2)


def made(directory: Path) -> Repository:
    """Packed and hot history, and a branch that nothing leads to any more."""
    repository = Repository.init(directory)
    for number in range(6):
        repository.append(numbered(number * 3, 3))
    repository.branches.create("gone", repository.resolve_commit())
    repository.append([NewEvent("lost", "noted", {})], branch="gone")
    repository.gc()
    repository.branches.delete("gone", force=True)
    for number in range(6, 12):
        repository.append(numbered(number * 3, 3))
    repository.branches.expire_operations(repository.clock() + DAY)
    return repository


@pytest.mark.parametrize(
    ("error", "once", "torn"),
    [(apsw.IOError, True, False), (apsw.FullError, False, True)],
    ids=["one fails", "stays full"],
)
def test_any_change_of_the_database_fails(
    quick_path: Path, error: type[apsw.Error], once: bool, torn: bool
) -> None:
    failed = 0
    with faulty_disk() as disk:
        for place in range(1, 10_000, 11):
            with made(quick_path / str(place)) as repository:
                before = ids(repository)
                disk.arm(place, error, once=once, torn=torn)
                told: EvgitError | None = None
                try:
                    repository.upkeep.gc(keep="now")
                except EvgitError as raised:
                    told = raised
                disk.disarm()
                if not disk.failed:
                    assert told is None
                    break
                failed += 1
                assert told is None or isinstance(told, StorageFull | Unavailable)
                assert ids(repository) == before
                repository.append(numbered(100, 2))  # the same connection goes on
                repository.upkeep.gc(keep="now")
                expected = ids(repository)
                assert expected[: len(before)] == before
            with Repository.open(quick_path / str(place)) as repository:
                assert ids(repository) == expected
                assert repository.fsck().problems == []
            assert independent_reader.read(quick_path / str(place)).problems == []
    assert failed >= 5


COLLECTING = """
import sys
from evgit.maintenance import index_folding
from evgit.repository import Repository
index_folding.PAGE_COMMITS, index_folding.LEAST_COMMITS = 4, 2
with Repository.open(sys.argv[1]) as repository:
    print("begun", flush=True)
    while True:
        repository.upkeep.gc(keep="now", aggressive=True)
"""


def test_killed_at_random_moments_while_others_append_and_read(tmp_path: Path) -> None:
    """Every event that was acknowledged is there once, whenever the gc dies."""
    choose = random.Random(7)
    made(tmp_path).close()
    acknowledged = 36
    for number in range(6):
        collecting = subprocess.Popen(
            [sys.executable, "-c", COLLECTING, str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=Path.cwd(),
        )
        assert collecting.stdout is not None
        collecting.stdout.readline()
        with Repository.open(tmp_path) as repository:
            for _ in range(choose.randrange(1, 12)):
                repository.append(numbered(1000 + acknowledged, 1))
                acknowledged += 1
                assert len(ids(repository)) == acknowledged
            time.sleep(choose.random() * 0.2)
            os.kill(collecting.pid, signal.SIGKILL)
            collecting.wait()
            collecting.stdout.close()
            assert len(set(ids(repository))) == acknowledged
            if number % 3 == 0:
                assert repository.fsck().problems == []
    with Repository.open(tmp_path) as repository:
        repository.gc()
        assert repository.fsck().problems == []
        assert len(set(ids(repository))) == acknowledged
    assert independent_reader.read(tmp_path).problems == []
    assert not list((tmp_path / ".evgit" / "packs").glob("partial-*"))
