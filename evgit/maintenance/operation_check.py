"""Compares the op log with the refs: each operation must have found what the one before it left.

A ref's target is an id, so a wrong one shows by itself; its name does not. Walking back from the
refs as they are must lead to no refs at all before `init`, and through equal targets on the way.
"""

from __future__ import annotations

from collections.abc import Iterator

from evgit.storage.operations import OperationLog
from evgit.storage.refs import RefStore

_ANY = ""  # stands for whatever a ref points at now


def operation_problems(operations: OperationLog, refs: RefStore) -> Iterator[str]:
    """What does not fit, newest first. Raises Damage at an operation that can't be read."""
    later: dict[str, str | None] = {ref.name: _ANY for ref in refs.under("")}
    oldest = None
    for oldest in operations.newest_first():
        for change in reversed(oldest.changes):
            found = later.get(change.ref)
            if found != change.new and not (found == _ANY and change.new is not None):
                yield (
                    f"operation {oldest.number} left {change.ref} at {change.new or 'nothing'}, "
                    f"what came after it found {found or 'nothing'}"
                )
            later[change.ref] = change.old
    if oldest is None or oldest.command == "init":
        for name, target in sorted(later.items()):
            if target is not None:
                yield f"no operation made {name}"
