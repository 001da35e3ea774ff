"""python -m benchmarks.merging: what branching and merging cost, on a bank with a model.

    python -m benchmarks.merging --quick                      does it work?
    python -m benchmarks.merging --events 1000000 --output merging

Seconds are of processor time, the median of the rounds; ratios are of two figures of one run. The
model has one keyed projection and one rule, which is asked after every incoming commit. Writes
Markdown to standard output, and with --output NAME to NAME.md and NAME.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from evgit.formats.event import Event, batch_from_events
from evgit.repository import ModelUse, Repository
from evgit.state.modelling.trust import TrustEverything

MODEL = """\
from evgit.model import KeyedProjection, invariant, on


class Accounts(KeyedProjection):
    prefix = "accounts/"

    def initial(self, key):
        return {"balance": 0}

    @on("deposit_made")
    def deposited(self, account, event):
        account["balance"] += event.data["amount"]


@invariant("never below zero", Accounts)
def solvent(path, account):
    return account["balance"] >= 0
"""
COMMIT = 1000


def bank(directory: Path, events: int, streams: int) -> Repository:
    """A bank with so many events, and its state known."""
    (directory / "model").mkdir(parents=True)
    (directory / "model" / "bank.py").write_text(MODEL)
    repository = Repository.init(directory, model=ModelUse(trust=TrustEverything()))
    repository.commit_model()
    append(repository, "main", events, [f"account-{n}" for n in range(streams)], 0)
    _ = repository.state().root
    return repository


def append(
    repository: Repository, branch: str, count: int, streams: list[str], first: int, size: int = 0
) -> None:
    """Append so many events to a branch, dealt out to streams, in commits of `size`."""
    size = size or COMMIT
    for start in range(first, first + count, size):
        numbers = range(start, min(start + size, first + count))
        made = [
            Event(
                stream=streams[n % len(streams)],
                type="deposit_made",
                data={"amount": n % 7},
                time=f"2026-{n // 86_400_000 % 12 + 1:02}-01T{n // 3_600_000 % 24:02}:"
                f"{n // 60_000 % 60:02}:{n // 1000 % 60:02}.{n % 1000:03}000Z",
            )
            for n in numbers
        ]
        repository.append(batch_from_events(made), branch=branch, verify=False)


def seconds(work: Callable[[], object]) -> float:
    """Processor time of some work."""
    began = process_time()
    work()
    return process_time() - began


def branching(directory: Path, events: int, rounds: int) -> Iterator[tuple[str, float]]:
    """Making a branch, at few and at many events, each in a stream of its own."""
    figures = []
    for count in (1_000, events):
        with bank(directory / f"branching-{count}", count, count) as repository:
            at = repository.resolve_commit()
            for n in range(10):
                repository.branches.create(f"warm-{n}", at)
            make = partial(repository.branches.create, commit=at)
            taken = [seconds(partial(make, f"b-{n}")) for n in range(max(rounds, 3) * 20)]
            figures.append(median(taken))
            yield f"make a branch, {count:,} events and streams", figures[-1]
    yield "ratio (at most 1.5)", figures[1] / figures[0]


def replay(repository: Repository) -> str:
    """The state of main from its events alone."""
    return repository.states.rebuild(repository.log("main")).root


def merging(
    directory: Path, base: int, side: int, rounds: int, size: int = 0
) -> Iterator[tuple[str, float]]:
    """Merging two sides, that have to do with different accounts, after a base."""
    streams = max(base // 20, 10)
    with bank(directory / f"merging-{base}-{side}", base, streams) as repository:
        ours = [f"account-a{n}" for n in range(max(side // 20, 1))]
        theirs = [f"account-b{n}" for n in range(max(side // 20, 1))]
        repository.branches.create("theirs", repository.resolve_commit())
        append(repository, "main", side, ours, base, size)
        append(repository, "theirs", side, theirs, base + side, size)
        _ = repository.state("main").root, repository.state("theirs").root
        commit, before = repository.resolve_commit("theirs"), repository.resolve_commit("main")
        taken, folded = [], []
        for _ in range(rounds):
            taken.append(seconds(partial(repository.merging.merge.start, commit)))
            assert repository.resolve_commit("main") != before
            repository.branches.undo()
            folded.append(seconds(partial(replay, repository)))
        name = f"merge of two sides of {side:,} events after {base:,}"
        yield name, median(taken)
        yield f"full replay of {base + side:,} events", median(folded)
        yield "merge / full replay", median(taken) / median(folded)
        both = median(folded) * 2 * side / (base + side)
        yield "merge / replay of as many events as both sides have", median(taken) / both


def reappending(directory: Path, commits: int, rounds: int) -> Iterator[tuple[str, float]]:
    """Re-appending commits, beside appending as many in bulk."""
    size = COMMIT // 10
    with bank(directory, COMMIT, 10) as repository:
        repository.branches.create("side", repository.resolve_commit())
        append(repository, "main", 1, ["account-ours"], COMMIT)
        onto = repository.resolve_commit("main")
        theirs = [f"account-{n}" for n in range(100)]
        count = commits * size
        taken = [seconds(lambda: append(repository, "side", count, theirs, 2 * COMMIT, size))]
        repository.branches.set_head("ref: refs/heads/side", "switch", {})
        rebase = repository.merging.rebase
        again = []
        for _ in range(rounds):
            again.append(seconds(partial(rebase.start, onto)))
            assert repository.state().size == COMMIT + count + 2  # and the model's file
            repository.branches.undo()
        yield f"append {commits:,} commits of {size} events", taken[0]
        yield "re-append them, guards and rules asked again", median(again)
        yield "speed of re-appending / of appending (at least 0.5)", taken[0] / median(again)


def beside_doltlite(directory: Path, rows: int, rounds: int) -> Iterator[tuple[str, float]]:
    """The same sides as changed rows of a table in doltlite."""
    ours = dict(merging(directory / "evgit", 10 * rows, rows, rounds))
    name = next(iter(ours))
    yield name, ours[name]
    if find_spec("doltlite") is None:
        return
    taken = [doltlite_merge(directory / f"dolt-{n}.db", rows) for n in range(rounds)]
    yield f"doltlite merging {rows:,} changed rows a side", median(taken)
    yield "evgit / doltlite", ours[name] / median(taken)


def doltlite_merge(path: Path, rows: int) -> float:
    """Processor time of merging two branches that each changed so many rows."""
    import_module("doltlite")  # puts itself beneath sqlite3, which must not be loaded before
    connection = import_module("sqlite3").connect(str(path))
    run = connection.execute
    run("CREATE TABLE accounts(id TEXT PRIMARY KEY, balance INTEGER)")
    put = "INSERT INTO accounts VALUES(?,?)"
    connection.executemany(put, [(f"{n:08}", 0) for n in range(20 * rows)])
    connection.commit()
    run("SELECT dolt_commit('-A', '-m', 'base')").fetchall()
    change = "UPDATE accounts SET balance=balance+1 WHERE id=?"
    for branch, first in (("theirs", 0), ("main", 10 * rows)):
        if branch == "theirs":
            run("SELECT dolt_checkout('-b', 'theirs')").fetchall()
        else:
            run("SELECT dolt_checkout('main')").fetchall()
        connection.executemany(change, [(f"{n:08}",) for n in range(first, first + rows)])
        connection.commit()
        run("SELECT dolt_commit('-A', '-m', 'side')").fetchall()
    return seconds(lambda: run("SELECT dolt_merge('theirs')").fetchall())


def measured(directory: Path, events: int, rounds: int) -> dict[str, list[tuple[str, float]]]:
    """All figures, by group."""
    small, large = min(100, events // 4), min(50_000, events // 4)
    return {
        "Branches": list(branching(directory, events, rounds)),
        "Small sides after a long base": list(merging(directory, events, small, rounds, small)),
        "The same after a tenth of it": list(
            merging(directory, events // 10, small, rounds, small)
        ),
        "Large disjoint sides": list(merging(directory, large // 10, large, rounds)),
        "Re-appending": list(reappending(directory / "again", min(10_000, events // 10), rounds)),
        "Beside doltlite": list(beside_doltlite(directory / "beside", min(1000, events), rounds)),
    }


def as_markdown(figures: dict[str, list[tuple[str, float]]]) -> str:
    lines = []
    for group, rows in figures.items():
        lines += [f"## {group}", "", "| | seconds, or ratio |", "|---|---|"]
        lines += [f"| {name} | {value:.6f} |" for name, value in rows]
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.merging",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=100_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few events, one round")
    parser.add_argument("--output", type=Path, help="write NAME.md and NAME.json")
    options = parser.parse_args()
    events, rounds = (2_000, 1) if options.quick else (options.events, options.rounds)
    with tempfile.TemporaryDirectory(prefix="evgit-bench-") as directory:
        figures = measured(Path(directory), events, rounds)
    text = as_markdown(figures)
    print(text)
    if options.output is not None:
        document: dict[str, Any] = {group: dict(rows) for group, rows in figures.items()}
        options.output.with_suffix(".md").write_text(text)
        options.output.with_suffix(".json").write_text(json.dumps(document, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
