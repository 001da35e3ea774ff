"""Does a commit cost more after a million commits than after a thousand?

Two repositories of one-event commits, one short and one long; chunks of durable commits in turn.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from benchmarks.bench import Bench, Result
from benchmarks.events import generated
from benchmarks.processes import call

_SHORT = 1000


def run(bench: Bench) -> list[Result]:
    if not bench.among("evgit"):
        return []
    chunk = 20 if bench.quick else 100
    long = 2 * _SHORT if bench.quick else bench.commits
    spare = 10_000
    dataset = generated(bench.directory, long + spare)
    stores = {}
    done = {}
    for count in (_SHORT, long):
        label = f"commit number {count:,}"
        stores[label] = bench.fresh(f"depth-{count}")
        bench.tell(f"making {count:,} commits")
        call("evgit", "many_commits", stores[label], path=str(dataset.path), count=count)
        done[label] = count

    def measure(label: str) -> float:
        taken, _ = call(
            "evgit",
            "single_commits",
            stores[label],
            path=str(dataset.path),
            skip=done[label],
            count=chunk,
        )
        done[label] += chunk
        return float(median(taken) * 1e6)

    samples = bench.in_turns(list(stores), measure, rounds=bench.rounds + 4)
    return [
        Result(
            "depth",
            "One durable commit, by the length of history",
            replace(dataset, name=f"{long:,} commits", events=long),
            "us",
            False,
            samples,
            reference=f"commit number {_SHORT:,}",
        )
    ]
