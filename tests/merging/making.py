"""Random histories, made twice: in a repository and naively. For the tests of merging."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from evgit.formats.event import Event, batch_from_events
from evgit.history.append import Append
from evgit.history.commit_row import CommitRow
from evgit.repository import Repository
from tests.merging.naive import Commit

NOW = 63_900_000_000_000_000
STREAMS = ("a-0", "a-1", "b-0")
TYPES = ("counted", "put")


class Histories:
    """One repository, and the same thing in lists."""

    def __init__(self, clock: int = NOW) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="evgit-test-")
        self.clock = clock
        self.repository = Repository.init(
            Path(self._directory.name) / "r",
            bare=True,
            author="Ada <ada@example.org>",
            clock=lambda: self.clock,
        )
        root = self.repository.head().point.commit
        self.naive = {root: Commit()}
        self.ids = {id(self.naive[root]): root}
        self.commits = [root]
        self.events: dict[str, Event] = {}
        self.count = 0

    def close(self) -> None:
        self.repository.close()
        self._directory.cleanup()

    def __enter__(self) -> Histories:
        return self

    def __exit__(self, *rest: object) -> None:
        self.close()

    def fresh(self, stream: str, kind: str = "counted", **data: Any) -> Event:
        self.count += 1
        # Times go up and down, so that both ways of looking for repetitions are taken.
        time = f"2026-01-{1 + self.count * 7 % 28:02d}T00:00:00.{self.count:06d}Z"
        return Event(stream=stream, type=kind, data={"n": self.count, **data}, time=time)

    def append(
        self,
        parents: Sequence[str],
        events: Sequence[Event] = (),
        guarded: Sequence[str] = (),
        left_out: Sequence[str] = (),
    ) -> str:
        """A commit with these parents, which guards these streams as they are before it."""
        name = f"b{len(self.commits)}"
        repository = self.repository
        repository.branches.create(name, parents[0])
        guards = {stream: repository.stream_revision(stream, parents[0]) for stream in guarded}
        done = repository._appender.append(
            Append(
                batch=batch_from_events(events),
                ref=f"refs/heads/{name}",
                author="Ada <ada@example.org>",
                now=self.clock,
                actor="Ada",
                writer="w",
                allow_empty=True,
                further_parents=parents[1:],
                left_out=left_out,
                expected=guards,  # type: ignore[arg-type]
            )
        )
        ids = [event.id for event in events]
        self.events.update(zip(ids, events, strict=True))
        self.clock += 1_000_000
        commit = done.head
        if commit not in self.naive:
            before = [self.naive[parent] for parent in parents]
            there = Commit([*before], [], list(left_out)).log
            own = [e for e in dict.fromkeys(ids) if e not in there]  # the rest is not stored
            made = Commit([*before], own, list(left_out), guards=guards)
            self.naive[commit] = made
            self.ids[id(made)] = commit
            self.commits.append(commit)
        return commit

    def row(self, commit: str) -> CommitRow:
        return self.repository.history.graph.get(commit)

    def stream_of(self, event: str) -> str:
        return self.events[event].stream

    def of_types(self, types: frozenset[str]) -> Callable[[str], bool]:
        return lambda event: self.events[event].type in types


def grow(made: Histories, data: st.DataObject, steps: int) -> None:
    """Add random commits: plain ones, events that are stored already, merges that leave out."""
    for _ in range(steps):
        some = data.draw(st.sampled_from(["commit", "commit", "commit", "again", "merge"]))
        streams = data.draw(st.lists(st.sampled_from(STREAMS), max_size=3))
        kinds = data.draw(st.lists(st.sampled_from(TYPES), min_size=3, max_size=3))
        own = [made.fresh(stream, kind) for stream, kind in zip(streams, kinds, strict=False)]
        guarded = data.draw(st.lists(st.sampled_from(STREAMS), max_size=2, unique=True))
        first = some_commit(made, data)
        if some == "again" and made.events:
            events = [made.events[e] for e in some_of(list(made.events), data, 3)]
            cut = data.draw(st.integers(0, len(own)))
            made.append([first], [*own[:cut], *events, *own[cut:]], guarded)
        elif some == "merge" and len(made.commits) > 2:
            others = [some_commit(made, data), *some_of(made.commits, data, 1)]
            parents = list(dict.fromkeys([first, *others]))
            ours = set(made.naive[first].log)
            incoming = [e for p in parents[1:] for e in made.naive[p].log if e not in ours]
            left_out = some_of(incoming, data, 2) if len(parents) > 1 else []
            made.append(parents, own, guarded, left_out)
        else:
            made.append([first], own, guarded)


# Ids are random, since every repository is: what is drawn are indexes, so that failures repeat.


def some_commit(made: Histories, data: st.DataObject) -> str:
    """One of the commits, the newest first."""
    return made.commits[-1 - data.draw(st.integers(0, len(made.commits) - 1))]


def some_of(choices: Sequence[str], data: st.DataObject, most: int) -> list[str]:
    """A few of these, each once."""
    distinct = list(dict.fromkeys(choices))
    if not distinct:
        return []
    drawn = data.draw(st.lists(st.integers(0, len(distinct) - 1), max_size=most, unique=True))
    return [distinct[index] for index in drawn]
