"""How fast does a Python program fold the whole log, every event decoded with data and meta?

All contenders must come to the same totals.
"""

from __future__ import annotations

from benchmarks.bench import Bench, Result


def run(bench: Bench) -> list[Result]:
    names = bench.among(
        "evgit", "sqlite", "sqlite-tuned", "git", "git-1000", "doltlite", "eventsourcing"
    )
    checksums: dict[int, set[str]] = {}

    def measure(name: str) -> float:
        answer = bench.call(name, "replay")
        checksums.setdefault(answer["events"], set()).add(answer["checksum"])
        return float(answer["events"] / answer["seconds"])

    samples = bench.in_turns(names, measure)
    assert all(len(seen) == 1 for seen in checksums.values()), checksums
    return [
        Result(
            "replay",
            "Full replay into a Python fold",
            bench.dataset,
            "events/s",
            True,
            samples,
            notes={name: bench.note_for(name) for name in names},
        )
    ]
