"""List the streams with their last revision.

    evgit streams                     the streams of HEAD
    evgit streams main~10             as they were ten commits ago
    evgit streams HEAD account-       those whose names begin so
    evgit streams --count

The columns: last revision, position of the last event in the log, name.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import Revision, json_option


@documented(__doc__, "streams")
@click.argument("revision", default="HEAD", type=Revision())
@click.argument("prefix", default="")
@click.option("--count", is_flag=True, help="Print how many there are.")
@json_option("a line for each stream")
@click.pass_obj
def command(invocation: Invocation, revision: str, prefix: str, count: bool, as_json: bool) -> None:
    with open_repository() as repository:
        found = repository.streams(revision, prefix)
        if count:
            with invocation.output() as output:
                output.line(str(sum(1 for _ in found)))
            return
        with invocation.paged() as output:
            for stream in found:
                if as_json:
                    output.json(
                        {
                            "stream": stream.name,
                            "revision": stream.revision,
                            "position": stream.position,
                        }
                    )
                else:
                    numbers = output.style(f"{stream.revision:>8} {stream.position:>9}", "dim")
                    output.line(f"{numbers}  {shown_in_line(stream.name)}")
