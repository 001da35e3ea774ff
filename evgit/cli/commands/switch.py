"""Switch to a branch, and the working tree with it.

    evgit switch trial
    evgit switch -c trial              make it here, and switch to it
    evgit switch -c trial main~3       make it elsewhere
    evgit switch topic                 if only origin has a branch `topic`: make it, and follow that
    evgit switch -                     back to the branch before
    evgit switch --detach main~5       look at a past point, without a branch

Files that were edited by hand are never overwritten without --force.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.following import branch_of_remote, follow_start
from evgit.cli.head_moves import branch_named, go_to_branch, go_to_point
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.parameters import Branch, Revision
from evgit.errors import UnknownRevision, UsageError


@documented(__doc__, "switch")
@click.argument("branch", required=False, type=Branch())
@click.argument("start", required=False, type=Revision(), metavar="[START]")
@click.option("-c", "--create", is_flag=True, help="Make the branch, at START or HEAD.")
@click.option("--detach", is_flag=True, help="Go to a point, without a branch.")
@click.option("-f", "--force", is_flag=True, help="Overwrite files that were edited by hand.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings and errors.")
@click.pass_obj
def command(
    invocation: Invocation,
    branch: str | None,
    start: str | None,
    create: bool,
    detach: bool,
    force: bool,
    quiet: bool,
) -> None:
    if quiet:
        invocation.be_quiet()
    if branch is None or (start is not None and not create):
        raise UsageError("give one branch", hint="evgit switch BRANCH, evgit switch -c NEW [START]")
    if create and detach:
        raise UsageError("-c and --detach don't go together", hint="use one of them")
    back = branch == "-"
    branch = "@{-1}" if back else branch
    with open_to_change() as repository:
        if detach or (back and branch_named(repository, branch) is None):
            go_to_point(
                invocation, repository, repository.resolve(branch), command="switch", force=force
            )
            return
        name = branch if create else branch_named(repository, branch)
        if name is None and not back:
            start = branch_of_remote(repository, branch)
            name, create = (branch, True) if start else (None, False)
        if name is None:
            repository.resolve(branch)  # raises, with what may have been meant, if it is nothing
            raise UnknownRevision(
                f"{branch!r} is no branch",
                hint=f"evgit switch --detach {branch!r}, or make one: "
                f"evgit switch -c NAME {branch!r}",
            )
        go_to_branch(
            invocation,
            repository,
            name,
            command="switch",
            force=force,
            make_at=repository.resolve_commit(start or "HEAD") if create else None,
        )
        follow_start(invocation, repository, name, start)
