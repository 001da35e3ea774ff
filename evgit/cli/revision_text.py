"""Revisions as commands take them, and the ids that name what they stand for."""

from __future__ import annotations

import re

from evgit.cli.invocation import Invocation
from evgit.errors import UsageError
from evgit.repository import (
    FoundBlob,
    FoundDocument,
    FoundEvent,
    FoundTag,
    Point,
    Repository,
    Resolved,
)

POSITION = re.compile(r".#[0-9]+\Z")
RANGE_MARKS = re.compile(r"\.\.|^\^")


def resolved(invocation: Invocation, repository: Repository, word: str) -> Resolved:
    """What a revision names; `REV#N` is taken for the event at that position."""
    resolver = repository.resolver()
    found = resolver.event(word) if POSITION.search(word) else resolver.any(word)
    for note in resolver.notes:
        invocation.hint(note)
    return found


def full_names(repository: Repository, word: str) -> list[str]:
    """The ids of what a revision or range stands for, the excluded ones marked with `^`."""
    resolver = repository.resolver()
    if not RANGE_MARKS.search(word):
        return [_name(repository, resolver.any(word), word)]
    selection = resolver.select([word])
    pairs = [point for pair in selection.symmetric for point in pair]
    included = [resolver.spell(point) for point in (*selection.include, *pairs)]
    return [*included, *(f"^{resolver.spell(point)}" for point in selection.exclude)]


def _name(repository: Repository, found: Resolved, word: str) -> str:
    if isinstance(found, Point):
        return repository.resolver().spell(found)
    if isinstance(found, FoundDocument):
        raise UsageError(
            f"{word!r} is a document, which has no id of its own",
            hint="`evgit ls-tree REV PATH` prints its hash, `evgit show REV:PATH` the document",
        )
    assert isinstance(found, FoundEvent | FoundTag | FoundBlob)
    return found.id
