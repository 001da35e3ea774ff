"""The event table as a program plainly writes it: `sqlite3` and `json` of the standard library.

The same columns, index and durability as `sqlite_table`, and its rows; but the SQLite that the
interpreter brings, and JSON parsed and written by `json`. Only appending differs enough to be of
interest.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.contenders.event_table import INSERT, SCHEMA, STREAM_INDEX, Row


class PlainSQLiteTable:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.database = sqlite3.connect(directory / "events.db")
        self.database.execute("pragma journal_mode=wal")
        self.database.execute("pragma synchronous=full")
        self.database.execute("pragma cache_size=-65536")
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


def _row(event: dict[str, Any], revisions: dict[str, int]) -> Row:
    stream = event["stream"]
    revision = revisions.get(stream, 0)
    revisions[stream] = revision + 1
    data, meta = (json.dumps(event.get(name, {}), sort_keys=True) for name in ("data", "meta"))
    version = event.get("version", 1)
    return stream, revision, event["type"], event["time"], version, data, meta
