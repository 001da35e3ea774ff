"""Take back the last undo.

After several undos, each redo goes one operation forward again, until something else is done.

    evgit undo
    evgit redo

The files of the working tree follow, but for those that were edited by hand.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.commands.undo import take_back
from evgit.cli.invocation import Invocation
from evgit.cli.parameters import json_option


@documented(__doc__, "redo")
@click.option("--no-checkout", is_flag=True, help="Leave the working tree as it is.")
@json_option("one document")
@click.pass_obj
def command(invocation: Invocation, no_checkout: bool, as_json: bool) -> None:
    take_back(invocation, redo=True, no_checkout=no_checkout, as_json=as_json)
