"""Writers that are killed while they append: run for as long as wanted, then look what is left.

    python -m tests.faults.killing DIRECTORY [--seconds 180] [--writers 8] [--seed 1]

One process forks writers and readers, kills writers at random moments and starts others in their
place. A writer notes the ids of every append that was acknowledged, in a file of its own, synced.
Afterwards each of them must be in its log exactly once, and `fsck` must find nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from evgit.repository import NewEvent, Repository

BRANCHES = ("main", "till-1", "till-2")


@dataclass
class Outcome:
    """What a run did and what is wrong afterwards. `slowest_read`: seconds to read one event."""

    kills: int = 0
    writers: int = 0
    acknowledged: int = 0
    appends: int = 0
    stored: int = 0
    reads: int = 0
    slowest_read: float = 0.0
    problems: list[str] = field(default_factory=list)


def prepare(directory: Path) -> None:
    with Repository.init(directory) as repository:
        for name in BRANCHES[1:]:
            repository.branches.create(name, repository.head().point.commit)
    (directory / "notes").mkdir()


def write_until_killed(directory: Path, number: int, seed: int) -> None:
    """Append for ever; note what was acknowledged after each append."""
    chance = random.Random(seed)
    branch = BRANCHES[number % len(BRANCHES)]
    notes = (directory / "notes" / f"{number}-{seed}.{branch}").open("ab", buffering=0)
    with Repository.open(directory) as repository:
        for turn in range(1_000_000):
            count = chance.choice((1, 1, 1, 2, 5, 30, 300))
            done = repository.append(
                [
                    NewEvent(
                        f"account-{chance.randrange(20)}",
                        "deposit_made",
                        {"amount": chance.randrange(10**6), "note": "n" * chance.randrange(200)},
                        key=f"{seed}-{turn}-{place}" if turn % 3 == 0 else None,
                    )
                    for place in range(count)
                ],
                branch=branch,
            )
            notes.write("".join(f"{event_id}\n" for event_id in done.ids).encode())
            os.fsync(notes.fileno())


def read_until_killed(directory: Path, seed: int) -> None:
    """Read logs for ever, slowly, and compare each with the root that its commit says it has."""
    chance = random.Random(seed)
    notes = (directory / "notes" / f"{seed}.reader").open("ab", buffering=0)
    with Repository.open(directory) as repository:
        while True:
            branch = chance.choice(BRANCHES)
            before = time.perf_counter()
            point = repository.resolve(branch)
            log = repository.log(point)
            ids = []
            for event_id in log.ids():
                if not ids:
                    notes.write(f"read {time.perf_counter() - before:.3f}\n".encode())
                ids.append(event_id)
                if len(ids) % 100 == 0:
                    time.sleep(0.001)
            said = repository.commit(point.commit).commit.log
            if (said.size, said.root) != (len(ids), log.root().hex()) or len(set(ids)) != len(ids):
                notes.write(f"wrong log of {branch} at {point}\n".encode())


def forked(work: object, *arguments: object) -> int:
    """Run a function in a child until it is killed. What it raises is noted."""
    child = os.fork()
    if child:
        return child
    try:
        work(*arguments)  # type: ignore[operator]
    except BaseException:
        directory = arguments[0]
        assert isinstance(directory, Path)
        (directory / "notes" / f"{os.getpid()}.error").write_text(traceback.format_exc())
    os._exit(1)


def run(directory: Path, *, seconds: float, writers: int, readers: int, seed: int) -> Outcome:
    """Prepare a repository in `directory`, let it be written and killed, and look at it."""
    chance = random.Random(seed)
    outcome = Outcome()
    prepare(directory)
    reading = [forked(read_until_killed, directory, number) for number in range(readers)]
    running: dict[int, int] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number in range(writers):
            if number not in running:
                outcome.writers += 1
                running[number] = forked(
                    write_until_killed, directory, number, outcome.writers + seed * 100_000
                )
        time.sleep(chance.expovariate(1 / 0.06))
        victim = running.pop(chance.randrange(writers))
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        outcome.kills += 1
    for child in [*running.values(), *reading]:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    look(directory, outcome)
    return outcome


def look(directory: Path, outcome: Outcome) -> None:
    """Fill in what is stored, and every problem there is."""
    notes = directory / "notes"
    for error in notes.glob("*.error"):
        outcome.problems.append(error.read_text())
    for report in notes.glob("*.reader"):
        for line in report.read_text().splitlines():
            if line.startswith("read "):
                outcome.reads += 1
                outcome.slowest_read = max(outcome.slowest_read, float(line[5:]))
            else:
                outcome.problems.append(line)
    with Repository.open(directory) as repository:
        for branch in BRANCHES:
            stored = Counter(event_id.hex() for event_id in repository.log(branch).ids())
            outcome.stored += len(stored)
            if stored and max(stored.values()) > 1:
                outcome.problems.append(f"{branch} has an event more than once")
            for note in notes.glob(f"*.{branch}"):
                ids = [line for line in note.read_text().split("\n")[:-1] if len(line) == 64]
                outcome.acknowledged += len(ids)
                lost = [event_id for event_id in ids if event_id not in stored]
                outcome.problems += [f"{event_id} of {note.name} is lost" for event_id in lost]
        report = repository.fsck()
        outcome.appends = report.commits
        outcome.problems += [f"{p.kind}: {p.message}" for p in report.problems]
        repository.append([NewEvent("account-1", "deposit_made")])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    outcome = run(
        given.directory,
        seconds=given.seconds,
        writers=given.writers,
        readers=given.readers,
        seed=given.seed,
    )
    sys.stdout.write(f"{outcome}\n")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
