"""List the documents of a state.

    evgit ls-tree HEAD
    evgit ls-tree 'main@{2015-06-01}' streams/
    evgit ls-tree --root HEAD          the hash of the whole state: equal states, equal roots

The columns: BLAKE3 of the document's canonical JSON, its size in bytes, its path.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.documents import missing_document, whole_state
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import state_options
from evgit.cli.opening import open_repository
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import Revision, json_option
from evgit.formats.hashing import blake3_digest


@documented(__doc__, "ls-tree")
@click.argument("revision", type=Revision())
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--name-only", is_flag=True, help="Only paths.")
@click.option("--count", is_flag=True, help="Print how many there are.")
@click.option("--root", is_flag=True, help="Print the hash of the whole state.")
@state_options
@json_option("a line for each document")
@click.pass_obj
def command(
    invocation: Invocation,
    revision: str,
    paths: tuple[str, ...],
    name_only: bool,
    count: bool,
    root: bool,
    as_json: bool,
) -> None:
    with open_repository() as repository, invocation.paged() as output:
        state = repository.state(whole_state(revision))
        if root:
            output.line(state.root)
            return
        total = 0
        for place in paths or ("",):
            before = total
            directory = place.rstrip("/")
            for path, document in state.documents(directory):
                if directory and path != directory and not path.startswith(directory + "/"):
                    continue
                total += 1
                if count:
                    continue
                if name_only:
                    output.line(shown_in_line(path))
                    continue
                digest = blake3_digest(document).hex()
                if as_json:
                    output.json({"path": path, "hash": digest, "size": len(document)})
                else:
                    columns = f"{output.style(digest, 'yellow')} {len(document):>8}"
                    output.line(f"{columns}  {shown_in_line(path)}")
            if place and total == before:
                raise missing_document(state, revision, place)
        if count:
            output.line(str(total))
