"""List, make, rename or delete branches.

    evgit branch                     list them; the current one has a star
    evgit branch -v                  with where they are; -vv: and what they follow
    evgit branch -a                  and those of remotes, as last seen; -r: only those
    evgit branch trial               make one at HEAD, and stay where you are
    evgit branch trial main~3        make one elsewhere; `main@{2015-06-01}` is a place, too
    evgit branch -m trial better     rename it
    evgit branch -d better           delete it; -D even if its events are on no other branch
    evgit branch -d -r origin/old    forget where a remote's was seen; fetching may bring it back
    evgit branch -u origin/main      let the current one follow that; --unset-upstream: nothing
    evgit branch --contains main~3   those that have a commit, or an event, in their history
    evgit branch --merged main       those whose commits main has all; --no-merged: the others

A branch is made at a whole commit, in no time, whatever the number of events and streams. `evgit
undo` brings a deleted one back. To make a branch and go there: evgit switch -c NAME.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import click

from evgit.cli.command import documented
from evgit.cli.event_text import short
from evgit.cli.following import follow_start
from evgit.cli.identity import open_to_change
from evgit.cli.invocation import Invocation
from evgit.cli.output import Output
from evgit.cli.parameters import Branch, Revision, json_option
from evgit.cli.titles import commit_title
from evgit.cli.tracking_text import tracking_document, tracking_mark
from evgit.errors import NotFound, UsageError
from evgit.repository import FoundEvent, Repository

HEADS = "refs/heads/"
TRACKING = "refs/remotes/"


@documented(__doc__, "branch")
@click.argument("name", required=False, type=Branch())
@click.argument("start", required=False, type=Revision(), metavar="[START]")
@click.option("-l", "--list", "listing", is_flag=True, help="List; NAME may be a pattern.")
@click.option(
    "-v", "--verbose", count=True, help="List with commit and title; -vv: and what each follows."
)
@click.option("-a", "--all", "every", is_flag=True, help="List those of remotes, too.")
@click.option("-r", "--remotes", is_flag=True, help="List those of remotes; -d -r: delete one.")
@click.option("-u", "--set-upstream-to", "upstream", metavar="UPSTREAM", help="Let NAME follow it.")
@click.option("--unset-upstream", is_flag=True, help="Let NAME follow nothing.")
@click.option("-m", "--move", is_flag=True, help="Rename: [OLD] NEW.")
@click.option("-d", "--delete", is_flag=True, help="Delete NAME.")
@click.option("-D", "force_delete", is_flag=True, help="Delete even what no other branch has.")
@click.option("-f", "--force", is_flag=True, help="Move NAME if it exists already.")
@click.option(
    "--contains",
    is_flag=False,
    flag_value="HEAD",
    metavar="[REVISION]",
    help="List those that have this commit or event.",
)
@click.option(
    "--merged",
    is_flag=False,
    flag_value="HEAD",
    metavar="[REVISION]",
    help="List those that this commit's history holds.",
)
@click.option(
    "--no-merged",
    is_flag=False,
    flag_value="HEAD",
    metavar="[REVISION]",
    help="List those that it does not hold.",
)
@click.option("--show-current", is_flag=True, help="Print the current branch's name.")
@json_option("a line for each branch")
@click.pass_obj
def command(
    invocation: Invocation,
    name: str | None,
    start: str | None,
    listing: bool,
    verbose: int,
    every: bool,
    remotes: bool,
    upstream: str | None,
    unset_upstream: bool,
    move: bool,
    delete: bool,
    force_delete: bool,
    force: bool,
    contains: str | None,
    merged: str | None,
    no_merged: str | None,
    show_current: bool,
    as_json: bool,
) -> None:
    deleting = delete or force_delete
    listing = listing or every or (remotes and not deleting)
    listing = listing or any(word is not None for word in (contains, merged, no_merged))
    following = upstream is not None or unset_upstream
    if sum((move, deleting, listing or show_current, following)) > 1:
        raise UsageError("-m, -d, -u and --list don't go together", hint="use one at a time")
    with open_to_change() as repository, invocation.output() as output:
        if show_current:
            output.line(repository.head().branch or "")
        elif move:
            _rename(invocation, repository, output, name, start)
        elif deleting:
            if name is None or start is not None:
                raise UsageError("give the one branch to delete", hint="evgit branch -d NAME")
            _delete(invocation, repository, output, name, remotes, force=force_delete or force)
        elif following:
            _follow(invocation, repository, output, name, start, upstream)
        elif name is None or listing:
            tests = _tests(repository, contains, merged, no_merged)
            prefixes = [HEADS] * (not remotes or every) + [TRACKING] * (remotes or every)
            refs = _listed(repository, prefixes, name, tests, whole=every)
            if HEADS in prefixes and name is None and not tests and not as_json:
                _write_detached(repository, output)
            _list(repository, output, refs, verbose=verbose, as_json=as_json)
        else:
            commit = repository.resolve_commit(start or "HEAD")
            repository.branches.create(name, commit, force=force)
            invocation.done(f"branch {name} is made at {commit}")
            output.line(f"Made branch {name} at {short(commit)}")
            follow_start(invocation, repository, name, start)


def _delete(
    invocation: Invocation,
    repository: Repository,
    output: Output,
    name: str,
    of_remote: bool,
    *,
    force: bool,
) -> None:
    if of_remote:
        was, kind = repository.branches.delete_tracking(name), "remote-tracking branch"
    else:
        was, kind = repository.branches.delete(name, force=force), "branch"
        repository.sync().remotes.unfollow(name)
    invocation.done(f"{kind} {name} is deleted (was {was})")
    output.line(f"Deleted {kind} {name} (was {short(was)})")


def _rename(
    invocation: Invocation,
    repository: Repository,
    output: Output,
    old: str | None,
    new: str | None,
) -> None:
    if old is None:
        raise UsageError("give the new name", hint="evgit branch -m [OLD] NEW")
    if new is None:
        old, new = repository.head().branch or "", old
        if not old:
            raise UsageError("no branch is checked out", hint="evgit branch -m OLD NEW")
    repository.branches.rename(old, new)
    remotes = repository.sync().remotes
    followed = remotes.upstream(old)
    if followed is not None:
        remotes.unfollow(old)
        remotes.follow(new, followed)
    invocation.done(f"branch {old} is now {new}")
    output.line(f"Branch {old} is now {new}")


def _tests(
    repository: Repository, contains: str | None, merged: str | None, no_merged: str | None
) -> list[Callable[[str], bool]]:
    """What must hold for the commit of a branch that is to be listed."""
    tests: list[Callable[[str], bool]] = []
    is_ancestor = repository.ancestry.is_ancestor
    if contains is not None:
        found = repository.resolve_any(contains)
        if isinstance(found, FoundEvent):
            event = found.id
            tests.append(lambda tip: repository.locate(event, tip) is not None)
        else:
            wanted = repository.resolve(contains).commit
            tests.append(lambda tip: is_ancestor(wanted, tip))
    if merged is not None:
        whole = repository.resolve(merged).commit
        tests.append(lambda tip: is_ancestor(tip, whole))
    if no_merged is not None:
        other = repository.resolve(no_merged).commit
        tests.append(lambda tip: not is_ancestor(tip, other))
    return tests


def _follow(
    invocation: Invocation,
    repository: Repository,
    output: Output,
    name: str | None,
    start: str | None,
    wanted: str | None,
) -> None:
    """Let a branch, by default the current one, follow `wanted`, or nothing."""
    branch = name or repository.head().branch
    if branch is None or start is not None:
        raise UsageError("name one branch", hint="evgit branch -u UPSTREAM [BRANCH]")
    sync = repository.sync()
    if not any(ref.name == HEADS + branch for ref in repository.refs(HEADS + branch)):
        raise NotFound(f"there is no branch {branch!r}", hint="`evgit branch` lists them")
    if wanted is None:
        if not sync.remotes.unfollow(branch):
            raise NotFound(f"branch {branch!r} follows nothing", hint="`evgit branch -vv` tells")
        invocation.done(f"branch {branch} follows nothing")
        output.line(f"{branch} follows nothing")
        return
    upstream = sync.upstream_named(wanted)
    sync.remotes.follow(branch, upstream)
    there = f"{upstream.remote}/{upstream.ref.removeprefix(HEADS)}"
    invocation.done(f"branch {branch} follows {there}")
    output.line(f"{branch} follows {there}")


class _Listed(NamedTuple):
    """A branch in a list. `shown`: its name as `-a` has it; `remote`: whose it is, None: ours."""

    shown: str
    name: str
    target: str
    remote: str | None


def _listed(
    repository: Repository,
    prefixes: Sequence[str],
    pattern: str | None,
    tests: Sequence[Callable[[str], bool]],
    *,
    whole: bool,
) -> list[_Listed]:
    """Those under some prefixes. `whole`: with `remotes/` before those of remotes, as in Git."""
    found = []
    for prefix in prefixes:
        for ref in repository.refs(prefix):
            name = ref.name.removeprefix(prefix)
            if pattern is not None and not fnmatchcase(name, pattern):
                continue
            if all(fits(ref.target) for fits in tests):
                ours = prefix == HEADS
                shown = name if ours or not whole else f"remotes/{name}"
                remote = None if ours else name.partition("/")[0]
                found.append(_Listed(shown, name, ref.target, remote))
    return found


def _write_detached(repository: Repository, output: Output) -> None:
    head = repository.head()
    if head.branch is None:
        output.line(output.style(f"* (detached at {short(head.point.commit)})", "green"))


def _list(
    repository: Repository,
    output: Output,
    found: Sequence[_Listed],
    *,
    verbose: int,
    as_json: bool,
) -> None:
    head = repository.head()
    width = max((len(each.shown) for each in found), default=0)
    for each in found:
        ours = each.remote is None
        current = ours and each.name == head.branch
        entry = repository.commit(each.target) if verbose or as_json else None
        if as_json and entry is not None:
            output.json(
                {
                    "branch": each.name,
                    "remote": each.remote,
                    "commit": each.target,
                    "current": current,
                    "size": entry.commit.log.size,
                    "time": entry.commit.time,
                    "upstream": tracking_document(repository, each.name) if ours else None,
                }
            )
            continue
        style = ["green"] if current else [] if ours else ["red"]
        shown = output.style(each.shown.ljust(width if verbose else 0), *style)
        line = f"{'*' if current else ' '} {shown}"
        if entry is not None:
            title = commit_title(repository, entry)
            mark = tracking_mark(repository, each.name) if verbose > 1 and ours else ""
            line += f" {output.style(short(each.target), 'yellow')} "
            line += f"{mark} {title}" if mark else title
        output.line(line)
