"""How fast is a whole store checked?

evgit fsck checks every hash, canonical form, order and log root; git fsck every hash and link.
SQLite's integrity_check, for reference, checks structure and can't know what was written.
"""

from __future__ import annotations

from benchmarks.bench import Bench, Result


def run(bench: Bench) -> list[Result]:
    names = bench.among("evgit", "git", "git-1000", "sqlite")

    def measure(name: str) -> float:
        answer = bench.call(name, "verify")
        return float(answer["events"] / answer["seconds"])

    return [
        Result(
            "fsck",
            "Check the whole store",
            bench.dataset,
            "events/s",
            True,
            bench.in_turns(names, measure),
            notes={
                **{name: bench.note_for(name) for name in names},
                "sqlite": "integrity_check: no hashes",
            },
        )
    ]
