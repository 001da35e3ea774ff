"""How merging looks: what came in, what does not fit, what waits for a decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evgit.cli.commit_text import plural
from evgit.cli.event_text import compact, event_document, short
from evgit.cli.output import Output, shown_in_line
from evgit.repository import MISSING, Detail, MergeConflict, Merged, Repository, Seen

FIRST = "upstream comes first in a pull: ours is upstream's, theirs is your own, which comes in"
LISTED = 10  # events or documents that are named at most
VALUE_WIDTH = 100
KINDS = {
    "guard": "{} has moved since a commit decided on it",
    "document": "{} depends on the order of events",
    "key": "{}: two different events have one key",
    "stream": "both sides appended to {}, and no model tells whether order matters",
    "torn": "only a part of commit {} comes in",
}
LABELS = {
    "base": "base",
    "ours": "ours",
    "theirs": "theirs",
    "ours_then_theirs": "ours, then theirs",
    "theirs_then_ours": "theirs, then ours",
}


def branch_of(ref: str) -> str:
    """A ref as a person calls it."""
    return ref.removeprefix("refs/heads/")


def conflict_text(conflict: MergeConflict) -> str:
    """A conflict in one line."""
    about = shown_in_line(short(conflict.about) if conflict.kind == "torn" else conflict.about)
    if conflict.kind == "invariant":
        where = "" if conflict.path is None else f" for {shown_in_line(conflict.path)}"
        reason = f": {shown_in_line(conflict.reason)}" if conflict.reason else ""
        return f"{shown_in_line(str(conflict.rule))!r} does not hold{where}{reason}"
    return KINDS[conflict.kind].format(about)


def conflict_lines(conflicts: Sequence[MergeConflict]) -> list[str]:
    """Conflicts, a line each."""
    return [f"    {conflict.kind:<10}{conflict_text(conflict)}" for conflict in conflicts]


def detail_lines(output: Output, detail: Detail) -> Iterator[str]:
    """A conflict in full: values and events."""
    conflict = detail.conflict
    yield output.style(f"{conflict.kind}: {conflict_text(conflict)}", "bold")
    values = detail.values
    if conflict.kind == "guard":
        told = [f"{name} {_revision(values[name])}" for name in values]
        yield f"    last revision: {', '.join(told)}"
    else:
        for name, value in values.items():
            text = "(none)" if value is MISSING else compact(value, VALUE_WIDTH)
            yield f"    {LABELS[name]:<19}{text}"
    for side, events in (("ours", detail.ours), ("theirs", detail.theirs)):
        if events:
            yield f"  events of {side}:"
        for seen in events[:LISTED]:
            event = seen.event
            what = f"{shown_in_line(event.stream)}: {shown_in_line(event.type)}"
            data = compact(event.data, VALUE_WIDTH)
            yield f"    {output.style(short(seen.id), 'yellow')} {what} {data}"
        if len(events) > LISTED:
            yield f"    … and {len(events) - LISTED:,} more"


def _revision(revision: int) -> str:
    return "none" if revision < 0 else str(revision)


def detail_document(detail: Detail, commits: Sequence[str], status: str) -> dict[str, Any]:
    """A conflict for `--json`."""
    document = detail.conflict.document() | {"status": status}
    document["values"] = {n: v for n, v in detail.values.items() if v is not MISSING}
    document["ours"] = [_seen_document(seen) for seen in detail.ours]
    document["theirs"] = [_seen_document(seen) for seen in detail.theirs]
    return document | {"commits": list(commits)}


def _seen_document(seen: Seen) -> dict[str, Any]:
    return event_document(seen.event)


def merged_document(found: Merged) -> dict[str, Any]:
    """What a merge did, or how it stands, for `--json`."""
    judgement = found.judgement
    notes = [] if judgement is None else judgement.notes
    return {
        "result": found.kind,
        "ref": found.ref,
        "old": found.old,
        "head": found.head,
        "brought": found.brought,
        "added": found.added,
        "conflicts": [conflict.document() for conflict in found.conflicts],
        "resolved": found.resolved,
        "order_does_not_matter": [note.path for note in notes if note.why == "order"],
        "settled_before": [note.path for note in notes if note.why == "settled"],
        "held_back": found.held_back,
        "unequal": found.unequal,
        "model": None if judgement is None else judgement.model,
        "warnings": found.warnings,
    }


def merged_lines(
    repository: Repository, found: Merged, name: str, *, tried: bool = False
) -> Iterator[str]:
    """What a merge did, or would do."""
    branch, name = branch_of(found.ref), shown_in_line(name)
    if found.kind == "current":
        if not found.unequal:
            yield f"Nothing to merge: {branch} has all of {name}"
        yield from _unequal_lines(found, branch, name)
        return
    count = plural(found.brought, "event")
    if found.kind == "fast-forward":
        would = "would go forward" if tried else "goes forward"
        yield f"{branch} {would} to {short(found.head)}: {count}"
        return
    if found.conflicts:
        verb = "would stop" if tried else "stops"
        yield f"Merging {name} {verb}: {plural(len(found.conflicts), 'conflict')}"
        yield from conflict_lines(found.conflicts)
    elif found.kind == "waiting":
        yield f"Merging {name} waits to be committed: {count} to come in"
    elif tried:
        yield f"{name} would merge: {count} to come in"
    else:
        own = f", {plural(found.added, 'event')} added" if found.added else ""
        yield f"Merged {name} into {branch} at {short(found.head)}: {count} came in{own}"
    yield from note_lines(repository, found)
    yield from _unequal_lines(found, branch, name)


def note_lines(repository: Repository, found: Merged) -> Iterator[str]:
    """What is no conflict, and worth knowing."""
    notes = [] if found.judgement is None else found.judgement.notes
    for why, what in (
        ("order", "that both sides have to do with: the order does not matter"),
        ("settled", "whose order an earlier merge has decided on: as in ours"),
    ):
        paths = [note.path for note in notes if note.why == why]
        if paths:
            yield f"{plural(len(paths), 'document')} {what}"
            yield from _listed(paths)
    if found.held_back:
        yield f"{plural(len(found.held_back), 'event')} of theirs held back:"
        some = found.held_back[:LISTED]
        yield from _listed([_event_text(repository, event) for event in some], found.held_back)


def _event_text(repository: Repository, event_id: str) -> str:
    event = repository.event(event_id)
    return f"{short(event_id)} {event.stream}: {event.type}"


def _unequal_lines(found: Merged, branch: str, name: str) -> Iterator[str]:
    if found.unequal:
        differ = "document differs" if len(found.unequal) == 1 else "documents differ"
        yield (
            f"{branch} and {name} have the same events in different orders, "
            f"and {len(found.unequal):,} {differ}; {branch} keeps its own:"
        )
        yield from _listed(found.unequal)


def _listed(lines: Sequence[str], of: Sequence[str] | None = None) -> Iterator[str]:
    for line in lines[:LISTED]:
        yield f"    {shown_in_line(line)}"
    more = len(lines if of is None else of) - LISTED
    if more > 0:
        yield f"    … and {more:,} more"


def hint_of(found: Merged) -> str:
    """What to do next with a merge that waits."""
    if found.conflicts:
        return (
            "evgit conflicts shows them in full; evgit resolve accepts or leaves out, evgit commit "
            "adds compensating events; then evgit merge --continue, or --abort"
        )
    return "evgit merge --continue makes the merge commit; evgit merge --abort leaves it"


def waiting_lines(repository: Repository) -> list[str]:
    """The merge that waits, for `evgit status`."""
    state = repository.merging.merge.state()
    if state is None:
        return []
    found = repository.merging.merge.waiting()
    left = plural(len(found.conflicts), "conflict")
    lines = [f"Merge of {shown_in_line(state.name)} into {branch_of(state.ref)}: {left} left."]
    lines += conflict_lines(found.conflicts)
    if state.own:
        lines.append(f"{plural(len(state.own), 'event')} will be added by the merge commit.")
    if state.left_out:
        lines.append(f"{plural(len(state.left_out), 'event')} of theirs left out.")
    lines.append("Go on with evgit conflicts, resolve, merge --continue or merge --abort.")
    return lines


def waiting_document(repository: Repository) -> dict[str, Any]:
    """The merge that waits, for `evgit status --json`."""
    state = repository.merging.merge.state()
    if state is None:
        return {}
    found = repository.merging.merge.waiting()
    return {
        "ref": state.ref,
        "theirs": state.theirs,
        "name": state.name,
        "conflicts": [conflict.document() for conflict in found.conflicts],
        "left_out": state.left_out,
        "own": len(state.own),
    }
