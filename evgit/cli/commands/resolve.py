"""Decide on conflicts of the merge that waits.

    evgit resolve --accept accounts/42.json       as it comes out: ours, then theirs
    evgit resolve --accept account-42 1234abcd    by stream, document, rule, key or commit
    evgit resolve --accept --all
    evgit resolve --leave-out 1234abcd            a commit of theirs does not come in
    evgit resolve --leave-out EVENT               nor does a single event: this tears its commit

The third way is a compensating event, which `evgit commit` adds to the merge commit. After every
decision the merge is judged anew: what is left is told, and may be more or less than before. What
was left out is recorded in the merge commit and stays out when the branches meet again; an event
comes back only by appending it on purpose. Events of ours are never left out.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_text import short
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.merge_text import conflict_lines, hint_of, merged_document
from evgit.cli.model_options import state_options
from evgit.cli.parameters import json_option
from evgit.errors import NotFound, UsageError
from evgit.repository import FoundEvent, Merged, Point, Repository


@documented(__doc__, "resolve")
@click.argument("words", nargs=-1, metavar="[WHAT]...")
@click.option("--accept", is_flag=True, help="Accept conflicts as they come out.")
@click.option("--all", "everything", is_flag=True, help="Accept all that are left.")
@click.option("--leave-out", is_flag=True, help="Leave commits, or events, of theirs out.")
@state_options
@json_option("one document")
@click.pass_obj
def command(
    invocation: Invocation,
    words: tuple[str, ...],
    accept: bool,
    everything: bool,
    leave_out: bool,
    as_json: bool,
) -> None:
    _check(words, accept=accept, everything=everything, leave_out=leave_out)
    with open_to_change() as repository:
        merge = repository.merging.merge
        before = merge.waiting()
        if accept:
            found = merge.accept(None if everything else words)
            settled = len(before.conflicts) - len(found.conflicts)
            said = f"Accepted: {plural(settled, 'conflict')}"
        else:
            commits, events = _named(repository, words)
            found = merge.leave_out(commits=commits, events=events)
            said = f"Left out: {plural(len(found.held_back) - len(before.held_back), 'event')}"
        invocation.done(said)
        with invocation.output() as output:
            if as_json:
                output.json(merged_document(found))
            else:
                output.line(f"{said}; {plural(len(found.conflicts), 'conflict')} left")
                for line in conflict_lines(found.conflicts):
                    output.line(line)
        if leave_out:
            _warn_of_torn(invocation, before, found)
        if not as_json:
            invocation.hint(hint_of(found))


def _check(words: tuple[str, ...], *, accept: bool, everything: bool, leave_out: bool) -> None:
    if accept == leave_out:
        raise UsageError(
            "say what to do: --accept, or --leave-out",
            hint="or add a compensating event: evgit commit -s STREAM -t TYPE",
        )
    if everything and (leave_out or words):
        raise UsageError("--all goes with --accept alone", hint="evgit resolve --accept --all")
    if not words and not everything:
        raise UsageError("say which", hint="`evgit conflicts` lists them; --all takes them all")


def _named(repository: Repository, words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """(ids of commits, ids of events) that words name."""
    commits, events = [], []
    for word in words:
        found = repository.resolve_any(word)
        if isinstance(found, FoundEvent):
            events.append(found.id)
        elif isinstance(found, Point):
            commits.append(repository.resolve_commit(word))
        else:
            raise NotFound(f"{word!r} is neither a commit nor an event")
    return commits, events


def _warn_of_torn(invocation: Invocation, before: Merged, found: Merged) -> None:
    known = {conflict.name for conflict in before.conflicts}
    for conflict in found.conflicts:
        if conflict.kind == "torn" and conflict.name not in known:
            invocation.warn(
                f"commit {short(conflict.about)} is torn: what was decided at once comes in only "
                "in part"
            )
