"""The questions, one module each: `run(bench)` gives the answers as `Result`s."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from benchmarks.bench import Bench, Result

NAMES = (
    "append",
    "commit",
    "replay",
    "stream",
    "past",
    "diff",
    "size",
    "fsck",
    "memory",
    "depth",
    "start",
)


def scenario(name: str) -> Callable[[Bench], list[Result]]:
    run: Callable[[Bench], list[Result]] = importlib.import_module(
        f"benchmarks.scenarios.{name}"
    ).run
    return run
