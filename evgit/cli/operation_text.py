"""How entries of the op log look. It knows operations, not how they are kept."""

from __future__ import annotations

from typing import Any

from evgit.cli.event_text import compact, short, time_text
from evgit.cli.output import Output, shown_in_line
from evgit.formats.times import to_text
from evgit.repository import Operation, RefChange

HEX_ID = 64


def operation_document(operation: Operation) -> dict[str, Any]:
    """An operation for `--json`."""
    return {
        "number": operation.number,
        "started": to_text(operation.started),
        "finished": to_text(operation.finished),
        "actor": operation.actor,
        "command": operation.command,
        "arguments": operation.arguments,
        "changes": list(map(change_document, operation.changes)),
    }


def change_document(change: RefChange) -> dict[str, str | None]:
    """A ref's move for `--json`."""
    return {"ref": change.ref, "old": change.old, "new": change.new}


def operation_line(output: Output, operation: Operation) -> str:
    """One operation on one line: number, time, command, what it moved, and who pushed it."""
    return "  ".join(
        (
            output.style(f"{operation.number:>5}", "yellow"),
            output.style(time_text(to_text(operation.finished)), "dim"),
            output.style(operation.command, "bold"),
            (", ".join(map(change_text, operation.changes)) or "(nothing moved)")
            + rewound_text(operation)
            + pushed_text(operation),
        )
    )


def write_operation(output: Output, operation: Operation) -> None:
    """An operation in full."""
    output.line(output.style(f"operation {operation.number}", "yellow"))
    output.line(f"Command: {operation.command}")
    output.line(f"By:      {shown_in_line(operation.actor)}")
    started, finished = to_text(operation.started), to_text(operation.finished)
    until = "" if started == finished else f" until {time_text(finished)}"
    output.line(f"Time:    {time_text(started)}{until}")
    if operation.arguments:
        output.line(f"Details: {compact(operation.arguments)}")
    for change in operation.changes:
        output.line(f"    {change_text(change)}")


def rewound_text(operation: Operation) -> str:
    """` (rewound to 3 events)`, where it did not move forward along first parents: that many
    its readers had and still have. Otherwise nothing."""
    kept = operation.arguments.get("rewound")
    if not isinstance(kept, int):
        return ""
    return f" (rewound to {kept:,} event{'' if kept == 1 else 's'})"


def pushed_text(operation: Operation) -> str:
    """` by ada`, where somebody else's push moved refs here. Otherwise nothing."""
    if operation.command != "receive":
        return ""
    return f" by {shown_in_line(operation.actor.removesuffix(' <>'))}"


def change_text(change: RefChange) -> str:
    """`main 1234..5678`, `x made at 1234`, `x deleted (was 1234)`."""
    name = short_ref(change.ref)
    if change.old is None:
        return f"{name} made at {target_text(change.new or '')}"
    if change.new is None:
        return f"{name} deleted (was {target_text(change.old)})"
    return f"{name} {target_text(change.old)} -> {target_text(change.new)}"


def short_ref(name: str) -> str:
    """A ref without what every branch's or tag's name begins with."""
    return name.removeprefix("refs/heads/").removeprefix("refs/")


def target_text(target: str) -> str:
    """A ref's target, its id abbreviated."""
    if target.startswith("ref: "):
        return short_ref(target.removeprefix("ref: "))
    object_id, mark, size = target.partition("#")
    return short(object_id) + mark + size if len(object_id) == HEX_ID else target
