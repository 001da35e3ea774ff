"""Asking by time has one answer, whatever the batch size of an import (docs/format.md, "Time")."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import InvalidTime
from evgit.formats.event import Event
from evgit.formats.times import to_instant, to_text
from evgit.history.recording import (
    CLOCK_TOLERANCE,
    never_before,
    recorded_at_event_times,
    refuse_future,
)
from evgit.repository import Repository
from tests.history.making import NOW, SECOND, Clock, event, events, merge, new, row

START = NOW - 1_000 * SECOND

# Times go up and down: real exports are not sorted to the second.
offsets = st.lists(st.integers(0, 60), min_size=1, max_size=40)
cuts = st.lists(st.integers(1, 15), min_size=1, max_size=12)


def timed(given_offsets: list[int]) -> list[Event]:
    return [event(n, time=START + o * SECOND) for n, o in enumerate(given_offsets)]


def imported(repository: Repository, given_events: list[Event], sizes: list[int]) -> None:
    """Import in batches of the given sizes, over and over until all are in."""
    start, turn = 0, 0
    while start < len(given_events):
        size = sizes[turn % len(sizes)]
        batch = given_events[start : start + size]
        done = repository.append(batch, recorded_at_event_times=True)
        assert repository.commit(done.head).commit.recorded == "events"
        start, turn = start + size, turn + 1


def naive_size(given_events: list[Event], instant: int) -> int:
    """How many events count as recorded: those before the running maximum passes the instant."""
    size, running = 0, 0
    for one in given_events:
        running = max(running, to_instant(one.time))
        if running > instant:
            break
        size += 1
    return size


@settings(max_examples=30)
@given(offsets, cuts, cuts)
def test_the_answer_does_not_depend_on_the_batch_size(
    given_offsets: list[int], first_sizes: list[int], second_sizes: list[int]
) -> None:
    given_events = timed(given_offsets)
    with tempfile.TemporaryDirectory() as directory:
        for name, sizes in (("a", first_sizes), ("b", second_sizes)):
            with new(Path(directory) / name) as repository:
                imported(repository, given_events, sizes)
                tip = row(repository)
                for instant in range(START - SECOND, START + 62 * SECOND, SECOND // 2):
                    point = repository.history.point_at(tip, instant)
                    assert point.size == naive_size(given_events, instant)
                    assert repository.log(point).size == point.size


@settings(max_examples=15)
@given(
    commits=st.lists(
        st.tuples(st.booleans(), st.lists(st.integers(0, 60), max_size=4), st.integers(0, 20)),
        min_size=1,
        max_size=12,
    )
)
def test_imports_and_native_commits_in_turn(
    commits: list[tuple[bool, list[int], int]],
) -> None:
    """A native commit's events count from when it was recorded, an import's from their own time."""
    with tempfile.TemporaryDirectory() as directory:
        clock = Clock(START)
        with new(Path(directory) / "r", clock) as repository:
            recorded: list[int] = []  # for every event of the log, from when on it counts
            number, latest = 0, 0
            for native, given_offsets, seconds in commits:
                clock.now += seconds * SECOND
                batch = [
                    event(number + n, time=min(START + o * SECOND, clock.now))
                    for n, o in enumerate(given_offsets)
                ]
                number += len(batch)
                done = repository.append(
                    batch, recorded_at_event_times=not native, allow_empty=True
                )
                if native or not batch:
                    latest = max(latest, clock.now)
                    recorded += [latest] * len(batch)
                for one in batch if not native else []:
                    latest = max(latest, to_instant(one.time))
                    recorded.append(latest)
                assert repository.commit(done.head).commit.time == to_text(latest)
            tip = row(repository)
            for instant in {t + d for t in recorded for d in (-1, 0, 1)} | {0, clock.now}:
                expected = sum(1 for t in recorded if t <= instant)
                assert repository.history.point_at(tip, instant).size == expected


def test_before_the_root_and_after_the_end(repository: Repository) -> None:
    root = repository.head().point
    imported(repository, timed([1, 2, 3]), [2])
    tip = row(repository)
    history = repository.history
    for instant in (0, START, START + SECOND - 1):
        assert history.point_at(tip, instant) == root
    for instant in (START + 3 * SECOND, NOW, NOW + 10**15):
        assert history.point_at(tip, instant) == repository.head().point
    assert history.point_at(row(repository, "main~2"), NOW) == root


def test_a_point_inside_a_batch(repository: Repository) -> None:
    first = repository.append(timed([1, 5, 3, 7, 7, 9]), recorded_at_event_times=True)
    tip, history = row(repository), repository.history
    sizes = [history.point_at(tip, START + s * SECOND).size for s in range(11)]
    assert sizes == [0, 1, 1, 1, 1, 3, 3, 5, 5, 6, 6]
    assert history.point_at(tip, START + 5 * SECOND).commit == first.head
    assert repository.resolve(f"main@{{{to_text(START + 5 * SECOND)}}}").size == 3


def test_an_import_does_not_go_back_behind_what_was_recorded(
    repository: Repository, clock: Clock
) -> None:
    """Old events imported into a branch that is younger count from the branch's last commit on."""
    repository.append([event(500)])
    done = repository.append(timed([1, 2]), recorded_at_event_times=True)
    assert repository.commit(done.head).commit.time == to_text(NOW)
    tip = row(repository)
    assert repository.history.point_at(tip, START + 5 * SECOND).size == 0
    assert repository.history.point_at(tip, NOW - 1).size == 0
    assert repository.history.point_at(tip, NOW).size == 3


