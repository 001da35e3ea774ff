"""See what would be if an event had not happened, or another had.

A new branch tells the history anew, from the first change on, without some events or with others
inserted. It forks off before that, keeps the times at which everything was recorded, and shares all
that came earlier. The real branch is not touched.

    evgit what-if --without account-42@7 -b calm
    evgit what-if --without 3fa94c01 --without 9be02d44
    evgit what-if --insert refund.jsonl --at 500      before the event at position 500
    evgit diff main calm                              what is different then

It reports which guards and invariants fail on the new branch that did not fail before; commits of
which only a part is left, since what was decided at once is torn then; and which documents differ.
The file of --insert has JSON lines as `evgit commit` takes them; - is standard input. Without -b,
the branch is called what-if-1, what-if-2, and so on. `evgit branch -D` removes it.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from itertools import islice
from typing import Any

import click

from evgit.bridges.named_files import open_to_read
from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_arguments import events_from_lines
from evgit.cli.event_text import short
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.output import Output, shown_in_line
from evgit.cli.parameters import Branch, Count, Revision, json_option
from evgit.cli.rebase_text import place_of, problem_lines
from evgit.errors import ModelError, UsageError
from evgit.repository import Repository, Tried

LISTED = 20


@documented(__doc__, "what-if")
@click.argument("revision", required=False, type=Revision(), metavar="[REVISION]")
@click.option("--without", multiple=True, metavar="EVENT", help="Leave this event out.")
@click.option("--insert", "file", metavar="FILE", help="Insert the events of this file.")
@click.option("--at", type=Count(min=0), metavar="POS", help="Before this position [the end].")
@click.option("-b", "--branch", type=Branch(), help="Name of the new branch.")
@json_option("one document")
@click.pass_obj
def command(
    invocation: Invocation,
    revision: str | None,
    without: tuple[str, ...],
    file: str | None,
    at: int | None,
    branch: str | None,
    as_json: bool,
) -> None:
    if at is not None and file is None:
        raise UsageError("--at says where to insert events", hint="--insert FILE --at 500")
    with open_to_change() as repository:
        tip = repository.resolve_commit(revision or "HEAD")
        insert = None
        if file is not None:
            with nullcontext(sys.stdin.buffer) if file == "-" else open_to_read(file) as source:
                insert = repository.batch(events_from_lines(source))
        found = repository.merging.what_if(
            tip,
            without=[repository.resolver().event(word).id for word in without],
            insert=insert,
            at=at,
            branch=branch,
        )
        invocation.done(f"branch {found.branch} is made at {found.head}")
        differing = _differing(invocation, repository, tip, found)
        with invocation.output() as output:
            if as_json:
                output.json(_document(found, differing))
            else:
                _write(repository, output, found)
                _write_differing(output, differing)
        if not as_json and differing is not None:
            invocation.hint(f"evgit diff {revision or 'HEAD'} {found.branch}")


def _differing(
    invocation: Invocation, repository: Repository, tip: str, found: Tried
) -> tuple[list[str], int] | None:
    """The first documents that differ, and how many more there are; None if the model fails."""
    try:
        paths = (change.path for change in repository.diff(tip, found.head))
        first = list(islice(paths, LISTED))
        return first, sum(1 for _ in paths)
    except ModelError as error:
        invocation.warn(f"the state of {found.branch} can't be computed: {error.message}")
        return None


def _document(found: Tried, differing: tuple[list[str], int] | None) -> dict[str, Any]:
    first, more = ([], 0) if differing is None else differing
    return {
        "branch": found.branch,
        "base": found.base,
        "head": found.head,
        "commits": found.commits,
        "left_out": found.left_out,
        "inserted": found.inserted,
        "torn": found.torn,
        "problems": [problem.document() for problem in found.problems],
        "held_back": found.held_back,
        "differing": None if differing is None else len(first) + more,
        "documents": first,
    }


def _write(repository: Repository, output: Output, found: Tried) -> None:
    told = plural(found.commits, "commit")
    output.line(f"Made branch {found.branch} at {short(found.head)}: {told} told anew")
    for commit in found.torn[:LISTED]:
        output.line(f"Torn: {place_of(repository, commit)}")
    if len(found.torn) > LISTED:
        output.line(f"… and {len(found.torn) - LISTED:,} more")
    if found.held_back:
        output.line(f"{plural(len(found.held_back), 'event')} left out earlier, and still:")
        for event_id in found.held_back[:LISTED]:
            event = repository.event(event_id)
            name = f"{shown_in_line(event.stream)}: {shown_in_line(event.type)}"
            output.line(f"    {short(event_id)} {name}")
    if not found.problems:
        output.line("Nothing speaks against it")
    by_commit: dict[str, list[Any]] = {}
    for problem in found.problems:
        by_commit.setdefault(problem.commit, []).append(problem)
    for commit, problems in islice(by_commit.items(), LISTED):
        output.line(f"Fails at {place_of(repository, commit)}:")
        for line in problem_lines(repository, problems):
            output.line(line)
    if len(by_commit) > LISTED:
        output.line(f"… and at {len(by_commit) - LISTED:,} more commits (--json lists all)")


def _write_differing(output: Output, differing: tuple[list[str], int] | None) -> None:
    if differing is None:
        output.line("Which documents differ is not known, since the model fails")
        return
    first, more = differing
    count = len(first) + more
    output.line(f"{plural(count, 'document')} {'differs' if count == 1 else 'differ'}")
    for path in first:
        output.line(f"    {shown_in_line(path)}")
    if more:
        output.line(f"    … and {more:,} more")
