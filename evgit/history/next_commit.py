"""The commit of a few new events behind what the same writer appended last: most durable commits.

A durable commit of one event waits for the processor longer than for the disk. So here is only what
such a commit needs, in one straight line: nothing is looked up, no run of an index is written, no
subtree of the log's tree becomes complete. Everything else is left to `append`, which does the same
for any append; a test holds the two against each other.
"""

from __future__ import annotations

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


class NextCommit(msgspec.Struct, frozen=True, gc=False):
    """A commit that was written, its id in hex, and the frontier of its log: the peaks one after
    another."""

    row: CommitRow
    target: str
    peaks: bytes


def latest_after(history: History, batch: EventBatch, tip: Tip, end: tuple[int, int]) -> int | None:
    """The latest event instant stored once the batch is; None where `write_next` is not for it.

    `end`: number of the next line, and the latest event instant stored so far.
    """
    count, row = len(batch), tip.row
    if not 0 < count <= MOST_EVENTS or batch.text_size >= FRAME_BYTES or batch.keyed:
        return None
    number, latest = end
    if row.held_back is not None or row.size >> KEPT_LEVEL != row.size + count >> KEPT_LEVEL:
        return None
    if not history.indexer.has_room(row, number, count):
        return None
    instants = batch.instants
    if min(instants) <= latest:  # it may repeat something
        return None
    return max(instants) if count == 1 or batch.all_differ else None


def write_next(
    history: History,
    batch: EventBatch,
    tip: Tip,
    end: tuple[int, int],
    *,
    author: str,
    message: str,
    meta: dict[str, Any],
    guards: dict[str, int],
    time: int,
) -> NextCommit:
    """Write the block and the index rows, inside a transaction.

    `end`: number of the next line, and the latest event instant stored once the batch is.
    """
    parent, (number, latest) = tip.row, end
    closed = close(
        batch.lines,
        parent.size,
        tip.peaks,
        parent=tip.target,
        author=author,
        message=message,
        meta=meta,
        guards=guards,
        instant=time,
    )
    batch.know_ids(closed.ids)
    text = closed.text
    if len(text) < FRAME_BYTES:
        frame = encode_small_block(text)
        history.blocks.put_frame(number, frame, len(batch) + 1, latest)
    else:
        history.blocks.put(number, encode_text_block(text, batch.text_size), latest)
    row = history.indexer.index_next(parent, number, closed.id, time, batch, closed.peaks)
    return NextCommit(row, closed.id.hex(), closed.peaks)
