"""Write events as JSON lines.

The events of a revision in the order of the log, or those that B has and A does not, `A..B`.
Importing them again gives the same event ids. The model is left out: its files are no lines.

    evgit export > all.jsonl
    evgit export main~10..main -o recent.jsonl.zst
    evgit export --format cloudevents --stream account-42
"""

from __future__ import annotations

from typing import Literal

import click

from evgit.bridges.exporting import ExportReport, export_events
from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.parameters import Revision, Stream
from evgit.cli.progress import ProgressBar


@documented(__doc__, "export")
@click.argument("revision", default="HEAD", type=Revision(), metavar="[REVISION|A..B]")
@click.option(
    "--format",
    "line_format",
    type=click.Choice(["evgit", "cloudevents"]),
    default="evgit",
    help="What the lines are [evgit].",
)
@click.option("-o", "--output", "target", metavar="FILE", help="Write to FILE (.gz, .zst).")
@click.option("--stream", "streams", multiple=True, type=Stream(), help="Only this stream.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.pass_obj
def command(
    invocation: Invocation,
    revision: str,
    line_format: Literal["evgit", "cloudevents"],
    target: str | None,
    streams: tuple[str, ...],
    quiet: bool,
) -> None:
    with open_repository() as repository, ProgressBar("exporting", "events") as bar:

        def progress(so_far: ExportReport) -> None:
            bar.update(so_far.events, so_far.total)

        report = export_events(
            repository,
            target or "-",
            revision,
            format=line_format,
            streams=streams,
            progress=progress,
        )
    if report.left_out and not quiet:
        left_out = plural(report.left_out, "event")
        invocation.note(
            f"note: {left_out} of the model left out: `evgit clone` brings a model along"
        )
    if target not in (None, "-") and not quiet:
        invocation.note(f"wrote {plural(report.events, 'event')} to {target}")
