"""Re-append single commits to the current branch.

Their events keep their ids, so that a later merge of where they come from does not apply them
twice; the commits are new, and their guards name the streams' new revisions. What the branch has
already is left alone, and said.

    evgit cherry-pick trial
    evgit cherry-pick trial~3..trial      the last three, oldest first
    evgit cherry-pick --dry-run trial     what would happen; the exit code tells

A commit goes as a whole or not at all, and so do several: if a guard or an invariant of the model
speaks against one, nothing is appended, and the exit code is 1. --accept appends it all the same,
and notes that in the commit. Of a merge, the events that it appended itself are picked.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_text import short
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.output import Output
from evgit.cli.parameters import Revision, json_option
from evgit.cli.rebase_text import accepted_lines, place_of, rebased_document, stopped_lines
from evgit.cli.selection import oldest_first
from evgit.cli.tree_update import update_after_move
from evgit.repository import Reappended, Repository

EXIT_STOPPED = 1


@documented(__doc__, "cherry-pick")
@click.argument("commits", nargs=-1, required=True, type=Revision(), metavar="COMMIT|A..B...")
@click.option("-m", "--message", metavar="TEXT", help="In the place of the commits' own.")
@click.option("--accept", is_flag=True, help="Whatever speaks against them.")
@click.option("--no-verify", is_flag=True, help="Ask neither guards nor the model.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.option("--no-checkout", is_flag=True, help="Leave the working tree as it is.")
@json_option("one document")
@click.pass_context
def command(
    context: click.Context,
    commits: tuple[str, ...],
    message: str | None,
    accept: bool,
    no_verify: bool,
    dry_run: bool,
    no_checkout: bool,
    as_json: bool,
) -> None:
    invocation: Invocation = context.obj
    with open_to_change() as repository:
        before = repository.head()
        found = repository.merging.cherry_pick(
            oldest_first(invocation, repository, commits),
            message=message,
            verify=not no_verify,
            accept=accept,
            dry_run=dry_run,
            arguments={"commits": list(commits)},
        )
        if found.written:
            invocation.done(f"{plural(len(found.written), 'commit')} picked, up to {found.head}")
        with invocation.output() as output:
            if as_json:
                output.json(rebased_document(found))
            else:
                _write(repository, output, found, dry_run=dry_run)
        if found.written and not no_checkout:
            update_after_move(invocation, repository, before)
        if found.stopped is not None:
            if not as_json and not dry_run:
                invocation.hint("append what is missing first, or take it as it is with --accept")
            context.exit(EXIT_STOPPED)


def _write(repository: Repository, output: Output, found: Reappended, *, dry_run: bool) -> None:
    for commit in found.gone:
        output.line(f"Already there: {place_of(repository, commit)}")
    if found.stopped is not None:
        for line in stopped_lines(repository, found.stopped, found.problems):
            output.line(line)
        output.line("Nothing was picked")
        return
    for line in accepted_lines(repository, found.accepted):
        output.line(line)
    name = found.ref.removeprefix("refs/heads/")
    for old, new in found.written:
        if old == new:
            output.line(f"[{name} {short(new)}] as it stands: {place_of(repository, old)}")
        else:
            output.line(f"[{name} {short(new)}] picked: {place_of(repository, old)}")
    if not found.written:
        output.line("It could be picked" if dry_run else "Nothing was picked")
