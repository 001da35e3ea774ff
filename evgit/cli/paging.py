"""Long answers through a pager. Loaded only where standard output is a terminal.

It must not know what is shown.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from evgit.cli.output import Output, colour_wanted, standard_output

DEFAULT_PAGER = "less -FRX"


def pager_command() -> list[str]:
    """The pager as a command with arguments; empty for none."""
    text = os.environ.get("EVGIT_PAGER")
    if text is None:
        text = os.environ.get("PAGER")
    if text is None:
        text = DEFAULT_PAGER
    words = shlex.split(text)
    if not words or words[0] == "cat" or shutil.which(words[0]) is None:
        return []
    return words


@contextmanager
def paged_output(colour_choice: str) -> Iterator[Output]:
    """The pager if there is one, else standard output.

    Leaving the pager early ends the command in peace.
    """
    words = pager_command()
    if not words:
        with standard_output(colour_choice) as output:
            yield output
        return
    process = subprocess.Popen(words, stdin=subprocess.PIPE)
    assert process.stdin is not None
    try:
        yield Output(process.stdin, colour=colour_wanted(colour_choice))
        process.stdin.flush()
    except BrokenPipeError:
        pass
    finally:
        _close_and_wait(process)


def _close_and_wait(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.close()
    except BrokenPipeError:
        pass
    while True:
        try:
            process.wait()
            return
        except KeyboardInterrupt:
            continue  # Ctrl-C is the pager's, which keeps the terminal until it is left
