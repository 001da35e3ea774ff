"""Print an object, its kind or its size.

    evgit cat-file -p ID      the object's exact bytes: events, commits and tags as canonical JSON
    evgit cat-file -t ID      event, commit, tag or blob
    evgit cat-file -s ID      its size in bytes
    evgit cat-file -e ID      nothing; the exit code says whether it exists

ID may be any revision. The bytes hash to the id, in any language and without evgit:

    evgit cat-file -p ID | b3sum

b3sum comes with BLAKE3; Python's package blake3, which evgit needs anyway, does the same.

On a terminal a newline is added after them.
"""

from __future__ import annotations

import sys

import click

from evgit.cli.command import documented
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.output import Output
from evgit.cli.parameters import Revision
from evgit.cli.revision_text import resolved
from evgit.errors import NotFound, UsageError
from evgit.repository import FoundBlob, FoundDocument, Point, Repository


@documented(__doc__, "cat-file")
@click.argument("revision", type=Revision(), metavar="ID")
@click.option("-p", "bytes_", is_flag=True, help="Print the object.")
@click.option("-t", "kind", is_flag=True, help="Print its kind.")
@click.option("-s", "size", is_flag=True, help="Print its size.")
@click.option("-e", "exists", is_flag=True, help="Exit with 0 if it exists, else with 1.")
@click.pass_context
def command(context: click.Context, /, revision: str, **wanted: bool) -> None:
    asked = [name for name, given in wanted.items() if given]
    if len(asked) != 1:
        raise UsageError(
            "-p, -t, -s and -e exclude each other" if asked else "say what to print",
            hint="-p the object, -t its kind, -s its size, -e whether it exists: give one",
        )
    what = asked[0].rstrip("_")
    invocation: Invocation = context.obj
    with open_repository() as repository, invocation.output() as output:
        try:
            found = resolved(invocation, repository, revision)
        except NotFound:
            if what == "exists":
                context.exit(1)
            raise
        if what == "exists":
            return
        if isinstance(found, FoundDocument):
            raise UsageError(
                f"{revision!r} is a document of a state, not an object",
                hint=f"evgit show {revision!r} prints it",
            )
        if isinstance(found, FoundBlob):
            _write_blob(repository, output, found.id, what)
            return
        object_id = found.commit if isinstance(found, Point) else found.id
        kind, line = repository.read_object(object_id)
        if what == "kind":
            output.line(kind)
        elif what == "size":
            output.line(str(len(line)))
        else:
            output.raw(line)
            if sys.stdout.isatty():
                output.line()


def _write_blob(repository: Repository, output: Output, blob_id: str, what: str) -> None:
    if what == "kind":
        output.line("blob")
        return
    size = 0
    for chunk in repository.blobs.chunks(blob_id):
        size += len(chunk)
        if what == "bytes":
            output.raw(chunk)
    if what == "size":
        output.line(str(size))
