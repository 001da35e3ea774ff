"""python -m benchmarks.packs: what history at rest takes after gc, and how quick it is to read.

    python -m benchmarks.packs --quick                        does it work?
    python -m benchmarks.packs --events 1000000 --output packs

Beside the SQLite table and `zstd -3` of the same JSON lines (1,000 events a commit), and beside git
with an event a commit, as its message, after `git gc`. Reads take turns with the SQLite table's, in
processor time; the ratio is taken in each round, and its median reported. Writes Markdown to
standard output, and with --output NAME to NAME.md.
"""

from __future__ import annotations

import itertools
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from time import process_time

import zstandard

import evgit
from benchmarks.contenders.git_repository import EventPerCommit
from benchmarks.contenders.sqlite_table import SQLiteTable
from benchmarks.events import Dataset, generated
from benchmarks.measuring import Row, run
from evgit.formats.event import batch_from_lines

COMMIT = 1000
MOST_SINGLE_COMMITS = 100_000
STREAMS_READ = 200
Read = Callable[[evgit.Repository, str, int], None]


def made(directory: Path, dataset: Dataset, commit: int) -> Path:
    """A bare repository with the events of a dataset, so many a commit, as they were appended."""
    with evgit.init(directory, bare=True) as repository, dataset.path.open("rb") as file:
        # It only has to be there: what is measured comes later.
        repository.history.connection.execute("PRAGMA synchronous=OFF")
        while lines := list(itertools.islice(file, commit)):
            repository.append(batch_from_lines(lines), verify=False)
    return directory


def consolidated(source: Path, target: Path, *, aggressive: bool = False) -> float:
    """Copies a repository and consolidates the copy; seconds of processor time."""
    shutil.copytree(source, target)
    with evgit.open(target) as repository:
        start = process_time()
        repository.gc(aggressive=aggressive)
        return process_time() - start


