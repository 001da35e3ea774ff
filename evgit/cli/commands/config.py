"""Read and write settings.

    evgit config user.name                 print a setting
    evgit config user.name "Ada Lovelace"  set it
    evgit config --unset user.name         forget it
    evgit config --list                    print all settings

`evgit config get NAME`, `set NAME VALUE`, `unset NAME` and `list` do the same. Settings are in the
file config.toml of the repository; with --global, in the one for all your repositories, which the
repository's own override.

    user.name, user.email     the author of commits
    worktree.update           false: commit, switch and undo leave the files alone; checkout and
                              restore still write them
    cache.max_bytes           how large cache.db may grow, such as 512M

Reading a setting that is not set prints nothing and exits with 1.
"""

from __future__ import annotations

from typing import Any

import click

from evgit.cli.command import documented
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository, user_config
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import json_option
from evgit.errors import InvalidInput, NotARepository, UsageError
from evgit.repository import Config, Setting

NAMES_A_PERSON = ("user.name", "user.email")
VERBS = {"get": 1, "set": 2, "unset": 1, "list": 0}  # and how many words follow


@documented(__doc__, "config")
@click.argument("words", nargs=-1, metavar="[get|set|unset|list] [NAME [VALUE]]")
@click.option("--global", "for_user", is_flag=True, help="The settings of all your repositories.")
@click.option("--unset", is_flag=True, help="Forget NAME.")
@click.option("-l", "--list", "listing", is_flag=True, help="Print all settings.")
@click.option("--show-origin", is_flag=True, help="Also print where a value comes from.")
@json_option("a line for each setting")
@click.pass_context
def command(
    context: click.Context,
    words: tuple[str, ...],
    for_user: bool,
    unset: bool,
    listing: bool,
    show_origin: bool,
    as_json: bool,
) -> None:
    invocation: Invocation = context.obj
    verb, rest = _request(list(words), unset=unset, listing=listing)
    settings = _settings(for_user, needed=verb in ("set", "unset"))
    if verb == "set":
        name, value = rest
        if name in NAMES_A_PERSON:
            _check_person(name, value)
        note = settings.note(name)
        settings.set(name, value, user=for_user)
        if note:
            invocation.hint(note)
        return
    if verb == "unset":
        if not settings.unset(rest[0], user=for_user):
            context.exit(1)
        return
    if verb == "get":
        setting = settings.find(rest[0])
        if setting is None:
            context.exit(1)
        found = [setting]
    else:
        found = settings.settings()
    with invocation.output() as output:
        for each in found:
            if as_json:
                output.json(_document(each))
                continue
            line = _text(each.value)
            if verb == "list":
                line = f"{each.key}={line}"
            if show_origin:
                line = f"{each.path or each.origin}\t{line}"
            output.line(line)


def _check_person(name: str, value: str) -> None:
    """Raises InvalidInput for what can't stand in `Name <address>`, on one line."""
    bad = next((c for c in value if c in "<>" or not c.isprintable()), "")
    if bad:
        raise InvalidInput(
            f"{name} holds {bad!r}", hint="a commit's author is one line: Name <address>"
        )
    if not value.strip():
        raise InvalidInput(f"{name} is empty", hint=f"to forget it: evgit config --unset {name}")


def _request(words: list[str], *, unset: bool, listing: bool) -> tuple[str, list[str]]:
    """What is to be done, and with which words."""
    if unset and listing:
        raise UsageError("--unset and --list don't go together", hint="use one of them")
    if listing:
        verb = "list"
    elif unset:
        verb = "unset"
    elif words and words[0] in VERBS:
        verb = words.pop(0)
    else:
        verb = {0: "list", 1: "get"}.get(len(words), "set")
    if len(words) != VERBS[verb]:
        wanted = {0: "nothing more", 1: "the name of a setting", 2: "a name and a value"}
        raise UsageError(
            f"`config {verb}` takes {wanted[VERBS[verb]]}",
            hint='evgit config NAME, evgit config NAME VALUE; several words in quotes: "a b"',
        )
    return verb, words


def _settings(for_user: bool, *, needed: bool) -> Config:
    """The settings here; outside a repository, the user's own where those are enough."""
    if for_user:
        return Config(None, user_config())
    try:
        with open_repository() as repository:
            return repository.config
    except NotARepository as error:
        if needed:
            error.hint = "settings for all your repositories: evgit config --global NAME VALUE"
            raise
        return Config(None, user_config())


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else shown_in_line(str(value))


def _document(setting: Setting) -> dict[str, Any]:
    return {
        "name": setting.key,
        "value": setting.value,
        "origin": setting.origin,
        "path": None if setting.path is None else str(setting.path),
    }
