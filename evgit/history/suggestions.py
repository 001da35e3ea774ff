"""Words for people about revisions: what was found, what may have been meant instead.

It must not decide what a name means.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from evgit.history.points import Point
from evgit.history.revision_source import (
    FoundBlob,
    FoundDocument,
    FoundEvent,
    FoundTag,
    Resolved,
    StreamEntry,
)

_SHORTENED = ("refs/heads/", "refs/tags/", "refs/remotes/", "refs/")


def hint_for_name(text: str, ref_names: Iterable[str], stream: StreamEntry | None) -> str:
    """What to say instead of a name that nothing has.

    ref_names: full names of the refs there are. stream: the last event of a stream that is
    called so.
    """
    if stream is not None:
        return f"{text!r} is a stream; {text}@{stream.revision} is its last event"
    if re.match(r"[0-9]{4}-[0-9]{2}|(last|yesterday|today|now)\b", text):
        return f"for a point in time say HEAD@{{{text}}}"
    if re.fullmatch(r"[0-9]+", text):
        return f"for a position in the log say HEAD#{text}"
    if re.fullmatch(r"[0-9a-fA-F]{1,3}", text):
        return "the first digits of an id must be at least 4"
    from difflib import get_close_matches  # slow to load, and only mistakes need it

    if near := get_close_matches(text, {_short(name) for name in ref_names}, n=3):
        return "did you mean " + " or ".join(repr(name) for name in near) + "?"
    return "`evgit branch` and `evgit tag` list the names there are, `evgit log` the ids"


def list_candidates(candidates: Collection[tuple[str, str]], limit: int) -> str:
    """(id, kind) pairs as a hint: enough digits to tell them apart, at most `limit` of them."""
    ids = [name for name, _ in candidates]
    digits = 12
    while digits < 64 and len({name[:digits] for name in ids}) < len(ids):
        digits += 4
    shown = [f"{kind} {name[:digits]}" for name, kind in candidates][:limit]
    more = ", and others" if len(candidates) > limit else ""
    return "give more digits of " + ", ".join(shown) + more


def describe(found: Resolved) -> str:
    """What was found, with its kind."""
    match found:
        case Point(commit, size):
            return f"a commit's log ({commit[:12]}, {size} events)"
        case FoundEvent(name):
            return f"event {name[:12]}"
        case FoundTag(name):
            return f"tag {name[:12]}"
        case FoundBlob(name):
            return f"blob {name[:12]}"
        case FoundDocument(_, path):
            return f"the document {path!r}"


def _short(name: str) -> str:
    for prefix in _SHORTENED:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
