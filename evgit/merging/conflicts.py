"""Conflicts as data: what does not simply fit together where two histories meet.

A conflict is named by what it is about, never by its place in a list, so that it can be resolved in
any order. It must not know how conflicts are found or shown.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Kind = Literal["document", "guard", "invariant", "key", "stream", "torn"]

KINDS: dict[Kind, str] = {
    "guard": "a decision was made on a stream that has moved",
    "document": "its value depends on the order of events",
    "invariant": "a rule of the model does not hold",
    "key": "two different events have one key",
    "stream": "both sides appended to it, and no model tells whether order matters",
    "torn": "only a part of a commit comes in",
}

MODEL_FILES = "$model/"
"""With what the paths of a model's files begin, as documents of a merge."""


class MergeConflict(msgspec.Struct, frozen=True, omit_defaults=True, tag_field=None):
    """One conflict. What it is about stands in the members that its kind has:

    guard: `stream`. document: `path`. invariant: `rule` and, unless it is about all documents
    together, `path`. key: `stream` and `key`. stream: `stream`. torn: `commit`.
    `commit` is otherwise the first incoming commit that it comes with, where there is one.
    """

    kind: Kind
    stream: str | None = None
    path: str | None = None
    rule: str | None = None
    key: str | None = None
    commit: str | None = None
    reason: str = ""

    @property
    def about(self) -> str:
        """What it is about, as a person names it."""
        if self.kind == "torn":
            return str(self.commit)
        if self.kind == "key":
            return f"{self.stream} {self.key}"
        return str(self.path or self.rule or self.stream)

    @property
    def name(self) -> str:
        """What tells it from all other conflicts of a merge."""
        rule = f"{self.rule} " if self.kind == "invariant" and self.path else ""
        return f"{self.kind} {rule}{self.about}"

    def is_named(self, word: str) -> bool:
        """Does a person who says `word` mean this one?"""
        if self.kind == "torn":
            return len(word) >= 4 and self.about.startswith(word)
        return word in (self.name, self.about, self.stream, self.path, self.rule)

    def document(self) -> dict[str, Any]:
        """Its members that say what it is about."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that both sides have to do with and that is no conflict. `why`: "order" where the
    order does not matter, "settled" where an earlier merge has decided on it."""

    path: str
    why: Literal["order", "settled"]
