"""List, make, rename or delete branches.

    evgit branch                     list them; the current one has a star
    evgit branch -v                  with where they are; -vv: and what they follow
    evgit branch trial               make one at HEAD, and stay where you are
    evgit branch trial main~3        make one elsewhere; `main@{2015-06-01}` is a place, too
    evgit branch -m trial better     rename it
    evgit branch -d better           delete it; -D even if its events are on no other branch
    evgit branch --contains main~3   those that have a commit, or an event, in their history
    evgit branch --merged main       those whose commits main has all; --no-merged: the others

A branch is made at a whole commit, in no time, whatever the number of events and streams. `evgit
undo` brings a deleted one back. To make a branch and go there: evgit switch -c NAME.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import click

from evgit.cli.command import documented
from evgit.cli.event_text import short
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.output import Output
from evgit.cli.parameters import Branch, Revision, json_option
from evgit.cli.titles import commit_title
from evgit.cli.tracking_text import tracking_document, tracking_mark
from evgit.errors import UsageError
from evgit.repository import FoundEvent, Repository

HEADS = "refs/heads/"


@documented(__doc__, "branch")
@click.argument("name", required=False, type=Branch())
@click.argument("start", required=False, type=Revision(), metavar="[START]")
@click.option("-l", "--list", "listing", is_flag=True, help="List; NAME may be a pattern.")
@click.option(
    "-v", "--verbose", count=True, help="List with commit and title; -vv: and what each follows."
)
@click.option("-m", "--move", is_flag=True, help="Rename: [OLD] NEW.")
@click.option("-d", "--delete", is_flag=True, help="Delete NAME.")
@click.option("-D", "force_delete", is_flag=True, help="Delete even what no other branch has.")
@click.option("-f", "--force", is_flag=True, help="Move NAME if it exists already.")
@click.option(
    "--contains",
    is_flag=False,
    flag_value="HEAD",
    metavar="[REVISION]",
    help="List those that have this commit or event.",
)
@click.option(
    "--merged",
    is_flag=False,
    flag_value="HEAD",
    metavar="[REVISION]",
    help="List those that this commit's history holds.",
)
@click.option(
    "--no-merged",
    is_flag=False,
    flag_value="HEAD",
    metavar="[REVISION]",
    help="List those that it does not hold.",
)
@click.option("--show-current", is_flag=True, help="Print the current branch's name.")
@json_option("a line for each branch")
@click.pass_obj
def command(
    invocation: Invocation,
    name: str | None,
    start: str | None,
    listing: bool,
    verbose: int,
    move: bool,
    delete: bool,
    force_delete: bool,
    force: bool,
    contains: str | None,
    merged: str | None,
    no_merged: str | None,
    show_current: bool,
    as_json: bool,
) -> None:
    listing = listing or any(word is not None for word in (contains, merged, no_merged))
    if sum((move, delete or force_delete, listing or show_current)) > 1:
        raise UsageError("-m, -d and --list don't go together", hint="use one at a time")
    with open_to_change() as repository, invocation.output() as output:
        if show_current:
            output.line(repository.head().branch or "")
        elif move:
            _rename(invocation, repository, output, name, start)
        elif delete or force_delete:
            if name is None or start is not None:
                raise UsageError("give the one branch to delete", hint="evgit branch -d NAME")
            was = repository.branches.delete(name, force=force_delete or force)
            invocation.done(f"branch {name} is deleted (was {was})")
            output.line(f"Deleted branch {name} (was {short(was)})")
        elif name is None or listing:
            tests = _tests(repository, contains, merged, no_merged)
            _list(repository, output, name, tests, verbose=verbose, as_json=as_json)
        else:
            commit = repository.resolve_commit(start or "HEAD")
            repository.branches.create(name, commit, force=force)
            invocation.done(f"branch {name} is made at {commit}")
            output.line(f"Made branch {name} at {short(commit)}")


def _rename(
    invocation: Invocation,
    repository: Repository,
    output: Output,
    old: str | None,
    new: str | None,
) -> None:
    if old is None:
        raise UsageError("give the new name", hint="evgit branch -m [OLD] NEW")
    if new is None:
        old, new = repository.head().branch or "", old
        if not old:
            raise UsageError("no branch is checked out", hint="evgit branch -m OLD NEW")
    repository.branches.rename(old, new)
    invocation.done(f"branch {old} is now {new}")
    output.line(f"Branch {old} is now {new}")


def _tests(
    repository: Repository, contains: str | None, merged: str | None, no_merged: str | None
) -> list[Callable[[str], bool]]:
    """What must hold for the commit of a branch that is to be listed."""
    tests: list[Callable[[str], bool]] = []
    is_ancestor = repository.ancestry.is_ancestor
    if contains is not None:
        found = repository.resolve_any(contains)
        if isinstance(found, FoundEvent):
            event = found.id
            tests.append(lambda tip: repository.locate(event, tip) is not None)
        else:
            wanted = repository.resolve(contains).commit
            tests.append(lambda tip: is_ancestor(wanted, tip))
    if merged is not None:
        whole = repository.resolve(merged).commit
        tests.append(lambda tip: is_ancestor(tip, whole))
    if no_merged is not None:
        other = repository.resolve(no_merged).commit
        tests.append(lambda tip: not is_ancestor(tip, other))
    return tests


def _list(
    repository: Repository,
    output: Output,
    pattern: str | None,
    tests: Sequence[Callable[[str], bool]],
    *,
    verbose: int,
    as_json: bool,
) -> None:
    head = repository.head()
    refs = [
        (ref.name.removeprefix(HEADS), ref.target)
        for ref in repository.refs(HEADS)
        if (pattern is None or fnmatchcase(ref.name.removeprefix(HEADS), pattern))
        and all(fits(ref.target) for fits in tests)
    ]
    width = max((len(name) for name, _ in refs), default=0)
    if head.branch is None and pattern is None and not tests and not as_json:
        output.line(output.style(f"* (detached at {short(head.point.commit)})", "green"))
    for name, target in refs:
        current = name == head.branch
        entry = repository.commit(target) if verbose or as_json else None
        if as_json and entry is not None:
            output.json(
                {
                    "branch": name,
                    "commit": target,
                    "current": current,
                    "size": entry.commit.log.size,
                    "time": entry.commit.time,
                    "upstream": tracking_document(repository, name),
                }
            )
            continue
        shown = output.style(name.ljust(width if verbose else 0), *(["green"] if current else []))
        line = f"{'*' if current else ' '} {shown}"
        if entry is not None:
            title = commit_title(repository, entry)
            mark = tracking_mark(repository, name) if verbose > 1 else ""
            line += f" {output.style(short(target), 'yellow')} {f'{mark} ' if mark else ''}{title}"
        output.line(line)
