"""Which events of a batch a log already has: by id, or by idempotency key.

A batch later than everything stored can't repeat anything, which is the common case and costs
next to nothing. Otherwise ids and keys are looked up in the index.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from evgit.errors import KeyReused
from evgit.formats.boundary import decode_absent, is_absent, line_id, said_by
from evgit.formats.event import Event, EventBatch, decode_event
from evgit.formats.times import to_instant
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.standing import standing_in


class Sorted(msgspec.Struct):
    """A batch, sorted out.

    `ids`: of every event of the batch, in order; of the stored event where a key made one
    a repetition. `fresh`: places in the batch of what is to be appended. `again`: place -> line of
    those fresh events that are stored, but not in this log. `keyed`: places of events with a key.
    """

    ids: Sequence[bytes]
    fresh: Sequence[int]
    again: dict[int, int] = {}
    keyed: list[int] = []


def sort_out(
    history: History, batch: EventBatch, head: CommitRow, latest: int, next_line: int
) -> Sorted:
    """Compare a batch with the log of `head`. `latest`: the latest event instant stored anywhere.

    Raises KeyReused where an idempotency key stands on an event that says something else.
    """
    keyed = batch.keyed
    later = not len(batch) or to_instant(batch.first_time) > latest
    if later and not keyed and batch.all_differ:
        return Sorted(batch.ids, range(len(batch)))

    ids = list(batch.ids)
    stored = {} if later else history.events.find(ids)
    repeated = _repeated_keys(history, batch, keyed, head)
    seen: set[bytes] = set()
    fresh: list[int] = []
    found = Sorted(ids, fresh, keyed=keyed)
    for place, event_id in enumerate(batch.ids):
        known = repeated.get(place)
        if known is not None:
            ids[place] = known
            continue
        if event_id in seen:
            continue
        seen.add(event_id)
        line = stored.get(event_id)
        if line is not None:
            if history.graph.position_of(head, line) is not None:
                continue
            found.again[place] = line
        fresh.append(place)
    return found


def _repeated_keys(
    history: History, batch: EventBatch, keyed: list[int], head: CommitRow
) -> dict[int, bytes]:
    """{place in the batch: id of the event that has its key}, for keys that were used before."""
    events = batch.events
    pairs = [(events[place].stream, str(events[place].key)) for place in keyed]
    lines = history.events.lines_with_keys(pairs)
    repeated: dict[int, bytes] = {}
    first_in_batch: dict[tuple[str, str], int] = {}
    for place, pair, candidates in zip(keyed, pairs, lines, strict=True):
        event = events[place]
        for line in candidates:
            stored = history.blocks.line(line, closed=True)
            known = standing_in([stored])[0]
            if (known.stream, known.key) != pair:
                continue
            if history.graph.position_of(head, line) is None:
                continue
            _refuse_other_content(event, stored)
            repeated[place] = known.id
            break
        else:
            earlier = first_in_batch.setdefault(pair, place)
            if earlier != place:
                _refuse_other_content(event, batch.lines[earlier])
                repeated[place] = batch.ids[earlier]
    return repeated


def _refuse_other_content(event: Event, stored: bytes) -> None:
    """`stored`: the line of the other event, or what stands for it where it is not here."""
    had = decode_absent(stored).said if is_absent(stored) else said_by(decode_event(stored))
    if said_by(event) != had:
        raise KeyReused(
            f"stream {event.stream!r} already has an event with key {event.key!r} "
            f"({line_id(stored).hex()[:12]}) that says something else",
            hint="a key belongs to one event; a retry must repeat its type, version, data and meta",
        )
