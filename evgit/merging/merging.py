"""Everything that brings events of one history behind those of another, opened when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evgit.merging.ground import Ground

if TYPE_CHECKING:
    from evgit.merging.compensation import Reverted
    from evgit.merging.merge import Merge
    from evgit.merging.range_diff import Pair
    from evgit.merging.reappend import Reappended
    from evgit.merging.rebase import Rebase
    from evgit.merging.what_if import Tried


class Merging:
    """The ways of one repository to merge, re-append and try out."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    @cached_property
    def merge(self) -> Merge:
        """Merging another history into a branch."""
        from evgit.merging.merge import Merge

        return Merge(self._ground)

    @cached_property
    def rebase(self) -> Rebase:
        """Re-appending a branch behind another point."""
        from evgit.merging.rebase import Rebase

        return Rebase(self._ground)

    def cherry_pick(self, commits: Sequence[str], **settings: Any) -> Reappended:
        """Re-append single commits to the current branch: see `picking.pick`."""
        from evgit.merging.picking import pick

        return pick(self._ground, commits, **settings)

    def what_if(self, tip: str, **settings: Any) -> Tried:
        """Tell a history anew without some events, or with others: see `what_if.what_if`."""
        from evgit.merging.what_if import what_if

        return what_if(self._ground, tip, **settings)

    def range_diff(self, old: tuple[str, str], new: tuple[str, str]) -> list[Pair]:
        """Which commits of two ranges correspond: see `range_diff.range_diff`."""
        from evgit.merging.range_diff import range_diff

        return range_diff(self._ground.history, old, new)

    def compensating(self, commits: Sequence[str]) -> Reverted:
        """The events that take back commits of the current branch, as its model has it."""
        from evgit.merging.compensation import compensating

        ground = self._ground
        head = ground.tip(ground.branches.current_ref())
        rows = [ground.row(commit) for commit in commits]
        states = ground.model_states()
        return compensating(ground.history, states, head, rows, ground.actor.now)
