"""Words that name a document at a point, or a change of state, as several commands take them."""

from __future__ import annotations

from pathlib import Path

from evgit.cli.documents import document_path
from evgit.errors import EvgitError
from evgit.repository import FoundDocument, Point, Repository


def document_at(repository: Repository, word: str) -> tuple[Point, str] | None:
    """The point and path that `REV:PATH` names; None where the word is just a path."""
    if ":" not in word or Path(word).exists():
        return None
    try:
        found = repository.resolve_any(word)
    except EvgitError:
        return None
    return (found.point, found.path) if isinstance(found, FoundDocument) else None


def documents_or_directories(repository: Repository, words: tuple[str, ...]) -> list[str]:
    """Paths in the state of documents and directories that a person names from where they are.

    A final slash is kept, which says that a directory is meant.
    """
    return [document_path(repository, word) + ("/" if word.endswith("/") else "") for word in words]
