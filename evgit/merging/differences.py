"""What two histories have that the other lacks: A of ours, B of theirs, as lines and as commits.

Arithmetic on ranges of lines: the cost grows with what differs, not with history. It must not know
what events mean, nor what is done with the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from evgit.errors import NotFound
from evgit.formats.again import AGAIN_BYTES, again_id, is_again
from evgit.history.ancestry import best_base, compare, parents_first
from evgit.history.commit_row import CommitRow, damaged_index
from evgit.history.history import History
from evgit.history.line_ranges import LineRange, LineSet, Places, joined, total


@dataclass(frozen=True, slots=True)
class Difference:
    """Ours and theirs, compared. Lines are ranges in the order of the side's own log.

    `a`: what theirs lacks. `b`: what ours lacks and is to come in. `held`: what ours lacks and
    stays out, held back on either side or left out now. `commits`: those that only theirs has,
    parents before children, first parents first; `ours_commits`: those that only ours has, alike.
    `bases`: the best common ancestors. `shared`: so many events both logs begin with, at least.
    """

    ours: CommitRow
    theirs: CommitRow
    a: list[LineRange]
    b: list[LineRange]
    held: list[LineRange]
    commits: list[CommitRow]
    ours_commits: list[CommitRow]
    bases: list[CommitRow]
    shared: int

    @property
    def base(self) -> CommitRow | None:
        """The best common ancestor whose log is longest; None for unrelated histories."""
        return best_base(self.bases)


def difference(
    history: History, ours: CommitRow, theirs: CommitRow, left_out: Iterable[int] = ()
) -> Difference:
    """Compare two commits. `left_out`: lines of events of theirs that are to stay out as well."""
    graph = history.graph
    compared = compare(graph, [ours], [theirs])
    shared = graph.fork_size(ours, theirs)
    our_lines = list(graph.log_ranges(ours, shared, ours.size))
    their_lines = list(graph.log_ranges(theirs, shared, theirs.size))
    held = set(left_out)
    for row in (ours, theirs):
        held.update(history.indexer.held_back_lines(row))
    lacking = LineSet(our_lines).removed_from(their_lines)
    b = LineSet((line, 1) for line in held).removed_from(lacking) if held else lacking
    return Difference(
        ours,
        theirs,
        a=LineSet(their_lines).removed_from(our_lines),
        b=b,
        held=LineSet(b).removed_from(lacking) if held else [],
        commits=parents_first(compared.only_theirs, [theirs]),
        ours_commits=parents_first(compared.only_ours, [ours]),
        bases=compared.bases,
        shared=shared,
    )


def lines_of_events(history: History, event_ids: Sequence[str]) -> list[int]:
    """Where events are stored. Raises NotFound for one that is not."""
    digests = [bytes.fromhex(event_id) for event_id in event_ids]
    found = history.events.find(digests)
    for digest in digests:
        if digest not in found:
            raise NotFound(f"there is no event {digest.hex()}")
    return [found[digest] for digest in digests]


def own_lines(history: History, rows: Sequence[CommitRow]) -> list[list[LineRange]]:
    """For each of these commits the lines of its own events, in the commit's order.

    Events that the commit's log had already before it are among them.
    """
    found: list[list[LineRange]] = []
    elsewhere: list[tuple[int, int, bytes]] = []  # (index in found, place in it, event id)
    for row in rows:
        if not row.events:
            found.append([])
        elif row.segment is None:
            found.append([(row.number, row.events)])  # nothing in its block stands for another
        else:
            own: list[LineRange] = []
            texts = history.blocks.texts([(row.number, row.events)])
            for place, line in enumerate(line for text in texts for line in text.splitlines()):
                if len(line) == AGAIN_BYTES and is_again(line):
                    elsewhere.append((len(found), place, bytes.fromhex(again_id(line))))
                own.append((row.number + place, 1))
            found.append(own)
    if elsewhere:
        lines = history.events.find([event_id for _, _, event_id in elsewhere])
        for index, place, event_id in elsewhere:
            if event_id not in lines:
                raise damaged_index(f"event {event_id.hex()} is not found")
            found[index][place] = (lines[event_id], 1)
    return [joined(own) for own in found]


@dataclass(frozen=True, slots=True)
class IncomingCommit:
    """A commit of theirs. `own`: lines of its own events. `surviving`: (place in B, count) of those
    that come in, in the commit's order; `lacking`: how many of them ours lacks."""

    row: CommitRow
    own: list[LineRange]
    surviving: list[LineRange]
    lacking: int

    @property
    def first(self) -> int:
        """The place in B of the first of its events to come in; -1 where none does."""
        return self.surviving[0][0] if self.surviving else -1

    @property
    def end(self) -> int:
        """The place in B after the last of its events, in the commit's order, to come in."""
        return self.surviving[-1][0] + self.surviving[-1][1] if self.surviving else -1

    @property
    def torn(self) -> bool:
        """Does only a part of what was decided at once come in?"""
        return 0 < total(self.surviving) < self.lacking


def incoming_commits(history: History, found: Difference) -> list[IncomingCommit]:
    """The commits of theirs with what of them comes in, in the order of `found.commits`."""
    places = Places(found.b)
    left = Places(found.held)
    incoming = []
    owned = own_lines(history, found.commits)
    for row, own in zip(found.commits, owned, strict=True):
        surviving = list(places.within(own))
        lacking = total(surviving) + (total(left.within(own)) if left.total else 0)
        incoming.append(IncomingCommit(row, own, surviving, lacking))
    return incoming


def texts_of(history: History, ranges: Iterable[LineRange]) -> Iterator[bytes]:
    """The events on these lines as canonical JSON lines, several to a text."""
    return history.blocks.texts(ranges)
