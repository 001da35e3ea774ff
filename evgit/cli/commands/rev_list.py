"""List commit ids or event ids.

Commits are listed newest first; with --events, event ids in the order of the log. Revisions are
combined as for `evgit log`: `A..B`, `^A`.

    evgit rev-list main~3..main
    evgit rev-list --count --events 'main@{2015-06-01}'
"""

from __future__ import annotations

from itertools import islice

import click

from evgit.cli.command import documented
from evgit.cli.event_selection import event_count, event_ids
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.parameters import Revision, limit_option, skip_option
from evgit.cli.selection import chosen, commit_ids
from evgit.errors import UsageError


@documented(__doc__, "rev-list", count_option=True)
@click.argument("revisions", nargs=-1, required=True, type=Revision(), metavar="REVISION...")
@click.option("--events", "as_events", is_flag=True, help="List event ids, in log order.")
@click.option("--count", is_flag=True, help="Print how many there are.")
@click.option("--first-parent", is_flag=True, help="Follow first parents only.")
@limit_option
@skip_option
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.pass_obj
def command(
    invocation: Invocation,
    revisions: tuple[str, ...],
    as_events: bool,
    count: bool,
    first_parent: bool,
    limit: int | None,
    skip: int,
    reverse: bool,
) -> None:
    if as_events and first_parent:
        raise UsageError(
            "--first-parent is about commits, not events",
            hint="leave out --first-parent or --events",
        )
    with open_repository() as repository, invocation.output() as output:
        selection = chosen(invocation, repository, revisions)
        stop = None if limit is None else skip + limit
        if count and as_events:
            total = max(event_count(repository, selection) - skip, 0)
            output.line(str(total if limit is None else min(total, limit)))
            return
        if as_events:
            ids = event_ids(repository, selection)
        else:
            ids = commit_ids(repository, selection, first_parent=first_parent)
        ids = islice(ids, skip, stop)
        if count:
            output.line(str(sum(1 for _ in ids)))
            return
        for object_id in reversed(list(ids)) if reverse else ids:
            output.line(object_id)
