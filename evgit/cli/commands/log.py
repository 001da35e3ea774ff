"""Show the history: commits, or events.

Newest first. Without a REVISION, the history of HEAD; `A..B` is what B has and A does not, `^A`
leaves out what A has.

    evgit log -n 3                     the last three commits
    evgit log --oneline --graph        each on one line, with the lines of descent
    evgit log --oneline --graph --all  the same of all branches, tags and remotes
    evgit log main~3..main             what the last three commits added
    evgit log --left-right main...trial        what only one of them has: < main, > trial
    evgit log --events -n 10           the last ten events, whatever commits brought them
    evgit log --events --stream account-42
    evgit log --type 'deposit_*' --since '3 days ago'
    evgit log -p -n 1                  with the changes that the commit made to the documents
    evgit log --events -p -n 3         with the changes that each event made
    evgit log -- streams/account-42.json      the events that changed a document
    evgit log -p main~9..main -- streams      what happened in a directory, and how

--since and --until look at the time of recording of commits, and with --events at the time when
the event happened. --grep looks into messages, and with --events into the events' text. --stream,
--type, --author and --grep may be given several times: one of each must fit. --stream and --type
are patterns (`account-*`), in which `[*]` stands for a star itself.

With a PATH, a document or a directory, the events are listed that changed something there, with who
did it and the message of the commit.

With --json, one line of JSON for each commit or event; with -p too, what each event changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import (
    Decorations,
    commit_document,
    commit_line,
    commit_lines,
)
from evgit.cli.decorations import decorations
from evgit.cli.documents import split_words
from evgit.cli.history_end import HistoryEnd
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import model_option
from evgit.cli.opening import open_repository
from evgit.cli.output import Output
from evgit.cli.parameters import Revision, json_option, limit_option, skip_option
from evgit.cli.selection import (
    CommitTest,
    Filters,
    chosen,
    compiled,
    is_pattern,
    sides,
    time_bound,
    walk,
)
from evgit.cli.titles import commit_title
from evgit.errors import BehindBoundary, UsageError
from evgit.formats.names import STREAM_REFS, parse_stream_ref
from evgit.repository import CommitEntry, Repository, Selection

if TYPE_CHECKING:
    from evgit.cli.graph_lines import Drawing

Item = TypeVar("Item")


@documented(__doc__, "log", count_option=True, paths=True)
@click.argument("revisions", nargs=-1, type=Revision(), metavar="[REVISION]...")
@limit_option
@skip_option
@click.option("--reverse", is_flag=True, help="Oldest first, of those that would be shown.")
@click.option("--oneline", is_flag=True, help="One line for each commit.")
@click.option("--graph", is_flag=True, help="Draw the lines of descent.")
@click.option("--left-right", is_flag=True, help="Say which side of A...B has a commit: < or >.")
@click.option("-p", "--patch", is_flag=True, help="With the changes of documents.")
@click.option("--stat", is_flag=True, help="With the names of the documents that changed.")
@click.option("--events", "as_events", is_flag=True, help="List events in place of commits.")
@click.option("--all", "every", is_flag=True, help="Of all branches and tags, and of HEAD.")
@click.option("--first-parent", is_flag=True, help="Follow first parents only.")
@click.option("--since", "--after", metavar="TIME", help="Not before TIME.")
@click.option("--until", "--before", metavar="TIME", help="Not after TIME.")
@click.option(
    "--stream", "streams", multiple=True, metavar="PATTERN", help="With events of this stream."
)
@click.option("--type", "types", multiple=True, metavar="PATTERN", help="With events of this type.")
@click.option("--author", "authors", multiple=True, metavar="REGEX", help="By this author.")
@click.option("--grep", "patterns", multiple=True, metavar="REGEX", help="That say this.")
@click.option("-i", "--ignore-case", is_flag=True, help="--author and --grep ignore case.")
@model_option
@json_option("a line for each commit or event")
@click.pass_obj
def command(
    invocation: Invocation,
    revisions: tuple[str, ...],
    paths: tuple[str, ...],
    limit: int | None,
    skip: int,
    reverse: bool,
    oneline: bool,
    graph: bool,
    left_right: bool,
    patch: bool,
    stat: bool,
    as_events: bool,
    every: bool,
    first_parent: bool,
    since: str | None,
    until: str | None,
    streams: tuple[str, ...],
    types: tuple[str, ...],
    authors: tuple[str, ...],
    patterns: tuple[str, ...],
    ignore_case: bool,
    as_json: bool,
) -> None:
    _refuse_together(graph=graph, reverse=reverse)
    _refuse_together(graph=graph, json=as_json)
    _refuse_together(graph=graph, events=as_events)
    if left_right and (as_events or paths or not any("..." in word for word in revisions)):
        raise UsageError(
            "--left-right tells the commits of two sides apart, and there are none",
            hint="evgit log --left-right main...trial",
        )
    filters = Filters(
        since=time_bound(since),
        until=time_bound(until),
        streams=streams,
        types=types,
        authors=compiled(authors, "--author", ignore_case=ignore_case),
        patterns=compiled(patterns, "--grep", ignore_case=ignore_case),
    )
    with open_repository() as repository:
        if not paths:
            words, found = split_words(repository, list(revisions))
            revisions, paths = tuple(words), tuple(found)
        if every:
            if as_events or paths:
                raise UsageError(
                    "--all takes commits of all branches, and events have places in one log",
                    hint="name one branch, or leave --events and paths out",
                )
            shared = ("refs/heads/", "refs/remotes/", "refs/tags/")
            names = [ref.name for ref in repository.refs("refs/") if ref.name.startswith(shared)]
            revisions = (*revisions, *names, "HEAD")
        if paths and graph:
            raise UsageError(
                "--graph draws commits, and with a path the events are listed that changed it",
                hint="leave --graph out",
            )
        places: list[str] = []
        if paths:
            from evgit.cli.provenance_words import documents_or_directories

            places = documents_or_directories(repository, paths)
        selection = _selected(invocation, repository, revisions, filters)

        def cut(items: Iterable[Item]) -> Iterable[Item]:
            shown = islice(items, skip, None if limit is None else skip + limit)
            return reversed(list(shown)) if reverse else shown

        if places or as_events:
            from evgit.cli.event_listing import Look, list_events  # most list commits

            look = Look(patch=patch, stat=stat, as_json=as_json)
            list_events(invocation, repository, (selection, filters, places), cut, look)
            return
        marks = sides(repository, selection) if left_right else {}
        end = HistoryEnd()
        entries = end.before(walk(repository, selection, first_parent=first_parent))
        fits = CommitTest(repository, selection, filters)
        with invocation.paged() as output:
            if as_json:
                _write_documents(output, cut(filter(fits, entries)), marks if left_right else None)
                end.hint(invocation)
                return
            writer = _CommitWriter(
                repository, output, marks, oneline=oneline, patch=patch, stat=stat
            )
            if graph:
                last = None if limit is None else skip + limit
                writer.write_graph(entries, fits, range(skip, last or 1 << 62), first_parent)
            else:
                writer.write(cut(filter(fits, entries)))
            end.write(output)


def _selected(
    invocation: Invocation, repository: Repository, revisions: tuple[str, ...], filters: Filters
) -> Selection:
    """The revisions, HEAD by default. The ref of a stream also chooses the stream."""
    for word in revisions:
        if word.startswith(STREAM_REFS):
            filters.streams = [*filters.streams, parse_stream_ref(word)[1]]
    selection = chosen(invocation, repository, revisions or ("HEAD",))
    if not selection.include and not selection.symmetric:
        head = repository.resolve("HEAD")
        selection = Selection((head,), selection.exclude)
    tips = [*selection.include, *(point for pair in selection.symmetric for point in pair)]
    for name in filters.streams:
        if not is_pattern(name) and all(repository.stream_revision(name, t) < 0 for t in tips):
            invocation.hint(f"there is no stream {name!r} here; `evgit streams` lists them")
    return selection


def _refuse_together(**flags: bool) -> None:
    if all(flags.values()):
        names = " and ".join(f"--{name}" for name in flags)
        raise UsageError(f"{names} don't go together", hint="leave one of them out")


def _write_documents(
    output: Output, entries: Iterable[CommitEntry], marks: Mapping[str, str] | None
) -> None:
    for entry in entries:
        document = commit_document(entry.id, entry.commit)
        if marks is not None:
            document["side"] = {"<": "left", ">": "right"}.get(marks.get(entry.id, ""))
        output.json(document)


class _CommitWriter:
    """Writes commits in the chosen form."""

    def __init__(
        self,
        repository: Repository,
        output: Output,
        marks: Mapping[str, str],
        *,
        oneline: bool,
        patch: bool,
        stat: bool,
    ) -> None:
        """`marks`: which side of A...B a commit is of."""
        self._marks = marks
        self._repository = repository
        self._output = output
        self._oneline = oneline
        self._patch = patch
        self._stat = stat
        self._names: Decorations = decorations(repository)

    def write(self, entries: Iterable[CommitEntry]) -> None:
        """One after the other."""
        first = True
        for entry in entries:
            if not first and not self._oneline:
                self._output.line()
            first = False
            mark = f"{self._marks.get(entry.id, '=')} " if self._marks else ""
            for line in self._lines(entry):
                self._output.line(mark + line)
                mark = ""

    def write_graph(
        self,
        entries: Iterable[CommitEntry],
        fits: Callable[[CommitEntry], bool],
        shown: range,
        first_parent: bool,
    ) -> None:
        """Those that fit, with the lines of descent at the left.

        Every commit takes part in the drawing, so that the lines lead from one shown to the next.
        """
        from evgit.cli.graph_lines import Graph

        graph = Graph()
        number = 0
        for entry in entries:
            parents = entry.commit.parents[:1] if first_parent else entry.commit.parents
            drawing = graph.add(entry.id, parents, self._marks.get(entry.id, "*"))
            fitting = fits(entry)
            visible = fitting and number in shown
            number += fitting
            if number >= shown.stop and not visible:
                return
            lines = self._lines(entry) if visible else []
            if visible and not self._oneline:
                lines.append("")
            if number > shown.start or visible:
                self._write_drawing(drawing, lines)

    def _write_drawing(self, drawing: Drawing, lines: list[str]) -> None:
        for row in drawing.above:
            self._output.line(row)
        if lines:
            self._output.line(f"{drawing.own} {lines[0]}")
        rest = iter(lines[1:])
        for row in drawing.below:
            self._output.line(f"{row} {next(rest, '')}".rstrip())
        for line in rest:
            self._output.line(f"{drawing.beside} {line}".rstrip())

    def _lines(self, entry: CommitEntry) -> list[str]:
        if self._oneline:
            title = commit_title(self._repository, entry)
            lines = [commit_line(self._output, entry.id, title, self._names)]
        else:
            lines = commit_lines(self._output, entry.id, entry.commit, self._names)
        if (self._patch or self._stat) and entry.commit.parents:
            from evgit.cli.change_text import write_changes, write_statistics

            write: Callable[..., Iterator[str]] = write_changes if self._patch else write_statistics
            try:
                changes = self._repository.diff(entry.commit.parents[0], entry.id)
                found = list(write(self._output, changes))
            except BehindBoundary as error:  # the state there, by this model
                found = [self._output.style(f"(changes not known: {error.message})", "dim")]
            if found:
                lines += found if self._oneline else ["", *found]
        return lines
