"""What `python -m evgit.formats.native` says, and the switch that does without the native part."""

from __future__ import annotations

import os
import subprocess
import sys

from evgit.formats.native import native

COMMAND = [sys.executable, "-m", "evgit.formats.native"]


def said(**environment: str) -> str:
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return done.stdout


def test_it_says_whether_the_native_part_is_there() -> None:
    expected = "no native part: " if native is None else "the native part is there: BLAKE3 "
    assert said().startswith(expected)


def test_the_environment_can_do_without_it() -> None:
    for word in ("no", "0"):
        assert said(EVGIT_NATIVE=word).startswith("EVGIT_NATIVE in the environment does without")
