"""From a stored block to what the index says of its commit: for checking and for re-indexing.

Appending knows all this already; here it is worked out again from the bytes, given that the index
is right about the commits stored before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from evgit.errors import InvalidObject, NotFound
from evgit.formats.again import AGAIN_BYTES, again_id, is_again
from evgit.formats.commit import Commit
from evgit.formats.event import EventBatch
from evgit.formats.merkle import Frontier
from evgit.formats.times import to_instant
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.incoming import held_back, incoming_events, still_held_back
from evgit.history.indexing import CommitToIndex
from evgit.history.line_ranges import LineRange, joined
from evgit.history.standing import standing_in

FrontierOf = Callable[[CommitRow], Frontier]


def commit_to_index(
    history: History,
    number: int,
    batch: EventBatch,
    again: Sequence[tuple[int, bytes]],
    commit: Commit,
    commit_id: bytes,
    frontier_of: FrontierOf,
) -> CommitToIndex:
    """What the index must hold for the block that starts at line `number`.

    `batch`: the block's events that are stored in it; `again`: (place among the block's event
    lines, event id) of those that are not. Raises InvalidObject where the block can't be right.
    """
    parents = [_parent(history, parent) for parent in commit.parents]
    if not parents:
        return CommitToIndex(
            number=number,
            id=commit_id,
            time=to_instant(commit.time),
            parents=[],
            ids=[],
            streams=[],
            frontier=Frontier(),
            nodes=[],
        )
    own = _own(history, number, batch, again)
    nodes: list[tuple[int, int, bytes]] = []
    frontier = frontier_of(parents[0]).copy()
    streams = own.streams
    segment: list[LineRange] | None = None
    held = _held_back(history, parents, commit)
    if len(parents) > 1 or again:
        merged = incoming_events(history, parents, held)
        there = set(merged.ids)
        fresh = [
            place
            for place, event_id in enumerate(own.ids)
            if event_id not in there
            and (
                own.lines[place] >= number
                or history.graph.position_of(parents[0], own.lines[place]) is None
            )
        ]
        segment = joined([*merged.ranges, *((own.lines[place], 1) for place in fresh)])
        streams = merged.streams + [own.streams[place] for place in fresh]
        added_ids = merged.ids + [own.ids[place] for place in fresh]
        frontier.extend(added_ids, lambda *node: nodes.append(node))
    else:
        frontier.add(batch.subtrees(frontier.size), lambda *node: nodes.append(node))
    return CommitToIndex(
        number=number,
        id=commit_id,
        time=to_instant(commit.time),
        parents=parents,
        ids=own.ids,
        streams=streams,
        frontier=frontier,
        nodes=nodes,
        keys=own.keys,
        segment=segment,
        held_back=still_held_back(history, parents, held, own.lines),
    )


def order_problem(commit: Commit, derived: CommitToIndex) -> str | None:
    """What a commit says that its history does not bear out, or None: number of events, size and
    root of the log, time."""
    size, root = derived.frontier.size, derived.frontier.root().hex()
    if commit.events != len(derived.ids):
        return f"says {commit.events} events, its block has {len(derived.ids)}"
    if commit.log.size != size:
        return f"says its log has {commit.log.size} events, it has {size}"
    if commit.log.root != root:
        return f"says log root {commit.log.root}, its events give {root}"
    if derived.parents and derived.time < derived.parents[0].time:
        return "is recorded before its first parent"
    return None


def _parent(history: History, commit_id: str) -> CommitRow:
    row = history.graph.find(bytes.fromhex(commit_id))
    if row is None:
        raise InvalidObject(f"parent {commit_id} is not stored before it")
    return row


class _Own(NamedTuple):
    """A commit's own events, in order. `keys`: as in CommitToIndex."""

    ids: Sequence[bytes]
    streams: list[str]
    lines: Sequence[int]
    keys: list[tuple[int, str, str]]


def _own(
    history: History, number: int, batch: EventBatch, again: Sequence[tuple[int, bytes]]
) -> _Own:
    places = {place for place, _ in again}
    lines = range(number, number + len(batch) + len(again))
    stored = [line for line in lines if line - number not in places] if again else lines
    keys = [
        (stored[place], batch.streams[place], key)
        for place, key in zip(batch.keyed, batch.keys, strict=True)
    ]
    if not again:
        if not batch.all_differ:
            raise InvalidObject("it has an event twice")
        return _Own(batch.ids, batch.streams, lines, keys)
    ids, streams, own_lines = list(batch.ids), list(batch.streams), list(lines)
    elsewhere = history.events.find([event_id for _, event_id in again])
    if len({*ids, *(event_id for _, event_id in again)}) != len(lines):
        raise InvalidObject("it has an event twice")
    for place, event_id in again:
        line = elsewhere.get(event_id)
        if line is None:
            raise InvalidObject(f"event {event_id.hex()} is not stored before it")
        ids.insert(place, event_id)
        streams.insert(place, standing_in([history.blocks.line(line, closed=True)])[0].stream)
        own_lines[place] = line
    return _Own(ids, streams, own_lines, keys)


def _held_back(history: History, parents: list[CommitRow], commit: Commit) -> set[int]:
    try:
        return held_back(history, parents, commit.merge.left_out if commit.merge else ())
    except NotFound as error:
        raise InvalidObject(error.message) from None


def split_again(lines: Sequence[bytes]) -> tuple[list[bytes], list[tuple[int, bytes]]]:
    """(event lines, (place, id) of the `again` lines) of a block's lines but the last."""
    if AGAIN_BYTES not in set(map(len, lines)):
        return list(lines), []
    again = [
        (place, bytes.fromhex(again_id(line))) for place, line in enumerate(lines) if is_again(line)
    ]
    if not again:
        return list(lines), again
    places = {place for place, _ in again}
    return [line for place, line in enumerate(lines) if place not in places], again
