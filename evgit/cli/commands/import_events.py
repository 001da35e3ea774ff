"""Append events from a file of JSON lines, in batches.

FILE may be compressed (.gz, .zst); `-` is standard input. Its lines are evgit's events, as `evgit
export` writes them, or CloudEvents 1.0. Each batch is one commit. An import that was interrupted
can be run again: events that are there already are not appended twice.

    evgit import history.jsonl.zst
    zstdcat history.jsonl.zst | evgit import -
    evgit import hooks.jsonl --time 2026-11-01           for lines without a time
    evgit import orders.jsonl --time-field data.created  that have one elsewhere
    evgit import --git ../project                        file changes of a Git history

A batch counts as recorded when its events happened, so that `main@{2015-06-01}` finds the right
point in imported history too; with --now, it is recorded at the present. Recorded time never goes
back: where a line is older than one before it, it counts as recorded with that one, so that
`main@{TIME}` can hold fewer events than the input has lines up to TIME. Of identical lines, the
second and later ones get a key, so that each is one event, and a rerun adds nothing.

An input that is not small is parsed, checked, hashed and compressed by further processes while
this one stores: --jobs says how many. The result is the same with any number.

The working tree is left as it is; `evgit checkout` brings it up to date.
"""

from __future__ import annotations

from typing import Literal

import click

from evgit.bridges.importing import (
    BATCH_SIZE,
    MAX_BATCH_SIZE,
    ImportReport,
    import_git_history,
    import_lines,
)
from evgit.cli.clock import time_expression
from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_text import short
from evgit.cli.head_moves import check_branch_exists
from evgit.cli.identity import GUESS_HINT, identity, open_to_change, worth_saying
from evgit.cli.invocation import Invocation
from evgit.cli.parameters import Branch, Count, json_option
from evgit.cli.progress import ProgressBar
from evgit.cli.upkeep import start_gc_where_due
from evgit.errors import UsageError
from evgit.repository import MAX_JOBS, Repository

EXIT_INTERRUPTED = 130


@documented(__doc__, "import")
@click.argument("source", metavar="FILE|-", required=False)
@click.option("--git", "git", metavar="DIR", help="Import a Git repository's file changes.")
@click.option("--revision", metavar="REV", help="With --git: up to this revision [HEAD].")
@click.option("-b", "--branch", type=Branch(), help="Append to this branch, not the current one.")
@click.option("-m", "--message", help="Message of every commit.")
@click.option(
    "--batch-size",
    type=Count(1, MAX_BATCH_SIZE),
    default=BATCH_SIZE,
    metavar="N",
    help=f"Events in a commit [{BATCH_SIZE}].",
)
@click.option(
    "--format",
    "line_format",
    type=click.Choice(["auto", "evgit", "cloudevents"]),
    default="auto",
    help="What the lines are [auto].",
)
@click.option("--time", metavar="TIME", help="The time of lines that have none.")
@click.option("--time-field", metavar="PATH", help="Where lines without a time have it.")
@click.option(
    "--jobs",
    type=Count(1, MAX_JOBS),
    metavar="N",
    help="Processes that prepare batches of lines, 1 for none [2 if there are as many cores].",
)
@click.option("--now", "at_present", is_flag=True, help="Record the commits at the present.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@json_option("one document")
@click.pass_context
def command(
    context: click.Context,
    source: str | None,
    git: str | None,
    revision: str | None,
    branch: str | None,
    message: str | None,
    batch_size: int,
    line_format: Literal["auto", "evgit", "cloudevents"],
    time: str | None,
    time_field: str | None,
    jobs: int | None,
    at_present: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    _check(source, git, revision, time, time_field, jobs)
    invocation: Invocation = context.obj
    with open_to_change() as repository:
        check_branch_exists(repository, branch)
        who = identity(repository)
        unknown_person = worth_saying(repository, who)
        report = ImportReport()
        interrupted = False
        with ProgressBar("importing", "events") as bar:

            def progress(so_far: ImportReport) -> None:
                nonlocal report
                report = so_far
                bar.update(so_far.done, so_far.total, f"{so_far.read:,} events")

            try:
                if git is not None:
                    report = import_git_history(
                        repository,
                        git,
                        revision or "HEAD",
                        batch_size=batch_size,
                        branch=branch,
                        now=at_present,
                        message=message,
                        author=who.author,
                        progress=progress,
                    )
                else:
                    report = import_lines(
                        repository,
                        source or "-",
                        batch_size=batch_size,
                        branch=branch,
                        format=line_format,
                        time=None if time is None else time_expression(time),
                        time_field=time_field,
                        now=at_present,
                        message=message,
                        author=who.author,
                        jobs=jobs,
                        progress=progress,
                    )
            except KeyboardInterrupt:
                interrupted = True
        start_gc_where_due(repository)
        if report.commits:
            events, commits = plural(report.appended, "event"), plural(report.commits, "commit")
            invocation.done(f"the import is stored: {events} in {commits}, up to {report.head}")
        _write_report(invocation, report, quiet=quiet, as_json=as_json)
        for warning in report.warnings:
            invocation.warn(warning)
        if unknown_person and report.commits:
            invocation.hint(GUESS_HINT)
        if interrupted:
            invocation.note("evgit: interrupted; what is listed above is stored")
            invocation.hint("run the same import again: it adds what is missing")
            context.exit(EXIT_INTERRUPTED)
        if report.commits and _shown_as_files(repository, branch) and not quiet:
            invocation.hint("`evgit checkout` writes the new state into the working tree")


def _check(
    source: str | None,
    git: str | None,
    revision: str | None,
    time: str | None,
    time_field: str | None,
    jobs: int | None,
) -> None:
    if (source is None) == (git is None):
        raise UsageError(
            "say what to import" if source is None else "give either FILE or --git, not both",
            hint="evgit import FILE, evgit import - for standard input, or evgit import --git DIR",
        )
    if git is None and revision is not None:
        raise UsageError("--revision belongs to --git", hint="leave it out")
    if git is not None and jobs is not None:
        raise UsageError("--jobs belongs to lines, not to --git", hint="leave it out")
    if git is not None and (time is not None or time_field is not None):
        raise UsageError("a Git history has its own times", hint="leave out --time, --time-field")


def _shown_as_files(repository: Repository, branch: str | None) -> bool:
    return repository.layout.worktree is not None and branch in (None, repository.head().branch)


def _write_report(
    invocation: Invocation, report: ImportReport, *, quiet: bool, as_json: bool
) -> None:
    with invocation.output() as output:
        if as_json:
            output.json(
                {
                    "read": report.read,
                    "appended": report.appended,
                    "already": report.already,
                    "twins": report.twins,
                    "commits": report.commits,
                    "head": report.head or None,
                    "warnings": report.warnings,
                }
            )
            return
        if quiet:
            return
        if not report.read:
            output.line("Nothing to import: no events in the input")
            return
        if not report.commits:
            output.line(f"Nothing new: {plural(report.already, 'event')} already in the history")
            return
        output.line(
            f"Appended {plural(report.appended, 'event')} in {plural(report.commits, 'commit')}; "
            f"the branch is at {output.style(short(report.head), 'yellow')}"
        )
        if report.already:
            output.line(f"{plural(report.already, 'event')} already in the history")
        if report.twins:
            output.line(f"{plural(report.twins, 'identical line')} told apart by a key")
