"""Refs: names for points of history, moved by compare-and-swap.

A target is an object id, `<commit id>#<size>` (the log's first `size` events, only in HEAD), or
`ref: <name>` (only in HEAD). This module knows names and targets, not what ids stand for.
"""

from __future__ import annotations

from typing import NamedTuple

import apsw

from evgit.errors import Conflict, Damage
from evgit.storage.database import fetch_all, fetch_one
from evgit.storage.operations import RefChange

SYMBOLIC = "ref: "


class Ref(NamedTuple):
    """A name and its target."""

    name: str
    target: str


class RefStore:
    """Reads and moves refs. Moving needs the caller's write transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute

    def get(self, name: str) -> str | None:
        """The target of exactly this ref, or None."""
        row = fetch_one(self._connection, "SELECT target FROM refs WHERE name=?", (name,))
        return None if row is None else _sound(name, row[0]).target

    def under(self, prefix: str) -> list[Ref]:
        """All refs whose names start with `prefix`, in order of name."""
        rows = fetch_all(
            self._connection,
            "SELECT name, target FROM refs WHERE name>=? AND name<? ORDER BY name",
            (prefix, prefix + "\U0010ffff"),
        )
        return [_sound(name, target) for name, target in rows]

    def move(self, changes: list[RefChange]) -> None:
        """Make all changes. Raises Conflict, having changed nothing, if a ref is not at `old`."""
        for change in changes:
            if len(changes) == 1 and change.old is not None and change.new is not None:
                self._execute(
                    "UPDATE refs SET target=? WHERE name=? AND target=?",
                    (change.new, change.ref, change.old),
                )
                if self._connection.changes():
                    return
            actual = self.get(change.ref)
            if actual != change.old:
                raise Conflict(
                    f"{change.ref} is at {actual or 'nothing'}, not at {change.old or 'nothing'}: "
                    "another process moved it",
                    hint="look at it again and repeat the command if it still makes sense",
                )
        for change in changes:
            if change.new is None:
                self._connection.execute("DELETE FROM refs WHERE name=?", (change.ref,))
            else:
                self._connection.execute(
                    "INSERT INTO refs(name, target) VALUES(?,?)"
                    " ON CONFLICT(name) DO UPDATE SET target=excluded.target",
                    (change.ref, change.new),
                )


def _sound(name: object, target: object) -> Ref:
    """A row of the right types. Raises Damage."""
    if isinstance(name, str) and isinstance(target, str):
        return Ref(name, target)
    raise Damage(
        f"the row of ref {name!r} is damaged",
        hint="`evgit op log` shows where it was; `evgit fsck` shows the extent",
    )
