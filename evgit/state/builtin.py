"""The built-in projection: what can be said of any log without a model.

One document a stream, at `streams/<stream>.json`:

    {"data": all data merged in order by RFC 7396, "first": time of the first event,
     "last": time of the last event, "revision": N, "stream": name, "types": {type: count}}

First and last are so in log order. Reserved streams (a leading `$`) are evgit's own and have no
document. A `/` in a stream's name makes a directory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from evgit.formats import canonical, fast_json
from evgit.formats.hashing import blake3_digest
from evgit.state.projection import Groups

# A float as msgspec writes it has a point or an exponent, which need not be as JCS writes it.
_EXPONENT = re.compile(rb"e[-+0-9]")


class _StreamDocument(msgspec.Struct):
    """The document of a stream; its members in canonical order."""

    data: Any
    first: str
    last: str
    revision: int
    stream: str
    types: dict[str, int]


class _Fact(msgspec.Struct, gc=False):
    """What this projection looks at of a stored event; `data` is decoded when it is merged."""

    stream: str
    type: str
    time: str
    data: msgspec.Raw


_decode_facts = msgspec.json.Decoder(_Fact).decode_lines
_decode_data = msgspec.json.Decoder().decode
_decode = msgspec.json.Decoder(_StreamDocument).decode
_encode = fast_json.ENCODER.encode


class BuiltinProjection:
    """Keyed by stream. Change `key` whenever a document would come out differently."""

    key = blake3_digest(b"evgit state 1\nbuilt-in projection 1\n")

    def decode(self, text: bytes, position: int) -> list[_Fact]:
        return _decode_facts(text)

    def group(self, events: Sequence[_Fact], groups: Groups) -> None:
        for event in events:
            stream = event.stream
            if stream[:1] != "$":
                groups[f"streams/{stream}.json"].append(event)

    sees_all = False

    def streams_of(self, path: str, names: Callable[[str], Iterable[str]]) -> list[str]:
        """The one stream that the document is of; none for a path that no document has."""
        if path.startswith("streams/") and path.endswith(".json"):
            return [path[len("streams/") : -len(".json")]]
        return []

    def fold_document(self, path: str, document: bytes | None, events: Sequence[_Fact]) -> bytes:
        if document is None:
            first = events[0]
            found = _StreamDocument(None, first.time, first.time, -1, first.stream, {})
        else:
            found = _decode(document)
        data, types = found.data, found.types
        for event in events:
            data = merge_patch(data, _decode_data(event.data))
            kind = event.type
            types[kind] = types.get(kind, 0) + 1
        found.data = data
        found.last = events[-1].time
        found.revision += len(events)
        return _canonical_document(found)


BUILTIN = BuiltinProjection()


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396, JSON Merge Patch: `target` changed by `patch`.

    An object in `target` is changed in place. `patch` stays as it is, and no object of it becomes
    part of the result; arrays do, for nothing changes them in place.
    """
    if type(patch) is not dict:
        return patch
    if type(target) is not dict:
        target = {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif type(value) is dict:
            target[name] = merge_patch(target.get(name), value)
        else:
            target[name] = value
    return target


def _canonical_document(document: _StreamDocument) -> bytes:
    document.data = msgspec.Raw(_canonical(document.data))
    line = _encode(document)
    if fast_json.has_astral(line):
        types = document.types
        document.types = msgspec.Raw(_canonical(types))  # type: ignore[assignment]
        line = _encode(document)
    return line


def _canonical(value: Any) -> bytes:
    """Canonical bytes of a value from stored events, quickly where msgspec writes the same.

    Objects are put together member by member otherwise, for what was merged out of many events may
    be longer than one event, or anything that `canonical.encode` takes, could be.
    """
    try:
        line = _encode(value)
        if b"." not in line and not fast_json.has_astral(line) and not _EXPONENT.search(line):
            return line
    except (msgspec.MsgspecError, OverflowError):  # an integer beyond 64 bits
        pass
    if type(value) is not dict:
        return canonical.encode(value)
    members = [
        b"%b:%b" % (canonical.encode(name), _canonical(value[name]))
        for name in sorted(value, key=lambda name: name.encode("utf-16-be"))
    ]
    return b"{%b}" % b",".join(members)
