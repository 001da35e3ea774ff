"""Who brought an event, and why: the event at a position with the commit that added it.

It knows history, not documents.
"""

from __future__ import annotations

from dataclasses import dataclass

from evgit.errors import UnknownObject
from evgit.formats.canonical import digest
from evgit.formats.commit import Commit
from evgit.formats.event import Event, decode_event
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.log import Log


@dataclass(frozen=True, slots=True)
class Attribution:
    """An event, its id (hex) and position in the log at hand, and the commit that added it."""

    position: int
    id: str
    event: Event
    commit_id: str
    commit: Commit

    @property
    def actor(self) -> str:
        """Who did it: `meta.actor` of the event, or else the author of the commit."""
        actor = self.event.meta.get("actor")
        return actor if isinstance(actor, str) and actor else self.commit.author


class Attributor:
    """Attributes events of one log. Neighbours mostly share a commit, which is read once."""

    def __init__(self, history: History, log: Log) -> None:
        self._history = history
        self._log = log
        self._row: CommitRow | None = None
        self._commit: Commit | None = None

    def at(self, position: int) -> Attribution:
        """The event at a position. Raises UnknownObject beyond the end."""
        if not 0 <= position < self._log.size:
            raise UnknownObject(f"the log has {self._log.size} events: no position {position}")
        row, commit = self._row, self._commit
        if row is None or commit is None or not row.size - row.added <= position < row.size:
            row = self._row = self._history.graph.holding(self._log.row, position)
            commit = self._commit = self._history.commit(row)
        line = self._history.blocks.line(row.line_at(position))
        return Attribution(position, digest(line).hex(), decode_event(line), row.hex, commit)
