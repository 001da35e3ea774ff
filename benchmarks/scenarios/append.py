"""How fast do JSON lines become durable, 1,000 events a commit or transaction?

From reading the file to the last acknowledged commit; starting the process and making the empty
store are left out.
"""

from __future__ import annotations

from benchmarks.bench import Bench, Result


def run(bench: Bench) -> list[Result]:
    names = bench.among(
        "evgit",
        "sqlite",
        "sqlite-plain",
        "sqlite-tuned",
        "git",
        "git-1000",
        "doltlite",
        "eventsourcing",
    )

    def measure(name: str) -> float:
        answer, _ = bench.append(name)
        return float(answer["events"] / answer["seconds"])

    return [
        Result(
            "append",
            "Bulk append of JSON lines, 1,000 a commit",
            bench.dataset,
            "events/s",
            True,
            bench.in_turns(names, measure),
            notes={name: bench.note_for(name) for name in names},
        )
    ]
