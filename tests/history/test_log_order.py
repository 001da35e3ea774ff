"""Random DAGs with merges, events appended again and events left out, against the naive oracle."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from evgit.errors import UnknownObject
from evgit.formats.canonical import object_id
from evgit.formats.event import Event, batch_from_events
from evgit.history.append import Append
from evgit.history.points import Point
from evgit.repository import Repository
from tests.history.naive import NaiveCommit

NOW = 63_900_000_000_000_000


class Histories(RuleBasedStateMachine):
    """Builds one repository and the same thing naively, and compares after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(prefix="evgit-test-")
        self.clock = NOW
        self.count = 0

    @initialize()
    def make(self) -> None:
        self.repository = Repository.init(
            Path(self.directory.name) / "r", bare=True, clock=lambda: self.clock
        )
        root = self.repository.head().point.commit
        self.naive = {root: NaiveCommit()}
        self.commits = [root]
        self.events: dict[str, Event] = {}
        self.checked = 0

    def teardown(self) -> None:
        if hasattr(self, "repository"):
            assert self.repository.fsck().problems == []
            self.repository.reindex()
            assert self.repository.fsck().problems == []
            self.checked = 0
            self.same_logs()
            self.repository.close()
        self.directory.cleanup()

    def fresh(self, stream: int) -> Event:
        self.count += 1
        # Times go up and down, so that both ways of looking for repetitions are taken.
        time = f"2026-01-{1 + self.count * 7 % 28:02d}T00:00:00.{self.count:06d}Z"
        return Event(stream=f"s-{stream}", type="counted", data={"n": self.count}, time=time)

    def append(self, parents: list[str], events: list[Event], left_out: list[str]) -> None:
        repository = self.repository
        repository.branches.create(f"b{len(self.commits)}", parents[0])
        batch = batch_from_events(events)
        done = repository._appender.append(
            Append(
                batch=batch,
                ref=f"refs/heads/b{len(self.commits)}",
                author="Ada <ada@example.org>",
                now=self.clock,
                actor="Ada",
                writer="w",
                allow_empty=True,
                further_parents=parents[1:],
                left_out=left_out,
            )
        )
        ids = [event.id for event in events]
        assert done.ids == ids
        commit = done.head
        if commit not in self.naive:
            self.naive[commit] = NaiveCommit([self.naive[p] for p in parents], ids, left_out)
            self.commits.append(commit)
        self.events.update(zip(ids, events, strict=True))
        self.clock += 1_000_000

    @rule(data=st.data(), streams=st.lists(st.integers(0, 3), max_size=4))
    def commit(self, data: st.DataObject, streams: list[int]) -> None:
        parent = data.draw(st.sampled_from(self.commits))
        self.append([parent], [self.fresh(stream) for stream in streams], [])

    @precondition(lambda self: getattr(self, "events", None))
    @rule(data=st.data())
    def commit_known_events(self, data: st.DataObject) -> None:
        parent = data.draw(st.sampled_from(self.commits))
        again = data.draw(st.lists(st.sampled_from(sorted(self.events)), max_size=3, unique=True))
        self.append([parent], [self.events[e] for e in again] + [self.fresh(0)], [])

    @precondition(lambda self: len(getattr(self, "commits", ())) > 4)
    @rule(data=st.data(), streams=st.lists(st.integers(0, 3), max_size=2))
    def merge(self, data: st.DataObject, streams: list[int]) -> None:
        parents = data.draw(
            st.lists(st.sampled_from(self.commits), min_size=2, max_size=4, unique=True)
        )
        ours = set(self.naive[parents[0]].log)
        incoming = sorted({e for p in parents[1:] for e in self.naive[p].log} - ours)
        left_out = (
            data.draw(st.lists(st.sampled_from(incoming), max_size=2, unique=True))
            if incoming
            else []
        )
        self.append(parents, [self.fresh(stream) for stream in streams], left_out)

    @invariant()
    def same_logs(self) -> None:
        if not hasattr(self, "repository"):
            return
        history = self.repository.history
        for commit in self.commits[self.checked :]:
            naive = self.naive[commit]
            row = history.graph.get(commit)
            log = history.log_of(row)
            assert [i.hex() for i in log.ids()] == naive.log
            assert self.repository.commit(commit).commit.log.root == naive.root
            assert log.root().hex() == naive.root
            held = {self.line_id(line) for line in history.indexer.held_back_lines(row)}
            assert held == naive.held_back
            for position, event_id in enumerate(naive.log):
                assert self.repository.locate(event_id, Point(commit, len(naive.log))) == position
            for event_id in self.events.keys() - set(naive.log):
                assert self.repository.locate(event_id, Point(commit, len(naive.log))) is None
            self.same_streams(commit, naive)
        self.checked = len(self.commits)

    def same_streams(self, commit: str, naive: NaiveCommit) -> None:
        for size in {0, len(naive.log) // 2, len(naive.log)}:
            point = Point(commit, size)
            expected: dict[str, list[int]] = {}
            for position, event_id in enumerate(naive.log[:size]):
                expected.setdefault(self.events[event_id].stream, []).append(position)
            found = {s.name: (s.revision, s.position) for s in self.repository.streams(point)}
            assert found == {n: (len(p) - 1, p[-1]) for n, p in expected.items()}
            for name, positions in expected.items():
                read = list(self.repository.stream(name, point))
                assert [e.position for e in read] == positions
                assert [e.revision for e in read] == list(range(len(positions)))
                assert [e.event.id for e in read] == [naive.log[p] for p in positions]
                assert self.repository.stream_revision(name, point) == len(positions) - 1

    def line_id(self, line: int) -> str:
        return object_id(self.repository.history.blocks.line(line))


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_unknown_commit_is_named(tmp_path: Path) -> None:
    with (
        Repository.init(tmp_path / "r") as repository,
        pytest.raises(UnknownObject, match="ff" * 32),
    ):
        repository.log(Point("ff" * 32, 0))
