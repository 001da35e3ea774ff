"""Copy all of a repository to another disk, while work goes on.

    evgit backup /mnt/disk/ledger          into a directory; the next time, only what is new
    evgit backup /mnt/disk/ledger.tar      into one file, whole each time
    evgit restore /mnt/disk/ledger copy    make a repository of it again, after checking all of it

A backup holds everything: blocks, also those that no ref leads to, blobs, refs, remote-tracking
refs, operations, and settings, all at one moment. Readers and writers go on. A backup that is
killed leaves the one before it as it was. A clone is for others; it has what branches and tags
lead to.
"""

from __future__ import annotations

from pathlib import Path

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_text import plain
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.parameters import PlaceName, json_option
from evgit.cli.progress import ProgressBar


@documented(__doc__, "backup")
@click.argument("target", type=PlaceName(), metavar="DIR|FILE.tar")
@click.option("--full", is_flag=True, help="Write everything anew.")
@click.option("--force", is_flag=True, help="Also over a backup with commits that are not here.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing if all went well.")
@json_option("one document")
@click.pass_obj
def command(
    invocation: Invocation, target: Path, full: bool, force: bool, quiet: bool, as_json: bool
) -> None:
    with open_repository() as repository:
        with ProgressBar("backing up", "objects") as bar:
            report = repository.back_up(target, full=full, force=force, progress=bar.update)
        invocation.done(f"the backup {target} is made")
        with invocation.output() as output:
            if as_json:
                output.json({"target": str(target)} | plain(report))
            elif not quiet:
                words = [plural(report.commits, "commit"), plural(report.events, "event")]
                if report.blobs:
                    words.append(plural(report.blobs, "blob"))
                what = "all" if report.full else "what is new"
                output.line(f"Backed up {what} into {target}: {', '.join(words)}")
