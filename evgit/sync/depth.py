"""Where history is cut for a shallow repository: which commits to send, and which are boundaries.

A cut keeps two promises. Every commit that is sent has each of its parents sent, at the receiver's,
or as a boundary; and no boundary has an ancestor that the receiver has, so that what is behind one
is never half here. Depth counts along first parents; what merges brought in comes along, and where
one branch would lie behind the boundary of another, more comes. This module must not know how
anything is transported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from evgit.history.ancestry import Ancestry
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.sync.outgoing import Outgoing, outgoing, to_send

_SMALLEST_PAGE, _LARGEST_PAGE = 16, 4096


class Depth(msgspec.Struct, frozen=True):
    """How much history to send. `commits`: of each branch, along first parents; `more`: so many
    before the present boundaries; `all`: everything. `boundaries`: ids of those at the receiver's.
    """

    commits: int = 0
    more: int = 0
    all: bool = False
    boundaries: Sequence[str] = []

    @property
    def deepens(self) -> bool:
        """Is history wanted that lies behind boundaries?"""
        return bool(self.commits or self.more or self.all)


class Cut(NamedTuple):
    """`sent`: commits to send. `boundaries`: that they need, in order of storing; where history
    `deepens`, those that stay are among them. `states`: those whose states are wanted, too."""

    sent: Outgoing
    boundaries: list[CommitRow]
    states: list[CommitRow]


def cut(
    history: History,
    root: CommitRow,
    wanted: Sequence[CommitRow],
    known: Sequence[CommitRow],
    depth: Depth,
) -> Cut:
    """What to send of the history of `wanted` to one who has `known` down to its boundaries.

    Raises BehindBoundary where this repository does not have what is asked for.
    """
    old = [row for row in map(history.graph.get, depth.boundaries) if row.height]
    at_old = {row.number for row in old}
    had = [row for row in known if row.number not in at_old]
    if not depth.deepens and not old:
        return Cut(to_send(history, wanted, [root, *known]), [], [])
    if not depth.deepens:
        sent = outgoing(history, wanted, [root, *had, *old])
        new = new_boundaries(history, root, sent, old)
        lowest = _bottoms(history, wanted, [*new, *old]) if new else []
        made = {row.number for row in new}
        return Cut(sent, new, [row for row in lowest if row.number in made])
    begun = _begun(history, root, wanted, old, depth)
    chosen = _with_descendants(history, begun, [*wanted, *old])
    if old:
        chosen |= _numbers(outgoing(history, wanted, [root, *old]))
    there = _numbers(outgoing(history, had, [root, *old])) if had and old else set()
    everything = outgoing(history, [*wanted, *old], _below(history, root, chosen))
    numbers = chosen - there
    ranges = [found for found in everything.ranges if found[0] in numbers]
    sent = Outgoing(ranges, everything.special & numbers, sum(n - 1 for _, n in ranges))
    boundaries = _parents(history, chosen) - chosen - {root.number}
    boundaries |= at_old - chosen
    rows = [history.graph.by_number(number) for number in sorted(boundaries)]
    bottoms = {row.number for row in _bottoms(history, wanted, rows)}
    return Cut(sent, rows, [row for row in rows if row.number in bottoms])


TagTarget = tuple[list[bytes], CommitRow | None]
"""Lines of tag objects, and the commit that they lead to."""


def tags_within(
    history: History,
    tags: Sequence[TagTarget],
    found: Cut,
    known: Sequence[CommitRow],
    boundaries: Sequence[CommitRow],
) -> list[TagTarget]:
    """Those of some tags whose commits the receiver gets, or has: the others would lead nowhere."""
    numbers = _numbers(found.sent)
    ancestry = Ancestry(history.graph)
    return [
        (lines, row)
        for lines, row in tags
        if row is not None
        and (
            row.number in numbers
            or (
                any(ancestry.reaches(other, row) for other in known)
                and not any(ancestry.reaches(boundary, row) for boundary in boundaries)
            )
        )
    ]


def _begun(
    history: History,
    root: CommitRow,
    wanted: Sequence[CommitRow],
    old: Sequence[CommitRow],
    depth: Depth,
) -> set[int]:
    """Numbers of the commits that are asked for by depth alone."""
    if depth.all:
        return _numbers(outgoing(history, [*wanted, *old], [root]))
    starts = [(row, depth.commits) for row in wanted]
    if depth.more:
        starts = [(row, depth.more) for row in _bottoms(history, wanted, old)]
    begun: set[int] = set()
    ours = [history.graph.by_number(b.number) for b in history.graph.boundaries.all()]
    for row, count in starts:
        height = max(row.height - count, _lowest_height(history, row))
        lowest = [history.graph.at_height(row, height)] if height > 0 else []
        begun |= _numbers(outgoing(history, [row], [root, *ours, *lowest]))
    return begun


def _lowest_height(history: History, row: CommitRow) -> int:
    """The height at which this repository's own knowledge of a chain ends."""
    bottom = history.graph.boundary_of(row)
    return 0 if bottom is None else bottom.height


