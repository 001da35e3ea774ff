"""Git, filled by `git fast-import`, in two layouts.

An event a commit: the event's line is the commit's message and the tree is empty, which is the
least that Git can store for an event that has an id, a parent and a time of its own (a file for
each stream would add a blob and two trees to it). 1,000 a commit, for reference: a batch is one new
file. fast-import syncs once, at its end, which favours Git. Sizes are taken after a full repack.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import IO, Any

from benchmarks.contenders.fold import checksum
from benchmarks.events import Line, event_decoder, line_decoder

_WHO = b"Bench <bench@example.org> %d +0000"
_COMMIT = b"commit refs/heads/main\ncommitter " + _WHO + b"\ndata %d\n%s\n"


class EventPerCommit:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        if not directory.exists():
            directory.mkdir(parents=True)
            self._git("init", "--quiet", "--bare")

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.directory, check=True, capture_output=True)

    def append(self, path: str, batch: int) -> dict[str, Any]:
        count = 0
        with Path(path).open("rb") as file:
            start = perf_counter()
            importer = subprocess.Popen(
                ["git", "fast-import", "--quiet"], cwd=self.directory, stdin=subprocess.PIPE
            )
            assert importer.stdin is not None
            while lines := list(itertools.islice(file, batch)):
                events = [line_decoder.decode(line) for line in lines]  # it must be JSON
                importer.stdin.write(self._commands(count, lines, events))
                count += len(lines)
            importer.stdin.close()
            assert importer.wait() == 0
            seconds = perf_counter() - start
        return {"seconds": seconds, "events": count}

    def _commands(self, number: int, lines: list[bytes], events: list[Line]) -> bytes:
        return b"".join(
            _COMMIT % (1_772_323_200 + number + index, len(line) - 1, line[:-1])
            for index, line in enumerate(lines)
        )

    def replay(self) -> dict[str, Any]:
        start = perf_counter()
        totals: dict[str, int] = {}
        count = 0
        reader = subprocess.Popen(self._read_command(), cwd=self.directory, stdout=subprocess.PIPE)
        assert reader.stdout is not None
        for line in self._lines(reader.stdout):
            event = event_decoder.decode(line)
            totals[event.stream] = totals.get(event.stream, 0) + event.data.get("amount", 1)
            count += 1
        assert reader.wait() == 0
        seconds = perf_counter() - start
        return {"seconds": seconds, "events": count, "checksum": checksum(totals)}

    def _read_command(self) -> list[str]:
        return ["git", "log", "--reverse", "--format=%B", "main"]

    def _lines(self, output: IO[bytes]) -> Iterator[bytes]:
        return (line for line in output if line != b"\n")

    def verify(self) -> dict[str, Any]:
        start = perf_counter()
        self._git("fsck", "--full")
        seconds = perf_counter() - start
        count = subprocess.run(
            self._read_command(), cwd=self.directory, check=True, capture_output=True
        ).stdout.count(b'"stream":')
        return {"seconds": seconds, "events": count}

    def size(self) -> int:
        self._git("repack", "-a", "-d", "-f", "-q")
        return sum(file.stat().st_size for file in (self.directory / "objects").rglob("*.*"))


class BatchPerCommit(EventPerCommit):
    def _commands(self, number: int, lines: list[bytes], events: list[Line]) -> bytes:
        text = b"".join(lines)
        return _COMMIT % (1_772_323_200 + number, 5, b"batch") + (
            b"M 644 inline batches/%09d.jsonl\ndata %d\n%s\n" % (number, len(text), text)
        )

    def _read_command(self) -> list[str]:
        return ["git", "archive", "--format=tar", "main"]

    def _lines(self, output: IO[bytes]) -> Iterator[bytes]:
        import tarfile

        with tarfile.open(fileobj=output, mode="r|") as archive:
            for member in archive:
                if member.isfile():
                    content = archive.extractfile(member)
                    assert content is not None
                    yield from content.read().splitlines()
