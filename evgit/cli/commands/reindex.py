"""Build the indexes anew from the stored blocks.

Events, commits and refs are not touched: indexes only make finding them fast. To be used when
`evgit fsck` reports that an index is damaged.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.parameters import json_option
from evgit.cli.progress import ProgressBar


@documented(__doc__, "reindex")
@json_option("one document")
@click.pass_obj
def command(invocation: Invocation, as_json: bool) -> None:
    with open_repository() as repository:
        with ProgressBar("indexing", "objects") as bar:
            commits = repository.reindex(bar.update)
        with invocation.output() as output:
            if as_json:
                output.json({"commits": commits})
            else:
                output.line(f"Indexed {plural(commits, 'commit')}")
