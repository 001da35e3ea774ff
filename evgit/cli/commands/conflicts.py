"""Show what does not fit in the merge that waits.

    evgit conflicts
    evgit conflicts accounts/42.json      only what is about this document, stream, rule or commit
    evgit conflicts --json

For each conflict: the value of its document at the best merge base, on either side and in both
orders, and the events of both sides that it is about. What `evgit resolve` and compensating events
have settled is listed at the end. The exit code is 1 while conflicts are left.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_text import short
from evgit.cli.invocation import Invocation
from evgit.cli.merge_text import (
    FIRST,
    branch_of,
    conflict_text,
    detail_document,
    detail_lines,
    note_lines,
)
from evgit.cli.model_options import state_options
from evgit.cli.opening import open_repository
from evgit.cli.output import Output, shown_in_line
from evgit.cli.parameters import json_option
from evgit.errors import NotFound
from evgit.repository import Details, MergeConflict, Merged, Repository


@documented(__doc__, "conflicts")
@click.argument("words", nargs=-1, metavar="[WHAT]...")
@state_options
@json_option("a line for each conflict")
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], as_json: bool) -> None:
    invocation: Invocation = context.obj
    with open_repository() as repository, invocation.paged() as output:
        merge = repository.merging.merge
        state, found = merge.state(), merge.waiting()
        judgement = found.judgement
        assert state is not None
        assert judgement is not None
        details = merge.details(judgement)
        chosen = [each for each in found.conflicts if _is_meant(each, words)]
        for word in words:
            if not any(each.is_named(word) for each in (*chosen, *judgement.conflicts)):
                raise NotFound(
                    f"there is no conflict about {word!r}", hint="`evgit conflicts` lists them"
                )
        if as_json:
            settled = [each for each in judgement.conflicts if each not in found.conflicts]
            for status, conflicts in (
                ("open", chosen),
                ("accepted", settled),
                ("compensated", judgement.compensated),
            ):
                _write_json(output, details, conflicts, words, status)
        else:
            events = plural(found.brought, "event")
            output.line(
                f"Merge of {shown_in_line(state.name)} into {branch_of(state.ref)}: {events} to "
                f"come in, {plural(len(found.conflicts), 'conflict')} left"
            )
            if state.old == state.theirs:
                invocation.hint(FIRST)
            for conflict in chosen:
                output.line()
                for line in detail_lines(output, details.of(conflict)):
                    output.line(line)
                for commit in details.commits(conflict)[:3]:
                    output.line(f"  brought by commit {short(commit.row.hex)}")
            if not words:
                _write_settled(repository, output, found)
        if found.conflicts:
            context.exit(1)


def _is_meant(conflict: MergeConflict, words: tuple[str, ...]) -> bool:
    return not words or any(conflict.is_named(word) for word in words)


def _write_json(
    output: Output,
    details: Details,
    conflicts: list[MergeConflict],
    words: tuple[str, ...],
    status: str,
) -> None:
    for conflict in conflicts:
        if _is_meant(conflict, words):
            commits = [each.row.hex for each in details.commits(conflict)]
            output.json(detail_document(details.of(conflict), commits, status))


def _write_settled(repository: Repository, output: Output, found: Merged) -> None:
    assert found.judgement is not None
    accepted = [each for each in found.judgement.conflicts if each not in found.conflicts]
    rest = [("accepted", each) for each in accepted]
    rest += [("compensated", each) for each in found.judgement.compensated]
    if rest:
        output.line()
    for how, conflict in rest:
        output.line(f"{how}: {conflict_text(conflict)}")
    notes = list(note_lines(repository, found))
    if notes:
        output.line()
    for line in notes:
        output.line(line)
    if found.judgement.only_model:
        output.line()
        output.line("These are about the model itself; the rest is judged once they are resolved.")
