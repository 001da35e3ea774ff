"""How long does it take to say which documents differ between two states 100 events apart?

Warm: both states have been at hand before. The SQLite table is given a program that knows that
states are per stream, and folds only the streams that the 100 events touch.
"""

from __future__ import annotations

import random
from statistics import median

from benchmarks.bench import Bench, Result

_APART = 100


def run(bench: Bench) -> list[Result]:
    choose = random.Random(2)
    total = bench.dataset.events
    pairs = []
    for _ in range(3 if bench.quick else 10):
        low = choose.randrange(total // 2, total - _APART)
        pairs.append((low, low + _APART))
    names = bench.among("evgit", "sqlite")
    for name in names:  # states and pages are at hand then
        bench.call(name, "near_diffs", pairs=pairs)
    samples = bench.in_turns(
        names, lambda name: median(bench.call(name, "near_diffs", pairs=pairs)) * 1000
    )
    for name in bench.among("evgit"):
        samples["evgit, full replay"] = [
            bench.call(name, "replay")["seconds"] * 1000 for _ in range(bench.rounds)
        ]
    return [
        Result(
            "diff",
            f"Diff of two states {_APART} events apart, warm",
            bench.dataset,
            "ms",
            False,
            samples,
            notes={
                "sqlite": "folds the streams that the events touch",
                "evgit, full replay": "for comparison",
            },
        )
    ]
