"""Where the pages of sorted runs are, held in memory: 24 bytes a page.

Asking SQLite for the page that may hold a key costs more than the page itself where pages are too
large for the leaves of its trees: it reads all of one to compare its key. So who looks many keys up
reads the keys once. This module knows places, not what pages hold nor how long places stay right.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

PagePlace = int | tuple[int, int]
"""A page's number among those that stand apart, or its run and its first key."""


class RunDirectory:
    """Where the pages of all runs of a family are. `rows`: (run, first key in 8 bytes, number among
    the pages apart or None) of each, in order of runs and keys."""

    def __init__(self, rows: Sequence[tuple[int, bytes, int | None]]) -> None:
        self._firsts = array("Q", b"".join([first for _, first, _ in rows]))
        if sys.byteorder == "little":
            self._firsts.byteswap()
        self._runs = array("q", [run for run, _, _ in rows])
        self._apart = array("q", [-1 if number is None else number for _, _, number in rows])
        starts = [n for n, run in enumerate(self._runs) if not n or run != self._runs[n - 1]]
        self._spans = list(pairwise([*starts, len(rows)]))

    def between(self, low: int, high: int, limit: int = -1) -> list[PagePlace]:
        """The pages that may hold keys k with low <= k < high, or `limit` of them."""
        firsts, apart, found = self._firsts, self._apart, list[PagePlace]()
        for start, end in self._spans:
            place = max(start, bisect_right(firsts, low, start, end) - 1)
            while place < end and firsts[place] < high:
                number = apart[place]
                found.append((self._runs[place], firsts[place]) if number < 0 else number)
                place += 1
                if len(found) == limit:
                    return found
        return found
