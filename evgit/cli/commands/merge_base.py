"""Find the best common ancestor of two commits.

That is where their histories part: a commit that both have, and that no other such commit descends
from. Where branches were merged crosswise there are several; the one stored last is printed, or
all of them with --all.

    evgit merge-base main trial
    evgit merge-base --is-ancestor v1.0 main

With --is-ancestor nothing is printed: the exit code is 0 if the first is in the history of the
second (or the same commit), else 1.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.parameters import Revision, json_option
from evgit.errors import UsageError


@documented(__doc__, "merge-base")
@click.argument("left", type=Revision(), metavar="REVISION")
@click.argument("right", type=Revision(), metavar="REVISION")
@click.option("-a", "--all", "every", is_flag=True, help="Print all of them.")
@click.option("--is-ancestor", is_flag=True, help="Answer by the exit code.")
@json_option("one document")
@click.pass_context
def command(
    context: click.Context, left: str, right: str, every: bool, is_ancestor: bool, as_json: bool
) -> None:
    if every and is_ancestor:
        raise UsageError("--all and --is-ancestor don't go together", hint="use one of them")
    invocation: Invocation = context.obj
    with open_repository() as repository:
        one, other = (repository.resolve(word).commit for word in (left, right))
        if is_ancestor:
            found = repository.ancestry.is_ancestor(one, other)
            if as_json:
                with invocation.output() as output:
                    output.json({"is_ancestor": found})
            context.exit(0 if found else 1)
        bases = repository.ancestry.merge_bases(one, other)
        with invocation.output() as output:
            if as_json:
                output.json({"bases": bases})
            else:
                for base in bases if every else bases[:1]:
                    output.line(base)
