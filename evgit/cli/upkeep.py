"""Starts `evgit gc --auto` behind a command that wrote, where that pays.

In a process of its own, which the command does not wait for: a commit never takes longer for it.
Only commands do so; a program that uses the library calls `Repository.gc` when it likes.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module

from evgit.repository import Repository

_started: list[object] = []  # kept, because nobody is to wait for them


def start_gc_where_due(repository: Repository) -> None:
    """Start it, and forget about it: what fails here is noticed by the next `evgit gc`."""
    if not repository.gc_is_due():
        return
    words = [sys.executable, "-m", "evgit", "-C", str(repository.layout.directory)]
    # Found as this process found it, wherever that was started.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess = import_module("subprocess")  # slow to load, and hardly ever needed
    with suppress(OSError):
        _started.append(
            subprocess.Popen(
                [*words, "gc", "--auto", "--quiet"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=environment,
            )
        )
