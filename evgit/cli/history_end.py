"""The end of a listing where a shallow repository begins.

It must not know what is listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from evgit.cli.invocation import Invocation
from evgit.cli.output import Output
from evgit.errors import BehindBoundary

Item = TypeVar("Item")


class HistoryEnd:
    """Notices where commits or events end because a shallow repository has no more of them."""

    def __init__(self) -> None:
        self._met: BehindBoundary | None = None

    @property
    def met(self) -> bool:
        """Did the listing end so?"""
        return self._met is not None

    def before(self, listing: Iterable[Item]) -> Iterator[Item]:
        """Those of a listing that are here."""
        try:
            yield from listing
        except BehindBoundary as error:
            self._met = error

    def write(self, output: Output) -> None:
        """Say so below the listing."""
        if self._met is not None:
            output.line(output.style(f"({self._met.message}; {self._met.hint})", "dim"))

    def hint(self, invocation: Invocation) -> None:
        """Say so where only what is listed belongs to the output."""
        if self._met is not None:
            invocation.hint(self._met.message)
