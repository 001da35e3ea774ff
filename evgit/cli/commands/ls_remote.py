"""List what refs another repository has.

Nothing is fetched.

evgit ls-remote                 of origin
evgit ls-remote /srv/ledger     of any address, from anywhere
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.identity import identity_without_repository
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import json_option
from evgit.cli.remotes import connecting, sync_of
from evgit.errors import NotARepository
from evgit.repository import RefsReply, refs_at


@documented(__doc__, "ls-remote")
@click.argument("remote", required=False)
@json_option("a line for each ref")
@click.pass_obj
def command(invocation: Invocation, remote: str | None, as_json: bool) -> None:
    reply = _reply(remote)
    with invocation.output() as output:
        named = {"HEAD": reply.refs[reply.head]} if reply.head in reply.refs else {}
        for name, target in (named | reply.refs).items():
            if as_json:
                output.json({"name": name, "target": target})
            else:
                output.line(shown_in_line(target) + "\t" + shown_in_line(name))


def _reply(remote: str | None) -> RefsReply:
    try:
        with open_repository() as repository:
            sync = sync_of(repository)
            return sync.refs_of(sync.remote(remote, repository.head().branch))
    except NotARepository:
        if remote is None:
            raise
        return refs_at(remote, connecting(identity_without_repository().author))
