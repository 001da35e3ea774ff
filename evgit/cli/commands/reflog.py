"""Show where a branch has pointed.

Newest first: `main@{0}` is where it points now, `main@{1}` where it pointed one operation ago.
Without REF, the current branch.

    evgit reflog
    evgit show 'main@{1}'
"""

from __future__ import annotations

from itertools import islice

import click

from evgit.cli.command import documented
from evgit.cli.event_text import time_text
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.operation_text import rewound_text, short_ref, target_text
from evgit.cli.parameters import Branch, json_option, limit_option
from evgit.errors import UnknownRevision
from evgit.formats.times import to_text
from evgit.repository import Repository


@documented(__doc__, "reflog", count_option=True)
@click.argument("ref", required=False, type=Branch())
@limit_option
@json_option("a line for each entry")
@click.pass_obj
def command(invocation: Invocation, ref: str | None, limit: int | None, as_json: bool) -> None:
    with open_repository() as repository, invocation.paged() as output:
        name = _full_name(repository, ref)
        entries = islice(repository.reflog(name), limit)
        for number, (operation, change) in enumerate(entries):
            time = to_text(operation.finished)
            if as_json:
                output.json(
                    {
                        "ref": name,
                        "index": number,
                        "operation": operation.number,
                        "time": time,
                        "command": operation.command,
                        "old": change.old,
                        "new": change.new,
                        "rewound": operation.arguments.get("rewound"),
                    }
                )
                continue
            where = target_text(change.new) if change.new else "(deleted)"
            expression = f"{short_ref(name)}@{{{number}}}"
            output.line(
                f"{output.style(where, 'yellow')} {expression}: {operation.command}"
                + rewound_text(operation)
                + output.style(f" ({time_text(time)}, operation {operation.number})", "dim")
            )


def _full_name(repository: Repository, ref: str | None) -> str:
    """The full name of a ref, which may be gone by now; without one, of the current branch."""
    if ref is None:
        return repository.branches.current_ref()
    if ref == "HEAD" or ref.startswith("refs/"):
        return ref
    try:
        found = repository.resolver().ref_name(ref)
    except UnknownRevision:
        found = None
    name = found or f"refs/heads/{ref}"
    if next(repository.reflog(name), None) is None:
        raise UnknownRevision(
            f"no operation ever moved a branch {ref!r}",
            hint="`evgit branch` lists the branches, `evgit op log` the operations",
        )
    return name
