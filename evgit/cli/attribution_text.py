"""How it looks who brought an event: on one line, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evgit.cli.event_text import plain, short, time_text
from evgit.cli.output import Output, shown_in_line

if TYPE_CHECKING:  # `log` has all this at hand and seldom needs it
    from evgit.repository import Attribution


def message_line(by: Attribution) -> str:
    """The first line of the commit's message; empty without one."""
    return shown_in_line(by.commit.message.strip().split("\n", 1)[0])


def attribution_columns(by: Attribution) -> list[str]:
    """Position, id, type, time, actor: what columns are made of."""
    return [
        str(by.position),
        short(by.id),
        shown_in_line(by.event.type),
        time_text(by.event.time),
        shown_in_line(by.actor),
    ]


STYLES = ("dim", "yellow", "bold", "dim", "cyan")


def styled_columns(output: Output, columns: list[str], widths: list[int]) -> str:
    """Columns of an attribution as one piece of text, each as wide as it must be."""
    first = output.style(columns[0].rjust(widths[0]), STYLES[0])
    others = [
        output.style(text, style) + " " * (width - len(text))
        for text, style, width in zip(columns[1:], STYLES[1:], widths[1:], strict=True)
    ]
    return "  ".join([first, *others])


def column_widths(rows: list[list[str]]) -> list[int]:
    """The widest text of each column."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def write_attribution(output: Output, by: Attribution) -> None:
    """Who brought an event, in full: a line for each thing."""
    output.line(output.style(f"event {by.id}", "yellow"))
    fields = [
        ("Position", str(by.position)),
        ("Stream", by.event.stream),
        ("Type", by.event.type),
        ("Time", time_text(by.event.time)),
        ("Actor", by.actor),
        ("Commit", by.commit_id),
        ("Message", message_line(by)),
    ]
    for name, text in fields:
        if text:
            output.line(f"{name + ':':<10}{shown_in_line(text)}")


def attribution_document(by: Attribution) -> dict[str, Any]:
    """Who brought an event, for `--json`."""
    return {
        "id": by.id,
        "position": by.position,
        "stream": by.event.stream,
        "type": by.event.type,
        "time": by.event.time,
        "actor": by.actor,
        "meta": plain(by.event.meta),
        "commit": by.commit_id,
        "author": by.commit.author,
        "message": by.commit.message,
    }
