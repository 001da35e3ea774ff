"""Fetch, and bring what came together with what is here.

    evgit pull                      from what the current branch follows
    evgit pull --reappend           your commits after upstream's, one by one, and no merge
    evgit pull --ff-only            only if there is nothing of yours to bring together
    evgit pull till-2 main          a branch of another remote

A branch that has nothing of its own goes forward. Otherwise both are merged as by `evgit merge`,
but with upstream first: what is published there keeps its positions, your own events come after,
and a push can follow. Where guards, invariants or the order of events speak against it, nothing
moves, and the exit code is 1: `evgit conflicts`, `evgit resolve`, `evgit merge --continue`. There,
*ours* is upstream, the first, and *theirs* is what you have of your own: only that can be left out.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import click

from evgit.cli.command import documented
from evgit.cli.head_moves import refuse_edited, update_model
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.merge_text import FIRST, hint_of, merged_document, merged_lines
from evgit.cli.model_options import state_options
from evgit.cli.output import Output
from evgit.cli.parameters import json_option
from evgit.cli.progress import ProgressBar
from evgit.cli.rebase_text import rebased_document, rebased_lines
from evgit.cli.remotes import came, sync_of, write_moves
from evgit.cli.tree_update import update_after_move
from evgit.cli.upkeep import start_gc_where_due
from evgit.errors import NotFound, UsageError
from evgit.repository import Fetch, Head, Repository, Upstream

EXIT_CONFLICT = 1
TRACKING = "refs/remotes/"
Prefer = Literal["ours", "theirs", "accept"]


class Wishes(NamedTuple):
    """How to merge, as the words of the command say."""

    message: str | None
    prefer: Prefer | None
    fast_forward: Literal["auto", "only"]


@documented(__doc__, "pull")
@click.argument("remote", required=False)
@click.argument("branch", required=False)
@click.option("--ff-only", is_flag=True, help="Only go forward.")
@click.option("--reappend", is_flag=True, help="Your commits after upstream's, one by one.")
@click.option(
    "-X", "prefer", type=click.Choice(["ours", "theirs", "accept"]), help="As of `evgit merge`."
)
@click.option("-m", "--message", metavar="TEXT", help="The merge commit's message.")
@click.option("--no-checkout", is_flag=True, help="Leave the working tree as it is.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what went wrong.")
@state_options
@json_option("one document")
@click.pass_context
def command(
    context: click.Context,
    remote: str | None,
    branch: str | None,
    ff_only: bool,
    reappend: bool,
    prefer: str | None,
    message: str | None,
    no_checkout: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    if ff_only + reappend + (prefer is not None) > 1:
        raise UsageError("--ff-only, --reappend and -X don't go together", hint="use one of them")
    invocation: Invocation = context.obj
    with open_to_change() as repository, invocation.output() as output:
        before = repository.head()
        if before.branch is None:
            raise UsageError("HEAD is on no branch, so nothing can be pulled into it")
        if not no_checkout:
            refuse_edited(repository)
        commit, name = _fetch(
            invocation, repository, output, before, remote, branch, quiet=as_json or quiet
        )
        stopped = (
            _reappend(invocation, repository, output, commit, as_json=as_json, quiet=quiet)
            if reappend
            else _merge(
                invocation,
                repository,
                output,
                (commit, name),
                Wishes(message, cast(Prefer | None, prefer), "only" if ff_only else "auto"),
                as_json=as_json,
                quiet=quiet,
            )
        )
        if repository.head().point != before.point and not no_checkout:
            update_model(invocation, repository, before.point)
            update_after_move(invocation, repository, before)
        start_gc_where_due(repository)
    if stopped:
        context.exit(EXIT_CONFLICT)


def _fetch(
    invocation: Invocation,
    repository: Repository,
    output: Output,
    head: Head,
    remote: str | None,
    branch: str | None,
    *,
    quiet: bool,
) -> tuple[str, str]:
    """Fetch; the commit to be brought together with the current branch, and what it is called."""
    sync = sync_of(repository)
    found = sync.remote(remote, head.branch)
    followed = sync.remotes.upstream(head.branch or "")
    if branch is not None:
        upstream = Upstream(found.name, f"refs/heads/{branch}")
    elif followed is not None and followed.remote == found.name:
        upstream = followed
    else:
        upstream = Upstream(found.name, f"refs/heads/{head.branch}")
    with ProgressBar(f"fetching from {found.name}", "events") as bar:
        fetched = sync.fetch(found, Fetch(), bar.update)
    if not quiet and (fetched.moves or fetched.commits):
        output.line(f"From {found.url}: {came(fetched)}")
        write_moves(output, fetched.moves)
    if upstream.ref not in fetched.refs:
        raise NotFound(
            f"{found.name} has no branch {upstream.ref.removeprefix('refs/heads/')!r}",
            hint="name one that it has: evgit pull REMOTE BRANCH",
        )
    target = fetched.refs[upstream.ref]
    if found.named:
        return repository.resolve_commit(target), upstream.tracking_ref.removeprefix(TRACKING)
    name = upstream.ref.removeprefix("refs/heads/")
    return repository.resolve_commit(target), f"{name} of {found.url}"


def _merge(
    invocation: Invocation,
    repository: Repository,
    output: Output,
    theirs: tuple[str, str],
    wishes: Wishes,
    *,
    as_json: bool,
    quiet: bool,
) -> bool:
    commit, name = theirs
    found = repository.merging.merge.start(
        commit,
        name=name,
        upstream_first=True,
        arguments={"pull": name},
        message=wishes.message,
        prefer=wishes.prefer,
        fast_forward=wishes.fast_forward,
    )
    if found.head != found.old:
        invocation.done(f"{found.ref} is at {found.head}")
    if as_json:
        output.json(merged_document(found))
    elif not quiet or found.conflicts:
        for line in merged_lines(repository, found, name, tried=False):
            output.line(line)
    for warning in found.warnings:
        invocation.warn(warning)
    if found.kind == "waiting" and not as_json:
        invocation.hint(FIRST)
        invocation.hint(hint_of(found))
    return bool(found.conflicts)


def _reappend(
    invocation: Invocation,
    repository: Repository,
    output: Output,
    commit: str,
    *,
    as_json: bool,
    quiet: bool,
) -> bool:
    found = repository.merging.rebase.start(commit, arguments={"pull": commit})
    invocation.done(f"{found.ref} is re-appended as far as it goes")
    if as_json:
        output.json(rebased_document(found))
    elif not quiet or found.stopped:
        for line in rebased_lines(repository, found, dry_run=False):
            output.line(line)
        if found.stopped:
            invocation.hint("evgit rebase --continue (after compensating), --skip or --abort")
    return found.stopped is not None
