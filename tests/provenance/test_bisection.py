"""Bisection of a log: the planted event is found, in few questions, across restarts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import Conflict, NotFound, UsageError
from evgit.formats.event import Event
from evgit.repository import Bisection, NewEvent, Point, Repository, Verdict, search

EVENTS = 300
A_COMMIT = 17


def transfers(count: int, planted: int) -> list[Event]:
    """Accounts that never go below zero, but for the one overdraft at position `planted`."""
    balances = dict.fromkeys("abc", 0)
    events = []
    for number in range(count):
        account = "abc"[number * 7 % 3]
        balances[account] += 50 if number % 5 else -min(balances[account], 20)
        below = -1 if number == planted else balances[account]
        events.append(
            Event(
                stream=f"account-{account}",
                type="balance_changed",
                data={"balance": balances[account], "lowest": below} if below < 0 else {},
                time=f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:"
                f"{number % 60:02}.000000Z",
            )
        )
    return events


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A repository whose events from position 123 on are after an overdraft."""
    with TemporaryDirectory() as name:
        with Repository.init(name, bare=True, author="Ada <ada@example.org>") as repository:
            events = transfers(EVENTS, 123)
            for start in range(0, EVENTS, A_COMMIT):
                repository.append(events[start : start + A_COMMIT], message=f"batch {start}")
        yield Path(name)


@contextmanager
def bisecting(repository: Repository) -> Iterator[Bisection]:
    bisection = repository.provenance.start_bisection("ref: refs/heads/main")
    try:
        yield bisection
    finally:
        bisection.end()


def overdrawn(repository: Repository, asked: list[int]) -> Callable[[Point], Verdict]:
    """Does any account say that it was below zero?"""

    def judge(point: Point) -> Verdict:
        asked.append(point.size)
        state = repository.state(point)
        return "bad" if any("lowest" in state[path]["data"] for path in state) else "good"

    return judge


@settings(max_examples=8)
@given(planted=st.integers(0, 250), count=st.integers(251, 400))
def test_the_first_overdraft_is_found_wherever_it_is(planted: int, count: int) -> None:
    with (
        TemporaryDirectory() as name,
        Repository.init(name, bare=True, author="Ada <ada@example.org>") as repository,
    ):
        events = transfers(count, planted)
        for start in range(0, count, 90):
            repository.append(events[start : start + 90])
        asked: list[int] = []
        with bisecting(repository) as bisection:
            bisection.mark("bad", repository.resolve("HEAD"))
            search(bisection, overdrawn(repository, asked))
            assert bisection.found == planted
            point = bisection.point(planted + 1)
            assert repository.provenance.attribution(point, planted).event == events[planted]
            (change,) = repository.provenance.changes_at(point, planted)
            assert change.new["data"]["lowest"] == -1
        assert len(asked) == len(set(asked)) <= 2 + 9


@settings(max_examples=60)
@given(
    bad_from=st.integers(1, EVENTS),
    skipped=st.sets(st.integers(1, EVENTS - 1), max_size=EVENTS),
    good=st.integers(0, EVENTS - 1),
)
def test_skipped_points_leave_suspects_that_hold_the_event(
    directory: Path, bad_from: int, skipped: set[int], good: int
) -> None:
    """A point after `bad_from` or more events is bad."""
    good = min(good, bad_from - 1)

    def judge(point: Point) -> Verdict:
        if point.size in skipped and point.size not in (good, EVENTS):
            return "skip"
        return "bad" if point.size >= bad_from else "good"

    with Repository.open(directory) as repository, bisecting(repository) as bisection:
        tip = repository.resolve("HEAD")
        bisection.mark("bad", tip)
        bisection.mark("good", Point(tip.commit, good))
        search(bisection, judge)
        assert bad_from - 1 in bisection.suspects
        assert bisection.next_point() is None
        inside = set(range(bisection.suspects[0] + 1, bisection.suspects[-1] + 1))
        assert inside <= skipped
        assert bisection.found == (None if inside else bad_from - 1)


