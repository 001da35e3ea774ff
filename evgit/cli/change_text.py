"""How changes of documents look: field by field, as counts, as names, as JSON.

It knows what a change is, not how it was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from evgit import repository
from evgit.cli.commit_text import plural
from evgit.cli.event_text import compact
from evgit.cli.output import Output, shown_in_line

if TYPE_CHECKING:  # `log` has all this at hand and seldom needs it: states are loaded when used
    from evgit.repository import DocumentChange, FieldChange

# Two values up to this length stand on one line, `old -> new`; longer ones on two.
SHORT_VALUE = 40


def kind_of(change: DocumentChange) -> str:
    """`added`, `deleted` or `changed`."""
    if change.old_bytes is None:
        return "added"
    return "deleted" if change.new_bytes is None else "changed"


def write_changes(output: Output, changes: Iterable[DocumentChange]) -> Iterator[str]:
    """Every document that changed, with its fields: lines of text."""
    for change in changes:
        kind = kind_of(change)
        path = shown_in_line(change.path)
        yield output.style(path, "bold") + ("" if kind == "changed" else f" ({kind})")
        texts = [("" if side is repository.MISSING else side) for side in (change.old, change.new)]
        if all(isinstance(text, str) for text in texts):
            yield from _text_lines(output, *texts)
            continue
        for field in fields_of(change):
            yield from _field_lines(output, field)


def _text_lines(output: Output, old: str, new: str) -> Iterator[str]:
    """What differs between two texts, line by line, with a line around it."""
    compare = import_module("difflib").unified_diff
    lines = compare(old.splitlines(), new.splitlines(), n=1, lineterm="")
    for line in islice(lines, 2, None):
        colour = {"+": "green", "-": "red", "@": "dim"}.get(line[:1])
        text = shown_in_line(line)
        yield "  " + (output.style(text, colour) if colour else text)


def fields_of(change: DocumentChange) -> list[FieldChange]:
    """A document's fields that changed; all of them where the document came or went."""
    old, new = change.old, change.new
    if old is repository.MISSING and isinstance(new, dict):
        old = {}
    if new is repository.MISSING and isinstance(old, dict):
        new = {}
    return repository.field_changes(old, new)


def _field_lines(output: Output, field: FieldChange) -> Iterator[str]:
    name = shown_in_line(field.pointer) or "(all)"
    if field.old is repository.MISSING:
        yield output.style(f"  + {name}: {compact(field.new)}", "green")
    elif field.new is repository.MISSING:
        yield output.style(f"  - {name}: {compact(field.old)}", "red")
    else:
        old, new = compact(field.old), compact(field.new)
        if len(old) <= SHORT_VALUE and len(new) <= SHORT_VALUE:
            sides = f"{output.style(old, 'red')} -> {output.style(new, 'green')}"
            yield f"  {output.style('~', 'yellow')} {name}: {sides}"
        else:
            yield output.style(f"  - {name}: {old}", "red")
            yield output.style(f"  + {name}: {new}", "green")


def write_statistics(output: Output, changes: Iterable[DocumentChange]) -> Iterator[str]:
    """The documents that changed with the number of their fields that did, and the sums."""
    documents = fields = 0
    for change in changes:
        count = len(fields_of(change))
        documents += 1
        fields += count
        kind = kind_of(change)
        mark = {"added": "+", "deleted": "-", "changed": "~"}[kind]
        colour = {"added": "green", "deleted": "red", "changed": "yellow"}[kind]
        path = shown_in_line(change.path)
        yield f" {output.style(mark, colour)} {path} | {plural(count, 'field')}"
    if documents:
        yield f" {plural(documents, 'document')} changed, {plural(fields, 'field')}"


def write_names(output: Output, changes: Iterable[DocumentChange]) -> Iterator[str]:
    """The paths of the documents that changed."""
    for change in changes:
        yield shown_in_line(change.path)


def change_document(change: DocumentChange) -> dict[str, Any]:
    """A document's change for `--json`; a side that is missing is absent."""
    fields = []
    for field in fields_of(change):
        sides = {"old": field.old, "new": field.new}
        fields.append(
            {"pointer": field.pointer}
            | {side: value for side, value in sides.items() if value is not repository.MISSING}
        )
    kind = kind_of(change)
    return {"path": change.path, "change": kind, "fields": fields}
