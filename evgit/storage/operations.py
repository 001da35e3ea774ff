"""The op log: what each command did to refs, and what refs were at any time before.

One operation is one entry, but one process's consecutive appends to a branch are a single,
growing entry until there is a pause, so that a writer of a million commits doesn't leave a million
operations. This module must not know what a ref points to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import apsw
import msgspec

from evgit.errors import Damage, NotFound
from evgit.storage.database import fetch_all, fetch_one, will_acknowledge

ABORT = " --abort"
SINCE = "since"
"""Among an operation's arguments: the number of the operation with which it began, where it took
several to bring to an end what was asked for. It is undone together with those."""

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


_COLUMNS = "number, started, finished, actor, writer, command, arguments, changes"


@cache
def _changes_decoder() -> msgspec.json.Decoder[list[RefChange]]:
    return msgspec.json.Decoder(list[RefChange])


@cache
def _arguments_decoder() -> msgspec.json.Decoder[dict[str, Any]]:
    return msgspec.json.Decoder(dict[str, Any])


class OperationLog:
    """Reads and writes operations. Writing needs the caller's write transaction."""

    def __init__(self, connection: apsw.Connection, *, last: int = (1 << 62) - 1) -> None:
        """`last`: the number of the newest operation to be seen."""
        self._connection = connection
        self._execute = connection.cursor().execute
        self._newest = last
        self._last: tuple[int, str, str, list[RefChange], int] | None = None

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
        within: int | None = None,
    ) -> int:
        """Add an entry; returns its number. With `continues`, grow the last one if the same writer
        goes on there, `within` so many microseconds of its last append (None: at any time)."""
        if continues and len(changes) == 1 and self._grow(changes[0], now, writer, command, within):
            assert self._last is not None
            return self._last[0]
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
        self._last = number, writer, command, list(changes), now
        will_acknowledge(self._connection, number, now)
        return int(number)

    def forget_last(self) -> None:
        """Forget the last entry that was written: somebody else may have written since."""
        self._last = None

    def _grow(
        self, change: RefChange, now: int, writer: str, command: str, within: int | None
    ) -> bool:
        last = self._last or self._read_last()
        if last is None or last[1:3] != (writer, command):
            return False
        number, _, _, before, finished = last
        if within is not None and now - finished > within:
            return False
        if len(before) != 1 or before[0].ref != change.ref or before[0].new != change.old:
            return False
        grown = [RefChange(change.ref, before[0].old, change.new)]
        finished = max(now, finished + 1)  # so that of two states of it the later one is known
        self._execute(
            "UPDATE operations SET finished=?, changes=? WHERE number=?",
            (finished, _encode(grown).decode(), number),
        )
        self._last = number, writer, command, grown, finished
        will_acknowledge(self._connection, number, finished)
        return True

    def _read_last(self) -> tuple[int, str, str, list[RefChange], int] | None:
        row = fetch_one(
            self._connection,
            "SELECT number, writer, command, changes, finished FROM operations"
            " ORDER BY number DESC LIMIT 1",
        )
        try:
            return None if row is None else (*row[:3], _changes_decoder().decode(row[3]), row[4])
        except (msgspec.MsgspecError, TypeError):
            return None  # damaged: leave it as it is

    def newest_first(self) -> Iterator[Operation]:
        """All operations, newest first."""
        before = self._newest + 1
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
            self._connection,
            f"SELECT {_COLUMNS} FROM operations WHERE number=? AND number<=?",
            (number, self._newest),
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

    def mentions(self, target: str) -> bool:
        """Was a ref ever at this commit or tag (an id), as far as the log goes back?"""
        found = fetch_one(
            self._connection,
            "SELECT 1 FROM operations WHERE instr(changes, ?) AND number<=? LIMIT 1",
            (target, self._newest),
        )
        return found is not None

    def to_undo(self) -> Operation | None:
        """The newest operation that still counts: neither undone nor itself an undo or redo."""
        cancelled: set[int] = set()
        passed: list[Operation] = []  # those that took back, or ended, what began before them
        for operation in self.newest_first():
            if any(_belongs(operation, to) for to in passed):
                continue
            steps = SINCE in operation.arguments
            ended = operation.command.endswith(ABORT)
            ended = ended or (steps and not self.net_changes(operation))
            if operation.number in cancelled or ended:
                if steps:
                    passed.append(operation)
            elif operation.command == "undo":
                cancelled.add(int(operation.arguments["operation"]))
            elif operation.command == "redo":
                cancelled.add(int(operation.arguments["undo"]))
            elif operation.changes:
                return operation
        return None

    def net_changes(self, operation: Operation) -> list[RefChange]:
        """What an operation, together with those that it brought to an end, did to its refs."""
        began = int(operation.arguments.get(SINCE, operation.number))
        if began == operation.number:
            return operation.changes
        new = {change.ref: change.new for change in operation.changes}
        old = {change.ref: change.old for change in operation.changes}
        for earlier in self.newest_first():
            if earlier.number < began:
                break
            if earlier.number < operation.number:
                old.update((c.ref, c.old) for c in reversed(earlier.changes) if c.ref in old)
        return [RefChange(ref, old[ref], new[ref]) for ref in new if old[ref] != new[ref]]

    # ------------------------------------------------------------------ expiry
    def expired(self, before: int) -> int | None:
        """The number of the last of the operations that ended before an instant, but for the
        newest of all; None where there are none. Those older than it count as expired, too."""
        (newest,) = fetch_one(self._connection, "SELECT max(number) FROM operations")
        (number,) = fetch_one(
            self._connection,
            "SELECT min(number) - 1 FROM operations WHERE finished>=? OR number=?",
            (before, newest),
        )
        found = fetch_one(
            self._connection, "SELECT max(number) FROM operations WHERE number<=?", (number,)
        )
        return None if found[0] is None else int(found[0])

    def forget_up_to(self, number: int) -> int:
        """Forget this operation and those before it, inside a write transaction; how many."""
        self._connection.execute("DELETE FROM operations WHERE number<=?", (number,))
        return int(self._connection.changes())

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


def _belongs(operation: Operation, ending: Operation) -> bool:
    """Is this one of the steps of what `ending` brought to an end?"""
    refs = {change.ref for change in ending.changes}
    began = int(ending.arguments[SINCE])
    return began <= operation.number < ending.number and all(
        change.ref in refs for change in operation.changes
    )


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
            _arguments_decoder().decode(arguments),
            _changes_decoder().decode(changes),
        )
    except (msgspec.MsgspecError, TypeError) as error:
        raise Damage(
            f"operation {number} of the op log is damaged: {error}",
            hint="history is whole all the same: `evgit fsck` tells",
        ) from None
