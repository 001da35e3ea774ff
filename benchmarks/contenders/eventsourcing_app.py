"""The `eventsourcing` package on its SQLite module, through an application's event store.

Domain events with the package's default JSON transcoder, 1,000 a transaction. No aggregate objects
are built on the way in or out, which favours it. Streams become UUIDs, as it names aggregates.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import DomainEvent

from benchmarks.contenders.fold import checksum
from benchmarks.events import Event, event_decoder

_PAGE = 1000


class Happened(DomainEvent):  # type: ignore[misc]
    """What happened in one stream; its time is the package's own `timestamp`."""

    stream: str
    type: str
    data: dict[str, Any]
    meta: dict[str, Any]


@cache
def _originator(stream: str) -> UUID:
    return uuid5(NAMESPACE_URL, stream)


class EventSourcingApp:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "events.db"
        self.application = Application(
            {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(self.path)}
        )
        self.versions: dict[str, int] = {}

    def _domain_event(self, event: Event) -> Happened:
        version = self.versions.get(event.stream, 0) + 1
        self.versions[event.stream] = version
        return Happened(
            originator_id=_originator(event.stream),
            originator_version=version,
            timestamp=datetime.fromisoformat(event.time),
            stream=event.stream,
            type=event.type,
            data=event.data,
            meta=event.meta,
        )

    def append(self, path: str, batch: int) -> dict[str, Any]:
        count = 0
        with Path(path).open("rb") as file:
            start = perf_counter()
            while lines := list(itertools.islice(file, batch)):
                events = [self._domain_event(event_decoder.decode(line)) for line in lines]
                self.application.events.put(events)
                count += len(events)
            seconds = perf_counter() - start
        return {"seconds": seconds, "events": count}

    def single_commits(self, path: str, skip: int, count: int) -> list[float]:
        with Path(path).open("rb") as file:
            lines = list(itertools.islice(file, skip, skip + count))
        recorder = self.application.recorder
        taken = []
        for line in lines:
            event = event_decoder.decode(line)
            start = perf_counter()
            last = recorder.select_events(_originator(event.stream), desc=True, limit=1)
            self.versions[event.stream] = last[0].originator_version if last else 0
            self.application.events.put([self._domain_event(event)])
            taken.append(perf_counter() - start)
        return taken

    def replay(self) -> dict[str, Any]:
        start = perf_counter()
        totals: dict[str, int] = {}
        count = 0
        for event in self._all():
            totals[event.stream] = totals.get(event.stream, 0) + event.data.get("amount", 1)
            count += 1
        seconds = perf_counter() - start
        return {"seconds": seconds, "events": count, "checksum": checksum(totals)}

    def _all(self) -> Iterator[Happened]:
        after = 0
        convert = self.application.mapper.to_domain_event
        while page := self.application.recorder.select_notifications(
            after, _PAGE, inclusive_of_start=False
        ):
            yield from map(convert, page)
            after = page[-1].id

    def read_streams(self, names: list[str], count: int) -> list[float]:
        taken = []
        for name in names:
            start = perf_counter()
            events = list(self.application.events.get(_originator(name), desc=True, limit=count))
            events.reverse()
            taken.append(perf_counter() - start)
            assert len(events) == count, (name, len(events))
        return taken

    def size(self) -> int:
        import sqlite3

        self.application.close()
        with sqlite3.connect(self.path) as database:
            database.execute("pragma wal_checkpoint(truncate)")
        return self.path.stat().st_size
