"""Bring what a remote has and this repository lacks.

Branches here stay where they are.

    evgit fetch                 from `origin`, or from what the current branch follows
    evgit fetch till-2          from another remote; a path or URL is taken, too
    evgit fetch origin main     only that branch
    evgit fetch --all --prune   from every remote; forget branches that are gone there
    evgit fetch --deepen 50     in a shallow clone: 50 commits of what came before
    evgit fetch --unshallow     all of what came before

What a remote's branches are at stands in remote-tracking refs (`origin/main`), which every command
takes: evgit log main..origin/main. `evgit pull` fetches and brings both together.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.parameters import json_option
from evgit.cli.progress import ProgressBar
from evgit.cli.remotes import came, fetched_document, sync_of, write_moves
from evgit.cli.upkeep import start_gc_where_due
from evgit.errors import UsageError
from evgit.repository import Fetch


@documented(__doc__, "fetch")
@click.argument("remote", required=False)
@click.argument("branches", nargs=-1, metavar="[BRANCH]...")
@click.option("--all", "every", is_flag=True, help="From every remote.")
@click.option("-p", "--prune", is_flag=True, help="Forget branches that are gone there.")
@click.option("--tags/--no-tags", default=True, help="Bring tags, too [they come].")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    metavar="N",
    help="Have the last N commits of each branch here, or what is here already if that is more.",
)
@click.option(
    "--deepen",
    type=click.IntRange(min=1),
    metavar="N",
    help="Bring N commits from behind where this shallow clone begins.",
)
@click.option("--unshallow", is_flag=True, help="Bring all of what came before.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@json_option("a line for each remote")
@click.pass_obj
def command(
    invocation: Invocation,
    remote: str | None,
    branches: tuple[str, ...],
    every: bool,
    prune: bool,
    tags: bool,
    depth: int | None,
    deepen: int | None,
    unshallow: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    if every and remote is not None:
        raise UsageError("--all means every remote", hint="leave the name out, or --all")
    if sum(map(bool, (depth, deepen, unshallow))) > 1:
        raise UsageError("--depth, --deepen and --unshallow exclude each other")
    for word in branches:
        if ":" in word or word.startswith("+"):
            raise UsageError(
                f"{word!r}: a branch there always comes as REMOTE/BRANCH here",
                hint="name the branch alone; `evgit branch NAME REMOTE/BRANCH` makes one of it",
            )
    branches = tuple(word.removeprefix("refs/heads/") for word in branches)
    with open_repository() as repository, invocation.output() as output:
        sync = sync_of(repository)
        found = sync.remotes.all() if every else [sync.remote(remote, repository.head().branch)]
        for one in found:
            before = {boundary.id for boundary in repository.boundaries}
            with ProgressBar(f"fetching from {one.name}", "events") as bar:
                wanted = Fetch(
                    branches=branches,
                    prune=prune,
                    tags=tags,
                    depth=depth or 0,
                    more=deepen or 0,
                    all=unshallow,
                )
                fetched = sync.fetch(one, wanted, bar.update)
            invocation.done(f"what {one.name} has is here")
            if as_json:
                output.json(fetched_document(one.name, fetched))
            elif not quiet and (fetched.moves or fetched.commits):
                output.line(f"From {one.url}: {came(fetched)}")
                write_moves(output, fetched.moves)
            if deepen and not quiet and before == {b.id for b in repository.boundaries}:
                invocation.hint(
                    f"{one.name} gave nothing from before where this shallow repository begins: "
                    "it has no more itself, or none of the branches fetched comes from there"
                )
        start_gc_where_due(repository)
