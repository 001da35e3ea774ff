"""Move what was appended into packs, smaller and quicker to read.

Nothing that is recorded changes. Other processes may read and append meanwhile. A pack is a .zst
file of JSON lines: `zstdcat .evgit/packs/*.evpack | head` shows it. What has been replaced is kept
for an hour, and removed by a later gc.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_text import plain
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.parameters import json_option
from evgit.cli.progress import ProgressBar


@documented(__doc__, "gc")
@click.option("--aggressive", is_flag=True, help="Rewrite all packs, as small as can be: slow.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing if all went well.")
@json_option("one document")
@click.pass_obj
def command(invocation: Invocation, aggressive: bool, quiet: bool, as_json: bool) -> None:
    with open_repository() as repository:
        with ProgressBar("packing", "objects") as bar:
            report = repository.gc(aggressive=aggressive, progress=bar.update)
        with invocation.output() as output:
            if as_json:
                output.json(plain(report))
            elif not quiet and report.packs_written:
                packs = plural(report.packs_written, "pack")
                output.line(f"Packed {plural(report.packed_lines, 'object')} into {packs}")
            elif not quiet:
                output.line("Nothing to pack")
