"""Name other repositories, and say where they are.

    evgit remote                         list their names; -v with where they are
    evgit remote add till-2 /mnt/till-2  name one
    evgit remote get-url origin          where one is
    evgit remote set-url origin URL      it has moved
    evgit remote rename till-2 till      with its remote-tracking refs
    evgit remote remove till             forget it, and its remote-tracking refs

Addresses are paths, file:// URLs, ssh://HOST/PATH, HOST:PATH, and http:// or https:// URLs.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.parameters import json_option
from evgit.cli.remotes import sync_of
from evgit.errors import UsageError
from evgit.repository import masked

ACTIONS = {"add": 2, "set-url": 2, "get-url": 1, "rename": 2, "remove": 1, "rm": 1, "list": 0}


@documented(__doc__, "remote")
@click.argument("action", required=False, type=click.Choice(list(ACTIONS)), default="list")
@click.argument("words", nargs=-1, metavar="[NAME] [URL]")
@click.option("-v", "--verbose", is_flag=True, help="List with where they are.")
@json_option("a line for each remote")
@click.pass_obj
def command(
    invocation: Invocation, action: str, words: tuple[str, ...], verbose: bool, as_json: bool
) -> None:
    if len(words) != ACTIONS[action]:
        raise UsageError(
            f"remote {action} takes {ACTIONS[action]} words, not {len(words)}",
            hint="evgit remote --help shows how each is written",
        )
    with open_repository() as repository, invocation.output() as output:
        sync = sync_of(repository)
        if action == "add":
            sync.add(*words)
        elif action == "set-url":
            sync.set_url(*words)
        elif action == "rename":
            sync.rename(sync.remotes.get(words[0]), words[1])
        elif action in ("remove", "rm"):
            sync.forget(sync.remotes.get(words[0]))
        else:
            one = sync.remotes.get(words[0]) if words else None
            if one is not None and not as_json:
                output.line(masked(one.url))
                return
            for remote in sync.remotes.all() if one is None else [one]:
                url = masked(remote.url)  # it may have been written into the file by hand
                if as_json:
                    output.json({"name": remote.name, "url": url})
                else:
                    output.line(f"{remote.name}\t{url}" if verbose else remote.name)
