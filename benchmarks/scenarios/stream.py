"""How long does it take to read the last events of one stream, in a store of many?

Streams are drawn at random among those that have enough events; the figure is the median stream.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import median

from benchmarks.bench import Bench, Result

_LENGTHS = (10, 100)


def run(bench: Bench) -> list[Result]:
    names = bench.among("evgit", "sqlite", "sqlite-tuned", "eventsourcing")
    results = []
    for count in _LENGTHS:
        drawn = {name: _streams(bench, name, count) for name in names}
        taking_part = [name for name in names if drawn[name]]
        if not taking_part:
            continue

        results.append(
            Result(
                f"stream-{count}",
                f"Read {count} events of one stream",
                bench.dataset,
                "us",
                False,
                bench.in_turns(taking_part, _measure(bench, drawn, count)),
                notes={name: bench.note_for(name) for name in taking_part},
            )
        )
    return results


def _measure(bench: Bench, drawn: dict[str, list[str]], count: int) -> Callable[[str], float]:
    return lambda name: (
        median(bench.call(name, "read_streams", names=drawn[name], count=count)) * 1e6
    )


def _streams(bench: Bench, name: str, count: int) -> list[str]:
    sizes = bench.dataset_for(name).read_streams()
    enough = sorted(stream for stream, size in sizes.items() if size >= count)
    return random.Random(count).sample(enough, min(len(enough), 20 if bench.quick else 300))
