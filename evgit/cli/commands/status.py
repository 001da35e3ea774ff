"""Show the branch, and how the working tree differs from it.

    evgit status
    evgit status -s       one line for each file

With -s: M edited by hand, D deleted by hand, O outdated (a checkout changes it), ! not evgit's
where a document belongs, ? not evgit's beside documents, S no file can have this name, R the file
has another name than its document, since its own is taken here.
"""

from __future__ import annotations

from typing import Any

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_selection import shared_beginning
from evgit.cli.event_text import short
from evgit.cli.head_moves import place, where
from evgit.cli.in_progress import in_progress_document, in_progress_lines
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import state_options
from evgit.cli.opening import open_repository
from evgit.cli.output import Output, shown_in_line
from evgit.cli.parameters import json_option
from evgit.cli.tracking_text import tracking_document, tracking_line
from evgit.errors import ModelError
from evgit.repository import Head, Point, Repository, Status

MOST_LISTED = 20
LISTS = (
    ("modified", "M", "red", "Edited by hand (`evgit restore FILE` writes it anew):"),
    ("deleted", "D", "red", "Deleted by hand (`evgit restore FILE` brings it back):"),
    ("outdated", "O", "yellow", "Outdated (`evgit checkout` brings them up to date):"),
    ("in_the_way", "!", "red", "Not evgit's, and where a document belongs:"),
    ("untracked", "?", "dim", "Not evgit's, beside documents:"),
)


@documented(__doc__, "status")
@click.option("-s", "--short", "briefly", is_flag=True, help="One line for each file.")
@state_options
@json_option("one document")
@click.pass_obj
def command(invocation: Invocation, briefly: bool, as_json: bool) -> None:
    with open_repository() as repository, invocation.paged() as output:
        head = repository.head()
        status, broken = None, None
        if repository.layout.worktree is not None:
            try:
                status = repository.working_tree.status(repository.state(head.point))
            except ModelError as error:
                broken = error
        if as_json:
            output.json(_document(repository, head, status, broken))
        elif briefly:
            if status is not None:
                _write_briefly(output, status)
        else:
            output.line(f"{where(repository, head)}: {plural(head.point.size, 'event')}")
            follows = tracking_line(repository, head.branch) if head.branch else None
            if follows is not None:
                output.line(follows)
            for boundary in repository.boundaries:
                output.line(
                    f"Shallow: {short(boundary.id)} and what came before, "
                    f"{plural(boundary.size, 'event')}, are not here; states begin with one "
                    f"that is unverified, from {boundary.taken_from}"
                )
            for line in in_progress_lines(repository):
                output.line(line)
            if broken is None:
                _write(repository, output, head, status)
            else:
                output.line("What the files should hold is not known: the model fails.")
    if broken is not None:
        raise broken


def _document(
    repository: Repository, head: Head, status: Status | None, broken: ModelError | None
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "branch": head.branch,
        "commit": head.point.commit,
        "size": head.point.size,
        "bare": repository.layout.worktree is None,
        "upstream": tracking_document(repository, head.branch),
        "in_progress": in_progress_document(repository),
    }
    if broken is not None:
        document["error"] = broken.message
    if repository.boundaries:
        document["shallow"] = [
            {"commit": boundary.id, "size": boundary.size, "from": boundary.taken_from}
            for boundary in repository.boundaries
        ]
    if status is None:
        return document
    shown = status.shown
    document["clean"] = status.clean
    document["shown"] = None if shown is None else {"commit": shown.commit, "size": shown.size}
    document["behind"] = None if shown is None else behind(repository, shown, head.point)
    for name, _, _, _ in LISTS:
        document[name] = getattr(status, name)
    document["skipped"] = [{"path": s.path, "reason": s.reason} for s in status.skipped]
    document["renamed"] = [{"path": r.path, "file": r.file} for r in status.renamed]
    return document


def behind(repository: Repository, shown: Point, head: Point) -> int | None:
    """By how many events the files lag behind HEAD; None where they show something else."""
    if shown == head:
        return 0
    log = repository.log(head)
    older = repository.log(shown)
    if older.size > log.size or shared_beginning(older, log) < older.size:
        return None
    return log.size - older.size


def _write_briefly(output: Output, status: Status) -> None:
    for name, mark, colour, _ in LISTS:
        for path in getattr(status, name):
            output.line(f"{output.style(mark, colour)} {shown_in_line(path)}")
    for skipped in status.skipped:
        output.line(f"S {shown_in_line(skipped.path)}: {shown_in_line(skipped.reason)}")
    for renamed in status.renamed:
        output.line(f"R {shown_in_line(renamed.path)} -> {shown_in_line(renamed.file)}")


def _write(repository: Repository, output: Output, head: Head, status: Status | None) -> None:
    if status is None:
        output.line("No working tree: this repository is bare.")
        return
    _write_shown(repository, output, head, status)
    for name, _, colour, heading in LISTS:
        _write_list(output, heading, getattr(status, name), colour)
    skipped = [f"{s.path} ({s.reason})" for s in status.skipped]
    _write_list(output, "Documents that have no file:", skipped, "yellow")
    renamed = [f"{r.path} -> {r.file}" for r in status.renamed]
    heading = "Files with another name than their document, since its own is taken here:"
    _write_list(output, heading, renamed, "yellow")


def _write_shown(repository: Repository, output: Output, head: Head, status: Status) -> None:
    shown = status.shown
    if status.clean:
        output.line("The files show this state.")
    elif shown is None:
        output.line("The files have not been written yet: evgit checkout")
    elif shown != head.point:
        lag = behind(repository, shown, head.point)
        if lag:
            output.line(f"The files are {plural(lag, 'event')} behind: evgit checkout")
        else:
            output.line(f"The files show {place(repository, shown)}: evgit checkout")


def _write_list(output: Output, heading: str, lines: list[str], colour: str) -> None:
    if not lines:
        return
    output.line()
    output.line(heading)
    for line in lines[:MOST_LISTED]:
        output.line(f"    {output.style(shown_in_line(line), colour)}")
    if len(lines) > MOST_LISTED:
        output.line(f"    … and {len(lines) - MOST_LISTED:,} more (-s lists all)")
