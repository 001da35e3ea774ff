"""How large does a process grow that imports, replays, checks, exports, checks out everything?

The commands as processes, from a new repository on; the peak of the resident set.
"""

from __future__ import annotations

from benchmarks.bench import Bench, Result
from benchmarks.processes import call, run as run_command
from benchmarks.scenarios.start import evgit_command


def run(bench: Bench) -> list[Result]:
    if not bench.among("evgit"):
        return []
    directory = bench.fresh("memory")
    directory.mkdir()
    command = [*evgit_command(), "-C", str(directory)]
    run_command([*command, "init"])
    peaks = {
        "import": run_command([*command, "import", "--quiet", str(bench.dataset.path)]).peak,
        "replay (library)": call("evgit", "replay", directory)[1].peak,
        "fsck": run_command([*command, "fsck"]).peak,
        "export": run_command([*command, "export"]).peak,
        "checkout": run_command([*command, "checkout", "main"]).peak,
    }
    return [
        Result(
            "memory",
            "Peak memory",
            bench.dataset,
            "MiB",
            False,
            {name: [peak / 2**20] for name, peak in peaks.items()},
            reference="",
        )
    ]
