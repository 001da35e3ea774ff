"""Checks what points at objects: refs, tags, and the operations that moved refs.

It needs to know which objects are stored; whether those are sound is not its business.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from evgit.errors import Damage, EvgitError
from evgit.formats.canonical import object_id
from evgit.formats.tag import decode_tag
from evgit.history.heads import TAGS
from evgit.history.history import History
from evgit.maintenance.operation_check import operation_problems
from evgit.maintenance.seen import Seen
from evgit.storage.blobs import BlobStore
from evgit.storage.database import fetch_all
from evgit.storage.operations import OperationLog
from evgit.storage.refs import SYMBOLIC, RefStore

_TARGET = re.compile(r"[0-9a-f]{64}(#[0-9]{1,10})?")


class RefCheck:
    """`seen`: the events and commits that are stored; `add(kind, message, *ids)` reports."""

    def __init__(
        self, history: History, blobs: BlobStore, seen: Seen, add: Callable[..., None]
    ) -> None:
        self._history = history
        self._blob_store = blobs
        self._seen = seen
        self._add = add
        self._objects: set[str] = set()
        self._tags: dict[str, str] = {}  # id -> target, of sound ones

    def tags(self) -> None:
        """Tag objects. To be called before `refs`."""
        for raw_id, line in fetch_all(self._history.connection, "SELECT id, data FROM objects"):
            tag_id = raw_id.hex()
            self._objects.add(tag_id)
            if object_id(line) != tag_id:
                self._add("damage", f"tag {tag_id} is damaged", tag_id)
                continue
            try:
                self._tags[tag_id] = decode_tag(line).target
            except EvgitError as error:
                self._add("format", f"tag {tag_id}: {error.message}", tag_id)
        for tag_id, target in self._tags.items():
            if not self._is_stored(target):
                self._add("ref", f"tag {tag_id} points at {target}, which is not stored", tag_id)

    def _is_stored(self, target: str) -> bool:
        return (
            target in self._objects
            or self._seen.any(target)
            or self._blob_store.size(target) is not None
        )

    def refs(self, refs: RefStore) -> None:
        """Refs, HEAD among them."""
        every = refs.under("")
        known = {ref.name for ref in every}
        if not any(ref.name == "HEAD" for ref in every):
            self._add("ref", "there is no HEAD")
        for name, target in every:
            if target.startswith(SYMBOLIC):
                if target.removeprefix(SYMBOLIC) not in known:
                    self._add("ref", f"{name} names {target.removeprefix(SYMBOLIC)}, not there")
                continue
            commit, _, size = target.partition("#")
            if not _TARGET.fullmatch(target):
                self._add("ref", f"{name} has a target that is none: {target!r}")
                continue
            try:
                row = self._history.graph.find(bytes.fromhex(commit))
            except Damage as error:
                self._add("index", f"{name}: {error.message}", commit)
                continue
            if row is not None:
                if size and int(size) > row.size:
                    self._add("ref", f"{name} points behind the end of commit {commit}", commit)
            elif name.startswith(TAGS) and self._is_stored(commit):
                pass
            elif self._seen.commit(commit) and not self._is_indexed(commit[:16]):
                pass  # only the index lacks it, which is reported already
            elif self._is_stored(commit):
                self._add("ref", f"{name} points at {commit}, which is no commit", commit)
            else:
                self._add("ref", f"{name} points at {commit}, which is not stored", commit)

    def _is_indexed(self, prefix: str) -> bool:
        low, high = (bytes.fromhex(prefix.ljust(64, digit)) for digit in "0f")
        return bool(self._history.graph.with_prefix(low, high, 1))

    def operations(self, refs: RefStore) -> None:
        """The op log."""
        operations = OperationLog(self._history.connection)
        for text in operation_problems(operations, refs, self._is_commit):
            self._add("ref", text)

    def _is_commit(self, target: str) -> bool:
        return bool(_TARGET.fullmatch(target)) and (
            self._history.graph.find(bytes.fromhex(target.partition("#")[0])) is not None
        )
