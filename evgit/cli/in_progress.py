"""What is in progress, for `evgit status`: what waits for a decision, and how to go on."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from evgit.repository import Repository

TEXTS = {"merge": "evgit.cli.merge_text", "rebase": "evgit.cli.rebase_text"}
"""By kind, the module with its `waiting_lines(repository)` and `waiting_document(repository)`;
loaded when it is needed."""


def in_progress_lines(repository: Repository) -> list[str]:
    """What to tell a person; nothing where nothing is in progress."""
    begun = repository.in_progress()
    if begun is None:
        return []
    if begun.kind in TEXTS:
        found: list[str] = import_module(TEXTS[begun.kind]).waiting_lines(repository)
        return found
    return [f"A {begun.kind} is in progress: evgit {begun.kind} --continue, or --abort"]


def in_progress_document(repository: Repository) -> dict[str, Any] | None:
    """The same for `--json`; null where nothing is in progress."""
    begun = repository.in_progress()
    if begun is None:
        return None
    document: dict[str, Any] = {"kind": begun.kind}
    if begun.kind in TEXTS:
        document |= import_module(TEXTS[begun.kind]).waiting_document(repository)
    return document
