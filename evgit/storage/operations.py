"""The op log: what each command did to refs, and what refs were at any time before.

One operation is one entry, but one process's consecutive appends to a branch are a single,
growing entry, so that a writer of a million commits doesn't leave a million operations. This
module must not know what a ref points to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import apsw
import msgspec

from evgit.errors import Damage, NotFound
from evgit.storage.database import fetch_all, fetch_one

_encode = msgspec.json.Encoder().encode


class RefChange(NamedTuple):
    """One ref's move. `old` is None where the ref was made, `new` where it was deleted."""

    ref: str
    old: str | None
    new: str | None


class Operation(NamedTuple):
    """An entry of the op log. `started` and `finished` are instants (microseconds)."""

    number: int
    started: int
    finished: int
    actor: str
    writer: str
    command: str
    arguments: dict[str, Any]
    changes: list[RefChange]


_decode_changes = msgspec.json.Decoder(list[RefChange]).decode
_decode_arguments = msgspec.json.Decoder(dict[str, Any]).decode
_COLUMNS = "number, started, finished, actor, writer, command, arguments, changes"


class OperationLog:
    """Reads and writes operations. Writing needs the caller's write transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._last: tuple[int, str, str, list[RefChange]] | None = None

    def record(
        self,
        changes: list[RefChange],
        *,
        now: int,
        actor: str,
        writer: str,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        continues: bool = False,
    ) -> None:
        """Add an entry. With `continues`, grow the last one if the same writer goes on there."""
        if continues and len(changes) == 1 and self._grow(changes[0], now, writer, command):
            return
        (number,) = fetch_one(
            self._connection,
            "INSERT INTO operations(started, finished, actor, writer, command, arguments, changes)"
            " VALUES(?,?,?,?,?,?,?) RETURNING number",
            (
                now,
                now,
                actor,
                writer,
                command,
                _encode(dict(arguments or {})).decode(),
                _encode(changes).decode(),
            ),
        )
        self._last = number, writer, command, list(changes)

    def forget_last(self) -> None:
        """Forget the last entry that was written: somebody else may have written since."""
        self._last = None

    def _grow(self, change: RefChange, now: int, writer: str, command: str) -> bool:
        last = self._last or self._read_last()
        if last is None or last[1:3] != (writer, command):
            return False
        number, _, _, before = last
        if len(before) != 1 or before[0].ref != change.ref or before[0].new != change.old:
            return False
        grown = [RefChange(change.ref, before[0].old, change.new)]
        self._connection.execute(
            "UPDATE operations SET finished=?, changes=? WHERE number=?",
            (now, _encode(grown).decode(), number),
        )
        self._last = number, writer, command, grown
        return True

    def _read_last(self) -> tuple[int, str, str, list[RefChange]] | None:
        row = fetch_one(
            self._connection,
            "SELECT number, writer, command, changes FROM operations ORDER BY number DESC LIMIT 1",
        )
        try:
            return None if row is None else (*row[:3], _decode_changes(row[3]))
        except (msgspec.MsgspecError, TypeError):
            return None  # damaged: leave it as it is

    def newest_first(self) -> Iterator[Operation]:
        """All operations, newest first."""
        before = 1 << 62
        while True:
            rows = fetch_all(
                self._connection,
                f"SELECT {_COLUMNS} FROM operations WHERE number<? ORDER BY number DESC LIMIT 100",
                (before,),
            )
            if not rows:
                return
            for row in rows:
                before = row[0]
                yield _operation(row)

    def get(self, number: int) -> Operation:
        """One operation. Raises NotFound."""
        row = fetch_one(
            self._connection, f"SELECT {_COLUMNS} FROM operations WHERE number=?", (number,)
        )
        if row is None:
            raise NotFound(
                f"there is no operation {number}", hint="`evgit op log` lists the operations"
            )
        return _operation(row)

    def changes_of(self, ref: str) -> Iterator[tuple[Operation, RefChange]]:
        """The operations that moved a ref, newest first."""
        for operation in self.newest_first():
            for change in operation.changes:
                if change.ref == ref:
                    yield operation, change

    def to_undo(self) -> Operation | None:
        """The newest operation that still counts: neither undone nor itself an undo or redo."""
        cancelled: set[int] = set()
        for operation in self.newest_first():
            if operation.number in cancelled:
                continue
            if operation.command == "undo":
                cancelled.add(int(operation.arguments["operation"]))
            elif operation.command == "redo":
                cancelled.add(int(operation.arguments["undo"]))
            elif operation.changes:
                return operation
        return None

    def to_redo(self) -> Operation | None:
        """The newest undo that was not redone, unless something else happened since."""
        cancelled: set[int] = set()
        for operation in self.newest_first():
            if operation.number in cancelled:
                continue
            if operation.command == "redo":
                cancelled.add(int(operation.arguments["undo"]))
            elif operation.command == "undo":
                return operation
            else:
                return None
        return None


def _operation(row: Any) -> Operation:
    number, started, finished, actor, writer, command, arguments, changes = row
    try:
        return Operation(
            number,
            started,
            finished,
            actor,
            writer,
            command,
            _decode_arguments(arguments),
            _decode_changes(changes),
        )
    except (msgspec.MsgspecError, TypeError) as error:
        raise Damage(
            f"operation {number} of the op log is damaged: {error}",
            hint="history is whole all the same: `evgit fsck` tells",
        ) from None
