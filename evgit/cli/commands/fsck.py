"""Check every hash, every order and every log root.

Reads everything that is stored and computes it anew: the ids of events, commits and blobs, their
canonical form, the order of the log and its Merkle roots, what commits expected of streams, the
indexes and refs. Changes nothing. Where there is much, several processes share the work; what is
found does not depend on how many. Exits with 0 if all is well, else with 6.

With --repair-from, what is damaged is got from another repository that has it, and everything is
stored anew and checked, in one transaction: all of it is mended, or nothing has changed. Branches,
tags and operations stay as they are.

    evgit fsck --repair-from origin
    evgit fsck --repair-from ../clone --repair-from /mnt/stick/monday.evpack
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_text import plain, short
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import Count, json_option
from evgit.cli.progress import ProgressBar
from evgit.cli.remotes import connecting
from evgit.errors import Damage
from evgit.repository import FsckReport, Mended, Repository, masked, repair

MOST_JOBS = 64


@documented(__doc__, "fsck")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing if all is well.")
@click.option(
    "--jobs",
    type=Count(1, MOST_JOBS),
    metavar="N",
    help="Processes that check, 1 for no further one [one a core, where there is much to check].",
)
@click.option(
    "--repair-from",
    "sources",
    multiple=True,
    metavar="REMOTE|DIR|BUNDLE",
    help="Mend what is damaged with what this one has.",
)
@json_option("one document")
@click.pass_context
def command(
    context: click.Context, quiet: bool, jobs: int | None, sources: tuple[str, ...], as_json: bool
) -> None:
    invocation: Invocation = context.obj
    with open_to_change() if sources else open_repository() as repository:
        for source in sources:  # mistyped ones are told at once
            repository.sync().remote(source)
        report = _check(repository, jobs)
        mended = None
        if sources and not _only_lost(report):
            mended = _repair(invocation, repository, sources, report)
            report = _check(repository, jobs)
        with invocation.output() as output:
            counts = (
                f"{plural(report.commits, 'commit')}, {plural(report.events, 'event')}, "
                f"{plural(report.blobs, 'blob')}"
            )
            if as_json:
                done = (
                    {} if not sources else {"repaired": None if mended is None else plain(mended)}
                )
                output.json({"clean": report.clean} | plain(report) | done)
            elif report.clean:
                if not quiet:
                    output.line(f"All is well: {counts}")
            else:
                for problem in report.problems:
                    kind = output.style(problem.kind, "red")
                    output.line(f"{kind}: {shown_in_line(problem.message)}")
                    for object_id in problem.ids:
                        output.line(f"    {object_id}")
                output.line(f"{plural(len(report.problems), 'problem')} found in {counts}")
            if not as_json and not (quiet and report.clean):
                for boundary in report.boundaries:
                    output.line(
                        f"Not here, so not checked: what came before commit "
                        f"{short(boundary.commit)} and itself, {plural(boundary.size, 'event')}. "
                        "Their ids give its log root; streams and state are unverified"
                    )
    if not report.clean:
        if way_on := _way_on(report, sources):
            invocation.hint(way_on)
        context.exit(Damage.exit_code)


def _way_on(report: FsckReport, sources: tuple[str, ...]) -> str:
    """What to do about what was found; nothing where it was said on opening."""
    if _only_lost(report):
        return (
            "nothing that is here is damaged, so nothing was mended: `evgit fetch` brings what "
            "others have of the lost end, then delete lost.jsonl"
            if sources
            else ""
        )
    if all(problem.kind == "index" for problem in report.problems):
        return "`evgit reindex` builds the indexes anew"
    return (
        "damaged objects come back from a clone: `evgit fsck --repair-from REMOTE|DIR|BUNDLE`, "
        "or from a backup; what is not named is sound"
    )


def _only_lost(report: FsckReport) -> bool:
    """Is all there is sound, whatever has been lost behind it?"""
    return all(problem.kind == "lost" for problem in report.problems)


def _check(repository: Repository, jobs: int | None) -> FsckReport:
    with ProgressBar("checking", "objects") as bar:
        return repository.fsck(bar.update, jobs=jobs)


def _repair(
    invocation: Invocation, repository: Repository, sources: tuple[str, ...], report: FsckReport
) -> Mended:
    mended = repair(repository, sources, report, using=connecting(repository.author))
    invocation.note(
        f"{plural(len(report.problems), 'problem')} found; stored anew: "
        f"{plural(mended.commits, 'commit')}, {mended.received} of them from "
        f"{', '.join(map(masked, sources))}, and {plural(mended.blobs, 'blob')}"
    )
    return mended
