"""python -m benchmarks.models: what models cost, on the bank's balances.

    python -m benchmarks.models --quick                    does it work?
    python -m benchmarks.models --events 1000000 --output models

The same events for all; a tenth of them, at most 100,000, for aggregates, which are compared by the
event. Every measurement is made in a process of its own; those of one ratio take turns. Writes the
figures as Markdown to standard output, and with --output NAME to NAME.md and NAME.json.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.processes import Ended, run
from benchmarks.report import Figure, machine

_QUICK = 3_000
_ACCOUNTS = 10_000
_MOST_AGGREGATE_EVENTS = 100_000
_MIB = 1 << 20


@dataclass
class Trial:
    """One run: where its stores are, how large they are, and what was measured (seconds)."""

    directory: Path
    events: int
    rounds: int
    samples: dict[str, list[float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def accounts(self) -> int:
        return min(_ACCOUNTS, max(self.events // 20, 10))

    def do(self, action: str, **arguments: Any) -> tuple[Any, Ended]:
        """An action of `benchmarks.bank` in a process of its own: its answer and what it took."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{action}")
            sys.stderr.flush()
        request = self.directory / "request.json"
        request.write_text(json.dumps({"action": action, **arguments}))
        ended = run([sys.executable, "-m", "benchmarks.bank", str(request)])
        return json.loads(ended.output.splitlines()[-1]), ended

    def place(self, name: str) -> str:
        return str(self.directory / name)

    def median(self, name: str) -> float:
        return median(self.samples[name])

    def ratio(self, slow: str, fast: str) -> float:
        """The median of how many times as long `slow` took, round by round."""
        pairs = zip(self.samples[slow], self.samples[fast], strict=True)
        return median(a / b for a, b in pairs)


def measure(trial: Trial) -> None:
    """All of it."""
    lines = trial.place("events.jsonl")
    hidden, _ = trial.do("generate", path=lines, events=trial.events, accounts=trial.accounts)
    trial.do("evgit_store", directory=trial.place("evgit"), path=lines)
    trial.do("evgit_pack", directory=trial.place("packed"), source=trial.place("evgit"))
    trial.do("sqlite_store", directory=trial.place("sqlite"), path=lines)
    rebuilt(trial, lines)
    looked_back(trial, hidden)
    answer, _ = trial.do("evgit_refresh", directory=trial.place("evgit"), count=30)
    trial.samples["refresh"] = answer["seconds"]
    many = trial.place("accounts.jsonl")
    trial.do("generate_accounts", path=many, events=trial.events)
    trial.do("evgit_store", directory=trial.place("many"), path=many)
    _, ended = trial.do("evgit_rebuild", directory=trial.place("many"))
    trial.facts["peak"] = ended.peak


def rebuilt(trial: Trial, lines: str) -> None:
    """The rebuilds, in turns; all must come to the same balances."""
    rebuild: dict[str, tuple[str, dict[str, Any]]] = {
        "evgit": ("evgit_rebuild", {"directory": trial.place("evgit")}),
        "evgit, packed": ("evgit_rebuild", {"directory": trial.place("packed")}),
        "evgit, packed, two": ("evgit_rebuild", {"directory": trial.place("packed"), "jobs": 2}),
        "sqlite": ("sqlite_rebuild", {"directory": trial.place("sqlite")}),
    }
    checksums: dict[str, set[str]] = {}
    if find_spec("eventsourcing") is not None:
        few = Path(trial.place("few.jsonl"))
        count = min(trial.events, _MOST_AGGREGATE_EVENTS)
        with Path(lines).open("rb") as file, few.open("wb") as out:
            for _, line in zip(range(count), file, strict=False):
                out.write(line)
        trial.facts["aggregate events"] = count
        trial.do("eventsourcing_store", directory=trial.place("eventsourcing"), path=str(few))
        rebuild["eventsourcing"] = (
            "eventsourcing_rebuild",
            {"directory": trial.place("eventsourcing")},
        )
    for turn in range(trial.rounds):
        order = list(rebuild) if turn % 2 else list(reversed(rebuild))
        for name in order:
            action, arguments = rebuild[name]
            answer, _ = trial.do(action, **arguments)
            trial.samples.setdefault(name, []).append(answer["seconds"])
            checksums.setdefault(name, set()).add(answer["checksum"])
    checksums.pop("eventsourcing", None)
    assert len(set().union(*checksums.values())) == 1, checksums


def looked_back(trial: Trial, hidden: dict[str, Any]) -> None:
    """States of the past, blame, bisect."""
    choose = random.Random(1)
    place = trial.place("evgit")
    found, _ = trial.do("evgit_bisect", directory=place, account=hidden["account"])
    assert found["position"] == hidden["position"], (found, hidden)
    trial.samples["bisect"] = [found["seconds"]]
    trial.facts["evaluations"] = found["evaluations"]
    positions = [choose.randrange(trial.events) for _ in range(40)]
    account = hidden["account"]
    answer, _ = trial.do("evgit_past", directory=place, positions=positions, account=account)
    trial.samples["past"] = answer["seconds"]
    trial.samples["past, whole"] = answer["whole"]
    accounts = [account]
    answer, _ = trial.do("evgit_blame", directory=place, accounts=accounts * 5)
    trial.samples["blame"] = answer["seconds"]


