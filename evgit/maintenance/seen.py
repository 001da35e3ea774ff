"""Which events and commits a check has met, by eight bytes of their ids."""

from __future__ import annotations

import sys
from array import array
from itertools import pairwise

from evgit.formats.event import EventBatch


class Seen:
    """Eight bytes of memory for each event and commit."""

    def __init__(self) -> None:
        self._events = array("Q")
        self._commits = array("Q")
        self._latest = ""
        self._may_repeat = False

    def add_commit(self, commit_id: str) -> None:
        """Remember a commit."""
        self._commits.append(_eight_bytes(commit_id))

    def add_events(self, batch: EventBatch, *, sound: bool = True) -> None:
        """Remember events. `sound`: their times are in the one format, which sorts as time does."""
        self._events.extend(batch.fingerprints())
        if not sound or not batch.all_differ:
            self._may_repeat = True
        elif len(batch):
            # What is later than everything before can't repeat any of it.
            if batch.first_time <= self._latest:
                self._may_repeat = True
            self._latest = max(self._latest, batch.last_time)

    def commit(self, commit_id: str) -> bool:
        """Has this commit been met? (Or one with the same first eight bytes.)"""
        return _eight_bytes(commit_id) in self._commits

    def any(self, object_id: str) -> bool:
        """Has this event or commit been met?"""
        return _eight_bytes(object_id) in self._events or self.commit(object_id)

    def repeated(self) -> list[str]:
        """The first 16 digits of the ids of events met more than once."""
        if not self._may_repeat:
            return []
        return [
            before.to_bytes(8, sys.byteorder).hex()
            for before, after in pairwise(sorted(self._events))
            if before == after
        ]


def _eight_bytes(object_id: str) -> int:
    return int.from_bytes(bytes.fromhex(object_id[:16]), sys.byteorder)
