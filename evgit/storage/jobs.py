"""How many processes are to share some work. It must not know what the work is."""

from __future__ import annotations

import os
import sys

from evgit.errors import UsageError

MAX_JOBS = 64
USEFUL_JOBS = 2  # more than storing keeps up with


def workers_possible() -> bool:
    """Can there be workers at all: pipes that can be waited for, and an interpreter to start?"""
    return os.name == "posix" and bool(sys.executable)


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def jobs_to_use(jobs: int | None) -> int:
    """How many workers to start. `jobs`: as a person said, None for what is of use here."""
    if jobs is None:
        jobs = min(usable_cores(), USEFUL_JOBS)
    if not 1 <= jobs <= MAX_JOBS:
        raise UsageError(
            f"{jobs} jobs make no sense", hint=f"give 1 (no further process) to {MAX_JOBS}"
        )
    return jobs if jobs > 1 and workers_possible() else 0
