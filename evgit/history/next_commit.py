"""The commit of a few new events behind what the same writer appended last: most durable commits.

A durable commit of one event waits for the processor longer than for the disk. So here is only what
such a commit needs, in one straight line: nothing is looked up, no run of an index is written, no
subtree of the log's tree becomes complete. Everything else is left to `append`, which does the same
for any append; a test holds the two against each other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from evgit.formats.block import encode_text_block
from evgit.formats.closing import close
from evgit.formats.event import EventBatch
from evgit.formats.merkle import KEPT_LEVEL
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.tips import Tip

MOST_EVENTS = 16


class NextCommit(NamedTuple):
    """A commit that was written, and the frontier of its log: the peaks one after another."""

    row: CommitRow
    peaks: bytes


def latest_after(history: History, batch: EventBatch, tip: Tip, end: tuple[int, int]) -> int | None:
    """The latest event instant stored once the batch is; None where `write_next` is not for it.

    `end`: number of the next line, and the latest event instant stored so far.
    """
    count, row = len(batch), tip.row
    if not 0 < count <= MOST_EVENTS or batch.is_large or batch.keyed or row.held_back is not None:
        return None
    number, latest = end
    if row.size >> KEPT_LEVEL != row.size + count >> KEPT_LEVEL:
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
    commit_bytes = len(closed.text) - batch.text_size
    block = encode_text_block(closed.text, len(batch) + 1, commit_bytes)
    history.blocks.put(number, block, latest)
    row = history.indexer.index_next(parent, number, closed.id, time, batch, closed.peaks)
    return NextCommit(row, closed.peaks)
