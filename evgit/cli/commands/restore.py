"""Write documents anew over edited or deleted files.

    evgit restore streams/account-42.json
    evgit restore .                                   everything
    evgit restore 'streams/account-*'
    evgit restore --source main~3 streams/account-42.json

The files then say what the state at HEAD (or --source) says, whatever was done to them by hand.
HEAD stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.documents import document_path
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import state_options
from evgit.cli.opening import open_repository
from evgit.cli.parameters import Revision
from evgit.cli.tree_update import report_names
from evgit.errors import UsageError
from evgit.repository import Repository


@documented(__doc__, "restore")
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option("-s", "--source", default="HEAD", type=Revision(), help="From this point [HEAD].")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@state_options
@click.pass_obj
def command(invocation: Invocation, paths: tuple[str, ...], source: str, quiet: bool) -> None:
    if not paths:
        raise UsageError("say what to restore", hint="evgit restore PATH, evgit restore .")
    with open_repository() as repository:
        restore_documents(invocation, repository, paths, source=source, quiet=quiet)


def restore_documents(
    invocation: Invocation,
    repository: Repository,
    paths: Sequence[str],
    *,
    source: str,
    quiet: bool = False,
) -> None:
    """Write the documents that `paths` name as they are at `source`. Raises NotFound."""
    state = repository.state(source)
    places = [document_path(repository, path) or "." for path in paths]
    result = repository.working_tree.restore(state, places)
    report_names(invocation, result)
    if not quiet:
        with invocation.output() as output:
            removed = f", {plural(result.removed, 'file')} removed" if result.removed else ""
            output.line(f"Restored {plural(result.written, 'file')}{removed}")
