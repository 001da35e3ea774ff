"""python -m benchmarks.sync: what moving history costs, beside git.

    python -m benchmarks.sync --quick                        does it work?
    python -m benchmarks.sync --events 1000000 --output sync

Wall clock, whole processes for both (`evgit clone`, `git clone`), which take turns; a ratio is
taken in each round, and the median of those is given. Git's repository has an event a commit, as
its message (`contenders.git_repository`). Everything that evgit receives is verified. Writes
Markdown to standard output, and with --output NAME to NAME.md.
"""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.contenders.git_repository import EventPerCommit
from benchmarks.events import generated
from benchmarks.measuring import Row, run
from evgit.formats.event import batch_from_lines
from evgit.formats.times import to_instant
from evgit.repository import Connecting, NewEvent, Repository, clone
from evgit.storage.layout import Layout
from evgit.sync.transport import Carried
from evgit.sync.transports.local import LocalTransport

COMMIT = 1000
PUSHED = 10_000
FETCHES = 20


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


def in_turns(
    rounds: int, scratch: Path, works: dict[str, Callable[[Path], object]]
) -> dict[str, list[float]]:
    """Seconds that each of some works took in each round; each is given a new place."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name, work in works.items():
            place = scratch / f"{name.replace(' ', '-')}-{number}"
            start = perf_counter()
            work(place)
            taken[name].append(perf_counter() - start)
            shutil.rmtree(place, ignore_errors=True)
    return taken


def compared(ours: list[float], theirs: list[float], more: float = 1.0) -> str:
    """How many times faster ours is, if it does `more` times as much."""
    ratio = median(more * there / here for here, there in zip(ours, theirs, strict=True))
    return f"{ratio:.2f}x"


def rate(events: int, seconds: list[float]) -> str:
    return f"{events / median(seconds):,.0f} events/s"


def measure(events: int, rounds: int, scratch: Path) -> Iterator[Row]:
    """(what, bound, measured) of each figure."""
    few = min(events, 100_000)
    lines = generated(scratch, events).path
    first = generated(scratch, few).path
    for name, file, commit in (("large", lines, COMMIT), ("single", first, 1)):
        with made(scratch / name, file, commit):
            pass
    store = EventPerCommit(scratch / "git")
    store.append(str(first), COMMIT)
    store.size()
    yield from clones(events, few, rounds, scratch)
    yield from at_rest(scratch)
    yield from small_steps(scratch)
    yield from pushes(rounds, scratch, first)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    yield "largest process of all that", "reported", f"{peak:,.0f} MiB"


def clones(events: int, few: int, rounds: int, scratch: Path) -> Iterator[Row]:
    def cloning(address: str, *words: str) -> Callable[[Path], object]:
        return lambda place: evgit("clone", "--bare", *words, address, str(place))

    with served(scratch) as url:
        taken = in_turns(
            rounds,
            scratch,
            {
                "git": lambda p: git(scratch, "clone", "-q", f"file://{scratch}/git", str(p)),
                "alone": cloning(f"file://{scratch}/large", "--jobs", "1"),
                "workers": cloning(f"file://{scratch}/large", "--jobs", "2"),
                "http": cloning(f"{url}/large", "--jobs", "2"),
                "fsck": lambda _: evgit("-C", f"{scratch}/large", "fsck"),
                "single alone": cloning(f"file://{scratch}/single", "--jobs", "1"),
                "single": cloning(f"file://{scratch}/single", "--jobs", "2"),
            },
        )
    theirs = taken["git"]
    more = events / few
    what = f"clone of {events:,} events over file://, 1,000 a commit"
    yield f"git clone of {few:,} one-event commits", "", rate(few, theirs)
    for name, how, bound in (("alone", "one process", "1.5x"), ("workers", "two workers", "2x")):
        yield (
            f"{what}, {how}, against git clone",
            f"at least {bound}",
            f"{compared(taken[name], theirs, more)} ({rate(events, taken[name])})",
        )
    yield (
        "the same, two workers, against fsck",
        "at least 0.6x",
        f"{compared(taken['workers'], taken['fsck'])} ({rate(events, taken['fsck'])})",
    )
    for name, how, bound in (
        ("single", "two workers", "at least 0.6x"),
        ("single alone", "one process", "reported"),
    ):
        yield (
            f"clone of {few:,} events, one a commit, {how}, against git clone of as many",
            bound,
            f"{compared(taken[name], theirs)} ({rate(few, taken[name])})",
        )
    yield (
        "the clone of 1,000 a commit over http on loopback, against file://",
        "at least 0.7x",
        f"{compared(taken['http'], taken['workers'])} ({rate(events, taken['http'])})",
    )


@contextmanager
def served(scratch: Path) -> Iterator[str]:
    """The URL of a server of all repositories there."""
    server = subprocess.Popen(
        [sys.executable, "-m", "evgit", "serve", str(scratch), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        yield server.stderr.readline().rsplit(" ", 1)[1].strip()
    finally:
        server.terminate()
        server.wait()


def at_rest(scratch: Path) -> Iterator[Row]:
    """Bytes of a clone's body beside the pack that the same history is at rest."""
    using = Connecting("Bench <>", lambda: to_instant("2026-12-01T00:00:00.000000Z"))
    repository, fetched = clone(str(scratch / "large"), scratch / "behind", using=using, bare=True)
    repository.close()
    shutil.copytree(scratch / "large", scratch / "packed")
    evgit("-C", str(scratch / "packed"), "gc")
    packs = sum(p.stat().st_size for p in (scratch / "packed" / "packs").glob("*.evpack"))
    yield (
        "bytes on the wire of that clone, against the pack at rest",
        "at most 1.1x",
        f"{fetched.bytes / packs:.2f}x ({fetched.bytes:,} and {packs:,})",
    )


