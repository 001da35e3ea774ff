"""One run of the command line: what was said before the command, and where its answers go."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from importlib import import_module

from evgit.cli.output import Output, standard_output


def say(text: str) -> None:
    """A line on standard error. It decides nothing, so that its failure is none."""
    try:
        sys.stderr.write(f"{text}\n".encode("utf-8", "backslashreplace").decode("utf-8"))
        sys.stderr.flush()
    except OSError:
        pass  # nobody is left to tell


class Invocation:
    """The options that stand before a command, and the ways to speak."""

    def __init__(
        self,
        *,
        colour: str = "auto",
        pager: bool = True,
        done: list[str] | None = None,
        at_operation: int | None = None,
    ) -> None:
        """`at_operation`: number of the operation as of which refs are looked at."""
        self.at_operation = at_operation
        self.colour = colour
        self.pager = pager
        self._done = [] if done is None else done
        self._quiet = False

    def be_quiet(self) -> None:
        """Say nothing any more but warnings, errors and what was asked for."""
        self._quiet = True

    def done(self, text: str) -> None:
        """Note that what was asked for is durable, before anything else can fail.

        `text` says what, in full: it is shown with whatever goes wrong from here on, and the exit
        code is then none that means refused.
        """
        self._done.append(text)

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

    def answer(self, text: str) -> None:
        """Say in one line on standard output what was done."""
        if not self._quiet:
            with self.output() as output:
                output.line(text)

    def note(self, text: str) -> None:
        """Tell the person something that is no part of the answer."""
        if not self._quiet:
            self._say(text)

    def warn(self, text: str) -> None:
        """Say what went differently than the person may think."""
        self._say(f"warning: {text}")

    def hint(self, text: str) -> None:
        """Say what to do next, or better."""
        if not self._quiet:
            self._say(f"hint: {text}")

    def _say(self, text: str) -> None:
        sys.stdout.flush()
        say(text)
