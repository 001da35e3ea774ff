"""What things cost, counted in SQL statements and in steps of SQLite, not in time.

A statement that scans a table is one statement and many steps, so both are looked at. Counts are
the same on every machine, and they show at once if something begins to depend on the length of
history, the number of streams, or the number of branches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from evgit.repository import NewEvent, Repository
from tests.history.making import NOW, SECOND, Clock, event, events, new, row

STEPS = 10  # the grain in which steps are counted


@dataclass
class Cost:
    """SQL statements, and steps of the virtual machine."""

    statements: int = 0
    steps: int = 0


def cost_of(repository: Repository, work: Callable[[], Any]) -> Cost:
    cost = Cost()

    def statement(cursor: object, sql: str, bindings: object) -> bool:
        cost.statements += 1
        return True

    def progress() -> bool:
        cost.steps += STEPS
        return False

    connection = repository._connection
    connection.exec_trace = statement
    connection.set_progress_handler(progress, STEPS)
    try:
        work()
    finally:
        connection.exec_trace = None
        connection.set_progress_handler(None)
    return cost


def average(costs: list[Cost]) -> Cost:
    return Cost(round(mean(c.statements for c in costs)), round(mean(c.steps for c in costs)))


class Long:
    """A repository that grew commit by commit, and what each of them cost."""

    COMMITS = 3_000

    def __init__(self, path: Path) -> None:
        self.repository = new(path, Clock())
        # What is measured is work, not the disk: nothing needs to survive this test.
        self.repository._connection.execute("PRAGMA synchronous=OFF")
        self.costs = [self.append(number) for number in range(self.COMMITS)]

    def append(self, number: int) -> Cost:
        one = event(number, f"s-{number % 100}")
        revision = number // 100 - 1
        return cost_of(
            self.repository,
            lambda: self.repository.append([one], expected={one.stream: revision}),
        )


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Long]:
    long = Long(tmp_path_factory.mktemp("long") / "r")
    yield long
    long.repository.close()


def test_appending_does_not_depend_on_the_length_of_history(long: Long) -> None:
    """Averages over windows that hold as many merges of runs each."""
    early, late = average(long.costs[256:768]), average(long.costs[2_304:2_816])
    assert late.statements <= early.statements * 1.15
    assert late.steps <= early.steps * 1.3
    assert sorted(c.statements for c in long.costs)[len(long.costs) // 2] <= 16


def test_a_process_that_just_opened_pays_little_more(long: Long) -> None:
    with Repository.open(long.repository.layout.directory, clock=Clock()) as other:
        first = cost_of(other, lambda: other.append([event(9_000)], branch="main"))
        second = cost_of(other, lambda: other.append([event(9_001)], branch="main"))
    assert first.statements <= second.statements + 20
    assert first.steps <= second.steps + 3_000


def test_reading_a_stream_costs_its_own_events(long: Long) -> None:
    """The same thirty events of a hundred streams, at a point in the middle and at the end."""
    repository = long.repository
    middle = repository.resolve("main#1000")

    def read(point: Any, stop: int) -> Cost:
        long.repository.history.blocks.forget()
        return cost_of(repository, lambda: list(repository.stream("s-7", point, stop=stop)))

    few, many = read(middle, 2), read(middle, 10)
    late = read(repository.resolve("main#2999"), 10)
    assert many.statements <= few.statements + 8 * 4
    assert late.statements <= many.statements + 10
    assert late.steps <= many.steps * 2


def test_revisions_and_positions_are_looked_up(long: Long) -> None:
    repository = long.repository
    early, late = repository.resolve("main#300"), repository.resolve("main#2999")
    for question in (
        lambda point: list(repository.log(point).ids(point.size - 5)),
        lambda point: repository.stream_revision("s-7", point),
        lambda point: repository.commit_adding(point.size - 7, point),
        lambda point: repository.log(point).event(point.size - 9),
        lambda point: repository.locate(event(7, "s-7").id, point),
    ):
        for point in (early, late):
            cost = cost_of(repository, lambda: question(point))  # noqa: B023
            assert cost.statements <= 30
            assert cost.steps <= 1_500


def test_asking_by_time_is_a_binary_search(tmp_path: Path) -> None:
    clock = Clock()
    with new(tmp_path / "r", clock) as repository:
        repository._connection.execute("PRAGMA synchronous=OFF")
        costs = {}
        for number in range(1, 2_049):
            clock.now += SECOND
            repository.append([event(number)])
            if number in (64, 2_048):
                tip = row(repository)
                costs[number] = cost_of(
                    repository,
                    lambda: repository.history.point_at(tip, NOW + 30 * SECOND),  # noqa: B023
                )
        assert costs[2_048].statements <= costs[64].statements + 12
        assert costs[2_048].steps <= costs[64].steps + 1_500


def test_a_branch_of_many_streams_is_made_in_constant_time(tmp_path: Path) -> None:
    costs = []
    for streams in (10, 20_000):
        with new(tmp_path / str(streams), Clock()) as repository:
            repository._connection.execute("PRAGMA synchronous=OFF")
            repository.append(events(0, streams, streams))
            head = repository.resolve_commit()
            made = cost_of(repository, lambda: repository.branches.create("side", head))  # noqa: B023
            append = cost_of(
                repository,
                lambda: repository.append([event(streams, "s-5")], branch="side"),  # noqa: B023
            )
            deleted = cost_of(
                repository,
                lambda: repository.branches.delete("side", force=True),
            )
            costs.append((made, append, deleted))
    for few, many in zip(*costs, strict=True):
        assert many.statements <= few.statements + 4
        assert many.steps <= few.steps * 1.5 + 300


def test_one_among_many_branches(tmp_path: Path) -> None:
    """Appending to a branch and reading it cost the same beside five hundred others."""
    with new(tmp_path / "r", Clock()) as repository:
        repository._connection.execute("PRAGMA synchronous=OFF")
        repository.append(events(0, 200, 5))
        head = repository.resolve_commit()
        costs = []
        for number in range(500):
            name = f"b{number}"
            repository.branches.create(name, head)
            added = event(1_000 + number, "s-1")
            append = cost_of(repository, lambda: repository.append([added], branch=name))  # noqa: B023
            read = cost_of(repository, lambda: repository.stream_revision("s-1", name))  # noqa: B023
            costs.append((append, read))
        for first, last in zip(costs[3], costs[-1], strict=True):
            assert last.statements <= first.statements + 4
            assert last.steps <= first.steps * 1.5 + 300


def test_a_retry_with_a_key_is_looked_up(long: Long) -> None:
    repository = long.repository
    made = NewEvent("s-1", "paid", {"n": 1}, key="k-1")
    repository.append([made])
    cost = cost_of(repository, lambda: repository.append([made]))
    assert cost.statements <= 45
    assert cost.steps <= 6_000


def test_a_diffs_merge_base_costs_no_events(long: Long) -> None:
    """What two branches share is arithmetic on chains."""
    repository = long.repository
    repository.branches.create("fork", repository.resolve_commit("main~1000"))
    repository.append([event(20_000)], branch="fork")
    graph = repository.history.graph
    ours, theirs = row(repository, "main"), row(repository, "fork")
    graph.forget_chains()
    cost = cost_of(repository, lambda: graph.fork_size(ours, theirs))
    assert cost.statements <= 4
    assert graph.fork_size(ours, theirs) == row(repository, "main~1000").size
