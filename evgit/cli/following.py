"""Branches that follow one of a remote without being told to, as in Git: those made at one."""

from __future__ import annotations

from evgit.cli.invocation import Invocation
from evgit.errors import NotFound, UsageError
from evgit.repository import Repository

HEADS = "refs/heads/"
TRACKING = "refs/remotes/"


def branch_of_remote(repository: Repository, name: str) -> str | None:
    """`origin/NAME` where no branch here, and one remote, has a branch of that name; else None.

    Raises UsageError where several remotes have one.
    """
    names = {ref.name for ref in repository.refs(TRACKING)}
    if not names:
        return None
    remotes = [remote.name for remote in repository.sync().remotes.all()]
    found = [f"{remote}/{name}" for remote in remotes if f"{TRACKING}{remote}/{name}" in names]
    if len(found) > 1:
        raise UsageError(
            f"there is no branch {name!r} here, and there are {' and '.join(found)}",
            hint=f"say which one it is to follow: evgit switch -c {name} {found[0]}",
        )
    return found[0] if found else None


def follow_start(
    invocation: Invocation, repository: Repository, branch: str, start: str | None
) -> None:
    """Let a new branch follow the branch of a remote that it was made at, if it was."""
    if start is None or "/" not in start:
        return
    sync = repository.sync()
    try:
        upstream = sync.upstream_named(start)
    except NotFound:
        return
    sync.remotes.follow(branch, upstream)
    invocation.note(f"{branch} follows {upstream.remote}/{upstream.ref.removeprefix(HEADS)}")
