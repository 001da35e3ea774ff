"""Write the state at a branch or any past point as files.

    evgit checkout                        bring the files up to date with HEAD
    evgit checkout trial                  go to a branch
    evgit checkout -b trial               make a branch here and go there
    evgit checkout main~5                 go to a past commit (HEAD then is on no branch)
    evgit checkout 'main@{2015-06-01}'    or to any point
    evgit checkout main~5 -- streams/account-42.json

Only files that differ are written. Files that were edited by hand are never overwritten without
--force: then nothing is changed, and the exit code is 4. With paths, HEAD stays where it is and
only those documents are written, as `evgit restore --source` does.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.commands.restore import restore_documents
from evgit.cli.documents import split_words
from evgit.cli.following import branch_of_remote, follow_start
from evgit.cli.head_moves import branch_named, go_to_branch, go_to_point
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import state_options
from evgit.cli.parameters import Revision
from evgit.errors import UnknownRevision, UsageError
from evgit.repository import FoundDocument


@documented(__doc__, "checkout", paths=True)
@click.argument("words", nargs=-1, type=Revision(), metavar="[REVISION]")
@click.option("-b", "new_branch", metavar="NAME", help="Make a branch and go there.")
@click.option("--detach", is_flag=True, help="Put HEAD on the commit, not on the branch.")
@click.option("-f", "--force", is_flag=True, help="Overwrite files that were edited by hand.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings and errors.")
@state_options
@click.pass_obj
def command(
    invocation: Invocation,
    words: tuple[str, ...],
    paths: tuple[str, ...],
    new_branch: str | None,
    detach: bool,
    force: bool,
    quiet: bool,
) -> None:
    if quiet:
        invocation.be_quiet()
    with open_to_change() as repository:
        revisions = list(words)
        if not paths:
            try:
                revisions, found = split_words(repository, revisions)
            except UnknownRevision:
                there = branch_of_remote(repository, words[0]) if len(words) == 1 else None
                if there is None or new_branch is not None or detach:
                    raise
                new_branch, revisions, found = words[0], [there], []
            paths = tuple(found)
        if len(revisions) > 1:
            raise UsageError(
                f"{len(revisions)} revisions were given, and one state can be checked out",
                hint="evgit checkout REVISION, evgit checkout REVISION -- PATH",
            )
        revision = revisions[0] if revisions else None
        if paths:
            if new_branch or detach:
                raise UsageError("-b and --detach don't go with paths", hint="leave one out")
            restore_documents(invocation, repository, paths, source=revision or "HEAD")
            return
        if new_branch is not None:
            commit = repository.resolve_commit(revision or "HEAD")
            go_to_branch(
                invocation,
                repository,
                new_branch,
                command="checkout",
                force=force,
                always=True,
                make_at=commit,
            )
            follow_start(invocation, repository, new_branch, revision)
            return
        branch = (
            repository.head().branch if revision is None else branch_named(repository, revision)
        )
        if branch is not None and not detach:
            go_to_branch(
                invocation, repository, branch, command="checkout", force=force, always=True
            )
            return
        resolved = repository.resolve_any(revision or "HEAD")
        if isinstance(resolved, FoundDocument):
            raise UsageError(
                f"{revision!r} is a document",
                hint=f"evgit checkout {(revision or '').replace(':', ' -- ', 1)}",
            )
        point = repository.resolve(revision or "HEAD")
        go_to_point(invocation, repository, point, command="checkout", force=force, always=True)
