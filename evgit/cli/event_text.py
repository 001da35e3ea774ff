"""How events look: on one line, in full, and as JSON.

It knows the formats of objects, not where they come from.
"""

from __future__ import annotations

from typing import Any

import msgspec

from evgit.cli.output import Output, shown, shown_in_line
from evgit.formats.event import Event

ABBREVIATION = 12  # hex digits: two of a million ids agree in so many with odds of 1 in 500


def short(object_id: str) -> str:
    """An id as it is shown where space is short; still accepted as a revision."""
    return object_id[:ABBREVIATION]


def time_text(time: str) -> str:
    """A time in the one format, its fraction left out if it is nothing."""
    return time.replace(".000000Z", "Z")


def plain(value: object) -> Any:
    """A struct of the formats as dictionaries and lists."""
    return msgspec.to_builtins(value)


def event_document(
    event: Event, *, position: int | None = None, revision: int | None = None
) -> dict[str, Any]:
    """An event for `--json`: its id and place, then its members as stored."""
    document: dict[str, Any] = {"id": event.id}
    if position is not None:
        document["position"] = position
    if revision is not None:
        document["revision"] = revision
    members: dict[str, Any] = plain(event)
    members.pop("kind", None)
    return document | members


def compact(value: object, width: int = 0) -> str:
    """A JSON value on one line, cut to `width` characters unless that is 0."""
    text = shown_in_line(msgspec.json.encode(value).decode("utf-8"))
    return text if not width or len(text) <= width else text[: width - 1] + "…"


def pretty(value: object) -> str:
    """A JSON value indented by two, keys in order."""
    return shown(msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2).decode())


def place(event: Event, revision: int | None) -> str:
    """Where an event stands in its stream: `account-42@3`."""
    return event.stream if revision is None else f"{event.stream}@{revision}"


def event_line(output: Output, event: Event, *, position: int | None, revision: int | None) -> str:
    """One event on one line: position, id, stream and revision, type, time."""
    where = "-" if position is None else str(position)
    return "  ".join(
        (
            output.style(f"{where:>6}", "dim"),
            output.style(short(event.id), "yellow"),
            output.style(place(event, revision), "cyan"),
            output.style(event.type, "bold"),
            output.style(time_text(event.time), "dim"),
        )
    )


def write_event(
    output: Output,
    event: Event,
    *,
    position: int | None = None,
    revision: int | None = None,
    commit: str | None = None,
) -> None:
    """One event in full: what it is, where it stands, and its data."""
    output.line(output.style(f"event {event.id}", "yellow"))
    fields = [
        ("Stream", place(event, revision)),
        ("Type", event.type + (f" (version {event.version})" if event.version != 1 else "")),
        ("Time", time_text(event.time)),
    ]
    if position is not None:
        fields.append(("Position", str(position)))
    if commit is not None:
        fields.append(("Commit", commit))
    if event.key is not None:
        fields.append(("Key", event.key))
    if event.origin is not None:
        fields.append(("Origin", event.origin))
    if event.meta:
        fields.append(("Meta", compact(event.meta)))
    for blob_id, size in event.blobs.items():
        fields.append(("Blob", f"{blob_id} ({size} bytes)"))
    for name, text in fields:
        output.line(f"{name + ':':<10}{shown_in_line(text)}")
    output.line()
    for line in pretty(event.data).split("\n"):
        output.line(f"    {line}")
