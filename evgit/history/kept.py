"""What must not be collected: all that refs, operations and what is in progress lead to.

An operation that has not expired keeps both what a ref was at before it and what it was at after,
so that undo, `op restore` and `--at-op` always find what they need. It knows ids, not events: of an
event that a kept commit names in an `again` line the bytes are needed too, wherever they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from evgit.formats.canonical import id_bytes
from evgit.formats.tag import decode_tag
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.storage.database import fetch_one
from evgit.storage.in_progress import InProgress
from evgit.storage.operations import OperationLog
from evgit.storage.refs import SYMBOLIC, RefStore


class Kept(NamedTuple):
    """Roots of what must stay. `commits`: whose whole history is kept; `tags`: ids of tag objects;
    `others`: ids that refs have, of blobs and events, say."""

    commits: list[CommitRow]
    tags: set[str]
    others: set[str]


def kept(history: History, refs: RefStore, operations: OperationLog, after: int = 0) -> Kept:
    """What refs, what is in progress, and the operations with numbers above `after` lead to."""
    targets = {ref.target for ref in refs.under("")}
    for operation in operations.newest_first():
        if operation.number <= after:
            break
        for change in operation.changes:
            targets.update(target for target in (change.old, change.new) if target is not None)
    begun = InProgress(history.connection).get()
    if begun is not None:
        targets.update(_ids_in(begun.details))
    found = Kept([], set(), set())
    waiting = [t.partition("#")[0] for t in targets if not t.startswith(SYMBOLIC)]
    seen: set[str] = set()
    while waiting:
        target = waiting.pop()
        if target in seen:
            continue
        seen.add(target)
        row = history.graph.find(id_bytes(target))
        if row is not None:
            found.commits.append(row)
            continue
        tag = fetch_one(
            history.connection, "SELECT data FROM objects WHERE id=?", (id_bytes(target),)
        )
        if tag is None:
            found.others.add(target)
        else:
            found.tags.add(target)
            waiting.append(decode_tag(bytes(tag[0])).target)
    return found


def kept_commits(history: History, roots: Kept) -> Iterator[CommitRow]:
    """All commits that must stay, each once, children before their parents."""
    return history.graph.ancestors(roots.commits)


def _ids_in(value: Any) -> Iterator[str]:
    """Everything in a JSON value that could be an id."""
    if isinstance(value, str):
        if id_bytes(value):
            yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _ids_in(key)
            yield from _ids_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _ids_in(each)
