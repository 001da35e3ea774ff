"""Merging in the most naive way: full lists, no index. The oracle that the real thing must meet.

It follows docs/merging.md. An event is an id here; what it does is told by functions of the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from tests.history.naive import NaiveCommit


@dataclass(eq=False)
class Commit(NaiveCommit):
    """A commit with guards: stream -> revision before its first event."""

    guards: dict[str, int] = field(default_factory=dict)


def history(commit: Commit) -> list[Commit]:
    """A commit and its ancestors, parents before children, first parents first."""
    seen: list[Commit] = []

    def visit(one: Commit) -> None:
        if one in seen:
            return
        for parent in one.parents:
            visit(parent)  # type: ignore[arg-type]
        seen.append(one)

    visit(commit)
    return seen


def first_parents(commit: Commit) -> list[Commit]:
    found = [commit]
    while found[-1].parents:
        found.append(found[-1].parents[0])  # type: ignore[arg-type]
    return found


def bases(ours: Commit, theirs: Commit) -> list[Commit]:
    """Common ancestors that no other common ancestor descends from."""
    common = [c for c in history(ours) if c in history(theirs)]
    return [c for c in common if not any(c in history(d) for d in common if d is not c)]


def differences(
    ours: Commit, theirs: Commit, left_out: Collection[str] = ()
) -> tuple[list[str], list[str], list[Commit]]:
    """(A, B, incoming commits)."""
    held = {*ours.held_back, *theirs.held_back, *left_out}
    a = [e for e in ours.log if e not in theirs.log]
    b = [e for e in theirs.log if e not in ours.log and e not in held]
    return a, b, [c for c in history(theirs) if c not in history(ours)]


def torn(ours: Commit, theirs: Commit, b: Collection[str]) -> list[Commit]:
    """Incoming commits of which only a part comes in."""
    found = []
    for commit in differences(ours, theirs)[2]:
        lacking = [e for e in commit.own if e in theirs.log and e not in ours.log]
        here = [e for e in commit.own if e in b]
        if 0 < len(here) < len(lacking):
            found.append(commit)
    return found


def failed_guards(
    commits: Sequence[Commit],
    after: Sequence[str],
    moved: Sequence[str],
    stream_of: Callable[[str], str],
    commutes: Callable[[str], bool] = lambda event: False,
) -> set[str]:
    """Streams whose guards fail when `moved` (events of `commits`) stand after a log."""
    whole = [*after, *moved]
    failed: set[str] = set()
    for commit in commits:
        here = [e for e in commit.own if e in moved]
        if not here:
            continue
        before = whole[: whole.index(here[0])]
        for stream in commit.guards:
            now = of_stream(before, stream, stream_of)
            then = of_stream(commit.parents[0].log, stream, stream_of)
            if now == then:
                continue
            alike = 0
            while alike < min(len(now), len(then)) and now[alike] == then[alike]:
                alike += 1
            concerned = [*now[alike:], *then[alike:], *here]
            if not all(commutes(event) for event in concerned):
                failed.add(stream)
    return failed


def of_stream(log: Iterable[str], stream: str, stream_of: Callable[[str], str]) -> list[str]:
    return [event for event in log if stream_of(event) == stream]
