"""Going to points of history and back, quietly, for commands that do so step by step.

The files first, then HEAD, so that a refusal changes nothing. These moves are operations of their
own names, so `switch -` still means the branch that a person was on.
"""

from __future__ import annotations

from evgit.cli.invocation import Invocation
from evgit.cli.tree_update import write_files
from evgit.repository import Head, Point, Repository

HEADS = "refs/heads/"


def head_target(head: Head, repository: Repository) -> str:
    """What HEAD is set to: a branch, a commit, or a point inside one."""
    if head.branch is not None:
        return f"ref: {HEADS}{head.branch}"
    return point_target(repository, head.point)


def point_target(repository: Repository, point: Point) -> str:
    """What HEAD is set to for a point without a branch."""
    whole = repository.commit(point.commit).commit.log.size == point.size
    return point.commit if whole else f"{point.commit}#{point.size}"


def point_of_target(repository: Repository, target: str) -> Point:
    """The point that such a target stands for. Raises UnknownRevision if its branch is gone."""
    if target.startswith("ref: "):
        return repository.resolve(target.removeprefix("ref: "))
    commit, _, size = target.partition("#")
    return Point(commit, int(size)) if size else repository.resolve(commit)


def go_to(
    invocation: Invocation,
    repository: Repository,
    target: str,
    *,
    command: str,
    force: bool = False,
) -> None:
    """Make the files show a target's state, where there are files, and put HEAD on it."""
    point = point_of_target(repository, target)
    repository.branches.check_may_go(target, command)
    if repository.layout.worktree is not None:
        before = repository.head().point
        write_files(invocation, repository, point, before=before, force=force)
    repository.branches.set_head(target, command, {"target": target})
