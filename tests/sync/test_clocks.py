"""A commit from a machine whose clock is ahead is not taken in, whichever way it comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evgit.errors import InvalidTime
from evgit.formats.times import to_text
from evgit.history.recording import CLOCK_TOLERANCE
from evgit.repository import Repository, clone
from evgit.sync.bundles import create_bundle, verify_bundle
from evgit.sync.fetching import Fetch
from tests.history.making import NOW, Clock, events, ids, new
from tests.sync.making import USING, cloned, fetched, heads, pushed

FEW, MANY = 3, 200
"""Events in a commit: so few that it is judged by itself, and enough to be judged in bulk."""


def by_fetch(source: Repository, copy: Repository, place: Path) -> None:
    fetched(copy, source)


def by_push(source: Repository, copy: Repository, place: Path) -> None:
    pushed(source, copy, "main")


def by_clone(source: Repository, copy: Repository, place: Path) -> None:
    clone(str(source.layout.directory), place / "new", using=USING, bare=True)[0].close()


def by_shallow_clone(source: Repository, copy: Repository, place: Path) -> None:
    address = str(source.layout.directory)
    clone(address, place / "new", using=USING, bare=True, depth=1)[0].close()


def by_bundle(source: Repository, copy: Repository, place: Path) -> None:
    create_bundle(source.store, place / "b.bundle", {"refs/heads/main": heads(source)["main"]}, [])
    verify_bundle(place / "b.bundle", copy.store, Clock())


WAYS = [by_fetch, by_push, by_clone, by_shallow_clone, by_bundle]


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize("way", WAYS)
def test_more_than_ten_minutes_ahead_is_refused(
    way: Callable[[Repository, Repository, Path], None], count: int, tmp_path: Path
) -> None:
    clock = Clock()
    with new(tmp_path / "source", clock) as source:
        source.append(events(0, count))
        with cloned(source, tmp_path / "copy") as copy:
            clock.now = NOW + CLOCK_TOLERANCE + 1
            source.append(events(count, 2 * count))
            before = copy.refs(""), copy.history.end()
            with pytest.raises(InvalidTime) as refused:
                way(source, copy, tmp_path)
            for said in (heads(source)["main"], to_text(clock.now), to_text(NOW)):
                assert said in refused.value.message
            assert refused.value.hint
            assert (copy.refs(""), copy.history.end()) == before
            assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize("way", WAYS)
def test_ten_minutes_ahead_is_taken(
    way: Callable[[Repository, Repository, Path], None], count: int, tmp_path: Path
) -> None:
    clock = Clock()
    with new(tmp_path / "source", clock) as source, cloned(source, tmp_path / "copy") as copy:
        clock.now = NOW + CLOCK_TOLERANCE
        source.append(events(0, count))
        way(source, copy, tmp_path)


def test_times_of_events_may_be_any(tmp_path: Path) -> None:
    with new(tmp_path / "source") as source, cloned(source, tmp_path / "copy") as copy:
        source.append(events(10**9, 10**9 + FEW))
        assert source.event(ids(source)[0]).time > to_text(NOW)
        fetched(copy, source)
        assert copy.fsck(jobs=1).clean


def test_what_is_here_already_may_be_deepened(tmp_path: Path) -> None:
    """Deepening stores everything anew, also what was committed here by a clock that was ahead."""
    with new(tmp_path / "source") as source:
        for number in range(4):
            source.append(events(number, number + 1))
        address = str(source.layout.directory)
        copy, _ = clone(address, tmp_path / "new", using=USING, bare=True, depth=1)
        with copy:
            copy.clock = Clock(NOW + CLOCK_TOLERANCE + 1)
            copy.append(events(10, 11))
        with Repository.open(tmp_path / "new", clock=Clock()) as copy:
            fetched(copy, source, wanted=Fetch(branches=["main"], all=True))
            assert copy.boundaries == []
