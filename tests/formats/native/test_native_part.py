"""What `python -m evgit.formats.native` says, and the switch that does without the native part."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

COMMAND = [sys.executable, "-m", "evgit.formats.native"]


def said(**environment: str) -> str:
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return done.stdout


def test_it_says_whether_the_native_part_is_there() -> None:
    built = find_spec("evgit.formats.native._native") is not None
    expected = "the native part is there: BLAKE3 " if built else "no native part: "
    assert said(EVGIT_NATIVE="yes").startswith(expected)


def test_the_environment_can_do_without_it() -> None:
    for word in ("no", "0"):
        assert said(EVGIT_NATIVE=word).startswith("EVGIT_NATIVE in the environment does without")
