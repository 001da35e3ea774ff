"""evgit itself, through its library: what a Python program that uses it would write."""

from __future__ import annotations

import itertools
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

import evgit
from benchmarks.contenders.fold import checksum
from benchmarks.events import event_decoder
from evgit.bridges.importing import import_lines


class StreamAndData(msgspec.Struct):
    """What the fold needs of an event."""

    stream: str
    data: dict[str, Any]


class EvgitStore:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        if directory.exists():
            self.repository = evgit.open(directory)
        else:
            directory.mkdir(parents=True)
            self.repository = evgit.init(directory)

    def append(self, path: str, batch: int) -> dict[str, Any]:
        """Lines of JSON as users give them: parsed, checked, made canonical, hashed, committed."""
        start = perf_counter()
        report = import_lines(self.repository, path, batch_size=batch)
        return {"seconds": perf_counter() - start, "events": report.appended}

    def single_commits(self, path: str, skip: int, count: int) -> list[float]:
        """One event a commit, acknowledged when it is on the disk; evgit gives it its time."""
        with Path(path).open("rb") as file:
            events = [event_decoder.decode(s) for s in itertools.islice(file, skip, skip + count)]
        taken = []
        for event in events:
            start = perf_counter()
            self.repository.append(
                [evgit.NewEvent(event.stream, event.type, event.data, meta=event.meta)],
                message=event.type,
            )
            taken.append(perf_counter() - start)
        return taken

    def replay(self, stop: int | None = None) -> dict[str, Any]:
        start = perf_counter()
        totals: dict[str, int] = {}
        count = 0
        for batch in self.repository.log("HEAD").batches(0, stop):
            for event in batch:
                totals[event.stream] = totals.get(event.stream, 0) + event.data.get("amount", 1)
            count += len(batch)
        seconds = perf_counter() - start
        return {"seconds": seconds, "events": count, "checksum": checksum(totals)}

    def replay_two_members(self) -> dict[str, Any]:
        """The same fold, asking only for what it needs."""
        start = perf_counter()
        totals: dict[str, int] = {}
        count = 0
        for batch in self.repository.log("HEAD").batches(into=StreamAndData):
            for event in batch:
                totals[event.stream] = totals.get(event.stream, 0) + event.data.get("amount", 1)
            count += len(batch)
        seconds = perf_counter() - start
        return {"seconds": seconds, "events": count, "checksum": checksum(totals)}

    def read_streams(self, names: list[str], count: int) -> list[float]:
        """Seconds that each stream's last `count` events took, oldest first."""
        taken = []
        for name in names:
            start = perf_counter()
            first = self.repository.stream_revision(name, "HEAD") - count + 1
            events = list(self.repository.stream(name, "HEAD", start=first))
            taken.append(perf_counter() - start)
            assert len(events) == count, (name, len(events))
        return taken

    def forget_states(self) -> None:
        """Deletes the cache, so that the next state is made from events alone."""
        cache = self.repository.layout.cache
        self.repository.close()
        for path in cache.parent.glob(f"{cache.name}*"):
            path.unlink()

    def past_states(self, positions: list[int]) -> list[float]:
        """Seconds to have the state of the first `position` events and read a document of it."""
        taken = []
        for position in positions:
            start = perf_counter()
            state = self.repository.state(f"HEAD#{position - 1}")
            state[next(iter(state))]
            taken.append(perf_counter() - start)
        return taken

    def near_diffs(self, pairs: list[tuple[int, int]]) -> list[float]:
        taken = []
        for low, high in pairs:
            start = perf_counter()
            changes = list(self.repository.diff(f"HEAD#{low - 1}", f"HEAD#{high - 1}"))
            taken.append(perf_counter() - start)
            assert changes
        return taken

    def verify(self) -> dict[str, Any]:
        size = self.repository.log("HEAD").size
        start = perf_counter()
        self.repository.fsck()
        return {"seconds": perf_counter() - start, "events": size}

    def size(self) -> int:
        """Everything that evgit keeps but its cache of states."""
        cache = self.repository.layout.cache
        kept = self.repository.layout.directory
        self.repository.close()
        return sum(
            path.stat().st_size
            for path in kept.rglob("*")
            if path.is_file() and not path.name.startswith(cache.name)
        )

    def many_commits(self, path: str, count: int) -> int:
        """Makes a long history of one-event commits; not measured, so they share transactions."""
        self.repository.history.connection.execute("pragma synchronous=off")
        with Path(path).open("rb") as file:
            lines = itertools.islice(file, count)
            while part := list(itertools.islice(lines, 500)):
                batches = [(evgit.batch_from_lines([line]), "one") for line in part]
                for _ in self.repository.append_together(batches, recorded_at_event_times=True):
                    pass
        return count
