"""A merge as data: what waits for decisions, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from evgit.errors import Conflict, NotFound
from evgit.merging.conflicts import MergeConflict
from evgit.merging.judgement import Judgement


class Waiting(msgspec.Struct, kw_only=True):
    """A merge that waits for decisions. `ref`: what moves in the end, `old` what it is at. `ours`
    becomes the first parent, `theirs` the second, called `name`. `left_out`: ids of events;
    `accepted`: names of conflicts; `own`: events that the merge commit adds, as JSON lines."""

    ref: str
    old: str
    ours: str
    theirs: str
    name: str
    message: str
    append: bool = False
    left_out: list[str] = []
    accepted: list[str] = []
    own: list[str] = []


Kind = Literal["current", "fast-forward", "merged", "waiting"]


@dataclass(slots=True)
class Merged:
    """What a merge did, or would do where it was only tried.

    `kind`: "current" (nothing to merge), "fast-forward", "merged", or "waiting" for decisions.
    `ref` was at `old`, and is at `head`. `brought`: how many events came in; `added`: how many the
    merge commit has of its own. `held_back`: ids of events of theirs that stay out. `conflicts`:
    those that wait. `resolved`: how the others were, as the commit records it. `unequal`: documents
    that differ although both have the same events.
    """

    kind: Kind
    ref: str
    old: str
    head: str
    judgement: Judgement | None = None
    conflicts: list[MergeConflict] = field(default_factory=list)
    resolved: list[dict[str, Any]] = field(default_factory=list)
    brought: int = 0
    added: int = 0
    held_back: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def no_conflict(word: str, still: Sequence[MergeConflict]) -> NotFound:
    there = ", ".join(conflict.about for conflict in still[:5])
    hint = f"there are conflicts about: {there}" if there else "no conflict is left"
    return NotFound(f"there is no conflict about {word!r}", hint=hint)


def nothing_waits() -> NotFound:
    return NotFound("no merge is in progress", hint="evgit merge REVISION begins one")


def changed_meanwhile() -> Conflict:
    return Conflict(
        "another process went on with the merge, or ended it",
        hint="`evgit status` shows where it is",
    )
