"""Which model a repository's states are seen with. It must not know how models are loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from evgit.state.modelling.trust import Trust


class ModelUse(msgspec.Struct, frozen=True):
    """Which model states are seen with, and whether it may run.

    `wanted`: "head", "worktree" or a revision; None: the working tree's if it differs from HEAD's,
    else HEAD's. `skip`: ids of events that states are to be without. `trust`: who says that code
    may run; nobody does by default. `notify` is told of what a person should know.
    `jobs`: how many processes may share a long replay, 1 for this one alone; None: as the setting
    `model.jobs` has it.
    """

    wanted: str | None = None
    skip: Sequence[str] = ()
    trust: Trust | None = None
    notify: Callable[[str], None] = lambda text: None
    jobs: int | None = None
