"""Compares the op log with the refs: each operation must have found what the one before it left.

A ref's target is an id, so a wrong one shows by itself; its name does not. Walking back from the
refs as they are must lead to no refs at all before `init`, through equal targets on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from evgit.storage.operations import OperationLog
from evgit.storage.refs import RefStore


def operation_problems(
    operations: OperationLog, refs: RefStore, is_commit: Callable[[str], bool]
) -> Iterator[str]:
    """What does not fit, newest first. Raises Damage at an operation that can't be read.

    Where the last operation on a ref left it at another commit than it is at now, that is no
    damage: a flipped bit in an id gives no commit, so somebody moved the ref by hand.
    """
    later: dict[str, str | None] = {ref.name: ref.target for ref in refs.under("")}
    newest = set(later)
    oldest = None
    for oldest in operations.newest_first():
        for change in reversed(oldest.changes):
            found = later.get(change.ref)
            by_hand = change.ref in newest and change.new is not None and is_commit(change.new)
            if found != change.new and not by_hand:
                yield (
                    f"operation {oldest.number} left {change.ref} at {change.new or 'nothing'}, "
                    f"what came after it found {found or 'nothing'}"
                )
            newest.discard(change.ref)
            later[change.ref] = change.old
    if oldest is None or oldest.command == "init":
        for name, target in sorted(later.items()):
            if target is not None:
                yield f"no operation made {name}"
