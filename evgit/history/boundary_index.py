"""From a boundary's block to what the index says of it: for receiving, checking and re-indexing.

What can be checked without the history behind it is: that the ids give the log root that the commit
states. Streams, keys, and what is held back are as the one who sent them says. It must not know who
that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from evgit.errors import InvalidObject
from evgit.formats.again import again_id, is_again
from evgit.formats.boundary import (
    OWN,
    Boundary,
    decode_boundary,
    is_absent,
    is_boundary,
)
from evgit.formats.canonical import digest, id_bytes
from evgit.formats.commit import Commit
from evgit.formats.event import verify_event_lines
from evgit.formats.merkle import Frontier
from evgit.formats.times import to_instant
from evgit.history.boundaries import BoundaryRow
from evgit.history.history import History
from evgit.history.indexing import CommitToIndex
from evgit.history.line_ranges import LineRange, clipped, joined
from evgit.history.standing import Standing, standing_in, standing_on


class Unfolded(NamedTuple):
    """A boundary's block, checked. `commit`: for the index."""

    boundary: Boundary
    commit: CommitToIndex


def is_boundary_block(lines: Sequence[bytes]) -> bool:
    """Is it a boundary's? `lines`: of a block without its commit."""
    return bool(lines) and is_boundary(lines[-1])


def unfold(
    history: History, number: int, lines: Sequence[bytes], commit: Commit, commit_id: bytes
) -> Unfolded:
    """Check a boundary's block that begins at line `number`; `lines`: without the commit.

    Raises InvalidObject where it contradicts itself, the commit, or what is stored before it.
    """
    said, own = decode_boundary(lines[-1]), lines[:-1]
    if said.number != len(own):
        raise InvalidObject(f"its boundary speaks of {said.number} lines, there are {len(own)}")
    if not commit.parents:
        raise InvalidObject("the root commit can't be a boundary")
    standing, line_of = _own(history, number, own, said)
    ids = [one.id for one in standing]
    if len(set(ids)) != len(ids):
        raise InvalidObject("it has an event twice")
    segment: list[LineRange] = []
    log_ids: list[bytes] = []
    streams: list[str] = []
    for source, start, count in said.log:
        if source == OWN:
            places = range(start, start + count)
            segment += joined((line_of[place], 1) for place in places)
            found: Sequence[Standing] = [standing[place] for place in places]
        else:
            ranges = _piece(history, source, start, count)
            segment += ranges
            found = standing_on(history.blocks, ranges)
        log_ids += [one.id for one in found]
        streams += [one.stream for one in found]
    nodes: list[tuple[int, int, bytes]] = []
    frontier = Frontier()
    if log_ids:
        frontier.extend(log_ids, lambda *node: nodes.append(node))
    derived = CommitToIndex(
        number=number,
        id=commit_id,
        time=to_instant(commit.time),
        parents=[],
        ids=[*ids, digest(lines[-1])],
        streams=streams,
        frontier=frontier,
        nodes=nodes,
        keys=[
            (line, one.stream, one.key)
            for line, one in zip(line_of, standing, strict=True)
            if one.key is not None and line >= number
        ],
        segment=joined(segment),
        held_back=_held(history, said, dict(zip(ids, line_of, strict=True))),
        height=said.height,
    )
    if commit.log.size != frontier.size or commit.log.root != frontier.root().hex():
        raise InvalidObject(
            f"says its log has {commit.log.size} events and the root {commit.log.root}; the ids "
            f"sent for it are {frontier.size} and give {frontier.root().hex()}"
        )
    return Unfolded(said, derived)


def _own(
    history: History, number: int, own: Sequence[bytes], said: Boundary
) -> tuple[list[Standing], list[int]]:
    """(what is known of each own line's event, on which line that is)."""
    line_of = list(range(number, number + len(own)))
    again = {place for place, line in enumerate(own) if is_again(line)}
    full = [place for place in said.here if place not in again]
    for place in full:
        problem = verify_event_lines([own[place]])[0]
        if problem:
            raise InvalidObject(f"event {digest(own[place]).hex()}: {problem}")
    if any(place not in said.here for place in again):
        raise InvalidObject("an event that is stored elsewhere counts as absent")
    if not again:
        return _standing_as_said(own, said), line_of
    elsewhere = history.events.find(id_bytes(again_id(own[place])) for place in again)
    lines = list(own)
    for place in again:
        line = elsewhere.get(id_bytes(again_id(own[place])))
        if line is None:
            raise InvalidObject(f"event {again_id(own[place])} is not stored before it")
        line_of[place] = line
        lines[place] = history.blocks.line(line, closed=True)
    return _standing_as_said(lines, said), line_of


def _standing_as_said(lines: Sequence[bytes], said: Boundary) -> list[Standing]:
    here = set(said.here)
    for place, line in enumerate(lines):
        if not is_absent(line) and place not in here:
            raise InvalidObject("a line that should stand for an absent event does not")
    return standing_in(lines)


def _piece(history: History, source: str, start: int, count: int) -> list[LineRange]:
    row = history.graph.find(id_bytes(source))
    if row is None or history.graph.boundaries.get(row.number) is None:
        raise InvalidObject(f"{source} is no boundary that came before it")
    if start + count > row.size:
        raise InvalidObject(f"the log of {source} has no {start + count} events")
    return list(clipped(row.ranges, start, start + count))


def _held(history: History, said: Boundary, own: dict[bytes, int]) -> list[int]:
    held = [id_bytes(event_id) for event_id in said.held]
    elsewhere = history.events.find(i for i in held if i not in own)
    found = []
    for event_id in held:
        line = own.get(event_id, elsewhere.get(event_id))
        if line is None:
            raise InvalidObject(f"event {event_id.hex()}, which is held back, is not known")
        found.append(line)
    return found


def told_of(history: History, boundary: BoundaryRow) -> Boundary:
    """What was told of the history behind a boundary."""
    return decode_boundary(history.blocks.line(boundary.number + boundary.lines, closed=True))
