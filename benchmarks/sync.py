"""python -m benchmarks.sync: what moving history costs, beside git.

    python -m benchmarks.sync --quick                        does it work?
    python -m benchmarks.sync --events 1000000 --output sync

Wall clock, whole processes for both (`evgit clone`, `git clone`), the median of the rounds. Git's
repository has an event a commit, as its message (`contenders.git_repository`). Everything that
evgit receives is verified. Writes Markdown to standard output, and with --output NAME to NAME.md.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.contenders.git_repository import EventPerCommit
from benchmarks.events import generated
from evgit.formats.event import batch_from_lines
from evgit.repository import Repository

COMMIT = 1000


def evgit(*words: str) -> None:
    command = [sys.executable, "-m", "evgit", *words]
    subprocess.run(command, check=True, capture_output=True)


def git(directory: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=directory, check=True, capture_output=True)


def made(directory: Path, lines: Path, commit: int) -> Repository:
    """A bare repository with the events of a file, so many a commit."""
    repository = Repository.init(directory, bare=True)
    if commit == 1:
        repository._connection.execute("PRAGMA synchronous=OFF")  # it only has to be there
    with lines.open("rb") as file:
        while batch := list(itertools.islice(file, commit)):
            repository.append(batch_from_lines(batch), verify=False)
    return repository


def timed(rounds: int, work: Callable[[Path], None], scratch: Path) -> float:
    """Median seconds of `work`, which is given a new place each time."""
    taken = []
    for number in range(rounds):
        place = scratch / f"round-{number}"
        start = perf_counter()
        work(place)
        taken.append(perf_counter() - start)
        shutil.rmtree(place, ignore_errors=True)
    return median(taken)


def measure(events: int, rounds: int, scratch: Path) -> Iterator[tuple[str, str, str]]:
    """(what, bound, measured) of each figure."""
    few = min(events, 100_000)
    lines = generated(scratch, events).path
    first = generated(scratch, few).path
    with made(scratch / "large", lines, COMMIT) as large:
        large_fsck = _seconds(large.fsck)
    with made(scratch / "single", first, 1):
        pass
    store = EventPerCommit(scratch / "git")
    store.append(str(first), COMMIT)
    store.size()

    theirs = few / timed(
        rounds,
        lambda place: git(scratch, "clone", "-q", f"file://{scratch}/git", str(place)),
        scratch,
    )
    ours = events / timed(
        rounds, lambda p: evgit("clone", "--bare", f"{scratch}/large", str(p)), scratch
    )
    single = few / timed(
        rounds, lambda p: evgit("clone", "--bare", f"{scratch}/single", str(p)), scratch
    )
    yield (
        f"clone of {events:,} events, 1,000 a commit, against git clone of {few:,} commits",
        "at least 1.5x",
        f"{ours / theirs:.2f}x ({ours:,.0f} and {theirs:,.0f} events/s)",
    )
    yield "the same against fsck", "at least 0.6x", f"{ours / (events / large_fsck):.2f}x"
    yield (
        f"clone of {few:,} events, one a commit, against git clone of as many",
        "at least 0.6x",
        f"{single / theirs:.2f}x ({single:,.0f} events/s)",
    )
    yield from over_http(events, rounds, scratch, ours)
    yield from small_steps(scratch)
    yield from pushes(scratch, first)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    yield "largest process of all that", "reported", f"{peak:,.0f} MiB"


def over_http(
    events: int, rounds: int, scratch: Path, local: float
) -> Iterator[tuple[str, str, str]]:
    server = subprocess.Popen(
        [sys.executable, "-m", "evgit", "serve", str(scratch), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        url = server.stderr.readline().rsplit(" ", 1)[1].strip()
        rate = events / timed(
            rounds, lambda p: evgit("clone", "--bare", f"{url}/large", str(p)), scratch
        )
    finally:
        server.terminate()
        server.wait()
    yield (
        "the clone over http on loopback, against the path",
        "at least 0.7x",
        f"{rate / local:.2f}x",
    )


def small_steps(scratch: Path) -> Iterator[tuple[str, str, str]]:
    evgit("clone", "--bare", f"{scratch}/large", f"{scratch}/behind")
    with (
        Repository(_layout(scratch / "large")) as large,
        Repository(_layout(scratch / "behind")) as behind,
    ):
        taken, rounds, sent = [], 0, 0
        for number in range(20):
            large.append([_new(number)])
            sync = behind.sync()
            start = perf_counter()
            fetched = sync.fetch(sync.remotes.get("origin"))
            taken.append(perf_counter() - start)
            rounds, sent = max(rounds, fetched.rounds), max(sent, fetched.bytes)
    yield (
        "fetch of one new commit, in the library",
        "1 round trip, under 2 KiB, under 100 ms",
        f"{rounds} round trip, body of {sent:,} bytes, {median(taken) * 1000:.1f} ms",
    )


def pushes(scratch: Path, lines: Path) -> Iterator[tuple[str, str, str]]:
    count = 10_000
    some = scratch / "some"
    with lines.open("rb") as source, some.open("wb") as target:
        target.writelines(itertools.islice(source, count))
    with made(scratch / "mine", some, 1) as mine:
        root = mine.history.commit_line(mine.history.graph.get(mine.id))
    with Repository.init(scratch / "theirs", bare=True, root_line=root):
        pass
    start = perf_counter()
    evgit("-C", str(scratch / "mine"), "push", str(scratch / "theirs"), "main")
    ours = perf_counter() - start
    store = EventPerCommit(scratch / "git-mine")
    store.append(str(some), COMMIT)
    store.size()
    git(scratch, "init", "-q", "--bare", "git-theirs")
    start = perf_counter()
    git(scratch / "git-mine", "push", "-q", f"file://{scratch}/git-theirs", "main")
    theirs = perf_counter() - start
    yield (
        f"push of {count:,} one-event commits, against git push",
        "at least 0.8x",
        f"{theirs / ours:.2f}x ({ours:.2f} s and {theirs:.2f} s)",
    )


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def _layout(directory: Path):  # type: ignore[no-untyped-def]
    from evgit.storage.layout import Layout

    return Layout.at(directory, bare=True)


def _new(number: int):  # type: ignore[no-untyped-def]
    from evgit.repository import NewEvent

    return NewEvent(f"fetched-{number}", "counted", {"n": number})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few events, one round")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    events, rounds = (2000, 1) if options.quick else (options.events, options.rounds)
    os.environ.setdefault("EVGIT_AUTHOR_NAME", "Bench")
    checkout = str(Path(__file__).resolve().parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join([checkout, os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as directory:
        rows = list(measure(events, rounds, Path(directory)))
    text = "| figure | bound | measured |\n|---|---|---|\n"
    text += "".join(f"| {' | '.join(row)} |\n" for row in rows)
    print(text)
    if options.output:
        options.output.with_suffix(".md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
