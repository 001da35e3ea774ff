"""Show what differs between two states, field by field.

    evgit diff                        files of the working tree against HEAD: what was edited
    evgit diff main~3                 ... against main~3
    evgit diff main~3 main            two states (`main~3..main` is the same)
    evgit diff main calm -- streams/account-42.json
    evgit diff --stat 'main@{yesterday}' main
    evgit diff --events main calm     the events that only one of the two has

`A...B` compares B with the point where it left A. Paths name documents or directories.

With --json, one line for each document: path, change, and its fields as JSON pointers (RFC 6901)
with old and new values; with --events, one line for each event and the side that has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from evgit.cli.change_text import change_document, write_changes, write_names, write_statistics
from evgit.cli.command import documented
from evgit.cli.documents import document_path, has_documents, split_words, whole_state
from evgit.cli.event_selection import only_in
from evgit.cli.event_text import compact, event_document, event_line
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import state_options
from evgit.cli.opening import open_repository
from evgit.cli.output import Output
from evgit.cli.parameters import Revision, json_option
from evgit.cli.selection import chosen, common_ancestor
from evgit.cli.tree_files import file_changes
from evgit.errors import UsageError
from evgit.repository import DocumentChange, Point, Repository

Sides = tuple[Point, Point | None]  # None: the files of the working tree


@documented(__doc__, "diff", paths=True)
@click.argument("words", nargs=-1, type=Revision(), metavar="[REVISION [REVISION]]")
@click.option("--stat", is_flag=True, help="Only how many fields of which documents.")
@click.option("--name-only", is_flag=True, help="Only the documents' paths.")
@click.option("--events", "as_events", is_flag=True, help="The events that only one side has.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there are differences.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; implies --exit-code.")
@state_options
@json_option("a line for each document or event")
@click.pass_context
def command(
    context: click.Context,
    words: tuple[str, ...],
    paths: tuple[str, ...],
    stat: bool,
    name_only: bool,
    as_events: bool,
    exit_code: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    if sum((stat, name_only, as_events, as_json and not as_events)) > 1:
        raise UsageError("--stat, --name-only, --events and --json don't go together")
    invocation: Invocation = context.obj
    with open_repository() as repository:
        revisions = list(words)
        if not paths:
            revisions, found = split_words(repository, revisions)
            paths = tuple(found)
        revisions = [whole_state(word) for word in revisions]
        places = [document_path(repository, path) for path in paths]
        if as_events and places:
            raise UsageError(
                "--events compares logs, which have no documents",
                hint="the events of one stream: evgit log --events --stream NAME A..B",
            )
        sides = _sides(invocation, repository, revisions)
        with invocation.paged() as output:
            if as_events:
                differs = _write_events(repository, output, sides, quiet=quiet, as_json=as_json)
            else:
                changes = _changes(repository, sides, places)
                if quiet:
                    differs = any(True for _ in changes)
                elif as_json:
                    differs = _write_json(output, changes)
                else:
                    lines = (
                        write_statistics if stat else write_names if name_only else write_changes
                    )(output, changes)
                    differs = _write_lines(output, lines)
        if not differs and not as_events:
            _hint_at_nothing(invocation, repository, sides, places)
    if differs and (exit_code or quiet):
        context.exit(1)


def _hint_at_nothing(
    invocation: Invocation, repository: Repository, sides: Sides, places: list[str]
) -> None:
    """Say which paths name nothing on either side: nothing differs there, but perhaps mistyped."""
    states = [repository.state(side) for side in sides if side is not None]
    for place in places:
        if not any(has_documents(state, place) for state in states):
            invocation.hint(
                f"neither side has a document {place!r}; `evgit ls-tree REV` lists them"
            )


def _write_json(output: Output, changes: Iterable[DocumentChange]) -> bool:
    differs = False
    for change in changes:
        differs = True
        output.json(change_document(change))
    return differs


def _write_lines(output: Output, lines: Iterable[str]) -> bool:
    differs = False
    for line in lines:
        differs = True
        output.line(line)
    return differs


def _sides(invocation: Invocation, repository: Repository, words: list[str]) -> Sides:
    """What to compare with what."""
    if len(words) > 2:
        raise UsageError(
            f"{len(words)} revisions were given, and a diff has two sides",
            hint="evgit diff A B; paths go after --",
        )
    if not words:
        return repository.resolve("HEAD"), None
    selection = chosen(invocation, repository, words)
    include, exclude, symmetric = selection.include, selection.exclude, selection.symmetric
    if len(words) == 1 and len(include) == 1 and len(exclude) == 1:
        return exclude[0], include[0]
    if len(words) == 1 and len(symmetric) == 1:
        left, right = symmetric[0]
        return repository.resolve(common_ancestor(repository, left.commit, right.commit)), right
    if exclude or symmetric:
        raise UsageError(
            "a diff takes one range, or one or two revisions",
            hint="evgit diff A B, evgit diff A..B",
        )
    return include[0], include[1] if len(include) == 2 else None


def _changes(repository: Repository, sides: Sides, places: list[str]) -> Iterator[DocumentChange]:
    old, new = sides
    if new is None:
        yield from file_changes(repository, old, places)
        return
    for place in places or [""]:
        yield from repository.diff(old, new, place or None)


def _write_events(
    repository: Repository, output: Output, sides: Sides, *, quiet: bool, as_json: bool
) -> bool:
    old, new = sides
    if new is None:
        new = repository.resolve("HEAD")
    differs = False
    for mark, tip, other in (("-", old, new), ("+", new, old)):
        for position, revision, event in only_in(repository, tip, other):
            differs = True
            if quiet:
                return True
            if as_json:
                side = "old" if mark == "-" else "new"
                document = event_document(event, position=position, revision=revision)
                output.json({"side": side} | document)
                continue
            line = event_line(output, event, position=position, revision=revision)
            output.line(f"{output.style(mark, 'red' if mark == '-' else 'green')} {line}")
            output.line(f"          {compact(event.data)}")
    return differs
