"""What is committed while a merge waits, events and models: it goes into the merge commit."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from evgit.cli.commit_text import plural
from evgit.cli.event_text import short
from evgit.cli.invocation import Invocation
from evgit.cli.output import shown_in_line
from evgit.errors import UsageError
from evgit.repository import NewEvent, Repository


def adds_to_merge(repository: Repository, branch: str | None) -> bool:
    """Does a merge wait that moves what an append would move?"""
    begun = repository.in_progress()
    if begun is None or begun.kind != "merge":
        return False
    ref = repository.branches.current_ref() if branch is None else f"refs/heads/{branch}"
    return bool(begun.details.get("ref") == ref)


def refuse_with_merge(**options: Any) -> None:
    """Raise UsageError for options that a single event of a merge commit can't have."""
    for name, given in options.items():
        if given:
            raise UsageError(
                f"--{name.replace('_', '-')} can't be used while a merge waits",
                hint="events go into the merge commit; evgit merge --continue -m makes it",
            )


def add_to_merge(
    invocation: Invocation,
    repository: Repository,
    events: Sequence[NewEvent],
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Add events to the merge that waits, and say how it stands."""
    text = import_module("evgit.cli.merge_text")  # only where a merge waits
    found, ids = repository.merging.merge.add(events)
    invocation.done(f"{plural(len(ids), 'event')} added to the merge")
    with invocation.output() as output:
        if as_json:
            output.json(text.merged_document(found) | {"ids": ids})
        elif not quiet:
            left = plural(len(found.conflicts), "conflict")
            output.line(f"Added to the merge: {plural(len(ids), 'event')}; {left} left")
            for event_id in ids[:10]:
                output.line(f" {short(event_id)}")
            for line in text.conflict_lines(found.conflicts):
                output.line(line)
    if not as_json:
        invocation.hint(text.hint_of(found))


def add_model_to_merge(
    invocation: Invocation, repository: Repository, *, verify: bool, as_json: bool
) -> list[str]:
    """Add the working tree's model to the merge that waits; the paths of the files that it is
    about."""
    text = import_module("evgit.cli.merge_text")
    found, paths = repository.merging.merge.record_model(verify=verify)
    invocation.done(f"{plural(len(paths), 'file')} of the model added to the merge")
    with invocation.output() as output:
        if as_json:
            output.json(text.merged_document(found) | {"files": paths})
        elif not paths:
            output.line("Nothing new: the merge has all that the working tree's model changes")
        else:
            left = plural(len(found.conflicts), "conflict")
            output.line(
                f"Added to the merge: {plural(len(paths), 'file')} of the model; {left} left"
            )
            for path in paths:
                output.line(f"    {shown_in_line(path)}")
            for line in text.conflict_lines(found.conflicts):
                output.line(line)
    if not as_json:
        invocation.hint(text.hint_of(found))
    return paths
