"""Questions about the shape of the DAG: who descends from whom, and where two histories part.

It knows commits and their parents, not events. Commits are numbered as they were stored, parents
before children, so walking by descending number meets every child before its parent.
"""

from __future__ import annotations

from heapq import heappop, heappush

from evgit.history.commit_row import CommitRow
from evgit.history.graph import CommitGraph

_LEFT, _RIGHT, _STALE = 1, 2, 4
_BOTH = _LEFT | _RIGHT


class Ancestry:
    """The ancestry of one repository's commits. Ids are hex strings; all methods raise
    UnknownObject for one that is none."""

    def __init__(self, graph: CommitGraph) -> None:
        self._graph = graph

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Is `ancestor` in the history of `commit`, or that commit itself?"""
        return self.reaches(self._graph.get(commit), self._graph.get(ancestor))

    def merge_bases(self, left: str, right: str) -> list[str]:
        """The best common ancestors, the one stored last first: those that no other descends from.

        One, as a rule; several where branches were merged crosswise.
        """
        return [row.hex for row in self.bases(self._graph.get(left), self._graph.get(right))]

    def may_fast_forward(self, old: str, new: str) -> bool:
        """Is `old` on the first-parent chain of `new`?"""
        return self._graph.on_first_parents(self._graph.get(old), self._graph.get(new))

    # ------------------------------------------------------------------ the same, for rows
    def reaches(self, row: CommitRow, wanted: CommitRow) -> bool:
        """Is `wanted` in the history of `row`?"""
        if wanted.number > row.number:
            return False
        if self._graph.on_first_parents(wanted, row):
            return True
        for found in self._graph.ancestors([row]):
            if found.number <= wanted.number:
                return found.number == wanted.number
        return False

    def bases(self, left: CommitRow, right: CommitRow) -> list[CommitRow]:
        """The best common ancestors. The cost grows with what lies between, not with history."""
        older, newer = sorted((left, right))
        if self._graph.on_first_parents(older, newer):
            return [older]
        flags = {left.number: _LEFT}
        flags[right.number] = flags.get(right.number, 0) | _RIGHT
        waiting = [-number for number in flags]
        waiting.sort()
        open_ones = len(waiting)  # of those that wait, how many are not stale
        found: list[CommitRow] = []
        while open_ones:
            number = -heappop(waiting)
            flag = flags.pop(number)
            row = self._graph.by_number(number)
            if not flag & _STALE:
                open_ones -= 1
                if flag == _BOTH:
                    found.append(row)
                    flag |= _STALE
            for parent in row.parents:
                before = flags.get(parent)
                if before is None:
                    heappush(waiting, -parent)
                    open_ones += not flag & _STALE
                elif flag & _STALE and not before & _STALE:
                    open_ones -= 1
                flags[parent] = (before or 0) | flag
        return found