def figures(trial: Trial) -> Iterator[Figure]:
    """What is to be reached, and what was."""
    events, rebuild = f"{trial.events:,} events", trial.median("evgit")
    by_hand = trial.ratio("sqlite", "evgit")
    what = f"rebuild of the bank's balances, {events}, one process"
    yield Figure(f"{what}: by hand over SQLite", "at least 1x", f"{by_hand:.2f}x", by_hand >= 1)
    if "eventsourcing" in trial.samples:
        count = trial.facts["aggregate events"]
        aggregates = trial.ratio("eventsourcing", "evgit") * trial.events / count
        yield Figure(
            f"{what}: `eventsourcing` aggregates ({count:,} events)",
            "at least 8x",
            f"{aggregates:.1f}x",
            aggregates >= 8,
        )
    packed = trial.ratio("evgit", "evgit, packed")
    by_hand = trial.ratio("sqlite", "evgit, packed")
    yield Figure(
        f"{what}, after `gc`: the same before, and by hand over SQLite",
        "at least 1x",
        f"{packed:.2f}x, {by_hand:.2f}x",
        min(packed, by_hand) >= 1,
    )
    two = trial.ratio("evgit, packed", "evgit, packed, two")
    unpacked = trial.ratio("evgit", "evgit, packed, two")
    yield Figure(
        "the same with two processes: with one, after `gc` as well",
        "at least 1.5x",
        f"{two:.2f}x ({unpacked:.2f}x one process before `gc`)",
        two >= 1.5,
    )
    past = rebuild / trial.median("past")
    worst = rebuild / max(trial.samples["past"])
    yield Figure(
        "state at a random past point and a document of it, snapshots warm, "
        f"{trial.accounts:,} documents",
        "under 1/40 of the rebuild",
        f"1/{past:.0f} (worst of {len(trial.samples['past'])}: 1/{worst:.0f})",
        past > 40,
    )
    whole = rebuild / trial.median("past, whole")
    yield Figure(
        f"the same, all {trial.accounts:,} documents and their root",
        "under 1/40 of the rebuild",
        f"1/{whole:.0f} (worst: 1/{rebuild / max(trial.samples['past, whole']):.0f})",
        whole > 40,
    )
    blame = rebuild / trial.median("blame")
    yield Figure(
        f"blame of one field in {events}", "under 1/20 of the rebuild", f"1/{blame:.0f}", blame > 20
    )
    bisect, asked = trial.median("bisect") / rebuild, trial.facts["evaluations"]
    yield Figure(
        f"bisect over {events}",
        "at most 25 evaluations, under 2 rebuilds",
        f"{asked}, {bisect:.2f}",
        asked <= 25 and bisect < 2,
    )
    refresh = trial.median("refresh") * 1000
    yield Figure("refresh after one new event", "under 5 ms", f"{refresh:.1f} ms", refresh < 5)
    peak = trial.facts["peak"] / _MIB
    yield Figure(
        f"peak memory, {trial.events:,} documents", "under 1 GiB", f"{peak:.0f} MiB", peak < 1024
    )


def report(trial: Trial, judged: list[Figure]) -> str:
    """The figures, and what they are made of, as Markdown."""
    lines = [
        f"Measured on {machine()}.",
        "",
        "| figure | bound | measured | |",
        "|---|---|---|---|",
    ]
    for each in judged:
        verdict = "reached" if each.reached else "**missed**"
        lines.append(f"| {each.what} | {each.bound} | {each.measured} | {verdict} |")
    lines += ["", "| | median, ms | lowest to highest |", "|---|---|---|"]
    for name, samples in trial.samples.items():
        low, middle, high = (1000 * f(samples) for f in (min, median, max))
        lines.append(f"| {name} | {middle:,.1f} | {low:,.1f} to {high:,.1f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=100_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, help="rebuilds of each [3]")
    parser.add_argument("--quick", action="store_true", help="few events, one round")
    parser.add_argument("--directory", type=Path, help="where stores go [a temporary directory]")
    parser.add_argument("--output", type=Path, help="write NAME.md and NAME.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evgit-benchmarks-") as temporary:
        directory = options.directory or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        events = _QUICK if options.quick else options.events
        trial = Trial(directory, events, 1 if options.quick else options.rounds)
        measure(trial)
    judged = list(figures(trial))
    text = report(trial, judged)
    print(text)
    if options.output:
        options.output.with_suffix(".md").write_text(text)
        document = {"samples": trial.samples, "figures": [asdict(each) for each in judged]}
        options.output.with_suffix(".json").write_text(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
