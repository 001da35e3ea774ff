"""A plain SQLite event table, through apsw (so it is the same SQLite that evgit carries).

Write-ahead log, synchronous=FULL, a page cache of 64 MiB, a unique index for the expected revision
and for reading one stream, 1,000 events a transaction, `data` and `meta` as JSON text that is
stored as it came. The appender keeps every stream's next revision in memory, where a real one
would have to ask. Tuned: pages of 8 KiB, and a write-ahead log of up to 80 MiB before it is
copied back, which makes readers and recovery slower and appending much faster.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import apsw
import msgspec

from benchmarks.contenders.event_table import INSERT, SCHEMA, SELECT, STREAM_INDEX, row, rows
from benchmarks.contenders.fold import checksum
from benchmarks.events import line_decoder


class SQLiteTable:
    page_size = 4096
    checkpoint_pages = 1000

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "events.db"
        new = not self.path.exists()
        self.database = apsw.Connection(str(self.path))
        if new:
            self.database.execute(f"pragma page_size={self.page_size}")
        self.database.execute("pragma journal_mode=wal")
        self.database.execute("pragma synchronous=full")
        self.database.execute("pragma cache_size=-65536")
        self.database.execute(f"pragma wal_autocheckpoint={self.checkpoint_pages}")
        if new:
            self.database.execute(SCHEMA)
            self.database.execute(STREAM_INDEX)

    def append(self, path: str, batch: int) -> dict[str, Any]:
        revisions: dict[str, int] = {}
        count = 0
        with Path(path).open("rb") as file:
            start = perf_counter()
            while lines := list(itertools.islice(file, batch)):
                made = rows(lines, revisions)
                with self.database:
                    self.database.executemany(INSERT, made)
                count += len(made)
            seconds = perf_counter() - start
        return {"seconds": seconds, "events": count}

    def single_commits(self, path: str, skip: int, count: int) -> list[float]:
        with Path(path).open("rb") as file:
            events = [line_decoder.decode(s) for s in itertools.islice(file, skip, skip + count)]
        taken = []
        for event in events:
            start = perf_counter()
            with self.database:
                last = self.database.execute(
                    "select max(revision) from events where stream = ?", (event.stream,)
                ).get
                revision = 0 if last is None else last + 1
                self.database.execute(INSERT, row(event, revision))
            taken.append(perf_counter() - start)
        return taken

    def replay(self, stop: int | None = None) -> dict[str, Any]:
        """Folds the first `stop` events, or all."""
        start = perf_counter()
        totals: dict[str, int] = {}
        count = 0
        for stream, data in self._decoded(stop):
            totals[stream] = totals.get(stream, 0) + data.get("amount", 1)
            count += 1
        seconds = perf_counter() - start
        return {"seconds": seconds, "events": count, "checksum": checksum(totals)}

    def replay_two_members(self) -> dict[str, Any]:
        """The same fold, asking only for what it needs."""
        start = perf_counter()
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        totals: dict[str, int] = {}
        count = 0
        found: Iterator[Any] = self.database.execute("select stream, data from events order by id")
        for stream, data in found:
            totals[stream] = totals.get(stream, 0) + decode(data).get("amount", 1)
            count += 1
        seconds = perf_counter() - start
        return {"seconds": seconds, "events": count, "checksum": checksum(totals)}

    def _decoded(self, stop: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
        decode = msgspec.json.Decoder().decode
        where = "" if stop is None else f" where id <= {stop:d}"
        found: Iterator[Any] = self.database.execute(f"{SELECT}{where} order by id")
        for stream, _revision, _type, _time, _version, data, meta in found:
            decode(meta)
            yield stream, decode(data)

    def read_streams(self, names: list[str], count: int) -> list[float]:
        """Seconds that each stream's last `count` events took, oldest first, decoded."""
        decode = msgspec.json.Decoder().decode
        taken = []
        for name in names:
            start = perf_counter()
            found: list[Any] = self.database.execute(
                f"{SELECT} where stream = ? order by revision desc limit ?", (name, count)
            ).fetchall()
            found.reverse()
            events = [(*each[:5], decode(each[5]), decode(each[6])) for each in found]
            taken.append(perf_counter() - start)
            assert len(events) == count, (name, len(events))
        return taken

    def past_states(self, positions: list[int]) -> list[float]:
        return [self.replay(position)["seconds"] for position in positions]

    def near_diffs(self, pairs: list[tuple[int, int]]) -> list[float]:
        """What a program does that knows that states are per stream: it folds only the streams
        that the events between touch, once up to each point."""
        decode = msgspec.json.Decoder().decode
        taken = []
        for low, high in pairs:
            start = perf_counter()
            touched = self.database.execute(
                "select distinct stream from events where id > ? and id <= ?", (low, high)
            ).fetchall()
            changes = []
            for (stream,) in touched:
                old = new = 0
                events: Iterator[Any] = self.database.execute(
                    "select id, data from events where stream = ? and id <= ? order by revision",
                    (stream, high),
                )
                for number, data in events:
                    new += decode(data).get("amount", 1)
                    if number <= low:
                        old = new
                changes.append((stream, old, new))
            taken.append(perf_counter() - start)
        return taken

    def verify(self) -> dict[str, Any]:
        """SQLite's own check: structure and indexes, not that contents are what was written."""
        start = perf_counter()
        answer = self.database.execute("pragma integrity_check").get
        seconds = perf_counter() - start
        assert answer == "ok", answer
        return {
            "seconds": seconds,
            "events": self.database.execute("select max(id) from events").get,
        }

    def size(self) -> int:
        self.database.execute("pragma wal_checkpoint(truncate)")
        return self.path.stat().st_size


class TunedSQLiteTable(SQLiteTable):
    page_size = 8192
    checkpoint_pages = 10_000
