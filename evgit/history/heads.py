"""Where refs lead: HEAD, the current branch, the objects of tags. Only reading.

It knows names of refs and ids, and not how refs are moved (see `branches`).
"""

from __future__ import annotations

import msgspec

from evgit.errors import NotFound
from evgit.formats.canonical import id_bytes
from evgit.formats.names import check_branch_name
from evgit.history.history import History
from evgit.history.points import Point, split_target
from evgit.storage.database import Answers, fetch_one, reading
from evgit.storage.refs import SYMBOLIC, RefStore

HEADS = "refs/heads/"
TAGS = "refs/tags/"
HEAD_COMMANDS = ("switch", "checkout")
"""What `Branches.set_head` may be called with: the operations that `@{-N}` counts."""


def check_shared_name(ref: str) -> None:
    """Raise InvalidName for a branch or tag, by its full name, that could not be made here."""
    for prefix, kind in ((HEADS, "branch"), (TAGS, "tag")):
        if ref.startswith(prefix):
            check_branch_name(ref.removeprefix(prefix), kind)


class Head(msgspec.Struct, frozen=True):
    """Where HEAD is. `branch`: its short name, None when detached. `point`: what it stands for."""

    branch: str | None
    point: Point


class Heads:
    """Follows the refs of one repository."""

    def __init__(self, history: History, refs: RefStore) -> None:
        self._history = history
        self._refs = refs
        self._answers = Answers(history.connection)

    def head(self) -> Head:
        """HEAD, resolved."""
        head: Head | None = self._answers.known().get("HEAD")
        if head is None:
            with reading(self._history.connection):
                head = self._answers.known()["HEAD"] = self._head()
        return head

    def _head(self) -> Head:
        target = self._refs.get("HEAD")
        if target is None:
            raise NotFound("this repository has no HEAD", hint="`evgit switch BRANCH` sets it")
        if target.startswith(SYMBOLIC):
            name = target.removeprefix(SYMBOLIC)
            commit = self._refs.get(name)
            if commit is None:
                raise NotFound(
                    f"HEAD names {name}, which does not exist",
                    hint="`evgit switch BRANCH` goes to a branch that exists",
                )
            return Head(name.removeprefix(HEADS), self._point(commit))
        return Head(None, self._point(target))

    def current_ref(self) -> str:
        """The ref that an append to HEAD moves: the current branch, or HEAD itself."""
        target = self._refs.get("HEAD") or ""
        return target.removeprefix(SYMBOLIC) if target.startswith(SYMBOLIC) else "HEAD"

    def tag_line(self, tag_id: str) -> bytes | None:
        """A tag object's canonical bytes, or None."""
        row = fetch_one(
            self._history.connection,
            "SELECT data FROM objects WHERE id=?",
            (id_bytes(tag_id),),
        )
        return None if row is None else bytes(row[0])

    def _point(self, target: str) -> Point:
        commit, size = split_target(target)
        return Point(commit, self._history.graph.get(commit).size if size is None else size)
