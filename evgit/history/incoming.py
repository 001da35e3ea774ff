"""What a merge brings into its log and what it holds back: the middle part of L(c), and X(c).

Appending, checking and re-indexing all work it out here. It knows lines, not what events mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from evgit.errors import NotFound
from evgit.formats.boundary import is_absent
from evgit.formats.canonical import digest
from evgit.formats.event import decode_events
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.line_ranges import LineRange, LineSet, joined
from evgit.history.standing import standing_in


class Incoming(msgspec.Struct):
    """Lines, ids and streams of what comes in, in log order."""

    ranges: list[LineRange]
    ids: list[bytes]
    streams: list[str]


def held_back(history: History, parents: Sequence[CommitRow], left_out: Sequence[str]) -> set[int]:
    """Lines of what can't come in: X of every parent, and the events (ids) that are left out now.

    Raises NotFound for an event that is not stored here.
    """
    held: set[int] = set()
    for row in parents:
        held.update(history.indexer.held_back_lines(row))
    for event_id in left_out:
        line = history.line_of_event(event_id)
        if line is None:
            raise NotFound(f"event {event_id}, to be left out, is not stored here")
        held.add(line)
    return held


def still_held_back(
    history: History, parents: Sequence[CommitRow], held: set[int], own: Iterable[int]
) -> list[int]:
    """Lines of X(c), given what `held_back` says and the lines of the commit's own events."""
    left = held.difference(own)
    if not left:
        return []
    ours = parents[0]
    never_there = set(history.indexer.held_back_lines(ours))
    return [
        line
        for line in left
        if line in never_there or history.graph.position_of(ours, line) is None
    ]


def incoming_events(history: History, parents: Sequence[CommitRow], held: set[int]) -> Incoming:
    """The events that further parents add to the first, in log order (docs/format.md, "The log").

    `held`: what `held_back` says.
    """
    incoming: list[LineRange] = []
    ours, *further = parents
    for row in further:
        shared = history.graph.fork_size(ours, row)
        known = [*history.graph.log_ranges(ours, shared, ours.size), *incoming]
        known += [(line, 1) for line in held]
        theirs = history.graph.log_ranges(row, shared, row.size)
        incoming += LineSet(known).removed_from(theirs)
    incoming = joined(incoming)
    ids: list[bytes] = []
    streams: list[str] = []
    for text in history.blocks.texts(incoming, closed=True):
        lines = text.splitlines()
        if history.blocks.closed is not None and any(map(is_absent, lines)):
            events = standing_in(lines)
            ids += [one.id for one in events]
            streams += [one.stream for one in events]
            continue
        ids += map(digest, lines)
        streams += [event.stream for event in decode_events(text)]
    return Incoming(incoming, ids, streams)
