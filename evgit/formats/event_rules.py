"""The rules of an event's members, checked one by one so that what is wrong can be said.

This is the slow way, which is the rule: `event` decides quickly about whole batches and leaves
single events in doubt to it. It knows parsed JSON, not bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from evgit.errors import InvalidEvent
from evgit.formats.json_value import MAX_SAFE_INTEGER, JSONValue
from evgit.formats.names import check_event_type, check_stream_name
from evgit.formats.times import parse_instant, to_text

MAX_VERSION = 2**31 - 1
MAX_KEY_BYTES = 1024

ID = re.compile(r"[0-9a-f]{64}")
_KEY_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f]")
_ORIGIN = re.compile(r"[!-~]{1,64}")
_REQUIRED = ("stream", "type", "data", "time")
_OPTIONAL = ("version", "meta", "key", "origin", "blobs")


class Rules(msgspec.Struct, frozen=True):
    """stored: read from a repository, where Unicode forms are as they are. reserved: allow `$`."""

    stored: bool
    reserved: bool

    def check_stream(self, name: str) -> None:
        """Raises InvalidName unless an event may name this stream."""
        check_stream_name(name, appending=not self.stored, reserved=self.reserved)


def check_key(key: str) -> None:
    """Raises InvalidEvent unless `key` may be an idempotency key."""
    if not 1 <= len(key.encode("utf-8")) <= MAX_KEY_BYTES or _KEY_FORBIDDEN.search(key):
        raise InvalidEvent(
            f"'key' must be 1 to {MAX_KEY_BYTES} bytes of UTF-8 without control characters"
        )


def check_origin(origin: str) -> None:
    """Raises InvalidEvent unless `origin` may tell a writing process."""
    if not _ORIGIN.fullmatch(origin):
        raise InvalidEvent("'origin' must be 1 to 64 printable ASCII characters, no space")


def check_blobs(blobs: Iterable[str]) -> None:
    """Raises InvalidEvent unless all of `blobs` are ids."""
    for blob_id in blobs:
        if not ID.fullmatch(blob_id):
            raise InvalidEvent(f"'blobs' names {blob_id[:80]!r}, which is not an id")


def _expect(members: dict[str, JSONValue], name: str, kind: type, what: str) -> Any:
    value = members[name]
    if isinstance(value, float) and kind is int and value.is_integer():
        value = int(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidEvent(f"{name!r} must be {what}")
    return value


def checked_members(value: JSONValue, rules: Rules) -> dict[str, JSONValue]:
    """The members that the canonical form writes, of a parsed event; InvalidEvent if it is none."""
    members = _known_members(value)
    stream = _expect(members, "stream", str, "a string")
    rules.check_stream(stream)
    event_type = _expect(members, "type", str, "a string")
    check_event_type(event_type)
    time = to_text(parse_instant(_expect(members, "time", str, "a string")))
    return {
        "data": members["data"],
        "kind": "event",
        "stream": stream,
        "time": time,
        "type": event_type,
        "version": 1,
        **_optional_members(members),
    }


def _known_members(value: JSONValue) -> dict[str, JSONValue]:
    """Without those that are null where they may be absent."""
    if not isinstance(value, dict):
        raise InvalidEvent("an event is a JSON object")
    if value.get("kind", "event") != "event":
        raise InvalidEvent(f"'kind' is {value['kind']!r}, not 'event'")
    members = {n: v for n, v in value.items() if v is not None or n not in _OPTIONAL}
    for name in members:
        if name not in _REQUIRED and name not in _OPTIONAL and name != "kind":
            hint = (
                "an event's id is the hash of its bytes; leave it out"
                if name == "id"
                else "what describes the event goes into 'data', who and why into 'meta'"
            )
            raise InvalidEvent(f"{name!r} is not a member of an event", hint=hint)
    missing = [repr(name) for name in _REQUIRED if name not in members]
    if missing:
        raise InvalidEvent(f"{' and '.join(missing)} missing")
    return members


def _optional_members(members: dict[str, JSONValue]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "version" in members:
        found["version"] = _expect(members, "version", int, "an integer")
        if not 1 <= found["version"] <= MAX_VERSION:
            raise InvalidEvent(f"'version' must be 1 to {MAX_VERSION}")
    if members.get("meta", {}) != {}:
        found["meta"] = _expect(members, "meta", dict, "an object")
    if "key" in members:
        found["key"] = _expect(members, "key", str, "a string")
        check_key(found["key"])
    if "origin" in members:
        found["origin"] = _expect(members, "origin", str, "a string")
        check_origin(found["origin"])
    if members.get("blobs", {}) != {}:
        sizes = _expect(members, "blobs", dict, "an object of sizes by id")
        check_blobs(sizes)
        found["blobs"] = {
            blob_id: _expect(sizes, blob_id, int, "a size in bytes") for blob_id in sizes
        }
        if not all(0 <= size <= MAX_SAFE_INTEGER for size in found["blobs"].values()):
            raise InvalidEvent("'blobs' must hold sizes in bytes")
    return found
