"""Take back the last operation.

The refs go back to where they were before it: a commit leaves its branch, a deleted branch is
there again. The next undo takes back the operation before that one, and so on; `evgit redo` goes
forward again. Nothing is lost, and undoing is itself an operation. `evgit op log` lists them all.

What a program appends to one branch, through the library, is one operation until it pauses for a
minute, and is taken back as a whole: `evgit op show N` tells what an operation moved.

The files of the working tree follow, but for those that were edited by hand.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.operation_text import change_text, operation_document
from evgit.cli.parameters import json_option
from evgit.cli.tree_update import update_after_move
from evgit.repository import RefChange


@documented(__doc__, "undo")
@click.option("--redo", is_flag=True, help="As `evgit redo`.")
@click.option("--no-checkout", is_flag=True, help="Leave the working tree as it is.")
@json_option("one document")
@click.pass_obj
def command(invocation: Invocation, redo: bool, no_checkout: bool, as_json: bool) -> None:
    take_back(invocation, redo=redo, no_checkout=no_checkout, as_json=as_json)


def take_back(invocation: Invocation, *, redo: bool, no_checkout: bool, as_json: bool) -> None:
    """Undo, or redo, and say what moved."""
    with open_to_change() as repository:
        before = repository.head()
        operation = repository.branches.redo() if redo else repository.branches.undo()
        invocation.done(f"operation {operation.number}, {operation.command}, is taken back")
        with invocation.output() as output:
            if as_json:
                output.json(operation_document(operation))
            else:
                if redo:
                    output.line(f"Took back the undo, operation {operation.number}:")
                else:
                    output.line(f"Took back operation {operation.number}, {operation.command}:")
                for change in reversed(repository.branches.net_changes(operation)):
                    output.line(f"    {change_text(RefChange(change.ref, change.new, change.old))}")
        if operation.command == "push" and not redo:
            invocation.note(
                "what was pushed stays where it went: only what is known of it here moved"
            )
        if not no_checkout:
            update_after_move(invocation, repository, before)