def test_it_survives_restarts_and_a_lost_cache(directory: Path) -> None:
    asked: list[int] = []
    with Repository.open(directory) as repository:
        bisection = repository.provenance.start_bisection("ref: refs/heads/main")
        bisection.mark("bad", repository.resolve("HEAD"))
        bisection.mark("good", repository.resolve("main#0"))
    questions = 0
    while True:
        for cache in directory.rglob("cache.db*"):
            cache.unlink()
        with Repository.open(directory) as repository:
            bisection = repository.provenance.bisection()
            point = bisection.next_point()
            if point is None:
                assert bisection.found == 123
                bisection.end()
                break
            bisection.mark(overdrawn(repository, asked)(point), point)
            questions += 1
    assert questions in (8, 9)  # 299 suspects
    with Repository.open(directory) as repository:
        assert repository.provenance.sessions.load("bisect") is None


def test_the_points_it_names_lie_in_the_commits_that_added_them(directory: Path) -> None:
    with Repository.open(directory) as repository, bisecting(repository) as bisection:
        bisection.mark("bad", repository.resolve("HEAD"))
        for size in (0, 1, A_COMMIT, A_COMMIT + 1, EVENTS):
            point = bisection.point(size)
            entry = repository.commit(point.commit)
            assert entry.size_before <= size <= entry.commit.log.size
            assert point.size == size


def test_what_contradicts_is_refused_and_forgotten(directory: Path) -> None:
    with Repository.open(directory) as repository, bisecting(repository) as bisection:
        resolve = repository.resolve
        bisection.mark("bad", resolve("main#200"))
        bisection.mark("good", resolve("main#10"))
        with pytest.raises(Conflict, match="position 200"):
            bisection.mark("good", resolve("main#200"))
        with pytest.raises(Conflict, match="position 10 is good"):
            bisection.mark("bad", resolve("main#10"))
        with pytest.raises(UsageError, match="not in the history"):
            bisection.mark("good", resolve("main#250"))
        assert bisection.suspects == range(11, 201)
        bisection.mark("good", resolve("main#5"))  # nothing new
        assert bisection.suspects == range(11, 201)
        again = repository.provenance.bisection()
        assert again.suspects == bisection.suspects
        with pytest.raises(Conflict, match="under way"):
            repository.provenance.start_bisection("x")
    with Repository.open(directory) as repository, pytest.raises(NotFound):
        repository.provenance.bisection()


def test_good_may_be_named_before_bad(directory: Path) -> None:
    with Repository.open(directory) as repository, bisecting(repository) as bisection:
        bisection.mark("good", repository.resolve("main#100"))
        assert bisection.next_point() is None
        with pytest.raises(Conflict):
            bisection.mark("bad", repository.resolve("main#100"))
        bisection.mark("bad", repository.resolve("main#200"))
        assert bisection.suspects == range(101, 201)


def test_another_log_is_refused() -> None:
    with TemporaryDirectory() as name, Repository.init(name, bare=True) as repository:
        for number in range(3):
            repository.append([NewEvent("a", "happened", number)])
        repository.branches.create("other", repository.resolve_commit("main~1"))
        repository.append([NewEvent("b", "happened")], branch="other")
        with bisecting(repository) as bisection:
            bisection.mark("bad", repository.resolve("main"))
            with pytest.raises(UsageError, match="not in the history"):
                bisection.mark("good", repository.resolve("other"))
            bisection.mark("good", repository.resolve("other~1"))
            assert bisection.found == 2


@pytest.mark.parametrize(("verdict", "end"), [("good", 300), ("bad", 0)])
def test_a_check_that_never_changes_its_mind_accuses_nobody(
    directory: Path, verdict: Verdict, end: int
) -> None:
    asked: list[int] = []

    def judge(point: Point) -> Verdict:
        asked.append(point.size)
        return verdict

    with Repository.open(directory) as repository, bisecting(repository) as bisection:
        bisection.mark("bad", repository.resolve("HEAD"))
        with pytest.raises(Conflict, match="which is marked"):
            search(bisection, judge)
        assert asked[-1] == end
        assert bisection.found is None
