"""How long until the state at a random past point is at hand?

evgit cold: nothing cached, every event up to the point is folded. Warm: snapshots were left behind
by the states asked for before. A SQLite table has no states: it folds up to the point. The fold of
evgit makes whole documents (merged data, counts by type), that of the table one number a stream.
"""

from __future__ import annotations

import random
from statistics import median

from benchmarks.bench import Bench, Result


def run(bench: Bench) -> list[Result]:
    choose = random.Random(1)
    total = bench.dataset.events
    samples: dict[str, list[float]] = {}
    for name in bench.among("evgit"):
        cold, warm = [], []
        for _ in range(bench.rounds):
            bench.call(name, "forget_states")
            cold += bench.call(name, "past_states", positions=[choose.randrange(1, total)])
        warming = [total * step // 10 for step in range(1, 11)]
        bench.call(name, "past_states", positions=warming)
        for _ in range(bench.rounds):
            positions = [choose.randrange(1, total) for _ in range(4 if bench.quick else 20)]
            warm.append(median(bench.call(name, "past_states", positions=positions)))
        samples["evgit, snapshots warm"] = warm
        samples["evgit, cold"] = cold
        samples["evgit, full replay"] = [
            bench.call(name, "replay")["seconds"] for _ in range(bench.rounds)
        ]
    for name in bench.among("sqlite"):
        positions = [choose.randrange(1, total) for _ in range(bench.rounds)]
        samples[name] = [bench.call(name, "past_states", positions=[at])[0] for at in positions]
    return [
        Result(
            "past",
            "State at a random past point",
            bench.dataset,
            "ms",
            False,
            {name: [seconds * 1000 for seconds in taken] for name, taken in samples.items()},
            reference="evgit, snapshots warm",
            notes={"sqlite": "folds up to the point", "evgit, full replay": "for comparison"},
        )
    ]
