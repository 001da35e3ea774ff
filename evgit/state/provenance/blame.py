"""Blame: which event gave each field of a document, or each line of a text, its present value.

A field is a leaf of the JSON value: a string, number, true, false, null, or an empty object or
array, named by a JSON pointer (RFC 6901). Its present value was set by the last event before which
the field was absent or had another value; array elements are compared by index. It knows versions
of a document, not how they are found.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from evgit.errors import NotFound, UsageError
from evgit.state.diff import MISSING
from evgit.state.provenance.versions import Version

Tokens = tuple[str | int, ...]
"""The way to a field: names of members, indexes of elements."""


def leaves(value: Any) -> dict[Tokens, Any]:
    """All fields of a JSON value with their values, in order of keys."""
    found: dict[Tokens, Any] = {}
    _collect((), value, found)
    return found


def pointer(tokens: Tokens) -> str:
    """A way as a JSON pointer; "" is the whole document."""
    return "".join(f"/{str(t).replace('~', '~0').replace('/', '~1')}" for t in tokens)


def fields_below(value: Any, below: str) -> dict[Tokens, Any]:
    """The fields of a document at a JSON pointer and below it. Raises NotFound."""
    place = below if below.startswith("/") or not below else f"/{below}"
    place = place.rstrip("/") or ("" if place in ("", "/") else place)
    every = leaves(value)
    found = {
        tokens: leaf
        for tokens, leaf in every.items()
        if not place or (name := pointer(tokens)) == place or name.startswith(place + "/")
    }
    if not found:
        names = [pointer(tokens) for tokens in every]
        near = import_module("difflib").get_close_matches(place, names[:5000], n=2)
        meant = "; did you mean " + " or ".join(near) + "?" if near else ""
        raise NotFound(
            f"the document has no field {place!r}{meant}",
            hint="fields are named by JSON pointers: /data/amount, /items/0",
        )
    return found


def blame_fields(fields: dict[Tokens, Any], versions: Iterator[Version]) -> dict[Tokens, int]:
    """The position of the event that set each field's present value.

    `versions`: the newest first; no more are taken than are needed.
    """
    waiting = dict(fields)
    blamed: dict[Tokens, int] = {}
    for position, change in versions:
        old = change.old
        for tokens in [t for t, leaf in waiting.items() if not _same(_find(old, t), leaf)]:
            blamed[tokens] = position
            del waiting[tokens]
        if not waiting:
            break
    return blamed


def blame_lines(text: str, versions: Iterator[Version]) -> list[int]:
    """The position of the event that set each line of a text, in order of lines."""
    lines = lines_of(text)
    blamed = [-1] * len(lines)
    waiting = {number: number for number in range(len(lines))}  # in this version -> at present
    new = lines
    for position, change in versions:
        old = lines_of(change.old) if isinstance(change.old, str) else []
        kept = _kept_lines(old, new)
        for here, number in waiting.items():
            if here not in kept:
                blamed[number] = position
        waiting = {kept[here]: number for here, number in waiting.items() if here in kept}
        if not waiting:
            break
        new = old
    return blamed


def lines_of(text: str) -> list[str]:
    """The lines of a text, without their ends."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines


def refuse_field_of_text(path: str, field: str | None) -> None:
    """A text has lines, not fields."""
    if field is not None:
        raise UsageError(
            f"{path!r} is a text, which has no fields",
            hint="without --field, it is blamed line by line",
        )


def _kept_lines(old: list[str], new: list[str]) -> dict[int, int]:
    """Index in `new` -> index in `old`, of the lines that both have in common."""
    start = 0
    shorter = min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and old[-1 - end] == new[-1 - end]:
        end += 1
    kept = {place: place for place in range(start)}
    kept |= {len(new) - 1 - back: len(old) - 1 - back for back in range(end)}
    middle_old, middle_new = old[start : len(old) - end], new[start : len(new) - end]
    if middle_old and middle_new:
        # What a text needs is not loaded by commands that meet none.
        matcher = import_module("difflib").SequenceMatcher(None, middle_old, middle_new, False)
        for a, b, size in matcher.get_matching_blocks():
            kept |= {start + b + step: start + a + step for step in range(size)}
    return kept


def _collect(tokens: Tokens, value: Any, found: dict[Tokens, Any]) -> None:
    if isinstance(value, dict) and value:
        for name in sorted(value):
            _collect((*tokens, name), value[name], found)
    elif isinstance(value, list) and value:
        for index, element in enumerate(value):
            _collect((*tokens, index), element, found)
    else:
        found[tokens] = value


def _find(value: Any, tokens: Tokens) -> Any:
    for token in tokens:
        if isinstance(token, int):
            if not isinstance(value, list) or token >= len(value):
                return MISSING
        elif not isinstance(value, dict) or token not in value:
            return MISSING
        value = value[token]
    return value


def _same(old: Any, new: Any) -> bool:
    return old is not MISSING and isinstance(old, bool) is isinstance(new, bool) and old == new
