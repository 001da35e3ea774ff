"""The floor under every durable commit: append one line to a file, then fdatasync."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from time import perf_counter


class PlainFile:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "events.jsonl"

    def single_commits(self, path: str, skip: int, count: int) -> list[float]:
        with Path(path).open("rb") as file:
            lines = list(itertools.islice(file, skip, skip + count))
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        taken = []
        for line in lines:
            start = perf_counter()
            os.write(descriptor, line)
            os.fdatasync(descriptor)
            taken.append(perf_counter() - start)
        os.close(descriptor)
        return taken
