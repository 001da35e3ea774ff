"""Put history into one file, to be carried and fetched from.

    evgit bundle create till.evpack                    all branches and tags, to be cloned from
    evgit bundle create news.evpack main@{u}..main     what upstream lacks of main
    evgit bundle create old.evpack v1.0 main ^v0.9     a tag and a branch, without what v0.9 has
    evgit bundle verify news.evpack                    is it sound, and can it be fetched from here?
    evgit bundle list-heads news.evpack                the branches and tags in it

    evgit clone till.evpack                            and then, as from any other repository:
    evgit fetch news.evpack
    evgit remote add till /media/stick/till.evpack

A bundle is a pack, a .zst file of JSON lines: `zstdcat till.evpack | head`. It brings the blobs
that its events list. What comes from one is checked like everything that comes from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from evgit.cli.clock import now
from evgit.cli.command import SETTINGS, documented_group
from evgit.cli.commit_text import plural
from evgit.cli.event_text import plain, short
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.output import shown_in_line
from evgit.cli.parameters import PlaceName, Revision, json_option
from evgit.cli.progress import ProgressBar
from evgit.errors import NotARepository, NotFound, UsageError
from evgit.repository import Bundle, Repository, create_bundle, read_bundle, verify_bundle

SHARED = ("refs/heads/", "refs/tags/")
BUNDLE = click.argument("file", type=PlaceName(), metavar="FILE")


@documented_group(__doc__, "bundle")
def command() -> None:
    pass


@command.command("create", context_settings=SETTINGS)
@BUNDLE
@click.argument("revisions", nargs=-1, type=Revision(), metavar="[REVISION]...")
@click.option("--all", "every", is_flag=True, help="All branches and tags [if none is named].")
@click.option("--branches", is_flag=True, help="All branches.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@json_option("one document")
@click.pass_obj
def create(
    invocation: Invocation,
    file: Path,
    revisions: tuple[str, ...],
    every: bool,
    branches: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write branches and tags, and the history that they lead to, into FILE.

    A..B stands for the branch or tag B without what A has, ^A leaves out what A has. A bundle that
    FILE is already is replaced when the new one is whole; anything else is left alone.
    """
    with open_repository() as repository:
        names, without = _named(repository, revisions)
        if every or branches or not names:
            prefixes = SHARED if every or not branches else SHARED[:1]
            names += [ref.name for prefix in prefixes for ref in repository.refs(prefix)]
        with ProgressBar("writing", "events") as bar:
            done = create_bundle(
                repository.store, file, _refs(repository, names), without, bar.update
            )
        invocation.done(f"{file} is written")
        with invocation.output() as output:
            if as_json:
                output.json({"file": str(file)} | plain(done))
            elif not quiet:
                output.line(f"Wrote {file}: {_contents(done)}, {done.bytes:,} bytes")
                if done.requires:
                    output.line(f"It builds on {_commits(done.requires)}")


@command.command("verify", context_settings=SETTINGS)
@BUNDLE
@click.option("-q", "--quiet", is_flag=True, help="Say nothing if all is well.")
@json_option("one document")
@click.pass_obj
def verify(invocation: Invocation, file: Path, quiet: bool, as_json: bool) -> None:
    """Check all of FILE, and whether it can be fetched from here.

    Everything that fetching checks is checked, and nothing is kept. Exit code 3: it builds on
    commits that are not here. 5: it is not sound.
    """
    _existing(file)
    try:
        repository = open_repository()
    except NotARepository:
        repository = None
    with ProgressBar("checking", "events") as bar:
        if repository is None:
            found = verify_bundle(file, None, now, bar.update)
        else:
            with repository:
                found = verify_bundle(file, repository.store, now, bar.update)
    with invocation.output() as output:
        if as_json:
            output.json({"file": str(file)} | plain(found))
        elif not quiet and not found.missing:
            output.line(f"{file} is sound: {_contents(found)}")
            if found.requires:
                output.line(f"It builds on {_commits(found.requires)}, which is here")
            else:
                output.line("It needs nothing: it can be cloned")
    if found.missing:
        raise NotFound(
            f"{file} is sound in form, but builds on {_commits(found.missing)} that this "
            "repository lacks",
            hint="fetch what came before it, from the same repository or from earlier bundles",
        )


@command.command("list-heads", context_settings=SETTINGS)
@BUNDLE
@json_option("a line for each ref")
@click.pass_obj
def list_heads(invocation: Invocation, file: Path, as_json: bool) -> None:
    """List the branches and tags in FILE, and what HEAD is on there."""
    _existing(file)
    found = read_bundle(file)
    with invocation.output() as output:
        for name, target in found.refs.items():
            if as_json:
                output.json({"name": name, "target": target})
            else:
                output.line(shown_in_line(target) + "\t" + shown_in_line(name))


def _existing(file: Path) -> None:
    if file.is_dir():
        raise UsageError(f"{file} is a directory", hint="name a bundle, which is a file")
    if not file.exists():
        raise NotFound(f"there is no file {file}", hint="evgit bundle create FILE makes one")


def _named(repository: Repository, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(full names of refs, ids of commits whose history is left out)."""
    resolver = repository.resolver()
    names: list[str] = []
    without: list[str] = []
    for word in words:
        if word.startswith("^"):
            without.append(resolver.commit(word[1:]))
            continue
        before, dots, after = word.rpartition("..")
        if dots:
            if before.endswith("."):
                raise UsageError(f"{word} has two ends", hint=f"{before[:-1]}..{after}?")
            without.append(resolver.commit(before or "HEAD"))
        name = resolver.ref_name((after or "HEAD") if dots else word)
        if name is None or not name.startswith(SHARED):
            resolver.commit(after if dots and after else word)  # or it says why it is nothing
            raise UsageError(
                f"{after if dots else word!r} is no branch or tag, and a bundle brings those",
                hint="give that point a name first: evgit branch NAME REVISION",
            )
        names.append(name)
    return names, without


def _refs(repository: Repository, names: Sequence[str]) -> dict[str, str]:
    """{full name: target}, with HEAD where its branch is among them."""
    found = {ref.name: ref.target for ref in repository.refs() if ref.name in set(names)}
    branch = repository.head().branch
    if branch is not None and f"refs/heads/{branch}" in found:
        found["HEAD"] = f"ref: refs/heads/{branch}"
    return found


def _contents(bundle: Bundle) -> str:
    refs = sum(name != "HEAD" for name in bundle.refs)
    words = [plural(refs, "ref"), plural(bundle.commits, "commit"), plural(bundle.events, "event")]
    if bundle.blobs:
        words.append(plural(len(bundle.blobs), "blob"))
    return ", ".join(words)


def _commits(ids: Sequence[str]) -> str:
    named = ", ".join(map(short, ids[:3])) + (" …" if len(ids) > 3 else "")
    return f"{plural(len(ids), 'commit')} ({named})"
