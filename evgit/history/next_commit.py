"""The commit of a few new events behind what the same writer appended last: most durable commits.

A durable commit of one event waits for the processor longer than for the disk. So here is only what
such a commit needs, in one straight line: nothing is looked up, no run of an index is written, no
subtree of the log's tree becomes complete. Everything else is left to `append`, which does the same
for any append; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from evgit.formats.block import FRAME_BYTES, encode_small_block, encode_text_block
from evgit.formats.closing import close
from evgit.formats.event import EventBatch
from evgit.formats.merkle import KEPT_LEVEL
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.tips import Tip

MOST_EVENTS = 16


class FewEvents(msgspec.Struct, frozen=True, gc=False):
    """Events for `write_next`, with all of their batch that is asked for more than once.

    `number`: the line that the first of them gets; `latest`: the latest event instant stored once
    they are; `text_size`: bytes of their lines, each with its newline.
    """

    batch: EventBatch
    count: int
    streams: list[str]
    text_size: int
    number: int
    latest: int


class NextCommit(msgspec.Struct, frozen=True, gc=False):
    """A commit that was written, its id in hex, the ids of its events, and the frontier of its log:
    the peaks one after another."""

    row: CommitRow
    target: str
    ids: Sequence[bytes]
    peaks: bytes


def few_events(
    history: History, batch: EventBatch, tip: Tip, end: tuple[int, int]
) -> FewEvents | None:
    """The events of a batch; None where `write_next` is not for them.

    `end`: number of the next line, and the latest event instant stored so far.
    """
    count, row, size = len(batch), tip.row, batch.text_size
    if not 0 < count <= MOST_EVENTS or size >= FRAME_BYTES or batch.keyed:
        return None
    number, latest = end
    if row.held_back is not None or row.size >> KEPT_LEVEL != row.size + count >> KEPT_LEVEL:
        return None
    if not history.indexer.has_room(row, number, count):
        return None
    instants = batch.instants
    if min(instants) <= latest:  # one of them may repeat something
        return None
    if count > 1 and not batch.all_differ:
        return None
    return FewEvents(batch, count, batch.streams, size, number, max(instants))


def write_next(
    history: History,
    events: FewEvents,
    tip: Tip,
    *,
    author: str,
    message: str,
    meta: dict[str, Any],
    guards: dict[str, int],
    time: int,
) -> NextCommit:
    """Write the block and the index rows, inside a transaction."""
    parent, number = tip.row, events.number
    closed = close(
        events.batch.lines,
        parent.size,
        tip.peaks,
        parent=tip.target,
        author=author,
        message=message,
        meta=meta,
        guards=guards,
        instant=time,
    )
    text = closed.text
    if len(text) < FRAME_BYTES:
        frame = encode_small_block(text)
        history.blocks.put_frame(number, frame, events.count + 1, events.latest)
    else:
        history.blocks.put(number, encode_text_block(text, events.text_size), events.latest)
    row = history.indexer.index_next(parent, number, time, closed, events.streams)
    return NextCommit(row, closed.id.hex(), closed.ids, closed.peaks)
