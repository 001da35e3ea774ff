"""Show for every field of a document which event gave it its value.

    evgit blame streams/account-42.json
    evgit blame streams/account-42.json main~3              as it was then
    evgit blame --field /data/balance streams/account-42.json
    evgit blame 'main@{yesterday}:streams/account-42.json'

For each field: its value, then the position and id of the event after which it has had that value,
the event's type and time, who did it (the event's meta.actor, or else the author of the commit),
and the commit's message. Documents that are texts are shown line by line.

--field takes a JSON pointer (RFC 6901) and shows what is there and below it. Elements of arrays are
told apart by their index.

With --json, one line for each field or line of text.
"""

from __future__ import annotations

from typing import Any

import click

from evgit.cli.attribution_text import (
    attribution_columns,
    attribution_document,
    column_widths,
    message_line,
    styled_columns,
)
from evgit.cli.command import documented
from evgit.cli.documents import document_path
from evgit.cli.event_text import compact
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import state_options
from evgit.cli.opening import open_repository
from evgit.cli.output import Output, shown, shown_in_line
from evgit.cli.parameters import Revision, json_option
from evgit.cli.provenance_words import document_at
from evgit.errors import UsageError
from evgit.repository import BlamedField, BlamedLine

WIDEST = 56  # columns that fields and their values are given before the rest moves to the right


@documented(__doc__, "blame", paths=True)
@click.argument("words", nargs=-1, type=Revision(), metavar="PATH [REVISION]")
@click.option("--field", metavar="POINTER", help="Only this field, or those below it.")
@state_options
@json_option("a line for each field or line of text")
@click.pass_obj
def command(
    invocation: Invocation,
    words: tuple[str, ...],
    paths: tuple[str, ...],
    field: str | None,
    as_json: bool,
) -> None:
    if len(paths) > 1 or len(words) + len(paths) > 2 or not words + paths:
        raise UsageError(
            "blame looks at one document", hint="evgit blame PATH, evgit blame PATH REVISION"
        )
    with open_repository() as repository:
        if paths:  # Git's order: the revision, then the path
            word, revision = paths[0], words[0] if words else None
        else:
            word, revision = words[0], words[1] if len(words) > 1 else None
        path = None if revision is not None else document_at(repository, word)
        if path is None:
            point = repository.resolve(revision or "HEAD")
            path = (point, document_path(repository, word))
        found = repository.provenance.blame(*path, field)
        with invocation.paged() as output:
            if as_json:
                for each in found:
                    output.json(_document(each))
            else:
                _write(output, found)


def _document(each: BlamedField | BlamedLine) -> dict[str, Any]:
    what: dict[str, Any]
    if isinstance(each, BlamedField):
        what = {"pointer": each.pointer, "value": each.value}
    else:
        what = {"line": each.number, "text": each.text}
    return what | {"event": attribution_document(each.by)}


def _write(output: Output, found: list[BlamedField] | list[BlamedLine]) -> None:
    if not found:
        return
    rows = [attribution_columns(each.by) for each in found]
    widths = column_widths(rows)
    if isinstance(found[-1], BlamedLine):
        places = len(str(found[-1].number))
        for line, row in zip(found, rows, strict=True):
            assert isinstance(line, BlamedLine)
            columns = styled_columns(output, row, widths)
            output.line(f"{columns}  {line.number:>{places}}) {shown(line.text)}")
        return
    labels = [
        (shown_in_line(each.pointer) or "(all)", compact(each.value, WIDEST))
        for each in found
        if isinstance(each, BlamedField)
    ]
    width = min(max(len(name) + 2 + len(value) for name, value in labels), WIDEST)
    for each, row, (name, value) in zip(found, rows, labels, strict=True):
        label = f"{output.style(name, 'bold')}: {value}"
        space = " " * (width - len(name) - 2 - len(value))
        columns = styled_columns(output, row, widths)
        output.line(f"{label}{space}  {columns}  {message_line(each.by)}".rstrip())
