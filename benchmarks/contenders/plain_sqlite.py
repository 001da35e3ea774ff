"""The event table as a program plainly writes it: `sqlite3` and `json` of the standard library.

The same columns, index and durability as `sqlite_table`, and its rows; but the SQLite that the
interpreter brings, and JSON parsed and written by `json`. It appends and replays; other questions
don't differ enough to be of interest.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.contenders.event_table import INSERT, SCHEMA, SELECT, STREAM_INDEX, Row
from benchmarks.contenders.fold import checksum


class PlainSQLiteTable:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        new = not (directory / "events.db").exists()
        self.database = sqlite3.connect(directory / "events.db")
        self.database.execute("pragma journal_mode=wal")
        self.database.execute("pragma synchronous=full")
        self.database.execute("pragma cache_size=-65536")
        if new:
            self.database.execute(SCHEMA)
            self.database.execute(STREAM_INDEX)

    def append(self, path: str, batch: int) -> dict[str, Any]:
        revisions: dict[str, int] = {}
        count = 0
        with Path(path).open("rb") as file:
            start = perf_counter()
            while lines := list(itertools.islice(file, batch)):
                made = [_row(json.loads(line), revisions) for line in lines]
                with self.database:
                    self.database.executemany(INSERT, made)
                count += len(made)
            seconds = perf_counter() - start
        return {"seconds": seconds, "events": count}

    def replay(self, stop: int | None = None) -> dict[str, Any]:
        """Folds the first `stop` events, or all."""
        start = perf_counter()
        where = "" if stop is None else f" where id <= {stop:d}"
        totals: dict[str, int] = {}
        count = 0
        for stream, _revision, _type, _time, _version, data, meta in self.database.execute(
            f"{SELECT}{where} order by id"
        ):
            json.loads(meta)
            totals[stream] = totals.get(stream, 0) + json.loads(data).get("amount", 1)
            count += 1
        seconds = perf_counter() - start
        return {"seconds": seconds, "events": count, "checksum": checksum(totals)}

    def replay_two_members(self) -> dict[str, Any]:
        """The same fold, asking only for what it needs."""
        start = perf_counter()
        totals: dict[str, int] = {}
        count = 0
        for stream, data in self.database.execute("select stream, data from events order by id"):
            totals[stream] = totals.get(stream, 0) + json.loads(data).get("amount", 1)
            count += 1
        seconds = perf_counter() - start
        return {"seconds": seconds, "events": count, "checksum": checksum(totals)}


def _row(event: dict[str, Any], revisions: dict[str, int]) -> Row:
    stream = event["stream"]
    revision = revisions.get(stream, 0)
    revisions[stream] = revision + 1
    data, meta = (json.dumps(event.get(name, {}), sort_keys=True) for name in ("data", "meta"))
    version = event.get("version", 1)
    return stream, revision, event["type"], event["time"], version, data, meta
