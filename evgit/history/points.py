"""A point of history: a commit, or a place inside one. Pure data."""

from __future__ import annotations

import msgspec

from evgit.errors import Damage


class Point(msgspec.Struct, frozen=True):
    """The log's first `size` events, as `commit` (an id) has them.

    A whole commit is the point whose size is that commit's log size.
    """

    commit: str
    size: int


def split_target(target: str) -> tuple[str, int | None]:
    """(commit id, size or None) of a target such as `<commit id>` or `<commit id>#<size>`.

    Raises Damage where the size is no number: nobody ever wrote that.
    """
    commit, marked, size = target.partition("#")
    if not marked:
        return commit, None
    if not (size.isascii() and size.isdigit()):
        raise Damage(
            f"a ref points at {target!r}, which is no point of a log",
            hint="`evgit op log` shows where it was; `evgit fsck` shows the extent",
        )
    return commit, int(size)
