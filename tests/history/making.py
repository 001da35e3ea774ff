"""Makes repositories, events and DAGs for the tests of history, with a clock that they set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evgit.formats.event import Event, batch_from_events
from evgit.formats.times import to_text
from evgit.history.append import Append, Appended
from evgit.history.commit_row import CommitRow
from evgit.repository import Repository

NOW = 63_900_000_000_000_000  # 2025-12-… in microseconds since year 1
SECOND = 1_000_000


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def event(number: int, stream: str = "s-0", *, time: int | None = None, **members: Any) -> Event:
    """An event that differs from those with other numbers; later numbers are later."""
    instant = NOW - 10**12 + number * SECOND if time is None else time
    members.setdefault("data", {"n": number})
    members.setdefault("type", "counted")
    return Event(stream=stream, time=to_text(instant), **members)


def events(start: int, stop: int, streams: int = 1) -> list[Event]:
    """Events numbered from `start`, dealt out to streams s-0, s-1, …"""
    return [event(number, f"s-{number % streams}") for number in range(start, stop)]


def new(path: Path, clock: Clock | None = None) -> Repository:
    """A bare repository with a clock of ours."""
    return Repository.init(path, bare=True, author="Ada <ada@example.org>", clock=clock or Clock())


def merge(
    repository: Repository,
    ref: str,
    others: Sequence[str],
    own: Sequence[Event] = (),
    left_out: Sequence[str] = (),
) -> Appended:
    """Merge commits into a branch, which stays the first parent."""
    return repository._appender.append(
        Append(
            batch=batch_from_events(own),
            ref=f"refs/heads/{ref}",
            author="Ada <ada@example.org>",
            now=repository.clock(),
            actor="Ada",
            writer="w",
            further_parents=others,
            left_out=left_out,
        )
    )


def row(repository: Repository, revision: str = "HEAD") -> CommitRow:
    """The index row of a commit."""
    return repository.history.graph.get(repository.resolve_commit(revision))


def ids(repository: Repository, revision: str = "HEAD") -> list[str]:
    """The log as event ids."""
    return [event_id.hex() for event_id in repository.log(revision).ids()]
