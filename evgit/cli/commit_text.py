"""How commits look: on one line, in full, and as JSON.

It knows the formats of objects, not where they come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evgit.cli.event_text import compact, plain, short, time_text
from evgit.cli.output import Output, shown, shown_in_line
from evgit.formats.commit import Commit, MergeRecord

Decorations = Mapping[str, Sequence[str]]  # commit id -> "HEAD -> main", "tag: v1", …


def plural(count: int, noun: str) -> str:
    """`1 event`, `2 events`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def decoration(output: Output, commit_id: str, decorations: Decorations) -> str:
    """` (HEAD -> main, tag: v1)`, or nothing."""
    names = decorations.get(commit_id)
    if not names:
        return ""
    coloured = [
        output.style(name, "yellow" if name.startswith("tag: ") else "green") for name in names
    ]
    return " (" + ", ".join(coloured) + ")"


def commit_line(output: Output, commit_id: str, title: str, decorations: Decorations) -> str:
    """One commit on one line: id, names, title."""
    names = decoration(output, commit_id, decorations)
    return f"{output.style(short(commit_id), 'yellow')}{names} {title}"


def commit_lines(
    output: Output, commit_id: str, commit: Commit, decorations: Decorations
) -> list[str]:
    """One commit in full, without its events."""
    heading = output.style(f"commit {commit_id}", "yellow")
    lines = [heading + decoration(output, commit_id, decorations)]
    if len(commit.parents) > 1:
        lines.append("Merge:  " + " ".join(short(parent) for parent in commit.parents))
    if commit.author:
        lines.append(f"Author: {shown_in_line(commit.author)}")
    lines.append(f"Date:   {time_text(commit.time)}")
    lines.append(f"Events: {commit.events:,} (log: {commit.log.size:,})")
    for stream, revision in commit.guards.items():
        believed = "no such stream" if revision < 0 else f"at revision {revision}"
        lines.append(f"Guard:  {shown_in_line(stream)}: {believed}")
    if commit.merge is not None:
        lines += _merge_lines(commit.merge)
    if commit.meta:
        lines.append(f"Meta:   {compact(commit.meta)}")
    if commit.message.strip():
        lines.append("")
        lines += [f"    {line}" for line in shown(commit.message.strip()).split("\n")]
    return lines


def _merge_lines(merge: MergeRecord) -> list[str]:
    """What a merge decided."""
    lines = []
    if merge.left_out:
        some = " ".join(short(event_id) for event_id in merge.left_out[:5])
        more = " …" if len(merge.left_out) > 5 else ""
        lines.append(f"Left out: {plural(len(merge.left_out), 'event')}: {some}{more}")
    for each in merge.resolved:
        if isinstance(each, dict) and "conflict" in each:
            how = shown_in_line(str(each.get("how", "resolved")))
            lines.append(f"Resolved: {shown_in_line(str(each['conflict']))}: {how}")
    return lines


def commit_document(commit_id: str, commit: Commit) -> dict[str, Any]:
    """A commit for `--json`: its id, then its members as stored."""
    members: dict[str, Any] = plain(commit)
    members.pop("kind", None)
    return {"id": commit_id} | members
