"""Makes repositories that talk to each other in one process, and ways to disturb that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from hypothesis import strategies as st

from evgit.errors import TransferInterrupted
from evgit.repository import Connecting, Fetched, Repository, clone
from evgit.sync.fetching import Fetch, fetch
from evgit.sync.pushing import Pushed, PushedRef, push
from evgit.sync.remotes import Remote
from evgit.sync.service import Policy, Service
from evgit.sync.transport import Carried
from tests.history.making import Clock, events, ids, merge

USING = Connecting("Bob <bob@example.org>", Clock())


class Line:
    """A transport to a repository that is open already, which may be cut after some bytes."""

    def __init__(
        self, repository: Repository, policy: Policy | None = None, name: str = ""
    ) -> None:
        self._service = (
            repository.service(name) if policy is None else Service(repository.store, policy)
        )
        self.round_trips = 0
        self.sent = 0
        self.received = 0
        self.cut_after: int | None = None
        self.spoil: Callable[[bytes], bytes] = bytes

    def carry(self, message: bytes, body: Iterable[bytes] = ()) -> Carried:
        self.round_trips += 1
        self.sent += len(message)
        answer = self._service.answer(message, self._there(body))
        self.received += len(answer[0])
        return Carried(answer[0], self._back(answer[1]))

    def close(self) -> None:
        pass

    def _there(self, body: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in self._cut(body):
            self.sent += len(chunk)
            yield chunk

    def _back(self, body: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in self._cut(body):
            self.received += len(chunk)
            yield self.spoil(chunk)

    def _cut(self, body: Iterable[bytes]) -> Iterator[bytes]:
        for whole in body:
            for start in range(0, len(whole), 4096):
                chunk = whole[start : start + 4096]
                if self.cut_after is not None:
                    if self.cut_after < len(chunk):
                        yield chunk[: self.cut_after]
                        raise TransferInterrupted("the line was cut")
                    self.cut_after -= len(chunk)
                yield chunk


def cloned(source: Repository, path: Path) -> Repository:
    """A bare clone of a bare repository."""
    repository, _ = clone(str(source.layout.directory), path, using=USING, bare=True)
    return repository


def fetched(
    target: Repository, source: Repository, line: Line | None = None, wanted: Fetch | None = None
) -> Fetched:
    """Fetch into `target`, as from its remote `origin`."""
    return fetch(target.store, line or Line(source), Remote("origin", "there"), wanted)


def pushed(
    source: Repository, target: Repository, *branches: str, line: Line | None = None
) -> Pushed:
    """Push branches of `source`, as to its remote `origin`."""
    refs = [PushedRef(f"refs/heads/{name}", f"refs/heads/{name}") for name in branches]
    return push(source.store, line or Line(target), Remote("origin", "there"), refs)


def heads(repository: Repository) -> dict[str, str]:
    """{short name: commit id} of all branches."""
    return {ref.name[11:]: ref.target for ref in repository.refs("refs/heads/")}


def tracked(repository: Repository) -> dict[str, str]:
    """The same of remote-tracking refs of `origin`."""
    return {ref.name[20:]: ref.target for ref in repository.refs("refs/remotes/origin/")}


BRANCHES = ("main", "a", "b")
Step = tuple[str, str, str, int]
"""What is done, to which branch, with which other, how much."""


def steps(*further: str, at_least: int = 1) -> st.SearchStrategy[list[Step]]:
    """Steps that make a history of any shape; `further` are what else may be done between."""
    return st.lists(
        st.tuples(
            st.sampled_from(
                ["append", "append", "append", "branch", "merge", "leave out", "again", *further]
            ),
            st.sampled_from(BRANCHES),
            st.sampled_from(BRANCHES),
            st.integers(1, 4),
        ),
        min_size=at_least,
        max_size=25,
    )


def take(source: Repository, clock: Clock, step: Step, number: int) -> int:
    """Take a step; what can't be done changes nothing. `number`: of the next new event; returns
    that of the one after."""
    action, one, other, count = step
    clock.now += 1
    here = heads(source)
    if action == "append" and one in here:
        source.append(events(number, number + count, streams=3), branch=one)
        return number + count
    if action == "branch" and one in here and other not in here:
        source.branches.create(other, here[one])
    elif action in ("merge", "leave out") and len({here.get(one), here.get(other), None}) == 3:
        known = set() if count == 4 else set(ids(source, one))
        news = [event_id for event_id in ids(source, other) if event_id not in known]
        merge(source, one, [here[other]], left_out=news[-1:] if action == "leave out" else [])
    elif action == "again" and one in here and other in here:
        picked = [source.event(event_id) for event_id in ids(source, other)[-count:]]
        source.append(picked, branch=one, allow_empty=True)
    elif action == "gc":
        source.gc()
    return number


def grow(source: Repository, clock: Clock, taken: Sequence[Step]) -> list[dict[str, str]]:
    """Take steps; what the branches were at before and after each."""
    number, seen = 0, [heads(source)]
    for step in taken:
        number = take(source, clock, step, number)
        seen.append(heads(source))
    return seen
