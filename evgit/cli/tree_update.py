"""Bringing the working tree along when a command has moved HEAD or its branch.

What moved is durable already, so that files in the way are reported and never a failure.
"""

from __future__ import annotations

from collections.abc import Sequence

from evgit.cli.commit_text import plural
from evgit.cli.invocation import Invocation
from evgit.cli.output import shown_in_line
from evgit.cli.progress import ProgressBar
from evgit.errors import EvgitError, LocalChanges
from evgit.repository import CheckoutResult, Head, Point, Repository

LISTED = 10  # paths that a message names at most
MOST_LOOKED_AT = 20_000  # files looked through after a commit for those that are in the way


def follows_head(repository: Repository) -> bool:
    """Does the working tree follow HEAD by itself?"""
    tree = repository.layout.worktree is not None
    return tree and repository.config.get("worktree.update") is not False


def update_after_move(invocation: Invocation, repository: Repository, before: Head) -> None:
    """Show the state at HEAD as files, if the files showed the one at `before`.

    They don't after an import, say: then they are left for `evgit checkout`.
    """
    try:
        head = repository.head()
        if not follows_head(repository) or head.point == before.point:
            return
        shown = repository.working_tree.shown
        if shown == before.point or (shown is None and before.point.size == 0):
            result = write_files(
                invocation, repository, head.point, before=before.point, keep_edited=True
            )
            if result.kept:
                files = plural(len(result.kept), "file")
                invocation.warn(f"{files} not updated, since edited by hand or not evgit's:")
                _list_paths(invocation, result.kept)
                invocation.hint("`evgit status` shows them; `evgit restore FILE` writes one anew")
        else:
            _say_what_is_shown(invocation, repository, head.point)
    except LocalChanges as error:
        invocation.warn("the working tree was not updated: " + error.message)
        _list_paths(invocation, error.paths)
        invocation.hint(error.hint or "`evgit status` says more")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        invocation.warn(f"the working tree was not updated: {where}{error.strerror or error}")
        invocation.hint("`evgit checkout` tries again")
    except EvgitError as error:
        invocation.warn(f"the working tree was not updated: {error.message}")
        invocation.hint(error.hint or "`evgit checkout` tries again")


def _say_what_is_shown(invocation: Invocation, repository: Repository, point: Point) -> None:
    """The files show another point already: say how to bring them to this one."""
    state = repository.state(point)
    if len(state) <= MOST_LOOKED_AT:
        status = repository.working_tree.status(state)
        edited = sorted([*status.modified, *status.deleted, *status.in_the_way])
        if edited:
            invocation.warn("the working tree was not updated: files were edited by hand")
            _list_paths(invocation, edited)
            invocation.hint(
                "`evgit restore FILE` writes one anew; then `evgit checkout` updates the others"
            )
            return
    invocation.hint("the working tree shows another point; `evgit checkout` updates it")


def _list_paths(invocation: Invocation, paths: Sequence[str]) -> None:
    for path in paths[:LISTED]:
        invocation.note(f"    {shown_in_line(path)}")
    if len(paths) > LISTED:
        invocation.note(f"    … and {len(paths) - LISTED:,} more: see `evgit status`")


def write_files(
    invocation: Invocation,
    repository: Repository,
    point: Point,
    *,
    before: Point,
    force: bool = False,
    keep_edited: bool = False,
) -> CheckoutResult:
    """Make the files show the state at a point. Raises LocalChanges, unless `keep_edited`.

    `before`: what they are thought to show, should the cache that knows it be lost.
    """
    with ProgressBar("writing", "files") as bar:
        result = repository.working_tree.checkout(
            repository.state(point),
            point,
            force=force,
            keep_edited=keep_edited,
            previous=lambda: repository.state(before),
            progress=bar.update,
        )
    report_names(invocation, result)
    return result


def report_names(invocation: Invocation, result: CheckoutResult) -> None:
    """Say which documents have no file, or one of another name."""
    for skipped in result.skipped[:LISTED]:
        path = shown_in_line(skipped.path)
        invocation.warn(f"document {path} has no file: {shown_in_line(skipped.reason)}")
    for renamed in result.renamed[:LISTED]:
        invocation.warn(
            f"document {shown_in_line(renamed.path)} is in the file {shown_in_line(renamed.file)}, "
            "since its own name is taken here"
        )
    more = max(len(result.skipped) - LISTED, 0) + max(len(result.renamed) - LISTED, 0)
    if more:
        invocation.warn(f"{plural(more, 'more document')} of that kind: see `evgit status`")
