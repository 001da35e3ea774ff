"""Questions about the shape of the DAG: who descends from whom, and where two histories part.

It knows commits and their parents, not events. Commits are numbered as they were stored, parents
before children, so walking by descending number meets every child before its parent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from evgit.history.commit_row import CommitRow
from evgit.history.graph import CommitGraph

_OURS, _THEIRS, _OLDER = 1, 2, 4
_AT_ONCE = 256


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
                if found.number == wanted.number:
                    return True
                break
        if wanted.parent is None:  # a boundary may lie behind another one
            self._graph.refuse_boundary(wanted)
        return False

    def bases(self, left: CommitRow, right: CommitRow) -> list[CommitRow]:
        """The best common ancestors. The cost grows with what lies between, not with history."""
        older, newer = sorted((left, right))
        if self._graph.on_first_parents(older, newer):
            return [older]
        return compare(self._graph, [left], [right]).bases


class Compared(NamedTuple):
    """Two sets of commits compared. All lists have the newest first.

    `bases`: the best common ancestors: those that no other common ancestor descends from.
    """

    bases: list[CommitRow]
    only_ours: list[CommitRow]
    only_theirs: list[CommitRow]


def compare(graph: CommitGraph, ours: Iterable[CommitRow], theirs: Iterable[CommitRow]) -> Compared:
    """Which commits only one side has among itself and its ancestors, and where they meet.

    Parents are stored before their children, so that going down the numbers meets every commit
    after all of its descendants: what is known of it then is final. It ends where only ancestors
    of common ancestors are left.
    """
    rows = _Rows(graph)
    marks: dict[int, int] = {}
    heap: list[int] = []
    waiting = 0  # commits in the heap that are not yet known to be older than a base

    def mark(number: int, add: int) -> None:
        nonlocal waiting
        before = marks.get(number, 0)
        if not before:
            heappush(heap, -number)
        marks[number] = before | add
        waiting += (not before) - bool(add & _OLDER and not before & _OLDER)

    for side, commits in ((_OURS, ours), (_THEIRS, theirs)):
        for row in commits:
            rows.add(row)
            mark(row.number, side)
    found = Compared([], [], [])
    while waiting:
        number = -heappop(heap)
        marked = marks.pop(number)
        row = rows.get(number)
        if not marked & _OLDER:
            waiting -= 1
            if marked == _OURS:
                found.only_ours.append(row)
            elif marked == _THEIRS:
                found.only_theirs.append(row)
            else:
                found.bases.append(row)
                marked |= _OLDER
        for parent in row.parents:
            mark(parent, marked)
    _refuse_unknown(graph, found)
    return found


def _refuse_unknown(graph: CommitGraph, found: Compared) -> None:
    """Raise BehindBoundary where the two sides may meet behind boundaries.

    Nothing that is here lies behind a boundary. So where one side's history is here as far as the
    other's, there is nothing more to find.
    """
    ends = [
        [row for row in rows if row.parent is None] for rows in (found.only_ours, found.only_theirs)
    ]
    if all(ends):
        graph.refuse_boundary(ends[0][0])


def parents_first(rows: Sequence[CommitRow], tips: Sequence[CommitRow]) -> list[CommitRow]:
    """These commits in the order in which a log takes them in: parents before their children,
    first parents first. `rows` holds every commit between any of them and `tips`."""
    known = {row.number: row for row in rows}
    ordered: list[CommitRow] = []
    done: set[int] = set()
    stack = [(tip.number, False) for tip in reversed(tips)]
    while stack:
        number, entered = stack.pop()
        if number in done or number not in known:
            continue
        row = known[number]
        if entered:
            done.add(number)
            ordered.append(row)
            continue
        stack.append((number, True))
        stack.extend((parent, False) for parent in reversed(row.parents))
    return ordered


def best_base(bases: Collection[CommitRow]) -> CommitRow | None:
    """The base to show values at, where there are several: the one with the longest log."""
    return max(bases, key=lambda row: (row.size, row.id), default=None)


class _Rows:
    """Rows by number, read ahead downwards."""

    def __init__(self, graph: CommitGraph) -> None:
        self._graph = graph
        self._known: dict[int, CommitRow] = {}
        self._limit = 1

    def add(self, row: CommitRow) -> None:
        self._known[row.number] = row

    def get(self, number: int) -> CommitRow:
        row = self._known.pop(number, None)
        if row is None:
            self._known = {n: r for n, r in self._known.items() if n < number}
            for found in self._graph.up_to(number, self._limit):
                self._known[found.number] = found
            self._limit = min(self._limit * 2, _AT_ONCE)
            row = self._known.pop(number, None) or self._graph.by_number(number)
        return row
