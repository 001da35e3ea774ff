"""Copy a repository, with all its history, and follow it.

    evgit clone /srv/ledger.evgit            into ./ledger
    evgit clone ssh://shop.example/ledger    through ssh, where evgit must be installed
    evgit clone shop.example:ledger till-2   the same, into ./till-2
    evgit clone https://shop.example/ledger  from `evgit serve`; a token is taken from EVGIT_TOKEN
    evgit clone --depth 100 /srv/ledger      only the last 100 commits

Everything that comes is checked before it is kept: ids, order, log roots. The other repository is
remembered as the remote `origin`, and the branch follows its branch, so that `evgit pull` and
`evgit push` know where. Nothing that came is run: a model waits for `evgit trust`. A clone that
was interrupted goes on when the same command is given again; where only the files were missing,
`evgit checkout` in it writes them.

What is not small is checked, hashed and compressed by further processes while this one stores:
--jobs says how many.

With --depth, what came before is known by its ids and streams, and by the state that the other
repository vouches for. Appending, states and pushing work as ever; what would need the missing
history says so. `evgit fetch --deepen N` and `evgit fetch --unshallow` bring more, and verify it.
"""

from __future__ import annotations

from pathlib import Path

import click

from evgit.cli.command import documented
from evgit.cli.identity import identity_without_repository
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import model_use
from evgit.cli.opening import user_config
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import Count, json_option
from evgit.cli.progress import ProgressBar
from evgit.cli.remotes import came, connecting
from evgit.repository import MAX_JOBS, Repository, clone, directory_of


@documented(__doc__, "clone")
@click.argument("address")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("-b", "--branch", metavar="NAME", help="Be on this branch, not on theirs.")
@click.option("--bare", is_flag=True, help="No working tree: DIRECTORY itself is the store.")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    metavar="N",
    help="Bring only the last N commits of one branch; the clone is shallow.",
)
@click.option("--no-checkout", is_flag=True, help="Write no files.")
@click.option(
    "-j",
    "--jobs",
    type=Count(1, MAX_JOBS),
    metavar="N",
    help="Processes that check what comes, 1 for none [2 if there are as many cores].",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@json_option("one document")
@click.pass_obj
def command(
    invocation: Invocation,
    address: str,
    directory: Path | None,
    branch: str | None,
    bare: bool,
    depth: int | None,
    no_checkout: bool,
    jobs: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    target = directory or Path(directory_of(address) + (".evgit" if bare else ""))
    author = identity_without_repository().author
    with ProgressBar("cloning", "events") as bar:
        repository, fetched = clone(
            address,
            target,
            using=connecting(author),
            bare=bare,
            branch=branch,
            user_config=user_config(),
            model=model_use(),
            progress=bar.update,
            jobs=jobs,
            depth=depth or 0,
        )
    with repository, invocation.output() as output:
        where = repository.layout.directory
        invocation.done(f"the clone in {where} is made")
        if as_json:
            found = {"id": repository.id, "directory": str(where)}
            output.json(found | {"branch": repository.head().branch})
        elif not quiet:
            rest = "the rest, " if fetched.resumed else ""
            output.line(f"Cloned {address} into {where}: {rest}{came(fetched)}")
        for move in fetched.moves:
            if move.kind == "unnameable":
                name = shown_in_line(move.remote_ref[:300])
                invocation.warn(f"{name} is left out: nothing may be called so here")
        if repository.boundaries and depth is None and not quiet:
            invocation.hint(
                "what was cloned is shallow, and so is this clone: `evgit status` says where it "
                "begins, and a clone of a whole repository has all"
            )
        if not bare and not no_checkout:
            _write_files(invocation, repository)


def _write_files(invocation: Invocation, repository: Repository) -> None:
    from evgit.cli.tree_update import write_files

    point = repository.head().point
    write_files(invocation, repository, point, before=point)
