"""A repository as it was when an operation had finished: its refs then, to be looked at only."""

from __future__ import annotations

from collections.abc import Mapping

import apsw

from evgit.storage import database
from evgit.storage.operations import OperationLog
from evgit.storage.refs import Ref, RefStore


class PastRefs(RefStore):
    """Refs that do not move any more."""

    def __init__(self, connection: apsw.Connection, targets: Mapping[str, str]) -> None:
        super().__init__(connection)
        self._targets = dict(targets)

    def get(self, name: str) -> str | None:
        """The target that this ref had then, or None."""
        return self._targets.get(name)

    def under(self, prefix: str) -> list[Ref]:
        """All refs that there were whose names start with `prefix`, in order of name."""
        return [Ref(n, t) for n, t in sorted(self._targets.items()) if n.startswith(prefix)]


def refs_after(refs: RefStore, operations: OperationLog, number: int) -> dict[str, str]:
    """{ref: target} as they were when an operation had finished. Raises NotFound."""
    operations.get(number)
    found = {ref.name: ref.target for ref in refs.under("")}
    for operation in operations.newest_first():
        if operation.number <= number:
            break
        for change in reversed(operation.changes):
            if change.old is None:
                found.pop(change.ref, None)
            else:
                found[change.ref] = change.old
    return found


def look_back(connection: apsw.Connection, number: int) -> tuple[RefStore, OperationLog]:
    """Refs and op log as of an operation. Nothing can be written any more. Raises NotFound."""
    with database.reading(connection):
        targets = refs_after(RefStore(connection), OperationLog(connection), number)
    database.forbid_writing(
        connection,
        f"at operation {number} the repository can only be looked at",
        f"leave --at-op out to change it as it is now; `evgit op restore {number}` goes back there",
    )
    return PastRefs(connection, targets), OperationLog(connection, last=number)
