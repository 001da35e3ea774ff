"""The `evgit` command, also as `python -m evgit`: how its process begins and how it ends.

Most commands are done in less time than Python takes to load what they need, and then to take it
apart again. So the shortest answer loads nothing, and the process ends at once when all is said.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

from evgit import __version__

# Objects between two looks for garbage: hardly any of what a command makes is in a cycle.
COLLECT_AFTER = 50_000


def run() -> int:
    """Run the command line that this process was given, and end the process or return its code."""
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    code = 0 if sys.argv[1:] == ["--version"] and _said(f"evgit {__version__}\n") else _run()
    if _may_end_at_once():
        os._exit(code)
    return code


def _run() -> int:
    code: int = import_module("evgit.cli.main").main()
    return code


def _said(text: str) -> bool:
    """Is it said? Where that fails, the whole command line knows what to do about it."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):  # closed, or full
        return False
    return True


def _may_end_at_once() -> bool:
    """Is nobody waiting for the interpreter's own end, and has everything been written?"""
    threading = sys.modules.get("threading")
    if "multiprocessing" in sys.modules or sys.getprofile() or sys.gettrace():
        return False
    if threading is not None and threading.active_count() > 1:
        return False
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(run())
