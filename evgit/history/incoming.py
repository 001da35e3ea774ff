"""What the further parents of a merge bring into its log: the middle part of L(c).

Appending, checking and re-indexing all work it out here. It knows lines, not what events mean.
"""

from __future__ import annotations

import msgspec

from evgit.formats.canonical import digest
from evgit.formats.event import decode_events
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.line_ranges import LineRange, LineSet, joined


class Incoming(msgspec.Struct):
    """Lines, ids and streams of what comes in, in log order; `held`: lines that stay out."""

    parents: list[CommitRow]
    ranges: list[LineRange]
    ids: list[bytes]
    streams: list[str]
    held: set[int]


def incoming_events(
    history: History, ours: CommitRow, further: list[CommitRow], held: set[int]
) -> Incoming:
    """The events that further parents add to `ours`, in log order (docs/format.md, "The log").

    `held`: lines of what is held back on any side, or left out by this merge.
    """
    incoming: list[LineRange] = []
    for row in further:
        shared = history.graph.fork_size(ours, row)
        known = [*history.graph.log_ranges(ours, shared, ours.size), *incoming]
        known += [(line, 1) for line in held]
        theirs = history.graph.log_ranges(row, shared, row.size)
        incoming += LineSet(known).removed_from(theirs)
    incoming = joined(incoming)
    ids: list[bytes] = []
    streams: list[str] = []
    for text in history.blocks.texts(incoming):
        lines = text.splitlines()
        ids += map(digest, lines)
        streams += [event.stream for event in decode_events(text)]
    return Incoming(further, incoming, ids, streams, held)