def small_steps(scratch: Path) -> Iterator[Row]:
    """Fetches of one new commit each into the clone that `at_rest` made."""
    sent: list[int] = []
    trips: list[int] = []
    carry = LocalTransport.carry

    def counted(self: LocalTransport, message: bytes, body: Iterable[bytes] = ()) -> Carried:
        answer = carry(self, message, body)
        sent.append(len(message) + len(answer.message))
        return answer

    LocalTransport.carry = counted  # type: ignore[method-assign]
    try:
        with opened(scratch / "large") as large, opened(scratch / "behind") as behind:
            taken, most = [], 0
            for number in range(FETCHES):
                large.append([NewEvent(f"fetched-{number}", "counted", {"n": number})])
                sync = behind.sync()
                sent.clear()
                start = perf_counter()
                fetched = sync.fetch(sync.remotes.get("origin"))
                taken.append(perf_counter() - start)
                assert fetched.commits == 1
                trips.append(len(sent))
                most = max(most, sum(sent) + fetched.bytes)
    finally:
        LocalTransport.carry = carry  # type: ignore[method-assign]
    yield (
        "fetch of one new commit behind that, in the library",
        "1 round trip, under 2 KiB, under 100 ms",
        f"{max(trips)} round trip, {most:,} bytes both ways, {median(taken) * 1000:.1f} ms",
    )


def pushes(rounds: int, scratch: Path, lines: Path) -> Iterator[Row]:
    some = scratch / "some"
    with lines.open("rb") as source, some.open("wb") as target:
        target.writelines(itertools.islice(source, PUSHED))
    with made(scratch / "mine", some, 1) as mine:
        root = mine.history.commit_line(mine.history.graph.get(mine.id))
    store = EventPerCommit(scratch / "git-mine")
    store.append(str(some), COMMIT)
    store.size()
    for number in range(rounds):
        with Repository.init(scratch / f"evgit-{number}", bare=True, root_line=root):
            pass
        git(scratch, "init", "-q", "--bare", f"git-{number}")
    taken = in_turns(
        rounds,
        scratch,
        {
            "git": lambda p: git(scratch / "git-mine", "push", "-q", f"file://{p}", "main"),
            "evgit": lambda p: evgit("-C", str(scratch / "mine"), "push", f"file://{p}", "main"),
        },
    )
    seconds = [f"{median(taken[name]):.2f} s" for name in ("evgit", "git")]
    yield (
        f"push of {PUSHED:,} one-event commits over file://, against git push of as many",
        "at least 0.8x",
        f"{compared(taken['evgit'], taken['git'])} ({seconds[0]} and {seconds[1]})",
    )


def opened(directory: Path) -> Repository:
    return Repository(Layout.at(directory, bare=True))


def main() -> int:
    os.environ.setdefault("EVGIT_AUTHOR_NAME", "Bench")
    checkout = str(Path(__file__).resolve().parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join([checkout, os.environ.get("PYTHONPATH", "")])
    return run(__doc__, measure, rounds=3, few_events=2000)


if __name__ == "__main__":
    sys.exit(main())
