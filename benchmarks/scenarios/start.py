"""How long does a command take that has next to nothing to do, as a process?

The floor is the same interpreter with nothing to do. All in the environment that runs this.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.bench import Bench, Result
from benchmarks.processes import run as run_command


def evgit_command() -> list[str]:
    """evgit as it was installed beside this interpreter, or else from the checkout."""
    installed = Path(sys.executable).parent / "evgit"
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "evgit"]


def run(bench: Bench) -> list[Result]:
    if not bench.among("evgit"):
        return []
    store = str(bench.store("evgit"))
    evgit = evgit_command()
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "evgit --version": [*evgit, "--version"],
        "evgit log -n 1": [*evgit, "-C", store, "log", "-n", "1"],
    }
    samples = bench.in_turns(
        list(commands),
        lambda name: run_command(commands[name]).seconds * 1000,
        rounds=3 if bench.quick else 30,
    )
    return [
        Result(
            "start",
            "Start of a process",
            bench.dataset,
            "ms",
            False,
            samples,
            reference="python -c pass",
        )
    ]
