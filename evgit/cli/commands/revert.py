"""Take commits back, by events that compensate for theirs.

Nothing is deleted. For each event that the commits added, newest first, the model is asked what
compensates for it, and that is appended as one commit, with the id of each event that is taken back
as `causation` in the meta of what takes it back:

    @compensate("deposit_made")
    def take_back(event, documents):
        return {"type": "deposit_reversed", "data": {"amount": event.data["amount"]}}

A compensating function gets the event and the state as it is by then; it returns one event or
several, or None for nothing to do. A new event is of the same stream unless it names another.

    evgit revert HEAD
    evgit revert trial~3..trial           what three commits added
    evgit revert --dry-run HEAD           only print the events

If the model does not say what compensates for one of the events, nothing is appended. The new
events are held to the model's rules like any others; --no-verify appends all the same. The state on
which it was decided is recorded as guards. To make it as if nothing had happened: evgit undo.
"""

from __future__ import annotations

from typing import Any

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_text import compact, event_document, short
from evgit.cli.identity import identity, open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import Revision, json_option
from evgit.cli.selection import oldest_first
from evgit.cli.titles import commit_title
from evgit.cli.tree_update import update_after_move
from evgit.repository import Repository


@documented(__doc__, "revert")
@click.argument("commits", nargs=-1, required=True, type=Revision(), metavar="COMMIT|A..B...")
@click.option("-m", "--message", metavar="TEXT", help="The new commit's message.")
@click.option("--no-verify", is_flag=True, help="Don't hold the events to the model's rules.")
@click.option("--dry-run", is_flag=True, help="Only print the events.")
@click.option("--no-checkout", is_flag=True, help="Leave the working tree as it is.")
@json_option("one document; with --dry-run a line for each event")
@click.pass_obj
def command(
    invocation: Invocation,
    commits: tuple[str, ...],
    message: str | None,
    no_verify: bool,
    dry_run: bool,
    no_checkout: bool,
    as_json: bool,
) -> None:
    with open_to_change() as repository:
        chosen = oldest_first(invocation, repository, commits)
        before = repository.head()
        found = repository.merging.compensating(chosen)
        if dry_run or not found.events:
            with invocation.output() as output:
                for event in found.events:
                    if as_json:
                        output.json(event_document(event))
                    else:
                        stream = shown_in_line(event.stream)
                        kind = shown_in_line(event.type)
                        output.line(f"{stream}: {kind} {compact(event.data)}")
                if not found.events and not as_json:
                    output.line("Nothing to do: nothing needs to be compensated for")
            return
        appended = repository.append(
            found.events,
            message=message or _message(repository, chosen),
            author=identity(repository).author,
            expected=found.expected,
            meta={"reverts": chosen},
            verify=not no_verify,
            operation="revert",
            arguments={"commits": list(commits)},
        )
        invocation.done(f"commit {appended.commit} is stored: it takes back what was asked for")
        with invocation.output() as output:
            if as_json:
                output.json(_document(appended.commit, found.taken_back, appended.ids))
            else:
                name = repository.head().branch or "detached HEAD"
                took = plural(len(found.taken_back), "event")
                by = plural(len(found.events), "event")
                output.line(f"[{name} {short(appended.head)}] {took} taken back by {by}")
        if not no_checkout:
            update_after_move(invocation, repository, before)


def _message(repository: Repository, commits: list[str]) -> str:
    titles = [commit_title(repository, repository.commit(commit)) for commit in commits]
    if len(titles) == 1:
        return f"Revert: {titles[0]}"
    return f"Revert {len(titles)} commits\n\n" + "\n".join(titles)


def _document(commit: str | None, taken_back: list[str], ids: list[str]) -> dict[str, Any]:
    return {"commit": commit, "taken_back": taken_back, "ids": ids}
