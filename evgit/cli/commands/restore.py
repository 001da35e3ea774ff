"""Write documents anew over edited or deleted files; or a backup.

    evgit restore streams/account-42.json
    evgit restore .                                   everything
    evgit restore 'streams/account-*'
    evgit restore --source main~3 streams/account-42.json

The files then say what the state at HEAD (or --source) says, whatever was done to them by hand.
HEAD stays where it is.

    evgit restore /mnt/disk/ledger copy

makes a repository in `copy` of what `evgit backup` wrote, if all of it is sound. A path in the
working tree is never taken for a backup.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.documents import document_path
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import model_use, state_options
from evgit.cli.opening import open_repository, user_config
from evgit.cli.parameters import Revision
from evgit.cli.progress import ProgressBar
from evgit.cli.tree_update import report_names, write_files
from evgit.errors import EvgitError, NotARepository, UsageError
from evgit.repository import Repository, is_backup, restore


@documented(__doc__, "restore")
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option("-s", "--source", default="HEAD", type=Revision(), help="From this point [HEAD].")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@state_options
@click.pass_obj
def command(invocation: Invocation, paths: tuple[str, ...], source: str, quiet: bool) -> None:
    if not paths:
        raise UsageError("say what to restore", hint="evgit restore PATH, evgit restore .")
    if len(paths) == 2 and (_is_backup(Path(paths[0])) or _is_nowhere()):
        _use_backup(invocation, Path(paths[0]), Path(paths[1]), quiet=quiet)
        return
    with open_repository() as repository:
        restore_documents(invocation, repository, paths, source=source, quiet=quiet)


def _is_backup(path: Path) -> bool:
    if not is_backup(path):
        return False
    try:
        with open_repository() as repository:
            worktree = repository.layout.worktree
    except EvgitError:
        return True
    return worktree is None or worktree.resolve() not in path.resolve().parents


def _is_nowhere() -> bool:
    """Is there no repository here, so that two names can only be a backup and a new one?"""
    try:
        open_repository().close()
    except NotARepository:
        return True
    except EvgitError:
        pass
    return False


def _use_backup(invocation: Invocation, source: Path, target: Path, *, quiet: bool) -> None:
    with ProgressBar("restoring", "objects") as bar:
        repository, report = restore(
            source, target, user_config=user_config(), model=model_use(), progress=bar.update
        )
    with repository, invocation.output() as output:
        where = repository.layout.directory
        invocation.done(f"the repository in {where} is restored")
        if not quiet:
            words = [plural(report.commits, "commit"), plural(report.events, "event")]
            words.append(plural(report.blobs, "blob"))
            output.line(f"Restored {', '.join(words)} into {where}: all is well")
        if repository.layout.worktree is not None:
            point = repository.head().point
            write_files(invocation, repository, point, before=point)


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
