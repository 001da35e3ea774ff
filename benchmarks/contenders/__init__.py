"""The stores that are compared, one module each; `REGISTRY` names them.

A contender is a class made with the directory of its store. Its methods are the actions that
scenarios ask for, by name, each in a process of its own; what they return becomes JSON. Every
contender is tuned as its own users would tune it, and what that means stands in its docstring.
The modules import their store's package themselves, so that none is loaded beside another.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Contender:
    """How a contender is called in tables, where its class is, and what must be installed."""

    label: str
    where: str
    package: str = ""
    program: str = ""
    most_events: int | None = None  # beyond this it is measured on fewer events, and said so

    def installed(self) -> bool:
        if self.package and importlib.util.find_spec(self.package) is None:
            return False
        return not self.program or shutil.which(self.program) is not None

    def open(self, directory: Path) -> Any:
        module, name = self.where.split(":")
        return getattr(importlib.import_module(f"benchmarks.contenders.{module}"), name)(directory)


REGISTRY = {
    "evgit": Contender("evgit", "evgit_store:EvgitStore", "evgit"),
    "sqlite": Contender("SQLite table", "sqlite_table:SQLiteTable", "apsw"),
    "sqlite-plain": Contender("SQLite table, standard library", "plain_sqlite:PlainSQLiteTable"),
    "sqlite-tuned": Contender("SQLite table, tuned", "sqlite_table:TunedSQLiteTable", "apsw"),
    "git": Contender(
        "git, an event a commit", "git_repository:EventPerCommit", "", "git", most_events=100_000
    ),
    "git-1000": Contender("git, 1,000 a commit", "git_repository:BatchPerCommit", "", "git"),
    "doltlite": Contender("doltlite", "doltlite_table:DoltliteTable", "doltlite"),
    "eventsourcing": Contender(
        "eventsourcing", "eventsourcing_app:EventSourcingApp", "eventsourcing", most_events=100_000
    ),
    "file": Contender("append + fdatasync", "plain_file:PlainFile"),
}
