"""The graph of commits against lists: chains, forks of forks, commits that add nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import UnknownObject
from evgit.formats.event import Event
from evgit.history.commit_row import CommitRow
from evgit.repository import Repository
from tests.history.making import NOW, SECOND, Clock, event, merge, new, row

# One step: which commit to go on from (counted back from the newest), how many events to add, and
# by how many seconds the clock moves on.
steps = st.lists(
    st.tuples(
        st.one_of(st.just(0), st.integers(0, 40)),
        st.sampled_from([0, 0, 1, 2, 5]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=22,
)


@dataclass
class Plain:
    """A commit as plain lists know it. `adds`: for each event of its log, the commit's number."""

    id: str
    first_parents: list[int] = field(default_factory=list)  # root first, itself last
    adds: list[int] = field(default_factory=list)
    time: int = 0


class Grown:
    """A repository grown by steps, and the same as lists."""

    def __init__(self, path: Path, given_steps: list[tuple[int, int, int]]) -> None:
        clock = Clock()
        self.repository = new(path, clock)
        self.commits = [Plain(self.repository.head().point.commit, [0])]
        count = 0
        for number, (back, size, seconds) in enumerate(given_steps, 1):
            parent = self.commits[max(0, len(self.commits) - 1 - back)]
            clock.now += seconds * SECOND
            self.repository.branches.create(f"b{number}", parent.id)
            added = [event(count + i, f"s-{(count + i) % 3}") for i in range(size)]
            count += size
            done = self.repository.append(
                added, branch=f"b{number}", allow_empty=True, message=str(number)
            )
            self.commits.append(
                Plain(
                    done.head,
                    [*parent.first_parents, number],
                    [*parent.adds, *([number] * size)],
                    clock.now,
                )
            )

    def row(self, number: int) -> CommitRow:
        return self.repository.history.graph.get(self.commits[number].id)

    def close(self) -> None:
        self.repository.close()


