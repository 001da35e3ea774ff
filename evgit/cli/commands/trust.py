"""Let the code of this repository's model run, or take that back.

    evgit trust                 trust the model that states would be seen with
    evgit trust --model main~3  trust the one recorded there
    evgit trust --list          what is trusted, in all repositories
    evgit trust --revoke        trust nothing in this repository any more
    evgit trust --revoke 3f2a   take back trust in one model

A model is code, and code that came with data does not run before somebody has read and trusted it.
Trust is kept outside of the repository, by its place and by the hash of all the model's files: any
change needs a new decision. What is in the working tree of a repository made here is yours already.
"""

from __future__ import annotations

import click

from evgit.cli.clock import now
from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import model_option, trust_file
from evgit.cli.opening import open_repository
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import json_option
from evgit.errors import NotFound, UsageError
from evgit.formats.times import to_text
from evgit.repository import Repository


@documented(__doc__, "trust")
@click.argument("model_id", metavar="[MODEL]", required=False)
@click.option("--list", "listing", is_flag=True, help="List what is trusted.")
@click.option("--revoke", is_flag=True, help="Take trust back.")
@model_option
@json_option("one document, or with --list a line for each decision")
@click.pass_obj
def command(
    invocation: Invocation, model_id: str | None, listing: bool, revoke: bool, as_json: bool
) -> None:
    if listing and revoke:
        raise UsageError("--list and --revoke don't go together")
    if model_id is not None and not revoke:
        raise UsageError("MODEL goes with --revoke", hint="evgit trust --model REV trusts another")
    if listing:
        _list(invocation, as_json)
        return
    with open_repository() as repository:
        if revoke:
            _revoke(invocation, repository, model_id, as_json)
        else:
            _trust(invocation, repository, as_json)


def _list(invocation: Invocation, as_json: bool) -> None:
    with invocation.paged() as output:
        for entry in trust_file().models():
            if as_json:
                output.json(entry._asdict())
            else:
                output.line(f"{entry.model[:12]}  {entry.time[:19]}  {shown_in_line(entry.path)}")


def _trust(invocation: Invocation, repository: Repository, as_json: bool) -> None:
    choice = repository.models.choice()
    if choice is None:
        raise NotFound("there is no model here to be trusted")
    trust_file().add(repository.layout.directory, choice.files.id, to_text(now()))
    with invocation.output() as output:
        if as_json:
            output.json({"model": choice.files.id, "source": choice.source})
            return
        output.line(f"Trusted {choice}: its {plural(len(choice.files), 'file')} may run here")
        for path in choice.files:
            output.line(f"    {shown_in_line(path)}")


def _revoke(
    invocation: Invocation, repository: Repository, model_id: str | None, as_json: bool
) -> None:
    trust, directory = trust_file(), repository.layout.directory
    count = 0
    if model_id is None:
        count = trust.revoke(directory)
    else:
        found = {t.model for t in trust.models() if t.model.startswith(model_id)}
        if len(found) != 1:
            raise NotFound(
                f"{model_id!r} is {'no' if not found else 'not just one'} trusted model",
                hint="`evgit trust --list` lists them",
            )
        count = trust.revoke(directory, found.pop())
    with invocation.output() as output:
        if as_json:
            output.json({"revoked": count})
        else:
            output.line(f"Took back {plural(count, 'decision')}")
