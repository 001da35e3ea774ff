"""Which commits of a shallow repository are boundaries: what lies behind them is not here.

A boundary's log is known by ids and streams alone (`formats.boundary`); its absent lines have
numbers like all others, so that logs are compared as arithmetic on lines, here too. Who wants to
read one gets BehindBoundary, which names the boundary and the way on. This module knows where
boundaries are, not how they got here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apsw
import msgspec

from evgit.errors import BehindBoundary
from evgit.history.line_ranges import LineRange, LineSet
from evgit.storage import schema
from evgit.storage.database import fetch_all

WAY_ON = (
    "`evgit fetch --unshallow` brings all that is missing, `evgit fetch --deepen N` the N "
    "commits before it"
)


class BoundaryRow(NamedTuple):
    """A boundary. `number`: first line of its block; `lines`: how many stand for its events.

    `id`: the commit's, hex; `size`: of its log. `here`: places of the lines that are events in
    full. `taken_from`: the address of the repository that vouched for it.
    """

    number: int
    lines: int
    id: str
    size: int
    here: list[int]
    taken_from: str

    def absent(self) -> Iterator[LineRange]:
        """The lines that only stand for events."""
        start = 0
        for place in [*self.here, self.lines]:
            if place > start:
                yield self.number + start, place - start
            start = place + 1


class Boundaries:
    """The boundaries of one repository; most have none."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._rows: dict[int, BoundaryRow] | None = None
        self._absent = LineSet()

    # ------------------------------------------------------------------ which there are
    def all(self) -> list[BoundaryRow]:
        """All of them, in order of storing."""
        return list(self._loaded().values())

    def get(self, number: int) -> BoundaryRow | None:
        """The boundary whose block begins at this line; None where that is another commit's."""
        return self._loaded().get(number)

    def __bool__(self) -> bool:
        """Is the repository shallow?"""
        return bool(self._loaded())

    def __contains__(self, line: int) -> bool:
        """Does a line only stand for an event?"""
        self._loaded()
        return line in self._absent

    def forget(self) -> None:
        """Forget what was remembered, after a roll-back or when some were added."""
        self._rows = None

    def _loaded(self) -> dict[int, BoundaryRow]:
        if self._rows is None:
            self._rows = {}
            if schema.is_shallow(self._connection):
                for values in fetch_all(
                    self._connection,
                    "SELECT number, lines, id, size, here, taken_from FROM boundaries"
                    " ORDER BY number",
                ):
                    number, lines, commit_id, size, here, taken_from = values
                    places = msgspec.json.decode(here, type=list[int])
                    row = BoundaryRow(number, lines, commit_id.hex(), size, places, taken_from)
                    self._rows[number] = row
            self._absent = LineSet(found for row in self._rows.values() for found in row.absent())
        return self._rows

    def given_state(self, number: int, projection: bytes) -> Iterator[tuple[str, bytes]]:
        """(path, canonical JSON) of the documents at a boundary, as they were given.

        Raises BehindBoundary where they were not, by the projection with this key.
        """
        from evgit.history.given_states import GivenState  # needed for states alone

        given = GivenState(self._connection, number, projection)
        if given.known():
            return given.documents()
        boundary = self._loaded()[number]
        raise BehindBoundary(
            f"the state at commit {boundary.id[:12]}, behind which this repository is shallow, is "
            f"not known: {boundary.taken_from} gave none that could be gone on from here",
            hint="`evgit fetch --deepen 1` asks for one further back, `evgit fetch --unshallow` "
            "brings the events that it is made of; where there is a model, the built-in "
            "projection may show a state without it (`evgit trust --revoke`)",
        )

    # ------------------------------------------------------------------ writing
    def add(self, row: BoundaryRow) -> None:
        """Remember a boundary that is being stored, inside a write transaction."""
        self._connection.execute(
            "INSERT INTO boundaries(number, lines, id, size, here, taken_from) VALUES(?,?,?,?,?,?)",
            (
                row.number,
                row.lines,
                bytes.fromhex(row.id),
                row.size,
                msgspec.json.encode(row.here).decode(),
                row.taken_from,
            ),
        )
        self.forget()

    # ------------------------------------------------------------------ what is not here
    def refuse(self, line: int) -> BehindBoundary:
        """The error for a line that only stands for an event."""
        found = max((row for row in self.all() if row.number <= line), key=lambda row: row.number)
        return behind(found.id, found.size)

    def open_ranges(self, ranges: Iterable[LineRange]) -> Iterator[LineRange]:
        """The same ranges of lines; raises BehindBoundary at the first absent one."""
        self._loaded()
        for first, count in ranges:
            kept = self._absent.removed_from([(first, count)])
            if kept != [(first, count)]:
                if kept and kept[0][0] == first:
                    yield kept[0]
                    first += kept[0][1]
                raise self.refuse(first)
            yield first, count


def behind(commit: str, size: int) -> BehindBoundary:
    """The error for what lies behind a boundary: a commit (id) and the size of its log."""
    return BehindBoundary(
        f"this repository is shallow: commit {commit[:12]} and what came before it, the first "
        f"{size} position{'' if size == 1 else 's'} of the log, are not here",
        hint=WAY_ON,
    )
