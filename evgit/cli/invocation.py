"""One run of the command line: what was said before the command, and where its answers go."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from importlib import import_module

from evgit.cli.output import Output, standard_output


class Invocation:
    """The options that stand before a command, and the ways to speak."""

    def __init__(self, *, colour: str = "auto", pager: bool = True) -> None:
        self.colour = colour
        self.pager = pager

    def output(self) -> AbstractContextManager[Output]:
        """Standard output, never paged: for short answers and for what scripts read."""
        return standard_output(self.colour)

    def paged(self) -> AbstractContextManager[Output]:
        """Standard output, through the pager if it is a terminal."""
        if not self.pager or not sys.stdout.isatty():
            return standard_output(self.colour)
        # What starting a pager needs is not loaded by commands that need none.
        paging = import_module("evgit.cli.paging")
        paged: AbstractContextManager[Output] = paging.paged_output(self.colour)
        return paged

    def note(self, text: str) -> None:
        """Tell the person something that is no part of the answer."""
        self._say(text)

    def warn(self, text: str) -> None:
        """Say what went differently than the person may think."""
        self._say(f"warning: {text}")

    def hint(self, text: str) -> None:
        """Say what to do next, or better."""
        self._say(f"hint: {text}")

    def _say(self, text: str) -> None:
        sys.stdout.flush()
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
