"""What was begun and waits for a decision: a merge with conflicts, a re-append that stopped.

There is at most one in a repository at a time, and it survives restarts: it is written in the same
transactions as the refs. This module keeps it, and must not know what it means.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import apsw
import msgspec

from evgit.errors import Conflict, Damage
from evgit.storage import database

_NAME = "in progress"


class Begun(NamedTuple):
    """Something in progress. `kind`: the command, `merge` or `rebase`, as a person types it;
    `details`: what that needs to go on, a JSON object."""

    kind: str
    details: dict[str, Any]


_decode = msgspec.json.Decoder(Begun).decode


class InProgress:
    """Reads and writes what is in progress. Writing needs the caller's write transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def get(self) -> Begun | None:
        """What is in progress, or None. Raises Damage."""
        text = database.setting(self._connection, _NAME)
        if text is None:
            return None
        try:
            return _decode(text)
        except (msgspec.MsgspecError, TypeError) as error:
            raise Damage(
                f"what is in progress can't be read: {error}",
                hint="history and refs are whole; `evgit fsck` tells",
            ) from None

    def refuse_any(self, command: str) -> None:
        """Raise Conflict if something is in progress: `command` must wait until it is ended."""
        begun = self.get()
        if begun is not None:
            if command == f"a {begun.kind}":
                command = f"another {begun.kind}"
            raise Conflict(
                f"a {begun.kind} is in progress, so {command} has to wait",
                hint=f"`evgit status` shows it; end it with `evgit {begun.kind} --continue` or "
                f"`evgit {begun.kind} --abort`",
            )

    def refuse_append(self, ref: str) -> None:
        """Raise Conflict if a merge waits that is going to move this ref."""
        begun = self.get()
        if begun is not None and begun.kind == "merge" and begun.details.get("ref") == ref:
            raise Conflict(
                f"a merge into {ref.removeprefix('refs/heads/')} waits, so nothing else can be "
                "appended there",
                hint="`evgit commit` adds events to the merge; end it with `evgit merge "
                "--continue` or `evgit merge --abort`, then repeat",
            )

    def begin(self, kind: str, details: dict[str, Any]) -> None:
        """Begin something. Raises Conflict if anything is in progress."""
        self.refuse_any(f"a {kind}")
        self._write(Begun(kind, details))

    def update(self, details: dict[str, Any]) -> None:
        """Go on with what is in progress. Raises Conflict if it was ended meanwhile."""
        begun = self.get()
        if begun is None:
            raise Conflict("nothing is in progress any more", hint="another process ended it")
        self._write(Begun(begun.kind, details))

    def end(self) -> None:
        """Nothing is in progress any more."""
        self._connection.execute("DELETE FROM settings WHERE name=?", (_NAME,))

    def _write(self, begun: Begun) -> None:
        database.set_setting(self._connection, _NAME, msgspec.json.encode(begun).decode())
