"""evgit events as CloudEvents 1.0 in structured JSON, and CloudEvents as evgit events.

Format: the CloudEvents specification 1.0.2, https://github.com/cloudevents/spec, documents
`spec.md` and `formats/json-format.md`. Both ways are pure, and the same in every run.

Out, `to_cloudevent`: what consumers look at is in the attributes; the extension `evgit` is a JSON
text with what no attribute can hold, so that `from_cloudevent` gives back exactly the same event.

In, events of others, `from_cloudevent`: `docs/import-export.md` has the whole table.

This module must not know files, repositories or clocks.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from evgit.bridges.stream_names import stream_name
from evgit.errors import InvalidEvent, InvalidJSON
from evgit.formats import canonical
from evgit.formats.event import MAX_KEY_BYTES, Event

SPEC_VERSION = "1.0"
EXTENSION = "evgit"

_JSON_TYPE = "application/json"
_OWN_MEMBERS = frozenset({"blobs", "key", "meta", "origin", "version"})
_ATTRIBUTES = frozenset(
    {
        "data", "data_base64", "datacontenttype", "dataschema", "id", "source", "specversion",
        "subject", "time", "type",
    }
)  # fmt: skip
# An underscore can't be in the name of a CloudEvents extension, so this is only ever ours.
_BINARY = "data_base64"

# RFC 3986: what a URI reference is made of; before a first colon there must be a scheme.
_URI_REFERENCE = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*:|(?![^/?#]*:))"
    r"(?:[A-Za-z0-9\-._~:/?@!$&'()*+,;=\[\]]|%[0-9A-Fa-f]{2})*"
    r"(?:#(?:[A-Za-z0-9\-._~:/?@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)?"
)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:\s*;[\x20-\x7e]*)?")
# Characters that a CloudEvents String must not hold: controls, surrogates, noncharacters.
_NOT_A_STRING = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]|[\ufffe\uffff]")
_NANOSECONDS = re.compile(r"(.*[Tt ][0-9:]+\.[0-9]{6})([0-9]+)(.*)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/*")


def repository_source(repository_id: str, branch: str | None) -> str:
    """The `source` of events that name none: a URI of the repository and, if there is one, the
    branch that they were read from."""
    return f"evgit:{repository_id}" + (f"/{quote(branch)}" if branch else "")


def to_cloudevent(event: Event, event_id: str, source: str) -> bytes:
    """One event as one line, without its line end. `source`: what `repository_source` gives.

    id: the key, or else the event's id. A key is unique in its stream alone; where no
    `meta.source` vouches for more, the stream is made part of the source.
    """
    meta = event.meta
    own_source = meta.get("source")
    if isinstance(own_source, str) and own_source and _URI_REFERENCE.fullmatch(own_source):
        source = own_source
        vouched = True
    else:
        vouched = False
    identity = event_id
    if event.key is not None and _is_string(event.key):
        if vouched:
            identity = _without_source(event.key, source)
        else:
            identity = event.key
            source = f"{source}/{quote(event.stream, safe='')}"
    members: dict[str, Any] = {
        "id": identity,
        "source": source,
        "specversion": SPEC_VERSION,
        "subject": event.stream,
        "time": event.time,
        "type": event.type,
        "dataschema": _schema(event),
        EXTENSION: _extension(event),
    }
    if meta.get(_BINARY) is True and _is_base64(event.data):
        members["data_base64"] = event.data
        kind = meta.get("datacontenttype")
        if isinstance(kind, str) and _MEDIA_TYPE.fullmatch(kind):
            members["datacontenttype"] = kind
    else:
        members["data"] = event.data
        members["datacontenttype"] = _JSON_TYPE
    return canonical.encode(members)


def from_cloudevent(members: Mapping[str, Any], *, line: int | None = None) -> dict[str, Any]:
    """The members of an evgit event for one CloudEvent, given as parsed JSON.

    `time` may be missing, where the CloudEvent has none; names and times are not checked here.
    Raises InvalidEvent.
    """
    version = members.get("specversion")
    if version != SPEC_VERSION:
        raise InvalidEvent(
            "not a CloudEvent: it has no 'specversion'"
            if version is None
            else f"CloudEvents version {version!r} is not known",
            line=line,
            hint="CloudEvents 1.0 in structured JSON is read; evgit's own events and CloudEvents "
            "can't be mixed in one input",
        )
    for name in ("id", "source", "type"):
        if not isinstance(members.get(name), str) or not members[name]:
            raise InvalidEvent(f"a CloudEvent must have {name!r}, a text", line=line)
    for name in ("subject", "time", "datacontenttype", "dataschema", "data_base64"):
        if not isinstance(members.get(name), str | None):
            raise InvalidEvent(f"{name!r} of a CloudEvent must be a text", line=line)
    if members.get("data") is not None and members.get("data_base64") is not None:
        raise InvalidEvent("a CloudEvent has 'data' or 'data_base64', not both", line=line)
    if members.get(EXTENSION) is not None:
        return _own(members, line)
    return _foreign(members, line)


def _own(members: Mapping[str, Any], line: int | None) -> dict[str, Any]:
    """An event that `to_cloudevent` wrote. What others added on its way is not part of it."""
    try:
        text = members[EXTENSION]
        extension = canonical.parse(text) if isinstance(text, str) else None
    except InvalidJSON:
        extension = None
    if not isinstance(extension, dict) or not extension.keys() <= _OWN_MEMBERS:
        raise InvalidEvent(
            f"the extension {EXTENSION!r} does not hold what evgit writes there",
            line=line,
            hint="evgit writes it when it exports; without it, the event is read as another's",
        )
    event: dict[str, Any] = {**extension, "stream": members.get("subject"), "type": members["type"]}
    event["data"] = members.get("data_base64", members.get("data"))
    if members.get("time") is not None:
        event["time"] = members["time"]
    return event


def _foreign(members: Mapping[str, Any], line: int | None) -> dict[str, Any]:
    source = members["source"]
    meta = {
        name: value
        for name, value in members.items()
        if name not in _ATTRIBUTES and value is not None
    }
    meta["source"] = source
    subject = members.get("subject")
    stream = stream_name(subject) if subject else _stream_of_source(source)
    if subject and stream != subject:
        meta["subject"] = subject
    event: dict[str, Any] = {
        "stream": stream,
        "type": members["type"],
        "key": _with_source(members["id"], source),
        "meta": meta,
        "version": 1,
    }
    if members.get("time") is not None:
        event["time"] = _microseconds(members["time"], meta)
    for name in ("datacontenttype", "dataschema"):
        value = members.get(name)
        if value is not None and value != _JSON_TYPE:
            meta[name] = value
    event["data"] = _foreign_data(members, meta, line)
    return event


def _foreign_data(members: Mapping[str, Any], meta: dict[str, Any], line: int | None) -> Any:
    """No data becomes {}. Bytes that are JSON become that; other bytes stay base64."""
    encoded = members.get("data_base64")
    if encoded is None:
        return members.get("data", {})
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidEvent(f"'data_base64' is not base64: {error}", line=line) from error
    kind = (members.get("datacontenttype") or _JSON_TYPE).partition(";")[0].strip().lower()
    if kind == _JSON_TYPE or kind.endswith("+json"):
        try:
            return canonical.parse(raw)
        except InvalidJSON:
            pass  # not JSON after all: kept as it came
    meta[_BINARY] = True
    return encoded


def _with_source(identity: str, source: str) -> str:
    """A key for a CloudEvent: ids are unique in their source only, keys in their stream only, and
    one stream (subject) can have several sources. Too long for a key, it becomes its hash."""
    key = f"{source}#{identity}"
    raw = key.encode("utf-8", "surrogatepass")
    return key if len(raw) <= MAX_KEY_BYTES else canonical.object_id(raw)


def _without_source(key: str, source: str) -> str:
    return key.removeprefix(f"{source}#") or key


def _stream_of_source(source: str) -> str:
    """Without subject, a source is the stream: without its scheme and outer slashes."""
    short = _SCHEME.sub("", source, count=1) if "://" in source else source
    return stream_name("/".join(part for part in short.split("/") if part) or source)


def _microseconds(text: str, meta: dict[str, Any]) -> str:
    """Times finer than a microsecond (Go writes nanoseconds) are cut, and kept whole in meta."""
    match = _NANOSECONDS.fullmatch(text)
    if match is None:
        return text
    if match[2].strip("0"):
        meta["time"] = text
    return match[1] + match[3]


def _extension(event: Event) -> str:
    members: dict[str, Any] = {"version": event.version}
    for name in ("blobs", "meta"):
        if value := getattr(event, name):
            members[name] = value
    for name in ("key", "origin"):
        if (value := getattr(event, name)) is not None:
            members[name] = value
    # ASCII: a CloudEvents String must not hold some characters that JSON texts may.
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _schema(event: Event) -> str:
    """Of the importer's `meta.dataschema`, or made from type and version."""
    given = event.meta.get("dataschema")
    if isinstance(given, str) and _URI.fullmatch(given) and _URI_REFERENCE.fullmatch(given):
        return given
    return f"evgit:type/{quote(event.type, safe='')}/{event.version}"


def _is_string(text: str) -> bool:
    if not text or _NOT_A_STRING.search(text):
        return False
    return not any(ord(character) & 0xFFFE == 0xFFFE for character in text)


def _is_base64(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
