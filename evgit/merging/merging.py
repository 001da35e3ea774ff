"""Everything that brings events of one history behind those of another, opened when it is used."""

from __future__ import annotations

from functools import cached_property

from evgit.merging.ground import Ground
from evgit.merging.merge import Merge
from evgit.merging.rebase import Rebase


class Merging:
    """The ways of one repository to merge, re-append and try out."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    @cached_property
    def merge(self) -> Merge:
        """Merging another history into a branch."""
        return Merge(self._ground)

    @cached_property
    def rebase(self) -> Rebase:
        """Re-appending a branch behind another point."""
        return Rebase(self._ground)