def test_an_import_is_not_recorded_in_the_future(repository: Repository) -> None:
    ahead = event(3, time=NOW + 10**12)
    done = repository.append([*timed([1, 2]), ahead], recorded_at_event_times=True)
    assert repository.commit(done.head).commit.time == to_text(START + 2 * SECOND)
    done = repository.append([event(4, time=NOW + 10**12)], recorded_at_event_times=True)
    assert repository.commit(done.head).commit.time == to_text(NOW)
    assert repository.fsck().clean


def test_a_partly_repeated_import_is_recorded_at_what_is_new(repository: Repository) -> None:
    """What was there already says nothing about when the rest was recorded."""
    root = repository.head().point.commit
    ahead = event(1, time=NOW + 10 * SECOND)
    repository.append([ahead], commit_time=START)
    with Repository.open(
        repository.layout.directory, author="Ada <ada@example.org>", clock=lambda: NOW + 10**12
    ) as later:
        done = later.append([ahead, event(2, time=START + SECOND)], recorded_at_event_times=True)
        assert (done.appended, done.already) == (1, 1)
        assert later.commit(done.head).commit.time == to_text(START + SECOND)
        nothing = later.append([ahead], recorded_at_event_times=True, allow_empty=True)
        assert later.commit(nothing.head).commit.recorded is None
    assert repository.history.point_at(row(repository), START).size == 1
    assert repository.commit(root).commit.time == "0001-01-01T00:00:00.000000Z"


def test_time_follows_first_parents(repository: Repository, clock: Clock) -> None:
    """What a merge brings counts from when it was merged, whenever it was made elsewhere."""
    repository.branches.create("side", repository.head().point.commit)
    clock.now = START
    repository.append([event(1)])
    clock.now = START + 10 * SECOND
    side = repository.append(events(10, 13), branch="side")
    clock.now = START + 20 * SECOND
    merge(repository, "main", [side.head])
    main, other = row(repository, "main"), row(repository, "side")
    history = repository.history
    assert [history.point_at(main, START + s * SECOND).size for s in (-1, 0, 15, 20)] == [
        0,
        1,
        1,
        4,
    ]
    assert [history.point_at(other, START + s * SECOND).size for s in (5, 10)] == [0, 3]


def test_equal_heads_give_equal_answers_in_any_copy(tmp_path: Path) -> None:
    """Only what is in the commits counts, not when this copy got them."""
    batch = timed([4, 1, 8, 8, 30])
    with new(tmp_path / "a") as repository:
        imported(repository, batch, [2])
        before = [
            repository.history.point_at(row(repository), START + s * SECOND) for s in range(9)
        ]
        repository.reindex()
        after = [repository.history.point_at(row(repository), START + s * SECOND) for s in range(9)]
    assert before == after


# ---------------------------------------------------------------------------- the rules alone


def test_recording_rules() -> None:
    times = [to_text(t) for t in (5, 9, 7)]
    assert recorded_at_event_times(times, 0, 100) == 9
    assert recorded_at_event_times(times, 50, 100) == 50
    assert recorded_at_event_times(times, 0, 8) == 7
    assert recorded_at_event_times(times, 0, 2) == 2
    warnings: list[str] = []
    assert never_before(5, 6, warnings) == 6
    assert never_before(5, 5, warnings) == 5
    assert warnings == []
    assert never_before(5, 4, warnings) == 5
    assert len(warnings) == 1
    refuse_future(CLOCK_TOLERANCE, 0)
    with pytest.raises(InvalidTime):
        refuse_future(CLOCK_TOLERANCE + 1, 0)
