"""Twins survive, retries stay what they are, and the same input gives the same events again."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, strategies as st

from evgit.bridges.twins import Twins, twin_key
from evgit.formats.event import Event, EventBatch, batch_from_events

EVENTS = st.builds(
    lambda n, hour, key, origin: Event(
        stream=f"till-{n}",
        type="sold",
        data={"n": n},
        time=f"2026-03-01T{hour:02}:00:00.000000Z",
        key=key,
        origin=origin,
    ),
    st.integers(0, 3),
    st.integers(0, 5),
    st.sampled_from([None, None, None, "k1"]),
    st.sampled_from([None, None, None, "o1"]),
)


def tell_apart(events: list[Event], size: int, limit: int) -> list[Event]:
    twins = Twins(recent_limit=limit)
    batches = [events[i : i + size] for i in range(0, len(events), size)]
    return [e for batch in batches for e in twins.tell_apart(batch_from_events(batch)).events]


def by_counting(events: list[Event]) -> list[Event]:
    """The rule itself, with nothing clever."""
    seen: Counter[str] = Counter()
    result = []
    for event in events:
        seen[event.id] += 1
        n = seen[event.id]
        if n > 1 and event.key is None and event.origin is None:
            event = Event(
                stream=event.stream,
                type=event.type,
                data=event.data,
                time=event.time,
                key=twin_key(n, event.id),
            )
        result.append(event)
    return result


@given(st.lists(EVENTS, max_size=60), st.integers(1, 12), st.integers(1, 30))
def test_the_same_as_counting_whatever_the_batches_and_however_little_is_kept(events, size, limit):
    assert tell_apart(events, size, limit) == by_counting(events)


@given(st.lists(EVENTS, max_size=40), st.integers(1, 12))
def test_in_order_of_time_too(events, size):
    events.sort(key=lambda event: event.time)
    assert tell_apart(events, size, 5) == by_counting(events)


def test_the_key_is_made_of_n_and_the_hash_of_the_line():
    event = Event(stream="s-1", type="sold", data=1, time="2026-03-01T00:00:00.000000Z")
    first, second, third = tell_apart([event] * 3, 2, 10)
    assert first == event
    assert second.key == f"twin-2-{event.id}"
    assert third.key == f"twin-3-{event.id}"
    # What an export of them holds is the same three again, and a copy behind it adds nothing.
    again = tell_apart([first, second, third, first, second], 2, 10)
    assert {e.id for e in again} == {first.id, second.id, third.id}


def test_a_batch_without_twins_passes_untouched():
    batch = batch_from_events(
        [
            Event(stream="s-1", type="sold", data=n, time="2026-03-01T00:00:00.000000Z")
            for n in (1, 2)
        ]
    )
    twins = Twins()
    assert twins.tell_apart(batch) is batch
    assert twins.given == 0
    assert len(twins.tell_apart(EventBatch([], []))) == 0


@pytest.mark.parametrize("limit", [3, 1000])
def test_twins_far_apart(limit):
    def sale(n):
        return Event(
            stream="s-1", type="sold", data=n, time=f"2026-03-01T00:00:{n % 60:02}.000000Z"
        )

    events = [sale(n) for n in range(60)] + [sale(7), sale(8), sale(7)]
    found = tell_apart(events, 10, limit)
    assert [e.key for e in found[60:]] == [
        twin_key(2, sale(7).id),
        twin_key(2, sale(8).id),
        twin_key(3, sale(7).id),
    ]
