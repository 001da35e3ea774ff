"""Re-append a branch's commits behind another point.

What the branch has and UPSTREAM has not goes behind UPSTREAM, or behind NEW with --onto, commit by
commit, as if it had been decided there. Events keep their ids; commits are new, and their guards
name the streams' new revisions. Without UPSTREAM, the branch that the current one follows.

    evgit rebase main
    evgit rebase --onto main trial~3      only the last three commits
    evgit rebase --dry-run main           what would happen; the exit code tells

Each commit is judged again: its guards (is the stream what its author had seen?) and the model's
invariants after it. At the first commit that something speaks against it stops, with exit code 1
and HEAD at the last commit that went through. Look around, and then

    evgit commit -s account-42 -t refunded amount=5
    evgit rebase --continue               after compensating events, judged again
    evgit rebase --continue --accept      take that commit as it is
    evgit rebase --skip                   leave that commit out
    evgit rebase --abort                  as if nothing had happened

What was accepted is noted in the commit. The branch moves at the very end, and what follows it is
rewound: positions that were read already change. `evgit undo` takes back all of it.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.parameters import Revision, json_option
from evgit.cli.rebase_text import rebased_document, rebased_lines
from evgit.cli.tree_update import update_after_move
from evgit.errors import UsageError
from evgit.repository import Reappended

EXIT_STOPPED = 1


@documented(__doc__, "rebase")
@click.argument("upstream", required=False, type=Revision())
@click.option("--onto", type=Revision(), metavar="NEW", help="Behind NEW, not behind UPSTREAM.")
@click.option("--continue", "go_on", is_flag=True, help="Go on where it stopped.")
@click.option("--skip", is_flag=True, help="Go on without the commit that it stopped at.")
@click.option("--abort", is_flag=True, help="Go back to where it began.")
@click.option("--accept", is_flag=True, help="Whatever speaks against a commit, or all of them.")
@click.option("--no-verify", is_flag=True, help="Ask neither guards nor the model.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.option("--no-checkout", is_flag=True, help="Leave the working tree as it is.")
@json_option("one document")
@click.pass_context
def command(
    context: click.Context,
    upstream: str | None,
    onto: str | None,
    go_on: bool,
    skip: bool,
    abort: bool,
    accept: bool,
    no_verify: bool,
    dry_run: bool,
    no_checkout: bool,
    as_json: bool,
) -> None:
    _check(upstream, onto, going_on=(go_on, skip, abort), other=no_verify or dry_run)
    if accept and (skip or abort):
        raise UsageError("--accept goes with --continue, or with a new rebase")
    invocation: Invocation = context.obj
    with open_to_change() as repository:
        before = repository.head()
        rebase = repository.merging.rebase
        if abort:
            rebase.abort()
            found = None
            invocation.done("the rebase is aborted; everything is as it was")
        elif go_on or skip:
            found = rebase.go_on(accept=accept, skip=skip)
        else:
            base = repository.resolve_commit(upstream or "@{upstream}")
            found = rebase.start(
                base,
                None if onto is None else repository.resolve_commit(onto),
                verify=not no_verify,
                accept_all=accept,
                dry_run=dry_run,
                arguments={"upstream": upstream or "@{upstream}"}
                | ({"onto": onto} if onto else {}),
            )
        if found is not None and not dry_run:
            _note(invocation, found)
        with invocation.output() as output:
            if as_json:
                output.json({"aborted": True} if found is None else rebased_document(found))
            elif found is None:
                output.line("The rebase is aborted; everything is as it was")
            else:
                for line in rebased_lines(repository, found, dry_run=dry_run):
                    output.line(line)
        if found is not None and found.stopped and not dry_run and not as_json:
            invocation.hint(
                "evgit rebase --continue (after compensating, or with --accept), --skip or --abort"
            )
        if not no_checkout and not dry_run:
            update_after_move(invocation, repository, before)
        if found is not None and found.stopped:
            context.exit(EXIT_STOPPED)


def _check(
    upstream: str | None, onto: str | None, *, going_on: tuple[bool, ...], other: bool
) -> None:
    if sum(going_on) > 1:
        raise UsageError("--continue, --skip and --abort don't go together", hint="use one of them")
    if any(going_on) and (upstream or onto or other):
        raise UsageError(
            "what is in progress knows its own UPSTREAM and options",
            hint="evgit rebase --continue, --skip or --abort",
        )


def _note(invocation: Invocation, found: Reappended) -> None:
    """What is durable, for those who may not get the answer."""
    if found.stopped is None:
        invocation.done(f"{found.ref} is re-appended, at {found.head}")
    else:
        invocation.done(f"the rebase stopped at {found.stopped}")
