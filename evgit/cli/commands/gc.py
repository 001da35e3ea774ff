"""Move what was appended into packs, smaller and quicker to read.

Nothing that is recorded changes. Other processes may read and append meanwhile. A pack is a .zst
file of JSON lines: `zstdcat .evgit/packs/*.evpack | head` shows it. What has been replaced is kept
for an hour, and removed by a later gc.

    evgit gc                       by hand
    evgit gc --aggressive          all packs anew, as small as can be: slow
    evgit gc --prune now           do not wait before dropping what nothing leads to
    evgit config gc.auto 0         never by itself

After a command that adds to the history (commit, import, fetch, pull), a gc starts by itself, in
the background, once 50,000 objects (`gc.auto`) are not packed.

Operations older than `operations.expire` are forgotten. Commits that no ref, no operation and
nothing in progress leads to are dropped, with their events, once they were there for `gc.prune`
[2 weeks].

    evgit gc --publish /srv/www/ledger

also writes all that branches and tags lead to into a directory, from which others can clone and
fetch: a mounted one, or by https:// where a plain web server gives its files. The next time, only
what is new is written; whoever is reading meanwhile has the old whole or the new whole.
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
from evgit.cli.published import publish_into, published_text
from evgit.errors import UsageError


@documented(__doc__, "gc")
@click.option("--aggressive", is_flag=True, help="Rewrite all packs, as small as can be: slow.")
@click.option("--prune", metavar="SPAN", help="Drop what nothing led to for so long; now, never.")
@click.option("--auto", is_flag=True, help="Only where it pays; in silence.")
@click.option(
    "--publish",
    "directory",
    metavar="DIR",
    type=PlaceName(),
    help="Write what others can fetch into DIR, too [with --aggressive: all of it anew].",
)
@click.option("--force", is_flag=True, help="Publish also over commits that are not here.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing if all went well.")
@json_option("one document")
@click.pass_obj
def command(
    invocation: Invocation,
    aggressive: bool,
    directory: Path | None,
    force: bool,
    prune: str | None,
    auto: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    if force and directory is None:
        raise UsageError("--force is about what --publish replaces", hint="leave it out")
    if auto and directory is not None:
        raise UsageError("--auto publishes nothing", hint="evgit gc --publish DIR")
    with open_repository() as repository:
        if auto:
            repository.upkeep.gc_by_itself()
            return
        with ProgressBar("packing", "objects") as bar:
            report = repository.upkeep.gc(aggressive=aggressive, keep=prune, progress=bar.update)
        published = None
        if directory is not None:
            published = publish_into(repository, directory, anew=aggressive, force=force)
        with invocation.output() as output:
            if as_json:
                output.json(plain(report) | ({"published": plain(published)} if published else {}))
                return
            if not quiet and report.packs_written:
                packs = plural(report.packs_written, "pack")
                output.line(f"Packed {plural(report.packed_lines, 'object')} into {packs}")
            elif not quiet:
                output.line("Nothing to pack")
            if directory is not None and published is not None and not quiet:
                output.line(published_text(directory, published))
            if report.pruned_commits and not quiet:
                commits = plural(report.pruned_commits, "commit")
                output.line(f"Dropped {commits} that nothing led to")
