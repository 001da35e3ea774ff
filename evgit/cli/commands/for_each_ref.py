"""List refs: branches, tags, streams.

PATTERN is the beginning of a ref's name up to a slash, or a shell pattern. Streams are listed
where a pattern begins with refs/streams/: there is one for each stream on each branch, and it
stands for the stream's last event.

    evgit for-each-ref
    evgit for-each-ref refs/tags
    evgit for-each-ref 'refs/streams/main/account-*'
    evgit for-each-ref --format '%(refname:short) %(objectname:short)' refs/heads

Fields for --format: refname, refname:short, objectname, objectname:short, objecttype, subject,
time, size, HEAD; of streams also stream, revision, position. %% is a percent sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice

import click

from evgit.cli.command import documented
from evgit.cli.event_text import short
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.output import shown
from evgit.cli.parameters import Count, json_option
from evgit.cli.titles import commit_title, event_title
from evgit.errors import UsageError
from evgit.formats.event import Event
from evgit.formats.names import STREAM_REFS, stream_ref
from evgit.repository import Ref, Repository

HEADS = "refs/heads/"
DEFAULT_FORMAT = "%(objectname) %(objecttype)\t%(refname)"
FIELD = re.compile(r"%(?:%|\(([^)]*)\))")
Fields = dict[str, str]
STREAM_FIELDS = ("stream", "revision", "position")


@documented(__doc__, "for-each-ref")
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--format", "line_format", default=DEFAULT_FORMAT, help="What a line looks like.")
@click.option("--count", "limit", type=Count(min=0), metavar="N", help="At most so many.")
@json_option("a line for each ref")
@click.pass_obj
def command(
    invocation: Invocation,
    patterns: tuple[str, ...],
    line_format: str,
    limit: int | None,
    as_json: bool,
) -> None:
    _check_format(line_format)
    with open_repository() as repository, invocation.paged() as output:
        for fields in islice(_refs(repository, patterns), limit):
            if as_json:
                document: dict[str, str | int] = {"ref": fields["refname"]}
                document |= {"id": fields["objectname"], "kind": fields["objecttype"]}
                if fields["stream"]:
                    document["stream"] = fields["stream"]
                    document |= {name: int(fields[name]) for name in STREAM_FIELDS[1:]}
                output.json(document)
            else:
                output.line(shown(_filled(line_format, fields)))


def _check_format(line_format: str) -> None:
    known = _stream_fields("", "", Event(stream="", type="", data=None, time=""), 0, 0)
    if "%(" in FIELD.sub("", line_format):
        raise UsageError(
            f"--format {line_format!r} has a '%(' that is not closed",
            hint="a field is written %(refname); %% is a percent sign",
        )
    for match in FIELD.finditer(line_format):
        if match[0] != "%%" and match[1] not in known:
            raise UsageError(
                f"--format has no field {match[1]!r}", hint="fields are: " + ", ".join(known)
            )


def _filled(line_format: str, fields: Fields) -> str:
    return FIELD.sub(lambda m: "%" if m[0] == "%%" else fields[m[1]], line_format)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(
        name == pattern.rstrip("/")
        or name.startswith(pattern.rstrip("/") + "/")
        or fnmatchcase(name, pattern)
        for pattern in patterns
    )


def _refs(repository: Repository, patterns: tuple[str, ...]) -> Iterator[Fields]:
    head = repository.head().branch
    for ref in repository.refs():
        if _matches(ref.name, patterns):
            yield _ref_fields(repository, ref, head)
    wanted = tuple(p for p in patterns if f"{p.rstrip('/')}/".startswith(STREAM_REFS))
    if not wanted:
        return
    for ref in repository.refs(HEADS):
        branch = ref.name.removeprefix(HEADS)
        yield from _stream_refs(repository, branch, wanted)


def _stream_refs(
    repository: Repository, branch: str, patterns: tuple[str, ...]
) -> Iterator[Fields]:
    below = f"{STREAM_REFS}{branch}/"
    if not any(_may_lead_to(pattern, below) for pattern in patterns):
        return
    point = repository.resolve(f"{HEADS}{branch}")
    for summary in repository.streams(point):
        name = stream_ref(branch, summary.name)
        if not _matches(name, patterns):
            continue
        last = next(repository.stream(summary.name, point, start=summary.revision))
        yield _stream_fields(name, last.event.id, last.event, summary.revision, summary.position)


def _may_lead_to(pattern: str, below: str) -> bool:
    """Can a pattern fit a ref below this branch?"""
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    return below.startswith(fixed) or fixed.startswith(below)


def _stream_fields(name: str, event_id: str, event: Event, revision: int, position: int) -> Fields:
    return {
        "refname": name,
        "refname:short": name.removeprefix("refs/"),
        "objectname": event_id,
        "objectname:short": short(event_id),
        "objecttype": "event",
        "subject": event_title(event),
        "time": event.time,
        "size": str(position + 1),
        "HEAD": " ",
        "stream": event.stream,
        "revision": str(revision),
        "position": str(position),
    }


def _ref_fields(repository: Repository, ref: Ref, head: str | None) -> Fields:
    kind = "commit"
    target = ref.target
    tag = repository.tag(target) if ref.name.startswith("refs/tags/") else None
    if tag is not None:
        kind, target = "tag", tag.target
    entry = repository.commit(target)
    short_name = ref.name.removeprefix("refs/")
    for prefix in ("heads/", "tags/", "remotes/"):
        short_name = short_name.removeprefix(prefix)
    return {
        "refname": ref.name,
        "refname:short": short_name,
        "objectname": ref.target,
        "objectname:short": short(ref.target),
        "objecttype": kind,
        "subject": commit_title(repository, entry)
        if tag is None
        else tag.message.split("\n", 1)[0],
        "time": entry.commit.time if tag is None else tag.time,
        "size": str(entry.commit.log.size),
        "HEAD": "*" if ref.name == f"{HEADS}{head}" else " ",
        "stream": "",
        "revision": "",
        "position": "",
    }
