"""Answer other repositories that clone, fetch and push.

    evgit serve --stdio PATH     over standard input and output: what ssh runs on this side

Whoever may run this may read and write the repository; `--read-only` lets them read.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evgit.cli.command import documented
from evgit.cli.identity import identity
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository_at
from evgit.errors import UsageError
from evgit.repository import Policy, Service, serve


@documented(__doc__, "serve")
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option("--stdio", is_flag=True, help="Speak over standard input and output.")
@click.option("--read-only", is_flag=True, help="Refuse what would change anything.")
@click.pass_obj
def command(invocation: Invocation, path: Path, stdio: bool, read_only: bool) -> None:
    if not stdio:
        raise UsageError("say how to serve", hint="evgit serve --stdio PATH")
    with open_repository_at(path) as repository:
        repository.author = identity(repository).author
        service = Service(repository.store, Policy(write=not read_only))
        serve(service, sys.stdin.buffer, sys.stdout.buffer)
