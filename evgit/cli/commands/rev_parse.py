"""Print the id that a revision names.

    evgit rev-parse HEAD
    evgit rev-parse 'main@{yesterday}' account-42@7
    evgit rev-parse --abbrev main       the first 12 digits
    evgit rev-parse --abbrev-ref HEAD   the current branch's name
    evgit rev-parse --verify -q REV     is there such a thing? The exit code says

A point inside a commit is printed as <commit id>#<position>, which is a revision again. A range
A..B is printed as two lines, `B` and `^A`.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.event_text import short
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.parameters import Revision
from evgit.cli.revision_text import full_names
from evgit.errors import EvgitError, NotFound, UsageError


@documented(__doc__, "rev-parse")
@click.argument("revisions", nargs=-1, type=Revision(), metavar="REVISION...")
@click.option("--abbrev", "--short", "abbreviated", is_flag=True, help="The first 12 digits only.")
@click.option("--abbrev-ref", is_flag=True, help="The branch's name in place of its id.")
@click.option("--verify", is_flag=True, help="Exactly one revision, which must exist.")
@click.option("-q", "--quiet", is_flag=True, help="With --verify: no message, exit code 1.")
@click.option("--show-toplevel", is_flag=True, help="The directory of the working tree.")
@click.option("--evgit-dir", is_flag=True, help="The directory that holds the events.")
@click.pass_context
def command(
    context: click.Context,
    revisions: tuple[str, ...],
    abbreviated: bool,
    abbrev_ref: bool,
    verify: bool,
    quiet: bool,
    show_toplevel: bool,
    evgit_dir: bool,
) -> None:
    if verify and len(revisions) != 1:
        raise UsageError("--verify takes exactly one revision")
    if not (revisions or show_toplevel or evgit_dir):
        raise UsageError("say which revision", hint="evgit rev-parse HEAD")
    invocation: Invocation = context.obj
    with open_repository() as repository, invocation.output() as output:
        if show_toplevel:
            if repository.layout.worktree is None:
                raise NotFound("a bare repository has no working tree")
            output.line(str(repository.layout.worktree))
        if evgit_dir:
            output.line(str(repository.layout.directory))
        for revision in revisions:
            if abbrev_ref and revision in ("HEAD", "@"):
                output.line(repository.head().branch or "HEAD")
                continue
            try:
                names = full_names(repository, revision)
            except EvgitError:
                if verify and quiet:
                    context.exit(1)
                raise
            for name in names:
                mark = "^" if name.startswith("^") else ""
                digits = name.removeprefix("^")
                output.line(mark + (short(digits) if abbreviated else digits))
