"""Whatever write, sync or truncation fails: the old state or the new one, and an error in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from evgit.errors import EvgitError, StorageFull, Unavailable
from evgit.repository import NewEvent, Repository
from tests.faults.faulty_disk import FaultyDisk, faulty_disk

FAULTS = [
    pytest.param((apsw.IOError, True, False), id="one-fails"),
    pytest.param((apsw.FullError, True, False), id="once-full"),
    pytest.param((apsw.FullError, False, True), id="stays-full-after-half"),
]


def events(first: int, count: int, *, note: str = "") -> list[NewEvent]:
    return [
        NewEvent(
            f"account-{number % 7}",
            "deposit_made",
            {"amount": number, "note": note},
            time=f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        )
        for number in range(first, first + count)
    ]


def ids(repository: Repository) -> list[str]:
    return [event_id.hex() for event_id in repository.log("main").ids()]


def every_fault(
    directory: Path,
    fault: tuple[type[apsw.Error], bool, bool],
    work: Callable[[Repository], object],
) -> list[str]:
    """Do `work` on the same repository again and again, failing at the first change, the second, …

    Checks what must hold after each failure; returns what failed, in order.
    """
    error, once, torn = fault
    failures: list[str] = []
    with faulty_disk() as disk:
        for place in range(1, 500):
            with Repository.init(directory / str(place)) as repository:
                repository.append(events(0, 5))
                before = ids(repository)
                disk.arm(place, error, once=once, torn=torn)
                told = told_by(lambda: work(repository), error)
                disk.disarm()
                if not disk.failed:
                    assert told is None
                    return failures
                failures.append(disk.failed[0])
                after = ids(repository)
                assert after[:5] == before, "the old state or the new one"
                check_once(repository, work)
                new = ids(repository)
                assert after in (before, new)
                assert told is not None or after == new, "an append that said nothing is done"
            with Repository.open(directory / str(place)) as repository:
                assert ids(repository) == new
                assert repository.fsck().problems == []
    raise AssertionError("the work never ended")


def told_by(work: Callable[[], object], error: type[apsw.Error]) -> EvgitError | None:
    """What was raised, which must be what that fault is called here."""
    try:
        work()
    except EvgitError as raised:
        assert isinstance(raised, StorageFull if error is apsw.FullError else Unavailable)
        assert raised.hint
        return raised
    return None


def check_once(repository: Repository, work: Callable[[Repository], object]) -> None:
    """The same connection goes on; doing the work again doubles nothing."""
    work(repository)
    stored = ids(repository)
    assert len(set(stored)) == len(stored)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_append(tmp_path, fault):
    failures = every_fault(tmp_path, fault, lambda repository: repository.append(events(5, 3)))
    assert "sync" in failures
    assert sum(what.startswith("write") for what in failures) >= 8
