"""What differs between two states, and between two versions of a document.

A diff of states costs in proportion to what differs. It knows paths, bytes and JSON values, not how
a difference is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from evgit.state.forest import differences
from evgit.state.merkle_node import NodeMissing, key_of
from evgit.state.state import Overlay, Pending, State

_PLAIN = (str, int, bool, type(None))
_decode = msgspec.json.Decoder().decode


class Missing:
    """The type of MISSING: no value, which null is one."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """A document that differs: canonical JSON on either side, None where there is no document."""

    path: str
    old_bytes: bytes | None
    new_bytes: bytes | None

    @property
    def old(self) -> Any:
        """The value before, MISSING if there was no document."""
        return MISSING if self.old_bytes is None else _decode(self.old_bytes)

    @property
    def new(self) -> Any:
        """The value after, MISSING if there is no document."""
        return MISSING if self.new_bytes is None else _decode(self.new_bytes)

    def fields(self) -> list[FieldChange]:
        """What differs inside, field by field."""
        return field_changes(self.old, self.new)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One place (JSON pointer, RFC 6901; "" is the whole document) that differs; MISSING where
    there is nothing."""

    pointer: str
    old: Any
    new: Any


def diff_states(a: State, b: State, under: str | None = None) -> Iterator[DocumentChange]:
    """Documents that differ, in key order: all, or those whose path is `under` or below it.

    `under` names a document or a directory, with or without a final slash.
    """
    directory = (under or "").rstrip("/")
    after: str | None = None
    while True:
        try:
            for change in _changes(a, b, directory, after):
                after = change.path
                if not directory or is_within(change.path, directory):
                    yield change
            return
        except NodeMissing:  # one of the two lost nodes: compute both anew, and go on from here
            a.retrying(lambda: _touch(a))
            b.retrying(lambda: _touch(b))


def field_changes(old: Any, new: Any) -> list[FieldChange]:
    """What differs between two JSON values, in order of keys; either may be MISSING.

    Objects are compared by key and arrays by index, so an element that was inserted shows as a
    change of those after it. Values of different kinds, numbers and booleans among them, differ as
    a whole.
    """
    found: list[FieldChange] = []
    _collect("", old, new, found)
    return found


def _collect(pointer: str, old: Any, new: Any, found: list[FieldChange]) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            before, after = old.get(name, MISSING), new.get(name, MISSING)
            if type(before) is type(after) and type(before) in _PLAIN and before == after:
                continue  # most of them, and soon told
            place = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            _collect(place, before, after, found)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else MISSING
            after = new[index] if index < len(new) else MISSING
            _collect(f"{pointer}/{index}", before, after, found)
    elif isinstance(old, bool) is not isinstance(new, bool) or old != new:
        found.append(FieldChange(pointer, old, new))


def is_within(path: str, directory: str) -> bool:
    """Is the path the directory's own, or below it?"""
    return path == directory or path.startswith(directory + "/")


def _touch(state: State) -> None:
    for _ in state.settle().items():
        pass


def _changes(a: State, b: State, prefix: str, after: str | None) -> Iterator[DocumentChange]:
    left, right = a.settled, b.settled
    if left is not None and right is not None:
        for path, old, new in differences(left, right, prefix, after):
            yield from _presented(a, b, path, old, new)
        return
    low = b"" if after is None else key_of(after) + b"\0"
    if a.tree.root == b.tree.root:
        one, other = a.overlay, b.overlay
        paths = {path for path, entry in other.items() if one.get(path, MISSING) is not entry}
        paths |= one.keys() - other.keys()
        paths = {path for path in paths if not _same(one, other, path)}
    else:
        paths = a.overlay.keys() | b.overlay.keys()
    waiting = [(key_of(path), path) for path in paths if path.startswith(prefix)]
    waiting = sorted(item for item in waiting if item[0] >= low)
    waiting.reverse()
    for path, old, new in differences(a.tree, b.tree, prefix, after):
        key = key_of(path)
        while waiting and waiting[-1][0] < key:
            yield from _compare(a, b, waiting.pop()[1])
        if waiting and waiting[-1][0] == key:
            yield from _compare(a, b, waiting.pop()[1])
        else:
            yield from _presented(a, b, path, old, new)
    while waiting:
        yield from _compare(a, b, waiting.pop()[1])


def _same(a: Overlay, b: Overlay, path: str) -> bool:
    """Are the entries of two overlays over one tree certainly the same document?"""
    if path not in a or path not in b:
        return False
    one, other = a[path], b[path]
    if isinstance(one, Pending):
        return one.same(other)
    # Lists of events that wait for the same document below, or bytes.
    return type(one) is type(other) and one == other


def _presented(
    a: State, b: State, path: str, old: bytes | None, new: bytes | None
) -> Iterator[DocumentChange]:
    """A difference of the Merkle maps, if it is one of the documents as people see them."""
    before, now = a.presented(path, old), b.presented(path, new)
    if before != now:
        yield DocumentChange(path, before, now)


def _compare(a: State, b: State, path: str) -> Iterator[DocumentChange]:
    old, new = a.document(path), b.document(path)
    if old != new:
        yield DocumentChange(path, old, new)
