"""What a batch of stored events says, known without making events of its lines.

The native part reads it from lines that it certifies. What it has doubts about is judged as ever,
and put in its place here. This module must not know who judges, nor how.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from evgit.formats.native import native

if TYPE_CHECKING:
    from evgit.formats.event_batch import EventBatch

_BETWEEN = "\n"  # names of streams hold no control characters
Judge = Callable[[list[int]], "EventBatch | None"]
"""The events at some places among the lines, if they are all beyond doubt."""


class Facts(NamedTuple):
    """`joined_streams`: with a newline between each two. `instants`: of the times. `keyed` and
    `listing_blobs`: places of events that have a key, which is in `keys`, and that list blobs."""

    joined_streams: str
    instants: array[int]
    first_time: str
    last_time: str
    keyed: list[int]
    keys: list[str]
    listing_blobs: list[int]


def facts_of_lines(lines: list[bytes], judge: Judge) -> Facts | None:
    """What these lines say, if all of them are beyond doubt. None as well where there is no native
    part, or not much that it can certify."""
    return None if native is None else _facts(native.certified_lines(lines), judge)


def facts_of_text(text: bytes, judge: Judge) -> Facts | None:
    """The same for lines that stand in a text, each with its newline."""
    return None if native is None else _facts(native.certified_text(text), judge)


def canonical_text(text: bytes) -> tuple[bytes, Facts] | None:
    """The canonical lines of events that a user gives, and what they say; None as well where there
    is no native part, or any line is out of the ordinary."""
    found = None if native is None else native.canonical_text(text)
    if found is None:
        return None
    facts = _facts(found[1], lambda places: None)
    return None if facts is None else (found[0], facts)


def _facts(
    found: tuple[str, bytes, str, str, list[int], list[str], list[int], list[int]] | None,
    judge: Judge,
) -> Facts | None:
    if found is None:
        return None
    streams, joined_instants, first_time, last_time, keyed, keys, listing_blobs, doubtful = found
    instants = array("q")
    instants.frombytes(joined_instants)
    facts = Facts(streams, instants, first_time, last_time, keyed, keys, listing_blobs)
    if not doubtful:
        return facts
    batch = judge(doubtful)
    return None if batch is None else _completed(facts, doubtful, batch)


def _completed(facts: Facts, places: list[int], batch: EventBatch) -> Facts:
    """With what the events of `batch` say, which stand at `places`."""
    streams = facts.joined_streams.split(_BETWEEN)
    for place, stream, instant in zip(places, batch.streams, batch.instants, strict=True):
        streams[place] = stream
        facts.instants[place] = instant
    keys = dict(zip(facts.keyed, facts.keys, strict=True))
    keys |= {places[i]: key for i, key in zip(batch.keyed, batch.keys, strict=True)}
    keyed = sorted(keys)
    return Facts(
        joined_streams=_BETWEEN.join(streams),
        instants=facts.instants,
        first_time=min(facts.first_time, batch.first_time),
        last_time=max(facts.last_time, batch.last_time),
        keyed=keyed,
        keys=[keys[place] for place in keyed],
        listing_blobs=sorted([*facts.listing_blobs, *(places[i] for i in batch.listing_blobs)]),
    )
