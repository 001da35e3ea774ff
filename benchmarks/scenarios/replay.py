"""How fast does a Python program fold the whole log?

Twice: with every event decoded to its last member, and with only the two members asked for that
the fold needs, on every side. All contenders must come to the same totals.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench, Result


def run(bench: Bench) -> list[Result]:
    whole = bench.among(
        "evgit",
        "sqlite",
        "sqlite-plain",
        "sqlite-tuned",
        "git",
        "git-1000",
        "doltlite",
        "eventsourcing",
    )
    narrow = bench.among("evgit", "sqlite", "sqlite-plain", "sqlite-tuned")
    checksums: dict[int, set[str]] = {}
    results = [
        _folded(bench, whole, "replay", "Full replay into a Python fold", checksums),
        _folded(
            bench,
            narrow,
            "replay_two_members",
            "Full replay, only stream and data asked for",
            checksums,
        ),
    ]
    assert all(len(seen) == 1 for seen in checksums.values()), checksums
    return results


def _folded(
    bench: Bench, names: Sequence[str], method: str, title: str, checksums: dict[int, set[str]]
) -> Result:
    def measure(name: str) -> float:
        answer = bench.call(name, method)
        checksums.setdefault(answer["events"], set()).add(answer["checksum"])
        return float(answer["events"] / answer["seconds"])

    return Result(
        "replay",
        title,
        bench.dataset,
        "events/s",
        True,
        bench.in_turns(names, measure),
        notes={name: bench.note_for(name) for name in names},
    )
