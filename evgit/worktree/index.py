"""What was written into the working tree, and whether it is still there as it was.

The index is a convenience kept in the cache: without it, contents are compared. It knows files and
their contents, not what should be in them.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator
from enum import Enum

from evgit.formats.hashing import blake3_digest
from evgit.history.points import Point
from evgit.state.forest import Trees, tree_at
from evgit.state.merkle_node import NodeMissing, Reader
from evgit.storage.cache import Cache, IndexedFile
from evgit.worktree.directory import Directory

_CLOCK_TICK_NS = 20_000_000
"""A file changed no longer ago than this may change again without another time stamp."""


class Found(Enum):
    """What stands where a file was written or is to be written."""

    NOTHING = "nothing"
    WANTED = "the content that is wanted"
    OURS = "what evgit wrote"
    EDITED = "something else, in a file that evgit wrote"
    FOREIGN = "something that evgit did not write"
    DIRECTORY = "a directory"


class Index:
    """The index in `cache`."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._reader = Reader(cache.node)

    # ------------------------------------------------------------------ the tree as a whole

    def base(self, traits: str) -> Trees | None:
        """What the last whole checkout wrote, if all of it was written, on such a file system."""
        notes = self._cache.notes()
        try:
            root = bytes.fromhex(notes.get("root", ""))
        except ValueError:
            return None
        if len(root) != 32 or notes.get("traits") != traits:
            return None
        try:
            return tree_at(self._reader, root)
        except NodeMissing:
            return None

    def shown(self) -> Point | None:
        """The point of the last checkout."""
        notes = self._cache.notes()
        if "commit" not in notes or not notes.get("size", "").isdecimal():
            return None
        return Point(notes["commit"], int(notes["size"]))

    def note(self, point: Point | None, tree: Trees | None, traits: str) -> None:
        """Remember what the files show: a point, and which documents if they show all of them."""
        notes = {"traits": traits}
        if point is not None:
            notes |= {"commit": point.commit, "size": str(point.size)}
        if tree is not None:
            tree.flushed(self._cache.add_nodes)
            notes["root"] = tree.root.hex()
        self._cache.change_index(notes=notes)

    def unfinished(self) -> bool:
        """Was a checkout interrupted?"""
        return "unfinished" in self._cache.notes()

    def begin(self, point: Point | None) -> None:
        """Until `note` is called, the files show nothing in particular."""
        notes = {"unfinished": "yes"}
        if point is not None:
            notes |= {"commit": point.commit, "size": str(point.size)}
        self._cache.change_index(notes=notes)

    # ------------------------------------------------------------------ single files

    def file(self, file: str) -> IndexedFile | None:
        return self._cache.file(file)

    def files_of(self, document: str) -> list[IndexedFile]:
        return self._cache.files_of(document)

    def files(self) -> Iterator[IndexedFile]:
        """All of them, by name."""
        after = ""
        while rows := self._cache.files(after):
            yield from rows
            after = rows[-1].file

    def is_empty(self) -> bool:
        return not self._cache.files(limit=1)

    def plan(self, contents: Iterable[tuple[str, str, bytes]]) -> None:
        """Remember (file, document, content) about to be written, should that be interrupted."""
        rows = []
        for file, document, content in contents:
            old = self._cache.file(file)
            row = old._replace(document=document) if old else IndexedFile(file, document, b"")
            rows.append(row._replace(size=-1, planned=blake3_digest(content)))
        self._cache.change_index(written=rows)

    def keep(self, written: Iterable[IndexedFile]) -> None:
        """Remember files as they were written.

        A file so new that it could change without that being seen is marked to be looked at.
        """
        newest = time.time_ns() - _CLOCK_TICK_NS
        rows = [row if row.mtime_ns < newest else row._replace(size=-1) for row in written]
        self._cache.change_index(written=rows)

    def drop(self, files: Iterable[str]) -> None:
        self._cache.change_index(removed=files)

    def examine(
        self,
        directory: Directory,
        file: str,
        path: str,
        row: IndexedFile | None,
        wanted: bytes | None = None,
        ours: Collection[bytes] = (),
    ) -> tuple[Found, IndexedFile | None]:
        """What is at `file`, where the document at `path` belongs, and its row for the index where
        the content had to be looked at and is known.

        `wanted` is the content that it should have; `ours` are contents that are no person's edit,
        though the index may not know them. Raises directory.Blocked.
        """
        info = directory.stat(file)
        if info is None:
            return Found.NOTHING, None
        if stat.S_ISDIR(info.st_mode):
            return Found.DIRECTORY, None
        wanted_hash = b"" if wanted is None else blake3_digest(wanted)
        foreign = Found.FOREIGN if row is None else Found.EDITED
        if not stat.S_ISREG(info.st_mode):
            return foreign, None
        if row is not None and _unchanged(row, info):
            return (Found.WANTED if row.hash == wanted_hash else Found.OURS), None
        content = directory.read(file)
        if content is None:
            return foreign, None
        digest = blake3_digest(content)
        seen = as_written(file, path, digest, info)
        if digest == wanted_hash:
            return Found.WANTED, seen
        if row is not None and digest in (row.hash, row.planned):
            return Found.OURS, seen
        if content in ours:
            return Found.OURS, seen
        return foreign, None

    def holds(self, row: IndexedFile, content: bytes) -> bool:
        """Is this what was written, as far as the index knows?"""
        return not row.planned and row.hash == blake3_digest(content)


def as_written(file: str, document: str, digest: bytes, info: os.stat_result) -> IndexedFile:
    """The row for a file that has this content and this on the file system."""
    return IndexedFile(file, document, digest, info.st_size, info.st_mtime_ns, info.st_ino)


def _unchanged(row: IndexedFile, info: os.stat_result) -> bool:
    return not row.planned and (row.size, row.mtime_ns, row.inode) == (
        info.st_size,
        info.st_mtime_ns,
        info.st_ino,
    )
