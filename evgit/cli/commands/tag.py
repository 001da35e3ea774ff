"""List, make or delete tags.

    evgit tag                            list them
    evgit tag -l 'v1.*'                  those that fit a pattern
    evgit tag audited-2026               tag HEAD
    evgit tag -m 'Audit of 2026' audited-2026 main~3
    evgit tag -d audited-2026

With -a or -m, the tag is an object of its own, with tagger, time and message; else it is a name
only.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import click

from evgit.cli.command import documented
from evgit.cli.event_text import short
from evgit.cli.identity import GUESS_HINT, identity, open_to_change, worth_saying
from evgit.cli.invocation import Invocation
from evgit.cli.output import Output, shown_in_line
from evgit.cli.parameters import Revision, json_option
from evgit.errors import UsageError
from evgit.formats.tag import Tag
from evgit.formats.times import to_text
from evgit.repository import Repository

TAGS = "refs/tags/"


@documented(__doc__, "tag")
@click.argument("name", required=False)
@click.argument("revision", required=False, type=Revision(), metavar="[REVISION]")
@click.option("-l", "--list", "listing", is_flag=True, help="List; NAME may be a pattern.")
@click.option("-a", "--annotate", is_flag=True, help="Make a tag object.")
@click.option("-m", "--message", help="Its message (makes it a tag object).")
@click.option("-d", "--delete", is_flag=True, help="Delete NAME.")
@click.option("-f", "--force", is_flag=True, help="Move NAME if it exists already.")
@json_option("a line for each tag")
@click.pass_obj
def command(
    invocation: Invocation,
    name: str | None,
    revision: str | None,
    listing: bool,
    annotate: bool,
    message: str | None,
    delete: bool,
    force: bool,
    as_json: bool,
) -> None:
    if delete and (listing or annotate or message is not None):
        raise UsageError("-d goes with nothing else", hint="evgit tag -d NAME")
    with open_to_change() as repository, invocation.output() as output:
        if name is None or listing:
            if annotate or message is not None or delete:
                raise UsageError("give the tag's name", hint="evgit tag -m MESSAGE NAME")
            _list(repository, output, name, as_json=as_json)
            return
        if delete:
            was = repository.branches.delete_tag(name)
            invocation.done(f"tag {name} is deleted (was {was})")
            output.line(f"Deleted tag {name} (was {short(was)})")
            return
        target = repository.resolve_commit(revision or "HEAD")
        unknown_person = False
        if annotate or message is not None:
            who = identity(repository)
            unknown_person = worth_saying(repository, who)
            tag = Tag(
                message=message or "",
                name=name,
                tagger=who.author,
                target=target,
                time=to_text(repository.clock()),
            )
            repository.branches.create_tag(name, repository.branches.write_tag(tag), force=force)
        else:
            repository.branches.create_tag(name, target, force=force)
        invocation.done(f"tag {name} is made at {target}")
        output.line(f"Tagged {short(target)} as {name}")
        if unknown_person:
            invocation.hint(GUESS_HINT)


def _list(repository: Repository, output: Output, pattern: str | None, *, as_json: bool) -> None:
    for ref in repository.refs(TAGS):
        name = ref.name.removeprefix(TAGS)
        if pattern is not None and not fnmatchcase(name, pattern):
            continue
        if not as_json:
            output.line(shown_in_line(name))
            continue
        document = {"tag": name, "target": ref.target}
        tag = repository.tag(ref.target)
        if tag is not None:
            document |= {
                "object": ref.target,
                "target": tag.target,
                "tagger": tag.tagger,
                "time": tag.time,
                "message": tag.message,
            }
        output.json(document)
