"""Whatever write, sync or truncation fails: the old state or the new one, and an error in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import apsw
import pytest

from evgit.errors import EvgitError, StorageFull, Unavailable
from evgit.repository import Repository
from evgit.storage import database
from tests.faults.faulty_disk import faulty_disk
from tests.faults.making import ids, numbered

Fault = tuple[type[apsw.Error], bool, bool]
ONE_FAILS: Fault = (apsw.IOError, True, False)
ONCE_FULL: Fault = (apsw.FullError, True, False)
STAYS_FULL: Fault = (apsw.FullError, False, True)  # and leaves half a write behind
FAULTS = [
    pytest.param(ONE_FAILS, id="one fails"),
    pytest.param(ONCE_FULL, id="once full"),
    pytest.param(STAYS_FULL, id="stays full"),
]


def every_fault(
    directory: Path,
    fault: Fault,
    work: Callable[[Repository], object],
    *,
    step: int = 1,
) -> list[str]:
    """Do `work` in repositories that are alike, failing at the first change, at the second, …

    Checks what must hold after each failure; returns what failed, in order.
    """
    error, once, torn = fault
    failures: list[str] = []
    with faulty_disk() as disk:
        for place in range(1, 10_000, step):
            with Repository.init(directory / str(place)) as repository:
                repository.append(numbered(0, 5))
                before = ids(repository)
                disk.arm(place, error, once=once, torn=torn)
                told = told_by(lambda: work(repository), error)
                disk.disarm()
                if not disk.failed:
                    assert told is None
                    return failures
                failures.append(disk.failed[0])
                after = ids(repository)
                work(repository)  # the same connection goes on
                new = ids(repository)
                assert after in (before, new), "the old state or the new one"
                assert told is not None or after == new, "what said nothing has been done"
                assert len(set(new)) == len(new)
            with Repository.open(directory / str(place)) as repository:
                assert ids(repository) == new
                assert repository.fsck().problems == []
    raise AssertionError("the work never ended")


def told_by(work: Callable[[], object], error: type[apsw.Error]) -> EvgitError | None:
    """What was raised, which must be what that fault is called here."""
    told = None
    try:
        work()
    except EvgitError as raised:
        told = raised
    if told is not None:
        assert isinstance(told, StorageFull if error is apsw.FullError else Unavailable)
        assert told.hint
    return told


@pytest.mark.parametrize("fault", FAULTS)
def test_one_append(quick_path, fault):
    failures: list[str] = []
    for run in "abc":  # ids differ, and so may the number of pages: a single run can miss the sync
        failures += every_fault(quick_path / run, fault, lambda r: r.append(numbered(5, 3)))
    assert "sync" in failures
    assert sum(what.startswith("write") for what in failures) >= 24


def test_an_append_that_moves_the_log_into_the_file(quick_path, monkeypatch):
    """With checkpoints at every commit, faults hit those too; they are no part of a commit."""
    configure = database._configure

    def often(connection: apsw.Connection) -> None:
        configure(connection)
        connection.execute("PRAGMA wal_autocheckpoint=1")

    monkeypatch.setattr(database, "_configure", often)
    failures = every_fault(quick_path, ONE_FAILS, lambda r: r.append(numbered(5, 3)))
    assert failures.count("sync") >= 3


@pytest.mark.parametrize("fault", [ONE_FAILS, STAYS_FULL], ids=["one fails", "stays full"])
def test_a_reindex(quick_path, fault):
    assert len(every_fault(quick_path, fault, lambda r: r.reindex(), step=3)) > 5


def test_a_small_blob(quick_path):
    every_fault(quick_path, ONCE_FULL, lambda r: r.write_blob(io.BytesIO(b"small" * 1000)))


def made(directory: Path) -> None:
    Repository.init(directory).close()


# Closing a connection reports no error, so what the VFS raises meanwhile has nowhere to go.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_init(quick_path, fault):
    """A repository is there whole or not at all, and nothing is in the way of the next attempt."""
    error, once, torn = fault
    with faulty_disk() as disk:
        for place in range(1, 1000, 2):
            directory = quick_path / str(place)
            disk.arm(place, error, once=once, torn=torn)
            told = told_by(partial(made, directory), error)
            disk.disarm()
            if told is None:
                with Repository.open(directory) as repository:
                    assert repository.fsck().problems == []
            else:
                assert list((directory / ".evgit").iterdir()) == []
                Repository.init(directory).close()
            if not disk.failed:
                break
        assert place > 20
