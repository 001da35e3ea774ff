"""A point of history: a commit, or a place inside one. Pure data."""

from __future__ import annotations

import msgspec


class Point(msgspec.Struct, frozen=True):
    """The log's first `size` events, as `commit` (an id) has them.

    A whole commit is the point whose size is that commit's log size.
    """

    commit: str
    size: int
