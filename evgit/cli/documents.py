"""Documents of a state as commands name and print them."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from evgit import repository as library
from evgit.errors import NotFound, UsageError
from evgit.repository import Repository

if TYPE_CHECKING:  # `log` has all this at hand and seldom needs it: states are loaded when used
    from evgit.repository import State

MOST_COMPARED = 20_000  # paths looked through for one that may have been meant


def file_bytes(path: str, document: bytes) -> bytes:
    """A document as it stands in the working tree."""
    return library.content_of(path, document)


def names_below(state: State, directory: str) -> list[str]:
    """The paths of the documents in a directory and below it; all for the empty one."""
    prefix = directory.rstrip("/") + "/" if directory else ""
    return [path for path, _ in state.documents(prefix)]


def has_documents(state: State, place: str) -> bool:
    """Is there a document of this path, or one below it?"""
    place = place.rstrip("/")
    return not place or place in state or any(True for _ in state.documents(place + "/"))


def whole_state(word: str) -> str:
    """`REV:`, the state as a whole, where a command takes states: the same as `REV`."""
    return word[:-1] if len(word) > 1 and word.endswith(":") else word


def missing_document(state: State, revision: str, path: str) -> NotFound:
    """The error for a document that is not there, with what may have been meant."""
    near: list[str] = []
    if len(state) <= MOST_COMPARED:
        near = import_module("difflib").get_close_matches(path, list(state), n=2)
    meant = "; did you mean " + " or ".join(near) + "?" if near else ""
    return NotFound(
        f"there is no document {path!r} at {revision}{meant}",
        hint="`evgit ls-tree REV` lists the documents",
    )


def document_path(repository: Repository, word: str) -> str:
    """The path of a document that a person names relative to where they are.

    In a subdirectory of the working tree that is below it, as in Git; in a bare repository, or
    elsewhere, the path is taken as it stands. Raises UsageError for what lies outside.
    """
    tree = repository.layout.worktree
    if tree is None:
        return word
    here = Path.cwd()
    top = tree.resolve()
    if not Path(word).is_absolute() and not here.is_relative_to(top):
        return word
    full = Path(os.path.normpath(here / word))
    if not full.is_relative_to(top):
        raise UsageError(
            f"{word!r} lies outside the working tree {top}",
            hint="name a document of this repository",
        )
    relative = PurePosixPath(full.relative_to(top))
    return "" if str(relative) == "." else str(relative)


def split_words(repository: Repository, words: list[str]) -> tuple[list[str], list[str]]:
    """Words that may be revisions or paths, as (revisions, paths): Git's rule.

    Words are revisions as long as they name one; what follows are paths. The first of them must be
    a file or a document, or else it is more likely a revision that was mistyped.
    """
    for number, word in enumerate(words):
        try:
            repository.resolver().select([whole_state(word)])
        except (NotFound, UsageError):
            path = document_path(repository, word)
            state = repository.state("HEAD")
            if not (Path(word).exists() or path in state or names_below(state, path)):
                raise
            return words[:number], words[number:]
    return words, []
