"""Look at the schemas of events, and at stored events through them.

    evgit schema list                  types, versions, schemas, upcasters, stored events
    evgit schema check                 stored events that today's schemas don't take, upcast
    evgit schema check --model main~3  the same, with an older model
    evgit schema diff                  what changed in the schemas, HEAD's to the working tree's
    evgit schema diff main~3 main      and from one revision to another

The data of version N of a type keeps schemas/<type>/<N>.json, a JSON Schema of draft 2020-12:
`evgit commit` refuses what does not. docs/schemas.md tells more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from evgit.cli.command import SETTINGS, documented_group
from evgit.cli.commit_text import plural
from evgit.cli.event_text import short
from evgit.cli.invocation import Invocation
from evgit.cli.model_options import MODEL, model_option
from evgit.cli.opening import open_repository
from evgit.cli.output import Output, shown_in_line
from evgit.cli.parameters import Revision, json_option, limit_option
from evgit.cli.progress import ProgressBar
from evgit.errors import ModelError, NotFound

if TYPE_CHECKING:
    from evgit.repository import FailedEvent, ListedType, TypeDiff

WORKTREE = "worktree"
MARKS = {"narrower": ("-", "red"), "wider": ("+", "green"), "either": ("~", "yellow")}


@documented_group(__doc__, "schema")
def command() -> None:
    pass


@command.command("list", context_settings=SETTINGS)
@click.argument("revision", type=Revision(), default="HEAD", metavar="[REVISION]")
@model_option
@json_option("a line for each type")
@click.pass_obj
def list_(invocation: Invocation, revision: str, as_json: bool) -> None:
    """List the types of events that the model knows, or REVISION has.

    For each version: how many events are stored, its schema, and the upcaster that leads on.
    """
    with open_repository() as repository:
        point = repository.resolve(revision)
        with ProgressBar("counting", "events") as bar:
            found = repository.models.listed_types(point, bar.update)
        with invocation.paged() as output:
            for each in found:
                if as_json:
                    versions = [version._asdict() for version in each.versions]
                    output.json(each._asdict() | {"versions": versions})
                else:
                    _write_type(output, each)


def _write_type(output: Output, listed: ListedType) -> None:
    known = "" if listed.newest is not None else "  (the model does not know it)"
    output.line(output.style(shown_in_line(listed.type), "bold") + known)
    rows = [
        (
            f"    {version.version}",
            plural(version.events, "event"),
            version.file or "no schema",
            f"upcast by {version.upcaster}" if version.upcaster else "",
        )
        for version in listed.versions
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for version, events, file, upcaster in rows:
        line = f"{version:<{widths[0]}}  {events:>{widths[1]}}  {shown_in_line(file):<{widths[2]}}"
        output.line(f"{line}  {shown_in_line(upcaster)}".rstrip())


@command.command("check", context_settings=SETTINGS)
@click.argument("revision", type=Revision(), default="HEAD", metavar="[REVISION]")
@model_option
@limit_option
@json_option("a line for each event that fails")
@click.pass_obj
@click.pass_context
def check(
    context: click.Context,
    invocation: Invocation,
    revision: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """Find the stored events that today's schemas don't take.

    Events are upcast first, and held to the newest schema of their type. Nothing is changed. Exit
    code 9 if there are any, or if a schema is none.
    """
    _check(context, invocation, revision, limit, as_json)


def _check(
    context: click.Context,
    invocation: Invocation,
    revision: str,
    limit: int | None,
    as_json: bool,
) -> None:
    with open_repository() as repository:
        point = repository.resolve(revision)
        count = 0
        with invocation.paged() as output, ProgressBar("checking", "events") as bar:
            for failed in repository.models.failed_events(point, bar.update):
                count += 1
                if limit is None or count <= limit:
                    _write_failed(output, failed, as_json)
            if not as_json:
                failing = f"{count:,}" if count else "none"
                checked = plural(point.size, "event")
                output.line(f"Checked {checked}: {failing} that the schemas don't take")
        if count:
            context.exit(ModelError.exit_code)


def _write_failed(output: Output, failed: FailedEvent, as_json: bool) -> None:
    if as_json:
        output.json(failed._asdict())
        return
    position = output.style(f"{failed.position:6}", "yellow")
    version = f"{failed.version}"
    if failed.as_version != failed.version:
        version += f" as {failed.as_version}"
    output.line(
        f"{position}  {short(failed.event)}  {shown_in_line(failed.type)} {version} in "
        f"{shown_in_line(failed.stream)}"
    )
    where = f"{failed.pointer}: " if failed.pointer else ""
    rule = f" ({failed.file}: {failed.rule or '/'})" if failed.file else ""
    output.line(shown_in_line(f"        {where}{failed.reason}{rule}"))


@command.command("diff", context_settings=SETTINGS)
@click.argument("revisions", nargs=-1, type=Revision(), metavar="[REV [REV]]")
@click.option("--check", "checking", is_flag=True, help="Look for stored events that would fail.")
@json_option("a line for each schema that differs")
@click.pass_obj
@click.pass_context
def diff(
    context: click.Context,
    invocation: Invocation,
    revisions: tuple[str, ...],
    checking: bool,
    as_json: bool,
) -> None:
    """Say what changed in the schemas, and whether data that was valid still is.

    From HEAD to the working tree; from REV to the working tree; or from one REV to the other. `-`
    marks what allows less than before, `+` what allows more. With --check, the events stored at
    HEAD are held to the new ones, as `schema check` does: exit code 9 if any fails.
    """
    if len(revisions) > 2:
        raise click.UsageError("at most two revisions")
    with open_repository() as repository:
        models = repository.models
        old = repository.resolve(revisions[0] if revisions else "HEAD")
        new = repository.resolve(revisions[1]) if len(revisions) == 2 else None
        if (models.in_worktree() if new is None else models.at(new)) is None:
            where = "in the working tree" if new is None else f"at {revisions[1]}"
            raise NotFound(f"there is no model {where}", hint="`evgit model log` lists what is")
        found = models.schema_diff(old, new)
        with invocation.paged() as output:
            _write_diff(output, found, as_json)
    if checking:
        context.meta[MODEL] = WORKTREE if len(revisions) < 2 else revisions[1]
        _check(context, invocation, "HEAD", None, as_json)


def _write_diff(output: Output, found: Iterable[TypeDiff], as_json: bool) -> None:
    for each in found:
        if as_json:
            changes = [change._asdict() for change in each.changes]
            output.json(each._asdict() | {"changes": changes})
            continue
        output.line(output.style(f"{shown_in_line(each.type)}, version {each.version}", "bold"))
        if each.old is None or each.new is None:
            gone = each.new is None
            output.line("    the schema is gone" if gone else "    a new schema")
        for change in each.changes:
            mark, colour = MARKS[change.effect]
            where = f"{change.pointer}: " if change.pointer else ""
            output.line(output.style(shown_in_line(f"    {mark} {where}{change.text}"), colour))
        output.line(f"  {_verdict(each)}")


def _verdict(diff: TypeDiff) -> str:
    if diff.new is None:
        return "any data is valid now"
    if diff.old is None:
        return "stored data could fail: nothing was asked of it before"
    if diff.safe:
        return "data that was valid still is"
    return "data that was valid could fail: `evgit schema check` looks for it"
