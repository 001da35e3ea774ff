"""Show a commit, an event, a tag, or a document at some point.

    evgit show                                 the last commit with its events
    evgit show main~3
    evgit show account-42@7                    an event by its stream's revision
    evgit show 3f2a91c04d1e                    whatever has an id that begins so
    evgit show HEAD:streams/account-42.json    a document as it is in the working tree
    evgit show 'main@{2026-11-17T15:00Z}:streams/account-42.json'
    evgit show main#500                        the event at position 500

Several can be shown at once. With --json, one document for each. Of a commit, the first 50
events are listed; -n 0 lists none, --all every one. Of the commit that a shallow clone begins at,
that they are not here is said (with --json: `absent`).
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import commit_document, commit_lines, plural
from evgit.cli.decorations import decorations
from evgit.cli.documents import file_bytes, missing_document, names_below
from evgit.cli.event_selection import placed
from evgit.cli.event_text import (
    compact,
    event_document,
    event_line,
    plain,
    time_text,
    write_event,
)
from evgit.cli.history_end import HistoryEnd
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import state_options
from evgit.cli.opening import open_repository
from evgit.cli.output import Output, shown, shown_in_line
from evgit.cli.parameters import Count, Revision, json_option
from evgit.cli.revision_text import resolved
from evgit.errors import UnknownObject
from evgit.repository import (
    FoundBlob,
    FoundDocument,
    FoundEvent,
    FoundTag,
    Point,
    Repository,
    Resolved,
)

MOST = 50


@documented(__doc__, "show")
@click.argument("revisions", nargs=-1, type=Revision(), metavar="[REVISION]...")
@click.option(
    "-n", "limit", type=Count(min=0), default=MOST, metavar="N", help="List at most N events."
)
@click.option("--all", "every", is_flag=True, help="List every event of a commit.")
@state_options
@json_option("a document for each")
@click.pass_obj
def command(
    invocation: Invocation, revisions: tuple[str, ...], limit: int, every: bool, as_json: bool
) -> None:
    with open_repository() as repository:
        # All are looked up before the first is shown, so that a wrong name shows nothing.
        found = [(word, resolved(invocation, repository, word)) for word in revisions or ("HEAD",)]
        with invocation.paged() as output:
            shower = _Shower(
                invocation, repository, output, None if every else limit, as_json=as_json
            )
            for number, (word, what) in enumerate(found):
                if number and not as_json:
                    output.line()
                shower.show(word, what)


class _Shower:
    """Shows one thing after the other."""

    def __init__(
        self,
        invocation: Invocation,
        repository: Repository,
        output: Output,
        limit: int | None,
        *,
        as_json: bool,
    ) -> None:
        self._invocation = invocation
        self._repository = repository
        self._output = output
        self._limit = limit
        self._as_json = as_json

    def show(self, word: str, what: Resolved) -> None:
        """Show what a word stands for."""
        match what:
            case Point():
                self._commit(what)
            case FoundEvent():
                self._event(what)
            case FoundTag(tag_id):
                self._tag(tag_id)
            case FoundBlob(blob_id):
                for chunk in self._repository.blobs.chunks(blob_id):
                    self._output.raw(chunk)
            case FoundDocument(point, path):
                self._document(word, point, path)

    def _commit(self, point: Point) -> None:
        repository, output = self._repository, self._output
        entry = repository.commit(point.commit)
        start = entry.size_before
        if repository.log(entry.id).floor == entry.commit.log.size:  # a boundary: its own are known
            start = min(point.size, entry.commit.log.size - entry.commit.events)
        count = point.size - start
        stop = point.size
        if self._limit is not None:
            stop = min(stop, start + self._limit)
        end = HistoryEnd()
        events = end.before(placed(repository, point, start, stop))
        if self._as_json:
            document = commit_document(entry.id, entry.commit)
            document["added"] = [
                event_document(event, position=position, revision=revision)
                for position, revision, event in events
            ]
            if end.met:
                document["absent"] = True
            output.json(document)
            end.hint(self._invocation)
            return
        for line in commit_lines(output, entry.id, entry.commit, decorations(repository)):
            output.line(line)
        if point.size < entry.commit.log.size:
            output.line()
            whole = entry.commit.log.size - start
            output.line(
                f"    as of this point: the first {count:,} of the {whole:,} events it added"
            )
        if count and stop > start:
            output.line()
        for position, revision, event in events:
            output.line(event_line(output, event, position=position, revision=revision))
            output.line(f"        {compact(event.data)}")
        end.write(output)
        if stop < point.size and not end.met:
            output.line(f"        … {plural(point.size - stop, 'more event')} (--all lists them)")

    def _event(self, found: FoundEvent) -> None:
        repository = self._repository
        event = repository.event(found.id)
        position = found.position
        point = found.point or repository.resolve("HEAD")
        if position is None:
            position = repository.locate(found.id, point)
        revision = commit = None
        if position is not None:
            here = Point(point.commit, position + 1)
            revision = repository.stream_revision(event.stream, here)
            commit = repository.commit_adding(position, here)
        if self._as_json:
            document = event_document(event, position=position, revision=revision)
            self._output.json(document if commit is None else document | {"commit": commit})
            return
        write_event(self._output, event, position=position, revision=revision, commit=commit)
        if position is None:
            self._output.line()
            self._output.line("(stored, but not in the log of HEAD)")

    def _tag(self, tag_id: str) -> None:
        tag = self._repository.tag(tag_id)
        if tag is None:
            raise UnknownObject(f"there is no tag object {tag_id}")
        if self._as_json:
            members = plain(tag)
            members.pop("kind", None)
            self._output.json({"id": tag_id} | members)
            return  # one document for each revision: the target is asked for by its own id
        self._output.line(self._output.style(f"tag {tag.name}", "yellow"))
        self._output.line(f"Tagger: {shown_in_line(tag.tagger)}")
        self._output.line(f"Date:   {time_text(tag.time)}")
        self._output.line(f"Target: {tag.target}")
        if tag.message.strip():
            self._output.line()
            for line in shown(tag.message.strip()).split("\n"):
                self._output.line(f"    {line}")
        self._output.line()
        self.show(tag.target, self._repository.resolve_any(tag.target))

    def _document(self, word: str, point: Point, path: str) -> None:
        state = self._repository.state(point)
        document = state.document(path) if path else None
        if document is not None:
            self._output.raw(document + b"\n" if self._as_json else file_bytes(path, document))
            return
        names = names_below(state, path)
        if not names and path:
            raise missing_document(state, word.removesuffix(f":{path}"), path)
        for name in names:
            if self._as_json:
                self._output.json({"path": name})
            else:
                self._output.line(shown_in_line(name))
