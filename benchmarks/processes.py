"""Every measured call in a process of its own, so that no contender warms or burdens another.

The parent stays small on purpose: Linux counts the peak of the process that forked as the new
process's own, until that grows beyond it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.contenders import REGISTRY

_CHECKOUT = Path(__file__).resolve().parents[1]


class CallFailed(Exception):
    """A contender's process ended with an error; the message holds what it said."""


@dataclass(frozen=True)
class Ended:
    """What a process took. `peak` is its resident set at its largest, in bytes."""

    seconds: float
    peak: int
    output: bytes


def run(command: list[str], *, stdin: Path | None = None, cwd: Path | None = None) -> Ended:
    """Runs a command to its end, its output to a file, and says what it took."""
    environment = {**os.environ, "PYTHONPATH": str(_CHECKOUT), "PYTHONHASHSEED": "0"}
    with (
        (stdin or Path(os.devnull)).open("rb") as given,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as complaints,
    ):
        start = perf_counter()
        process = subprocess.Popen(
            command, stdin=given, stdout=output, stderr=complaints, cwd=cwd, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        if process.returncode != 0:
            complaints.seek(0)
            raise CallFailed(f"{' '.join(command)}\n{complaints.read().decode(errors='replace')}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Ended(seconds, usage.ru_maxrss * unit, output.read())


def call(contender: str, action: str, directory: Path, **arguments: Any) -> tuple[Any, Ended]:
    """One action of one contender on the store in `directory`: its answer, and what it took."""
    request = json.dumps([contender, action, str(directory), arguments])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(request)
        file.flush()
        ended = run([sys.executable, "-m", "benchmarks.processes", file.name])
    return json.loads(ended.output.splitlines()[-1]), ended


def _answer(request: Path) -> None:
    contender, action, directory, arguments = json.loads(request.read_bytes())
    store = REGISTRY[contender].open(Path(directory))
    print(json.dumps(getattr(store, action)(**arguments)))


if __name__ == "__main__":
    _answer(Path(sys.argv[1]))
