"""Merkle frontiers of commits seen lately, for those who go through commits one after another."""

from __future__ import annotations

from collections import OrderedDict

from evgit.formats.merkle import Frontier
from evgit.history.commit_row import CommitRow
from evgit.history.history import History

KEPT_FRONTIERS = 256


class Frontiers:
    """Frontiers of whole logs, each remembered for a while; older ones come from the index."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: OrderedDict[int, Frontier] = OrderedDict()

    def of(self, row: CommitRow) -> Frontier:
        """The frontier of a commit's whole log."""
        known = self._known.get(row.number)
        return self._history.log_of(row).frontier() if known is None else known

    def remember(self, number: int, frontier: Frontier) -> None:
        """Keep the frontier of the commit at this line."""
        self._known[number] = frontier
        if len(self._known) > KEPT_FRONTIERS:
            self._known.popitem(last=False)
