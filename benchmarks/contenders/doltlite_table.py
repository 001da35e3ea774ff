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

from benchmarks.contenders.event_table import INSERT, SCHEMA, SELECT, rows
from benchmarks.contenders.fold import checksum

import sqlite3  # isort: skip


class DoltliteTable:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "events.db"
        new = not self.path.exists()
        self.database = sqlite3.connect(self.path, isolation_level=None)
        if new:
            self.database.execute(SCHEMA)

    def append(self, path: str, batch: int) -> dict[str, Any]:
        revisions: dict[str, int] = {}
        count = 0
        with Path(path).open("rb") as file:
            start = perf_counter()
            while lines := list(itertools.islice(file, batch)):
                made = rows(lines, revisions)
                self.database.execute("begin")
                self.database.executemany(INSERT, made)
                self.database.execute("commit")
                self.database.execute("select dolt_commit('-A', '-m', 'batch')").fetchall()
                count += len(made)
            seconds = perf_counter() - start
        return {"seconds": seconds, "events": count}

    def replay(self) -> dict[str, Any]:
        start = perf_counter()
        totals: dict[str, int] = {}
        count = 0
        decode = msgspec.json.Decoder().decode
        found = self.database.execute(f"{SELECT} order by id")
        for stream, _revision, _type, _time, _version, data, meta in found:
            decode(meta)
            totals[stream] = totals.get(stream, 0) + decode(data).get("amount", 1)
            count += 1
        seconds = perf_counter() - start
        return {"seconds": seconds, "events": count, "checksum": checksum(totals)}

    def size(self) -> int:
        self.database.execute("select dolt_gc()").fetchall()
        return self.path.stat().st_size
