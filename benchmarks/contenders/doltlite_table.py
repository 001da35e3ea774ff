"""doltlite: SQLite's interface over a versioned store; a dolt commit every 1,000 events.

The same table as the SQLite contender's, but without its index on (stream, revision): doltlite
versions its indexes too, and with this one, whose keys come in random order, it stores more than
2,000 bytes an event and appends at a quarter of the speed. So this is doltlite at its best, and it
can't read one stream without a scan.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from time import perf_counter
from typing import Any

import doltlite  # noqa: F401  (first: it puts itself beneath the sqlite3 module)
import msgspec

from benchmarks.contenders.fold import checksum
from benchmarks.events import line_decoder

import sqlite3  # isort: skip

_SCHEMA = """
create table events(
    id integer primary key, stream text not null, revision integer not null, type text not null,
    time text not null, version integer not null, data text not null, meta text not null)
"""
_INSERT = (
    "insert into events(stream, revision, type, time, version, data, meta) values (?,?,?,?,?,?,?)"
)
_SELECT = "select stream, revision, type, time, version, data, meta from events order by id"


class DoltliteTable:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "events.db"
        new = not self.path.exists()
        self.database = sqlite3.connect(self.path, isolation_level=None)
        if new:
            self.database.execute(_SCHEMA)

    def append(self, path: str, batch: int) -> dict[str, Any]:
        revisions: dict[str, int] = {}
        count = 0
        with Path(path).open("rb") as file:
            start = perf_counter()
            while lines := list(itertools.islice(file, batch)):
                rows = []
                for line in lines:
                    event = line_decoder.decode(line)
                    revision = revisions.get(event.stream, 0)
                    revisions[event.stream] = revision + 1
                    rows.append(
                        (event.stream, revision, event.type, event.time, event.version)
                        + (bytes(event.data).decode(), bytes(event.meta).decode())
                    )
                self.database.execute("begin")
                self.database.executemany(_INSERT, rows)
                self.database.execute("commit")
                self.database.execute("select dolt_commit('-A', '-m', 'batch')").fetchall()
                count += len(rows)
            seconds = perf_counter() - start
        return {"seconds": seconds, "events": count}

    def replay(self) -> dict[str, Any]:
        start = perf_counter()
        totals: dict[str, int] = {}
        count = 0
        decode = msgspec.json.Decoder().decode
        rows = self.database.execute(_SELECT)
        for stream, _revision, _type, _time, _version, data, meta in rows:
            decode(meta)
            totals[stream] = totals.get(stream, 0) + decode(data).get("amount", 1)
            count += 1
        seconds = perf_counter() - start
        return {"seconds": seconds, "events": count, "checksum": checksum(totals)}

    def size(self) -> int:
        self.database.execute("select dolt_gc()").fetchall()
        return self.path.stat().st_size
