"""Projections of three kinds that make the same documents, and their history folded naively.

The documents, one a stream: `accounts/<stream>.json`, with what was set, how often it was touched
by `counted`, and a list; `removed` takes the document away.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import MutableMapping, Sequence
from typing import Any

from evgit.formats import canonical
from evgit.formats.event import Event, decode_events
from evgit.state.projection import Groups


def applied(document: Any, event: Event) -> Any:
    """A document after one event; None for no document."""
    if event.type == "removed":
        return None
    if event.type == "ignored":
        return document
    document = {"fields": {}, "list": []} if document is None else copy.deepcopy(document)
    if event.type == "set":
        document["fields"] |= event.data
    elif event.type == "listed":
        document["list"].append(event.data)
    elif event.type == "popped" and document["list"]:
        document["list"].pop(0)
    return document


def path_of(event: Event) -> str:
    return f"accounts/{event.stream}.json"


class Keyed:
    """Keyed by stream, and unable to tell the streams from the path."""

    key = b"keyed".ljust(32, b"\0")

    def decode(self, text: bytes, position: int) -> Sequence[Event]:
        return decode_events(text)

    def group(self, events: Sequence[Event], groups: Groups) -> None:
        for event in events:
            groups[path_of(event)].append(event)

    def fold_document(
        self, path: str, document: bytes | None, events: Sequence[Event]
    ) -> bytes | None:
        value = None if document is None else json.loads(document)
        for event in events:
            value = applied(value, event)
        return None if value is None else canonical.encode(value)


class KeyedByStream(Keyed):
    """The same, with the streams told."""

    key = b"by stream".ljust(32, b"\0")
    sees_all = False

    def streams_of(self, path: str, names: object) -> list[str]:
        return [path.removeprefix("accounts/").removesuffix(".json")]


class General:
    """The same documents, written wherever they are."""

    key = b"general".ljust(32, b"\0")

    def decode(self, text: bytes, position: int) -> Sequence[Event]:
        return decode_events(text)

    def fold(self, events: Sequence[Event], documents: MutableMapping[str, Any]) -> None:
        for event in events:
            value = applied(documents.get(path_of(event)), event)
            if value is not None:
                documents[path_of(event)] = value
            elif path_of(event) in documents:
                del documents[path_of(event)]

    def encode(self, path: str, value: Any) -> bytes:
        return canonical.encode(value)


def naive_versions(events: Sequence[Event], path: str) -> list[tuple[int, Any, Any]]:
    """(position, before, after) of every event that changed a document, in log order."""
    found = []
    value = None
    for position, event in enumerate(events):
        if path_of(event) == path:
            after = applied(value, event)
            if json.dumps(after, sort_keys=True) != json.dumps(value, sort_keys=True):
                found.append((position, value, after))
            value = after
    return found


def naive_leaves(value: Any, pointer: str = "") -> dict[str, Any]:
    """Pointer -> leaf."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    if not items:
        return {pointer: value}
    found: dict[str, Any] = {}
    for name, inner in items:
        escaped = str(name).replace("~", "~0").replace("/", "~1")
        found |= naive_leaves(inner, f"{pointer}/{escaped}")
    return found


def naive_blame(events: Sequence[Event], path: str) -> dict[str, int]:
    """Pointer -> position of the event that set it, by following every field forward."""
    blamed: dict[str, int] = {}
    before: dict[str, Any] = {}
    for position, _, after in naive_versions(events, path):
        fields = {} if after is None else naive_leaves(after)
        now = defaultdict(int)
        for pointer, leaf in fields.items():
            same = pointer in before and json.dumps(before[pointer]) == json.dumps(leaf)
            now[pointer] = blamed[pointer] if same else position
        blamed, before = dict(now), fields
    return blamed
