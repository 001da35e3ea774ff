"""What does one durable commit of one event cost, beside appending its line to a file and syncing?

Chunks of commits in turn; a chunk's figure is its median commit.
"""

from __future__ import annotations

from statistics import median

from benchmarks.bench import Bench, Result
from benchmarks.processes import call


def run(bench: Bench) -> list[Result]:
    names = ["file", *bench.among("evgit", "sqlite", "eventsourcing")]
    chunk = 20 if bench.quick else 300
    stores = {name: bench.fresh(f"single-{name}") for name in names}
    done = dict.fromkeys(names, 0)

    def measure(name: str) -> float:
        taken, _ = call(
            name,
            "single_commits",
            stores[name],
            path=str(bench.dataset.path),
            skip=done[name],
            count=chunk,
        )
        done[name] += chunk
        return float(median(taken) * 1e6)

    return [
        Result(
            "commit",
            "One durable commit of one event",
            bench.dataset,
            "us",
            False,
            bench.in_turns(names, measure, rounds=bench.rounds + 4),
        )
    ]