def _with_descendants(history: History, begun: set[int], tips: Sequence[CommitRow]) -> set[int]:
    """The same commits with all between them and `tips` that descend from any of them."""
    if not begun:
        return set()
    least = min(begun)
    needed = {row.number for row in tips}
    reached: list[CommitRow] = []
    for row in _rows_down(history, max(needed)):
        if row.number < least:
            break
        if row.number in needed:
            needed.discard(row.number)
            needed.update(row.parents)
            reached.append(row)
    chosen = set(begun)
    for row in reversed(reached):
        if any(parent in chosen for parent in row.parents):
            chosen.add(row.number)
    return chosen


def _below(history: History, root: CommitRow, chosen: Collection[int]) -> list[CommitRow]:
    """Commits at which a walk from the tips may end, so that all of `chosen` is passed."""
    outside = _parents(history, chosen) - set(chosen)
    return [root, *(history.graph.by_number(number) for number in outside if number)]


def new_boundaries(
    history: History, root: CommitRow, sent: Outgoing, old: Sequence[CommitRow]
) -> list[CommitRow]:
    """Parents of what is sent that lie behind boundaries of the receiver's."""
    numbers = _numbers(sent)
    if not old:
        return []
    ancestry = Ancestry(history.graph)
    at_old = {row.number for row in old} | {root.number}
    found = []
    for number in sorted(_parents(history, numbers) - numbers - at_old):
        row = history.graph.by_number(number)
        if any(ancestry.reaches(boundary, row) for boundary in old):
            found.append(row)
    return found


def _bottoms(
    history: History, tips: Iterable[CommitRow], boundaries: Sequence[CommitRow]
) -> list[CommitRow]:
    """The boundaries that first-parent chains of tips come to first."""
    found: dict[int, CommitRow] = {}
    for tip in tips:
        met = [row for row in boundaries if history.graph.on_first_parents(row, tip)]
        if met:
            highest = max(met, key=lambda row: row.height)
            found[highest.number] = highest
    return list(found.values())


def _parents(history: History, numbers: Collection[int]) -> set[int]:
    found: set[int] = set()
    least = min(numbers, default=0)
    for row in _rows_down(history, max(numbers, default=-1)):
        if row.number < least:
            break
        if row.number in numbers:
            found.update(row.parents)
    return found


def _rows_down(history: History, number: int) -> Iterator[CommitRow]:
    """All commits, from the one whose block starts at this line downwards."""
    page = _SMALLEST_PAGE
    while rows := history.graph.up_to(number, page):
        yield from rows
        number, page = rows[-1].number - 1, min(page * 2, _LARGEST_PAGE)


def _numbers(sent: Outgoing) -> set[int]:
    return {first for first, _ in sent.ranges}
