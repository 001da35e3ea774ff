"""Make a new, empty repository.

DIRECTORY is made if need be; without it, the current directory is used. The events go into
DIRECTORY/.evgit, and the state that they add up to is written beside it as files. With --bare
there are no files, and DIRECTORY itself holds the events.

Examples:

    evgit init ledger
    evgit init --bare /srv/ledger.evgit
"""

from __future__ import annotations

from pathlib import Path

import click

from evgit.cli.command import documented
from evgit.cli.invocation import Invocation
from evgit.cli.opening import init_repository
from evgit.cli.parameters import json_option
from evgit.errors import AlreadyExists, UsageError


@documented(__doc__, "init")
@click.argument("directory", type=click.Path(path_type=Path), default=".")
@click.option("--bare", is_flag=True, help="No working tree: DIRECTORY itself is the store.")
@click.option("-b", "--branch", default="main", metavar="NAME", help="First branch [main].")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@json_option("one document")
@click.pass_obj
def command(
    invocation: Invocation, directory: Path, bare: bool, branch: str, quiet: bool, as_json: bool
) -> None:
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{str(directory)!r} is no directory", hint="name a new or empty one")
    try:
        made = init_repository(directory, bare=bare, branch=branch)
    except AlreadyExists as error:
        error.hint = error.hint or "use it as it is: evgit status; or name another directory"
        raise
    with made as repository:
        where = repository.layout.directory
        invocation.done(f"the repository in {where} is made")
        with invocation.output() as output:
            if as_json:
                output.json({"id": repository.id, "directory": str(where), "branch": branch})
            elif not quiet:
                kind = "bare repository" if bare else "repository"
                output.line(f"Made an empty {kind} in {where} (branch {branch})")
