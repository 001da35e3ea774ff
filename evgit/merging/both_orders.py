"""The same events in both orders: which documents come out differently.

Ours-then-theirs is what a merge gives; theirs-then-ours is only a detector. Both begin at states
that are known, so that the cost grows with the two sides, and where a projection is keyed, nothing
but the documents that both sides have to do with is computed. It must not know what a difference is
taken for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.line_ranges import LineAt, LineRange, LineSet, clipped, total
from evgit.merging.differences import Difference
from evgit.state.diff import DocumentChange, diff_states
from evgit.state.projection import KeyedProjection
from evgit.state.state import State
from evgit.state.states import States, Trial


class BothOrders(NamedTuple):
    """A projection's documents in both orders.

    `merged`: ours, then theirs; `other`: theirs, then ours. `touched`: documents that both sides
    have to do with, where that is known without comparing them; None where it is not.
    """

    merged: Trial
    other: Trial
    touched: set[str] | None

    def differences(self) -> Iterator[DocumentChange]:
        """Documents that differ, as they are stored: `old` in ours-then-theirs, `new` in the other
        order."""
        if self.touched is None:
            yield from diff_states(self.merged.state, self.other.state)
            return
        for path in sorted(self.touched):
            one, other = (state.document(path) for state in self.states)
            if one != other:
                yield DocumentChange(path, one, other)

    @property
    def states(self) -> tuple[State, State]:
        """Ours-then-theirs, theirs-then-ours."""
        return self.merged.state, self.other.state


class Replay:
    """The events of a merge, read once, to be folded by one projection after the other."""

    def __init__(self, history: History, found: Difference, own: Sequence[bytes] = ()) -> None:
        """`own`: events that the merge adds to both, as canonical JSON lines."""
        self._history = history
        self._found = found
        self._own = [b"".join(line + b"\n" for line in own)] if own else []
        self.b = list(history.blocks.texts(found.b))
        """The events of B as canonical JSON lines, several to a text; `a` likewise."""
        self._rest: list[LineRange] = []
        self._from = found.theirs.size
        if found.held:
            self._leave_out()
        self.a = list(history.blocks.texts(found.a))

    def _leave_out(self) -> None:
        """Theirs-then-ours is without what stays out: begin before the first of that."""
        found, graph = self._found, self._history.graph
        theirs = list(graph.log_ranges(found.theirs, found.shared, found.theirs.size))
        held = LineSet(found.held)
        line_at = LineAt(theirs)
        first = next(n for n in range(total(theirs)) if line_at(n) in held)
        self._from = found.shared + first
        self._rest = held.removed_from(clipped(theirs, first, total(theirs)))

    @property
    def apart(self) -> bool:
        """Do both logs part once and for all? Then a document that only one side has to do with is
        the same in both orders."""
        found = self._found
        lacking = total(found.b) + total(found.held)
        return (
            total(found.a) == found.ours.size - found.shared
            and lacking == found.theirs.size - found.shared
        )

    @property
    def nothing_to_compare(self) -> bool:
        """Can no document come out differently?"""
        return self.apart and not (self.a and self.b)

    def sides(self) -> Iterator[tuple[CommitRow, list[bytes]]]:
        """The events of each side with the commit of the other, which they follow in one order."""
        yield self._found.ours, self.b
        yield self._found.theirs, self.a

    def merged(self, states: States) -> Trial:
        """Ours, then theirs."""
        log = self._history.log_of(self._found.ours)
        return states.after(log, [*self.b, *self._own])

    def fold(self, states: States) -> BothOrders:
        """Both orders. Raises ModelError."""
        merged = self.merged(states)
        before = self._history.log_of(self._found.theirs, self._from)
        rest = self._history.blocks.texts(self._rest)
        other = states.after(before, [*rest, *self.a, *self._own])
        keyed = isinstance(states.projection, KeyedProjection) and self.apart
        return BothOrders(merged, other, merged.touched & other.touched if keyed else None)
