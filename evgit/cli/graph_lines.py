"""The drawing at the left of `log --graph`: which lines of descent pass a commit.

Fed with commits, children before parents, it answers with the characters to draw. It knows ids
only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Drawing(NamedTuple):
    """What to draw for one commit: rows above it, its own, rows of text after it, rows below."""

    above: list[str]
    own: str
    beside: str
    below: list[str]


class Graph:
    """Columns of commits that are still to come; each commit stands in one of them."""

    def __init__(self) -> None:
        self._columns: list[str] = []

    def add(self, commit_id: str, parents: Sequence[str], mark: str = "*") -> Drawing:
        """Draw the next commit, as `mark`. Its children were drawn before it."""
        above = self._join(commit_id)
        if commit_id not in self._columns:
            self._columns.append(commit_id)
        place = self._columns.index(commit_id)
        own = " ".join(mark if i == place else "|" for i in range(len(self._columns)))
        below: list[str] = []
        if not parents:
            below = self._end(place)
        else:
            self._columns[place] = parents[0]
            for extra in parents[1:]:
                below.append(self._fork(place, extra))
        beside = " ".join("|" for _ in self._columns)
        return Drawing(above, own, beside, below)

    def _fork(self, place: int, parent: str) -> str:
        """A further parent gets a column of its own, just right of the commit's."""
        width = len(self._columns)
        self._columns.insert(place + 1, parent)
        left = "| " * place
        right = " \\" * (width - place - 1)
        return f"{left}|\\{right}"

    def _join(self, commit_id: str) -> list[str]:
        """Several columns that wait for one commit become one, a row for each that ends."""
        rows = []
        places = [i for i, waiting in enumerate(self._columns) if waiting == commit_id]
        while len(places) > 1:
            last = places.pop()
            rows.append(self._leave(last, into=places[-1]))
            del self._columns[last]
        return rows

    def _leave(self, place: int, *, into: int) -> str:
        """The row in which the column at `place` runs left into another and later ones move up."""
        width = len(self._columns)
        cells = ["|" if i < place else " " for i in range(width)]
        gaps = [" "] * width
        for i in range(into, place - 1):
            gaps[i] = "_"
        for i in range(place - 1, width - 1):
            gaps[i] = "/"
        return "".join(cell + gap for cell, gap in zip(cells, gaps, strict=True)).rstrip()

    def _end(self, place: int) -> list[str]:
        """A root's column ends; later columns move one place left."""
        later = len(self._columns) - place - 1
        del self._columns[place]
        if not later:
            return []
        return [("| " * place + " /" * later).rstrip()]
