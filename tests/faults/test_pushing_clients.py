"""Sixteen clients push to one branch of a real server; clients and server are killed at random.

EVGIT_PUSH_SECONDS=300 lets it run so long, in place of a few seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SECONDS = float(os.environ.get("EVGIT_PUSH_SECONDS", "5"))


def test_every_acknowledged_push_is_there_exactly_once(quick_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.pushing", str(quick_path), "--seconds", str(SECONDS)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pushes=0" not in done.stdout