@settings(max_examples=20)
@given(given_steps=steps)
def test_first_parent_questions(given_steps: list[tuple[int, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        grown = Grown(Path(directory) / "r", given_steps)
        try:
            for number in range(len(grown.commits)):
                check_first_parents(grown, number)
                check_times(grown, number)
        finally:
            grown.close()


def check_first_parents(grown: Grown, number: int) -> None:
    graph, plain, found = grown.repository.history.graph, grown.commits[number], grown.row(number)
    chain = [grown.commits[n].id for n in plain.first_parents]
    assert (found.height, found.size) == (len(chain) - 1, len(plain.adds))
    assert [r.hex for r in graph.first_parents(found)] == chain[::-1]
    for height, commit in enumerate(chain):
        assert graph.at_height(found, height).hex == commit
    for position, adder in enumerate(plain.adds):
        assert graph.holding(found, position).hex == grown.commits[adder].id
    everywhere = range(len(plain.adds))
    lines = [graph.holding(found, position).line_at(position) for position in everywhere]
    assert graph.lines_of(found, everywhere) == lines
    assert graph.lines_of(found, everywhere[1::3]) == lines[1::3]
    with pytest.raises(UnknownObject):
        graph.lines_of(found, [*everywhere, len(plain.adds)])
    for beyond in (-1, len(plain.adds)):
        with pytest.raises(UnknownObject):
            graph.holding(found, beyond)
    with pytest.raises(UnknownObject):
        graph.at_height(found, -1)
    for other in range(len(grown.commits)):
        on_chain = other in plain.first_parents
        assert graph.on_first_parents(grown.row(other), found) == on_chain
        shared = [
            a
            for a, b in zip(plain.first_parents, grown.commits[other].first_parents, strict=False)
            if a == b
        ]
        assert graph.fork_size(found, grown.row(other)) == len(grown.commits[shared[-1]].adds)
    for start in {0, len(plain.adds) // 2, max(0, len(plain.adds) - 1)}:
        adders = [r.hex for r in graph.chain_from(found, start) if r.added]
        expected = sorted(set(plain.adds[start:]))
        assert adders == [grown.commits[n].id for n in expected]


def check_times(grown: Grown, number: int) -> None:
    """The last commit of the first-parent chain that is not later than an instant."""
    graph, plain, found = grown.repository.history.graph, grown.commits[number], grown.row(number)
    assert graph.recorded_by(found, -1) is None
    times = {grown.commits[n].time for n in plain.first_parents}
    for instant in {t + d for t in times for d in (-1, 0, 1)} - {-1}:
        last = [n for n in plain.first_parents if grown.commits[n].time <= instant][-1]
        by = graph.recorded_by(found, instant)
        assert by is not None
        assert by.hex == grown.commits[last].id


@pytest.fixture
def forked(tmp_path: Path) -> Iterator[Repository]:
    """A chain of 300 commits, more than one page of rows, and a fork in its middle."""
    with new(tmp_path / "f", Clock()) as repository:
        for number in range(300):
            repository.append([event(number)] if number % 3 else [], allow_empty=True)
        repository.branches.create("side", repository.resolve_commit("main~150"))
        for number in range(300, 600):
            repository.append(
                [event(number)] if number % 2 else [], branch="side", allow_empty=True
            )
        yield repository


def test_long_chains_are_read_in_pages(forked: Repository) -> None:
    graph = forked.history.graph
    for name, height in (("main", 300), ("side", 450)):
        tip = row(forked, name)
        walked = list(graph.first_parents(tip))
        assert [r.height for r in walked] == list(range(height, -1, -1))
        assert [r.hex for r in graph.chain_from(tip, 0) if r.added] == [
            r.hex for r in reversed(walked) if r.added
        ]
        for r in walked[::37]:
            assert graph.at_height(tip, r.height) == r


def test_rows_say_who_is_whose_parent(repository: Repository) -> None:
    first = repository.append([event(1)])
    repository.branches.create("side", first.head)
    side = repository.append([event(2)], branch="side")
    main = repository.append([event(3)])
    merged = merge(repository, "main", [side.head])
    graph = repository.history.graph
    found = graph.get(merged.head)
    assert [graph.by_number(n).hex for n in found.parents] == [main.head, side.head]
    assert (found.events, found.added, found.size) == (0, 1, 3)
    assert graph.owning(found.number).hex == merged.head
    assert graph.count() == 5
    assert next(graph.ancestors([found])).hex == merged.head
    with pytest.raises(UnknownObject):
        graph.get("0" * 64)
    with pytest.raises(UnknownObject):
        graph.by_number(found.number + 1)


dags = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=3, unique=True), max_size=14)


@settings(max_examples=15)
@given(shape=dags, data=st.data())
def test_ancestors_come_once_and_children_first(
    shape: list[list[int]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as directory, new(Path(directory) / "r") as repository:
        commits = [repository.head().point.commit]
        parents: list[list[int]] = [[]]
        for number, wanted in enumerate(shape, 1):
            chosen = list(dict.fromkeys(w % len(commits) for w in wanted))
            repository.branches.create(f"b{number}", commits[chosen[0]])
            done = merge(
                repository, f"b{number}", [commits[c] for c in chosen[1:]], [event(number)]
            )
            commits.append(done.head)
            parents.append(chosen)
        above: list[set[int]] = []
        for number, chosen in enumerate(parents):
            above.append({number}.union(*(above[c] for c in chosen)))
        tips = data.draw(st.lists(st.integers(0, len(commits) - 1), max_size=3))
        hidden = data.draw(st.lists(st.integers(0, len(commits) - 1), max_size=2))
        reader = repository._reader
        found = [
            r.hex for r in reader.walk([commits[t] for t in tips], [commits[h] for h in hidden])
        ]
        expected = set().union(*(above[t] for t in tips)) - set().union(*(above[h] for h in hidden))
        assert sorted(found) == sorted(commits[n] for n in expected)
        order = [commits.index(commit) for commit in found]
        for place, number in enumerate(order):
            assert not set(order[:place]) & (above[number] - {number}), "a parent before its child"
        for tip in tips:
            chain, number = [], tip
            while True:
                if number in set().union(*(above[h] for h in hidden)):
                    break
                chain.append(commits[number])
                if not parents[number]:
                    break
                number = parents[number][0]
            walked = reader.walk([commits[tip]], [commits[h] for h in hidden], first_parent=True)
            assert [r.hex for r in walked] == chain


def test_an_equal_instant_takes_the_last_of_equal_commits(repository: Repository) -> None:
    """Ten commits at one instant, five of which add nothing: the answer is the last of them."""
    for number in range(10):
        done = repository.append([event(number)] if number % 2 else [], allow_empty=True)
    by = repository.history.graph.recorded_by(row(repository), NOW)
    assert by is not None
    assert by.hex == done.head


def test_prefixes(repository: Repository) -> None:
    commits = [repository.head().point.commit]
    commits += [repository.append([event(n)]).head for n in range(40)]
    for digit in "0123456789abcdef":
        for prefix in (digit, commits[3][:2], commits[5][:9], commits[7]):
            low, high = (bytes.fromhex(prefix.ljust(64, f)) for f in "0f")
            found = [i.hex() for i in repository.history.graph.with_prefix(low, high, 100)]
            assert found == sorted(c for c in commits if c.startswith(prefix))


def test_commits_that_are_alike_are_told_apart(tmp_path: Path) -> None:
    """The same commit made twice is one commit of two branches: nothing new, nothing doubled."""
    with new(tmp_path / "r") as repository:
        repository.branches.create("side", repository.head().point.commit)
        made: list[Event] = [event(1)]
        one = repository.append(made)
        other = repository.append(made, branch="side")
        assert repository.fsck().problems == []
        assert [e.id for e in repository.events("main")] == [
            e.id for e in repository.events("side")
        ]
        assert one.head == other.head
