"""Twins: identical lines of one input that stand for events which happened more than once.

An event's id is the hash of its bytes, so two equal lines would be one event. The n-th of them
(n > 1) gets a key made of n and the line's id: all survive, and the same input read again gives
the same events again. An event that already has a key or an origin says itself which one it is:
its repetition is a retry, and stays as it is.

"Identical" means equal canonical bytes, once a missing time has been filled in. They are told
apart by the first 8 bytes of their ids. Two different events that share those (one chance in
37 million for an input of a million) would cost one of them a needless key, the same in every run.

Memory: 8 bytes for each line; about 80 bytes for each of the last 262,144 where times are out of
order, and about 100 bytes for each line that has twins. Twins have equal times: a batch that is
later than all before has none among them, and older lines are only looked at where times overlap.

This module must not know where lines come from.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass

import msgspec

from evgit.formats.event import Event, EventBatch, batch_from_events

RECENT_LIMIT = 2**18


@dataclass(slots=True)
class _Older:
    """Fingerprints of events whose times lie within first..last; sorted when first asked."""

    first: str
    last: str
    fingerprints: array[int]
    is_sorted: bool = False

    def holds(self, fingerprint: int) -> bool:
        if not self.is_sorted:
            self.fingerprints = array("Q", sorted(self.fingerprints))
            self.is_sorted = True
        found = bisect_left(self.fingerprints, fingerprint)
        return found < len(self.fingerprints) and self.fingerprints[found] == fingerprint


class Twins:
    """What one input has brought so far. `given` counts the keys given out."""

    def __init__(self, recent_limit: int = RECENT_LIMIT) -> None:
        self.given = 0
        self._recent_limit = recent_limit
        self._recent: set[int] = set()
        self._waiting: list[array[int]] = []  # recent too; put into the set when one is looked up
        self._recent_count = 0
        self._first = self._last = ""  # times of what is recent
        self._latest = ""  # time of all that was seen
        self._older: list[_Older] = []
        self._occurrences: dict[int, int] = {}

    def tell_apart(self, batch: EventBatch) -> EventBatch:
        """The next batch of the input, with keys given to the twins in it."""
        if not len(batch):
            return batch
        fingerprints = batch.fingerprints()
        first, last = batch.first_time, batch.last_time
        if batch.prints_differ and first > self._latest:
            self._waiting.append(fingerprints)
        else:
            self._recent.update(*self._waiting)
            self._waiting.clear()
            if batch.prints_differ and not self._may_hold(set(fingerprints), first, last):
                self._recent.update(fingerprints)
            else:
                batch = self._one_by_one(batch, fingerprints)
        self._first = min(self._first or first, first)
        self._last = max(self._last, last)
        self._latest = max(self._latest, last)
        self._recent_count += len(fingerprints)
        if self._recent_count >= self._recent_limit:
            self._make_older()
        return batch

    def _may_hold(self, fingerprints: set[int], first: str, last: str) -> bool:
        return not fingerprints.isdisjoint(self._recent) or any(
            older.first <= last and first <= older.last for older in self._older
        )

    def _make_older(self) -> None:
        fingerprints = array("Q", self._recent)
        for waiting in self._waiting:
            fingerprints += waiting
        self._older.append(_Older(self._first, self._last, fingerprints))
        self._recent.clear()
        self._waiting.clear()
        self._recent_count = 0
        self._first = self._last = ""

    def _one_by_one(self, batch: EventBatch, fingerprints: array[int]) -> EventBatch:
        events: list[Event] = []
        changed = False
        for event, fingerprint in zip(batch.events, fingerprints, strict=True):
            if not self._seen(event.time, fingerprint):
                self._recent.add(fingerprint)
            elif event.key is None and event.origin is None:
                n = self._occurrences.get(fingerprint, 1) + 1
                self._occurrences[fingerprint] = n
                event = msgspec.structs.replace(event, key=twin_key(n, event.id))
                changed = True
                self.given += 1
            events.append(event)
        return batch_from_events(events) if changed else batch

    def _seen(self, time: str, fingerprint: int) -> bool:
        return fingerprint in self._recent or any(
            older.first <= time <= older.last and older.holds(fingerprint) for older in self._older
        )


def twin_key(n: int, event_id: str) -> str:
    """The key of the n-th (n > 1) of identical lines; `event_id` is that of the first."""
    return f"twin-{n}-{event_id}"
