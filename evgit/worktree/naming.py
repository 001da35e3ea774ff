"""Under which file name a document is written, where the file system can't hold all paths as such.

A path is its own file name, unless on this file system it collides with one that comes before it in
key order: the later gets a `~<8 hex>` suffix, the beginning of the BLAKE3 of what collides. A file
gets it before its extension, a directory at its end. So names depend only on the paths of a state,
not on the order in which checkouts happened.

Collisions are: a file that is also a directory, on every system; and names that differ only in case
or in Unicode normalization, where the file system says that they are one.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from evgit.formats.hashing import blake3_digest
from evgit.worktree.paths import reason_against

_REMEMBERED_DIRECTORIES = 50_000


class Traits(NamedTuple):
    """Which different names a file system takes for one."""

    ignores_case: bool = False
    normalizes: bool = False

    @property
    def exact(self) -> bool:
        return not (self.ignores_case or self.normalizes)

    def fold(self, name: str) -> str:
        """Equal for names that are one."""
        if self.ignores_case:
            name = unicodedata.normalize("NFD", name).casefold()
        return unicodedata.normalize("NFC", name) if not self.exact else name


def probe(directory: Path) -> Traits:
    """The traits of the file system that holds `directory`, found by making a file there."""
    name = f"probe-{os.urandom(8).hex()}-\u00e9"
    made = directory / name
    try:
        os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except OSError:
        return Traits()  # nothing can be written here, so nothing will collide
    try:
        return Traits(
            ignores_case=os.path.lexists(directory / name.upper()),
            normalizes=os.path.lexists(directory / unicodedata.normalize("NFD", name)),
        )
    finally:
        made.unlink()


class Namer:
    """File names of the documents of one state.

    `exists(path)` tells whether there is a document at `path`, `any_below(directory)` whether there
    is any below it, `paths()` gives all paths in key order.
    """

    def __init__(
        self,
        traits: Traits,
        exists: Callable[[str], bool],
        any_below: Callable[[str], bool],
        paths: Callable[[], Iterable[str]],
    ) -> None:
        self._exists = exists
        self._any_below = any_below
        self._directories: dict[str, str] = {}
        self._table: dict[str, str] | None = None
        if not traits.exact:
            self._table = _assign(traits, paths())

    def file(self, path: str) -> str:
        """The name, relative to the working tree, of the file for the document at `path`."""
        if self._table is not None:
            return self._table.get(path, path)
        directory, slash, name = path.rpartition("/")
        return self._directory(directory) + slash + name

    def _directory(self, directory: str) -> str:
        """The name of a directory, which changes where a document has it too.

        A document comes before those below a directory of the same name, so it is always the
        directory that gives way.
        """
        found = self._directories.get(directory)
        if found is None:
            parent, slash, name = directory.rpartition("/")
            if self._exists(directory):
                name = self._free(name, directory)
            found = (self._directory(parent) if parent else "") + slash + name
            if len(self._directories) >= _REMEMBERED_DIRECTORIES:
                self._directories.clear()
            self._directories[directory] = found
        return found

    def _free(self, name: str, directory: str) -> str:
        """A name for a directory that no other document or directory beside it has."""
        beside = directory.removesuffix(name)
        attempt = 0
        while True:
            wanted = _suffixed(name, directory, attempt, is_file=False)
            taken = self._exists(beside + wanted) or self._any_below(f"{beside}{wanted}/")
            if not taken:
                return wanted
            attempt += 1


def _suffixed(name: str, path: str, attempt: int, *, is_file: bool) -> str:
    """`name` with the suffix for `path`; further attempts are for names taken on purpose."""
    seed = path if attempt == 0 else f"{path}\0{attempt}"
    suffix = "~" + blake3_digest(seed.encode()).hex()[:8]
    extension = PurePosixPath(name).suffix if is_file else ""
    return name.removesuffix(extension) + suffix + extension


def _assign(traits: Traits, paths: Iterable[str]) -> dict[str, str]:
    """path -> file name of those whose name changes, given all paths in key order."""
    files: set[str] = set()
    directories: set[str] = set()
    renamed: dict[str, str] = {}
    for path in paths:
        if reason_against(path):
            continue
        parts = path.split("/")
        name = ""
        for depth, part in enumerate(parts):
            is_file = depth == len(parts) - 1
            wanted = name + part
            attempt = 0
            while traits.fold(wanted) in files or (is_file and traits.fold(wanted) in directories):
                before = "/".join(parts[: depth + 1])
                wanted = _suffixed(name + part, before, attempt, is_file=is_file)
                attempt += 1
            (files if is_file else directories).add(traits.fold(wanted))
            name = wanted + ("" if is_file else "/")
        if name != path:
            renamed[path] = name
    return renamed
