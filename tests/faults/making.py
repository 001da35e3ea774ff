"""Events and repositories that the tests of faults break."""

from __future__ import annotations

from pathlib import Path

from evgit.repository import NewEvent, Repository


def numbered(first: int, count: int, *, day: int = 1, note: str = "") -> list[NewEvent]:
    """Events one second apart whose identity does not depend on when they are appended."""
    return [
        NewEvent(
            f"account-{number % 7}",
            "deposit_made",
            {"amount": number, "note": note},
            time=f"2026-01-{day:02}T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        )
        for number in range(first, first + count)
    ]


def ids(repository: Repository, branch: str = "main") -> list[str]:
    return [event_id.hex() for event_id in repository.log(branch).ids()]


def small_history(directory: Path) -> list[str]:
    """A repository with blocks of one frame and of several, a fork, and a small blob; its ids."""
    with Repository.init(directory) as repository:
        repository.append(numbered(0, 1))
        repository.append(numbered(1, 300, note="frames are cut at 16 KiB"))
        repository.branches.create("side", repository.head().point.commit)
        repository.append(numbered(301, 5))
        repository.append(numbered(400, 30), branch="side")
        return ids(repository)
