"""List, show and restore operations: what each command did to refs.

    evgit op log            the operations, newest first
    evgit op show 12        what operation 12 did
    evgit op restore 12     set all refs to where they were after operation 12
    evgit op expire         forget the operations older than the setting operations.expire

Consecutive commits of one process are one operation. `evgit undo` takes back the last one, and the
one before, and so on; `evgit --at-op 12 log` looks at the repository as operation 12 left it. What
an operation refers to is kept until it expires.
"""

from __future__ import annotations

from itertools import islice

import click

from evgit.cli.clock import time_expression
from evgit.cli.command import SETTINGS, documented_group
from evgit.cli.commit_text import plural
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.operation_text import (
    change_document,
    change_text,
    operation_document,
    operation_line,
    write_operation,
)
from evgit.cli.parameters import json_option, limit_option
from evgit.cli.tree_update import update_after_move
from evgit.formats.times import parse_instant


@documented_group(__doc__, "op")
def command() -> None:
    pass


@command.command("log", context_settings=SETTINGS)
@limit_option
@json_option("a line for each operation")
@click.pass_obj
def log(invocation: Invocation, limit: int | None, as_json: bool) -> None:
    """List the operations, newest first."""
    with open_repository() as repository, invocation.paged() as output:
        for operation in islice(repository.operations(), limit):
            if as_json:
                output.json(operation_document(operation))
            else:
                output.line(operation_line(output, operation))


@command.command("show", context_settings=SETTINGS)
@click.argument("number", type=int)
@json_option("one document")
@click.pass_obj
def show(invocation: Invocation, number: int, as_json: bool) -> None:
    """Show what an operation did."""
    with open_repository() as repository, invocation.paged() as output:
        operation = repository.operation(number)
        if as_json:
            output.json(operation_document(operation))
        else:
            write_operation(output, operation)


@command.command("restore", context_settings=SETTINGS)
@click.argument("number", type=int)
@click.option("--no-checkout", is_flag=True, help="Leave the working tree as it is.")
@json_option("one document")
@click.pass_obj
def restore(invocation: Invocation, number: int, no_checkout: bool, as_json: bool) -> None:
    """Set all refs to where they were after an operation."""
    with open_to_change() as repository:
        before = repository.head()
        changes = repository.branches.restore(number)
        invocation.done(f"all refs are where they were after operation {number}")
        with invocation.output() as output:
            if as_json:
                output.json({"operation": number, "changes": list(map(change_document, changes))})
            else:
                output.line(f"All refs are where they were after operation {number}")
                for change in changes:
                    output.line(f"    {change_text(change)}")
        if not no_checkout:
            update_after_move(invocation, repository, before)


@command.command("expire", context_settings=SETTINGS)
@click.option("--before", metavar="TIME", help="Those that ended before TIME.")
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
@click.pass_obj
def expire(invocation: Invocation, before: str | None, dry_run: bool) -> None:
    """Forget old operations. The newest stays in any case."""
    with open_to_change() as repository:
        limit = repository.operations_expire
        if before is not None:
            limit = parse_instant(time_expression(before))
        count = repository.branches.expire_operations(limit, dry_run=dry_run)
        if count and not dry_run:
            invocation.done(f"{plural(count, 'operation')} forgotten")
        with invocation.output() as output:
            verb = "would be forgotten" if dry_run else "forgotten"
            output.line(f"{plural(count, 'operation')} {verb}")
