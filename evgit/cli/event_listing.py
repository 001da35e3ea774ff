"""Lists of events, with what each changed where that is asked for.

It knows how a list looks, and leaves to others which events are on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from evgit.cli.attribution_text import message_line
from evgit.cli.change_text import change_document, write_changes, write_statistics
from evgit.cli.changed_events import Changed, changed_events, with_changes
from evgit.cli.event_selection import Placed, events, only_tip
from evgit.cli.event_text import compact, event_document, event_line
from evgit.cli.history_end import HistoryEnd
from evgit.cli.invocation import Invocation
from evgit.cli.output import Output, shown_in_line
from evgit.cli.selection import Filters
from evgit.repository import Repository, Selection


class Look(msgspec.Struct, frozen=True):
    """How the list is to look: with changes in full, or as names; as JSON."""

    patch: bool
    stat: bool
    as_json: bool


def list_events(
    invocation: Invocation,
    repository: Repository,
    wanted: tuple[Selection, Filters, Sequence[str]],
    cut: Callable[[Iterable[Any]], Iterable[Any]],
    look: Look,
) -> None:
    """Write the events that are wanted, `cut` to as many as are to be seen.

    `wanted`: revisions, filters, and the documents or directories that events must have changed;
    none of these: all events.
    """
    selection, filters, places = wanted
    end = HistoryEnd()
    with invocation.paged() as output:
        if places:
            changed = cut(end.before(changed_events(repository, selection, filters, places)))
            _write_changed(output, changed, look)
        else:
            listing = cut(end.before(events(repository, selection, filters)))
            if look.patch or look.stat:
                tip = only_tip(selection)
                _write_changed(output, with_changes(repository, tip, listing), look)
            else:
                _write_events(output, listing, as_json=look.as_json)
        if look.as_json:
            end.hint(invocation)
        else:
            end.write(output)


def _write_events(output: Output, listing: Iterable[Placed], *, as_json: bool) -> None:
    for position, revision, event in listing:
        if as_json:
            output.json(event_document(event, position=position, revision=revision))
        else:
            output.line(event_line(output, event, position=position, revision=revision))


def _write_changed(output: Output, listing: Iterable[Changed], look: Look) -> None:
    for (position, revision, event), by, changes in listing:
        if look.as_json:
            document = event_document(event, position=position, revision=revision)
            document |= {"commit": by.commit_id, "actor": by.actor, "message": by.commit.message}
            if look.patch:
                document["changes"] = [change_document(change) for change in changes]
            output.json(document)
            continue
        said = ": ".join(text for text in (shown_in_line(by.actor), message_line(by)) if text)
        line = event_line(output, event, position=position, revision=revision)
        if not (look.patch or look.stat):
            output.line(f"{line}  {said}")
            continue
        output.line(line)
        output.line(f"        {said}")
        output.line(f"        {compact(event.data)}")
        for each in (write_changes if look.patch else write_statistics)(output, changes):
            output.line(f"        {each}")