def at_rest(directory: Path) -> int:
    """Bytes of everything that a repository keeps."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def compressed(path: Path) -> int:
    """Bytes of `zstd -3` of a file."""
    count = 0
    with path.open("rb") as file:
        for chunk in zstandard.ZstdCompressor(level=3).read_to_iter(file):
            count += len(chunk)
    return count


def measure(events: int, rounds: int, scratch: Path) -> Iterator[Row]:
    """(what, bound, measured) of each figure."""
    dataset = generated(scratch, events)
    table = SQLiteTable(scratch / "table")
    table.append(str(dataset.path), COMMIT)
    hot = made(scratch / "hot", dataset, COMMIT)
    seconds = consolidated(hot, scratch / "packed")
    thorough = consolidated(hot, scratch / "thorough", aggressive=True)
    size, theirs, plain = at_rest(scratch / "packed"), table.size(), compressed(dataset.path)
    yield (
        f"bytes of {events:,} events at rest: SQLite table",
        "at most 0.22x",
        f"{size / theirs:.3f}x ({size / events:.1f} and {theirs / events:.1f} an event)",
    )
    yield (
        "the same: `zstd -3` of the JSON lines",
        "at most 1.4x",
        f"{size / plain:.2f}x ({plain / events:.1f} an event)",
    )
    yield "before gc", "", f"{at_rest(hot) / events:.1f} an event"
    yield "with --aggressive", "", f"{at_rest(scratch / 'thorough') / events:.1f} an event"
    yield "gc, processor time", "", f"{seconds / events * 1e6:.1f} us an event"
    yield "gc --aggressive", "", f"{thorough / events * 1e6:.1f} us an event"
    yield from reads(scratch, table, rounds, events)
    yield from single_commits(scratch, min(events, MOST_SINGLE_COMMITS))


def reads(scratch: Path, table: SQLiteTable, rounds: int, events: int) -> Iterator[Row]:
    """Streams and replay, from packs and from hot blocks, in turns."""
    for count, bound in ((10, "at least 0.5x"), (100, "at least 1x")):
        streams = max(events // (count * 2), 1)
        dataset = generated(scratch, events, streams=streams)
        other = table
        packed = scratch / "packed"
        if streams != 10_000:
            other = SQLiteTable(scratch / f"table-{count}")
            other.append(str(dataset.path), COMMIT)
            packed = scratch / f"packed-{count}"
            consolidated(made(scratch / f"hot-{count}", dataset, COMMIT), packed)
        sizes = dataset.read_streams()
        names = sorted(name for name, size in sizes.items() if size >= count)
        random.Random(count).shuffle(names)
        drawn = [names[:STREAMS_READ]] * (rounds + 1)  # the first one warms up
        others = [
            names[start : start + STREAMS_READ]
            for start in range(STREAMS_READ, len(names) - STREAMS_READ + 1, STREAMS_READ)
        ][:rounds]
        what = f"{count}-event stream read after gc: SQLite table's indexed read"
        yield what, bound, _beside(packed, other, _last, drawn, count)
        what = "the same, of who asks for the stream's last revision first"
        yield what, "", _beside(packed, other, _behind_revision, drawn, count)
        if others:
            what = "the same, each time of streams that were not read before"
            yield what, "", _beside(packed, other, _last, [names[:STREAMS_READ], *others], count)
    ratios = []
    with evgit.open(scratch / "packed") as packs, evgit.open(scratch / "hot") as blocks:
        for _ in range(rounds + 1):
            ours = _taken(lambda: _replay(packs, events))
            theirs = _taken(lambda: _replay(blocks, events))
            ratios.append(theirs / ours)
    yield (
        "replay from packs: from hot blocks",
        "at least 1x",
        f"{median(ratios[1:]):.2f}x ({ours / events * 1e9:.0f} ns an event)",
    )


def single_commits(scratch: Path, count: int) -> Iterator[Row]:
    """An event a commit, beside git."""
    dataset = generated(scratch, count)
    single = made(scratch / "single", dataset, 1)
    seconds = consolidated(single, scratch / "single-packed")
    store = EventPerCommit(scratch / "git")
    store.append(str(dataset.path), COMMIT)
    store._git("gc", "--quiet", "--prune=now")
    theirs = sum(f.stat().st_size for f in (scratch / "git" / "objects").rglob("*.*"))
    ours = at_rest(scratch / "single-packed")
    yield (
        f"bytes of {count:,} one-event commits at rest: `git gc`",
        "at most 0.4x",
        f"{ours / theirs:.3f}x ({ours / count:.1f} and {theirs / count:.1f} a commit)",
    )
    yield "before gc", "", f"{at_rest(single) / count:.1f} a commit"
    yield "gc of them, processor time", "", f"{seconds / count * 1e6:.1f} us a commit"
    with evgit.open(scratch / "single-packed") as packs, evgit.open(single) as blocks:
        packed = _taken(lambda: _replay(packs, count))
        hot = _taken(lambda: _replay(blocks, count))
    yield "replay of them from packs: from hot blocks", "", f"{hot / packed:.2f}x"


def _beside(
    packed: Path, table: SQLiteTable, read: Read, rounds: Sequence[Sequence[str]], count: int
) -> str:
    """The median ratio of all rounds but the first, each of which reads some streams in turns."""
    ratios, taken = [], []
    with evgit.open(packed) as repository:
        for names in rounds:
            ours = _each(names, lambda name: read(repository, name, count))
            theirs = _each(names, lambda name: table.read_streams([name], count))
            ratios.append(theirs / ours)
            taken.append(ours)
    return f"{median(ratios[1:]):.2f}x ({median(taken[1:]) * 1e6:.0f} us)"


def _last(repository: evgit.Repository, name: str, count: int) -> None:
    """A stream's last events, which is what the table is asked for."""
    assert len(list(repository.stream(name, start=-count))) == count


def _behind_revision(repository: evgit.Repository, name: str, count: int) -> None:
    first = repository.stream_revision(name) - count + 1
    assert len(list(repository.stream(name, start=first))) == count


def _replay(repository: evgit.Repository, events: int) -> None:
    assert sum(map(len, repository.log().batches())) == events


def _taken(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def _each(names: Sequence[str], work: Callable[[str], object]) -> float:
    """Median seconds of the work for one name; the clock is looked at once in ten."""
    parts = [names[start : start + 10] for start in range(0, len(names), 10)]
    return median(_taken(lambda: [work(n) for n in part]) / len(part) for part in parts)  # noqa: B023


def main() -> int:
    return run(__doc__, measure, rounds=5, few_events=3000)


if __name__ == "__main__":
    sys.exit(main())
