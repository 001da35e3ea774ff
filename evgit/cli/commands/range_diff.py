"""Compare a range of commits before and after a rebase.

    evgit range-diff main..trial@{1} main..trial

Commits correspond that have events in common: = the same events and guards, ! changed (and how), <
only in the old range, > only in the new one.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.event_text import short
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import Revision, json_option
from evgit.cli.rebase_text import place_of
from evgit.errors import UsageError
from evgit.repository import Repository


@documented(__doc__, "range-diff")
@click.argument("old", type=Revision(), metavar="A..B")
@click.argument("new", type=Revision(), metavar="C..D")
@json_option("a line for each pair")
@click.pass_obj
def command(invocation: Invocation, old: str, new: str, as_json: bool) -> None:
    with open_repository() as repository:
        pairs = repository.merging.range_diff(_ends(repository, old), _ends(repository, new))
        with invocation.paged() as output:
            for pair in pairs:
                if as_json:
                    output.json(pair.document())
                    continue
                names = [short(each) if each else "-" * 12 for each in (pair.old, pair.new)]
                title = place_of(repository, pair.new or pair.old or "").partition(" ")[2]
                output.line(f"{names[0]} {pair.mark} {names[1]} {title}")
                for stream, revisions in pair.guards.items():
                    said = " -> ".join("none" if r in (None, -1) else str(r) for r in revisions)
                    output.line(f"    guard {shown_in_line(stream)}: {said}")
                for mark, events in (("-", pair.missing), ("+", pair.added)):
                    for event_id in events:
                        output.line(f"    {mark} event {short(event_id)}")
                if pair.reordered:
                    output.line("    events in another order")


def _ends(repository: Repository, word: str) -> tuple[str, str]:
    found = repository.resolver().select([word])
    if len(found.include) == len(found.exclude) == 1:
        return found.exclude[0].commit, found.include[0].commit
    raise UsageError(f"{word!r} is no range", hint="evgit range-diff A..B C..D")
