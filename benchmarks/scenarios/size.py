"""How many bytes on the disk does an event take after a bulk append?

evgit: everything under `.evgit` but its cache of states. Git: after a full repack. doltlite: after
its own garbage collection. SQLite: after a checkpoint.
"""

from __future__ import annotations

from benchmarks.bench import Bench, Result


def run(bench: Bench) -> list[Result]:
    names = bench.among("evgit", "sqlite", "git", "git-1000", "doltlite", "eventsourcing")
    return [
        Result(
            "size",
            "On the disk",
            bench.dataset,
            "bytes/event",
            False,
            {name: [bench.call(name, "size") / bench.dataset_for(name).events] for name in names},
            notes={name: bench.note_for(name) for name in names},
        )
    ]
