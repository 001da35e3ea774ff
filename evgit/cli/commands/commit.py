"""Append events as one commit.

One event, with -s and -t; its data as JSON, or as key=value pairs whose values are JSON where
they read as JSON, else strings:

    evgit commit -s account-42 -t deposit_made -d '{"amount": 500}'
    evgit commit -s account-42 -t deposit_made amount=500 note='first pay'
    evgit commit -s account-42 -t statement_sent -d @statement.json

Several events, to any number of streams, all or none of them: JSON lines on standard input.
Each line has a stream and a type, and may have data, time, version, key, meta and blobs:

    evgit commit -m 'Transfer' <<'END'
    {"stream": "account-42", "type": "money_sent", "data": {"amount": 5}}
    {"stream": "account-7", "type": "money_received", "data": {"amount": 5}}
    END

Where there is a model, the events must be of types and versions that it knows and must break none
of its invariants: else nothing is appended, and the exit code is 9. --no-verify appends all the
same.

--expect says what you believe a stream's last revision to be (N, none, any). If it has moved,
nothing is appended and the exit code is 4. What you believed is recorded as a guard, and checked
again when histories meet.

An event with a --time is identified by what it says: the same again is a reported no-op. An event
without one is stamped with the present, and is always a new event. With --key, a retry of the
same event is a no-op, stamped or not.

While a merge waits, events for its branch become part of the merge commit, after all others.

Afterwards the files of the working tree show the new state. Files that were edited by hand are
left alone. --no-checkout, or the setting worktree.update = false, leaves all files alone.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from evgit.bridges.named_files import open_to_read
from evgit.cli.clock import time_expression
from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_arguments import event_data, events_from_lines, expectations, pairs
from evgit.cli.event_text import short
from evgit.cli.head_moves import check_branch_exists
from evgit.cli.identity import GUESS_HINT, identity, open_to_change, worth_saying
from evgit.cli.invocation import Invocation
from evgit.cli.merge_commits import add_to_merge, adds_to_merge, refuse_with_merge
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import Branch, Count, Stream, json_option
from evgit.cli.tree_update import update_after_move
from evgit.cli.upkeep import start_gc_where_due
from evgit.errors import InvalidEvent, InvalidName, UsageError
from evgit.formats.names import looks_like_command
from evgit.repository import Appended, NewEvent, Repository

EXAMPLE_HINT = "for example: evgit commit -s account-42 -t deposit_made amount=500"


@documented(__doc__, "commit")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("-s", "--stream", type=Stream(), help="Append to this stream.")
@click.option(
    "-t", "--type", "event_type", metavar="TYPE", help="The event's type, in the past tense."
)
@click.option("-d", "--data", metavar="JSON", help="The event's data; @FILE or @- to read it.")
@click.option("-m", "--message", metavar="TEXT", default="", help="The commit's message.")
@click.option("--expect", multiple=True, metavar="[STREAM=]N|none|any", help="See above.")
@click.option("--time", metavar="TIME", help="When it happened, if not now.")
@click.option("--version", "version", type=Count(min=1), metavar="N", help="Schema version [1].")
@click.option("--key", help="Idempotency key, unique in the stream.")
@click.option("--meta", multiple=True, metavar="KEY=VALUE", help="For example actor=till-7.")
@click.option(
    "--blob",
    "blob_files",
    multiple=True,
    help="Store FILE as a blob that the event refers to.",
    metavar="FILE",
)
@click.option("--allow-empty", is_flag=True, help="Commit even if there is nothing to append.")
@click.option("--no-verify", is_flag=True, help="Don't hold the events to the model's rules.")
@click.option("-b", "--branch", type=Branch(), help="Append to this branch, not the current one.")
@click.option("--no-checkout", is_flag=True, help="Leave the working tree as it is.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@json_option("one document")
@click.pass_obj
def command(
    invocation: Invocation,
    /,
    message: str,
    expect: tuple[str, ...],
    allow_empty: bool,
    no_verify: bool,
    branch: str | None,
    no_checkout: bool,
    quiet: bool,
    as_json: bool,
    **one_event: Any,
) -> None:
    with open_to_change() as repository:
        single = _is_single(one_event)
        events = [_single_event(repository, **one_event)] if single else _batch(one_event)
        if not events and not allow_empty:
            raise UsageError(
                "nothing to commit: no events were given",
                hint="give one with -s STREAM -t TYPE, or JSON lines on standard input; "
                "--allow-empty records a commit without events",
            )
        check_branch_exists(repository, branch)
        who = identity(repository)
        unknown_person = worth_saying(repository, who)
        head_before = repository.head()
        if adds_to_merge(repository, branch):
            refuse_with_merge(expect=expect, message=message, no_verify=no_verify)
            add_to_merge(invocation, repository, events, quiet=quiet, as_json=as_json)
            return
        try:
            appended = repository.append(
                events,
                branch=branch,
                message=message,
                author=who.author,
                expected=expectations(expect, one_event["stream"] if single else None),
                allow_empty=allow_empty,
                verify=not no_verify,
                arguments=_summary(events),
            )
        except (InvalidEvent, InvalidName) as error:
            error.hint = error.hint or EXAMPLE_HINT
            raise
        invocation.done(_done(appended))
        with invocation.output() as output:
            if as_json:
                output.json(_document(repository, appended, branch))
            elif not quiet:
                for line in _report(repository, appended, branch, events, message):
                    output.line(line)
        for warning in appended.warnings:
            invocation.warn(warning)
        _hint_at_past_tense(invocation, events)
        if unknown_person:
            invocation.hint(GUESS_HINT)
        on_current = branch is None or branch == head_before.branch
        if on_current and appended.commit is not None and not no_checkout:
            update_after_move(invocation, repository, head_before)
        start_gc_where_due(repository)


def _is_single(one_event: dict[str, Any]) -> bool:
    stream, event_type = one_event["stream"], one_event["event_type"]
    if stream and event_type:
        return True
    if not stream and not event_type:
        return False
    missing, option = ("a type", "-t TYPE") if stream else ("a stream", "-s STREAM")
    raise UsageError(
        f"the event needs {missing}: {option}",
        hint=EXAMPLE_HINT,
    )


def _single_event(
    repository: Repository,
    *,
    stream: str,
    event_type: str,
    data: str | None,
    words: tuple[str, ...],
    time: str | None,
    version: int | None,
    key: str | None,
    meta: tuple[str, ...],
    blob_files: tuple[str, ...],
) -> NewEvent:
    blobs: dict[str, int] = {}
    event = NewEvent(
        stream,
        event_type,
        event_data(data, words),
        time=None if time is None else time_expression(time),
        version=version or 1,
        meta=pairs(meta, "--meta"),
        key=key,
        blobs=blobs,
    )
    for name in blob_files:
        with open_to_read(name) as file:
            blob_id, size = repository.write_blob(file)
        blobs[blob_id] = size
    return event


def _batch(one_event: dict[str, Any]) -> list[NewEvent]:
    stray = [name for name, given in one_event.items() if given]
    if stray:
        raise UsageError(
            "data was given, but no stream and no type",
            hint=EXAMPLE_HINT,
        )
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "no event was given",
            hint="evgit commit -s STREAM -t TYPE KEY=VALUE…, or JSON lines on standard input",
        )
    return events_from_lines(sys.stdin.buffer)


def _summary(events: list[NewEvent]) -> dict[str, Any]:
    """What the op log keeps of the command line."""
    if len(events) == 1:
        return {"stream": events[0].stream, "type": events[0].type}
    return {"events": len(events)}


def _document(repository: Repository, appended: Appended, branch: str | None) -> dict[str, Any]:
    return {
        "commit": appended.commit,
        "head": appended.head,
        "branch": branch or repository.head().branch,
        "appended": appended.appended,
        "already": appended.already,
        "size": appended.size,
        "ids": appended.ids,
        "warnings": appended.warnings,
    }


def _done(appended: Appended) -> str:
    """What is durable, for those who may not get the answer."""
    if appended.commit is None:
        return f"nothing was new: {plural(appended.already, 'event')} already stored"
    return f"commit {appended.commit} is stored: {plural(appended.appended, 'event')} appended"


def _report(
    repository: Repository,
    appended: Appended,
    branch: str | None,
    events: list[NewEvent],
    message: str,
) -> list[str]:
    if appended.commit is None:
        already = plural(appended.already, "event")
        return [f"Nothing new: {already} already in the history, nothing appended"]
    where = branch or repository.head().branch or "detached HEAD"
    title = message.strip().split("\n", 1)[0] or plural(appended.appended, "event")
    lines = [f"[{where} {short(appended.commit)}] {shown_in_line(title)}"]
    if len(events) == 1 and appended.appended == 1:
        lines.append(f" {short(appended.ids[0])} {events[0].stream}: {events[0].type}")
    elif appended.appended:
        streams = plural(len({event.stream for event in events}), "stream")
        lines.append(f" {plural(appended.appended, 'event')} appended to {streams}")
    if appended.already:
        lines.append(f" {plural(appended.already, 'event')} already in the history")
    return lines


def _hint_at_past_tense(invocation: Invocation, events: list[NewEvent]) -> None:
    for event_type in dict.fromkeys(event.type for event in events):
        better = looks_like_command(event_type)
        if better:
            invocation.hint(
                f"{event_type!r} reads as a command; an event says what happened: {better!r}?"
            )
