"""Send branches and tags to a remote, all of them or none.

    evgit push                      the current branch to what it follows, or to origin
    evgit push -u origin trial      and let `trial` follow it from now on
    evgit push origin HEAD          the current branch, to its own name there
    evgit push origin trial:main    under another name there; :trial deletes it
    evgit push origin main~2:main   only up to a commit
    evgit push --all --tags         every branch and tag

A branch moves there only along its first parents, so that nobody who reads it sees a position
change. Otherwise the push is refused: `evgit pull` brings both together, then push again. Where the
other side allows it (receive.BRANCH.allow_rewind there), --force-with-lease moves it all the same,
if nobody has moved it in between.
"""

from __future__ import annotations

import click

from evgit.cli.command import documented
from evgit.cli.commit_text import plural
from evgit.cli.event_text import short
from evgit.cli.invocation import Invocation
from evgit.cli.opening import open_repository
from evgit.cli.output import Output
from evgit.cli.parameters import json_option
from evgit.cli.progress import ProgressBar
from evgit.cli.remotes import sync_of
from evgit.errors import UsageError
from evgit.repository import Pushed, PushedRef, Remote, Repository, Sync, Update, Upstream

HEADS = "refs/heads/"
TAGS = "refs/tags/"


@documented(__doc__, "push", with_value={"--force-with-lease": "--lease"})
@click.argument("remote", required=False)
@click.argument("refs", nargs=-1, metavar="[REF]...")
@click.option("-u", "--set-upstream", is_flag=True, help="Let the branches follow those there.")
@click.option("--all", "every", is_flag=True, help="Every branch.")
@click.option("--tags", is_flag=True, help="Every tag, too.")
@click.option("-d", "--delete", is_flag=True, help="Delete the refs there.")
@click.option("-f", "--force", is_flag=True, help="Off their first-parent chains, too.")
@click.option(
    "--force-with-lease",
    "lease",
    is_flag=True,
    help="The same, but only if they are there where they were last seen; =REF: that one, "
    "=REF:COMMIT: only if it is at COMMIT (none: if it is not there).",
)
@click.option(
    "--lease",
    "leases",
    multiple=True,
    metavar="REF[:COMMIT]",
    hidden=True,
    help="What --force-with-lease=REF[:COMMIT] is read as.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@json_option("one document")
@click.pass_obj
def command(
    invocation: Invocation,
    remote: str | None,
    refs: tuple[str, ...],
    set_upstream: bool,
    every: bool,
    tags: bool,
    delete: bool,
    force: bool,
    lease: bool,
    leases: tuple[str, ...],
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    if every and refs:
        raise UsageError("--all means every branch", hint="name refs, or --all")
    with open_repository() as repository, invocation.output() as output:
        sync = sync_of(repository)
        branch = repository.head().branch
        to = sync.remote(remote, branch)
        words = tuple(f":{ref.removeprefix(':')}" for ref in refs) if delete else refs
        pushed_refs = _refs(repository, sync, to, words, every=every, tags=tags)
        if force or lease:
            pushed_refs = [_forced(repository, to, ref, lease=lease) for ref in pushed_refs]
        for word in leases:
            pushed_refs = _leased(repository, to, pushed_refs, word)
        with ProgressBar(f"pushing to {to.name}", "bytes") as bar:
            pushed = sync.push(to, pushed_refs, dry_run=dry_run, progress=bar.update)
        if not dry_run:
            invocation.done(f"{to.name} has what was pushed")
        if as_json:
            output.json(_document(to, pushed, dry_run=dry_run))
        elif not quiet:
            _write(output, to, pushed, dry_run=dry_run)
        if set_upstream and not dry_run:
            for ref in pushed_refs:
                if ref.source is not None and ref.source.startswith(HEADS):
                    name = ref.source.removeprefix(HEADS)
                    sync.remotes.follow(name, Upstream(to.name, ref.target))
                    invocation.note(f"{name} follows {to.name}/{ref.target.removeprefix(HEADS)}")


def _refs(
    repository: Repository,
    sync: Sync,
    remote: Remote,
    words: tuple[str, ...],
    *,
    every: bool,
    tags: bool,
) -> list[PushedRef]:
    found: list[PushedRef] = []
    if every:
        found += [PushedRef(ref.name, ref.name) for ref in repository.refs(HEADS)]
    elif words or not tags:
        here = [_here(repository, word) for word in words]
        found += sync.pushed_refs(remote, here, repository.head().branch)
    if tags:
        found += [PushedRef(ref.name, ref.name) for ref in repository.refs(TAGS)]
    return found


def _here(repository: Repository, word: str) -> str:
    """HERE[:THERE] with HEAD as the branch that it is on, and any other revision as a commit."""
    plus = "+" if word.startswith("+") else ""
    source, colon, target = word.removeprefix("+").rpartition(":")
    if not colon:
        source, target = target, ""
    if source in ("HEAD", "@"):
        branch = repository.head().branch
        if branch is not None:
            return f"{plus}{HEADS}{branch}{colon}{target}"
        if not colon:
            raise UsageError(
                "HEAD is on no branch, so it is not clear what to move there",
                hint="name that: evgit push REMOTE HEAD:BRANCH",
            )
    if not colon or not source or not target or _is_ref(repository, source):
        return word
    return f"{plus}{repository.resolve_commit(source)}:{target}"


def _is_ref(repository: Repository, name: str) -> bool:
    full = {name, HEADS + name, TAGS + name}
    return any(ref.name in full for ref in repository.refs("refs/"))


def _leased(
    repository: Repository, remote: Remote, refs: list[PushedRef], word: str
) -> list[PushedRef]:
    """`--force-with-lease=REF[:COMMIT]`: for one of the refs."""
    name, colon, expected = word.partition(":")
    full = {name, HEADS + name, TAGS + name}
    if not any(ref.target in full for ref in refs):
        raise UsageError(
            f"{name!r} is not among what is pushed",
            hint="--force-with-lease=REF names a ref as it is called there",
        )
    found = []
    for ref in refs:
        if ref.target in full:
            ref = _forced(repository, remote, ref, lease=True)
            if colon:
                at = repository.resolve_commit(expected) if expected else ""
                ref = PushedRef(ref.source, ref.target, True, at)
        found.append(ref)
    return found


def _forced(repository: Repository, remote: Remote, ref: PushedRef, *, lease: bool) -> PushedRef:
    seen = None
    if lease:
        name = f"refs/remotes/{remote.name}/{ref.target.removeprefix(HEADS)}"
        seen = next((r.target for r in repository.refs(name) if r.name == name), "")
    return PushedRef(ref.source, ref.target, True, seen)


def _document(remote: Remote, pushed: Pushed, *, dry_run: bool) -> dict[str, object]:
    return {
        "remote": remote.name,
        "dry_run": dry_run,
        "commits": pushed.commits,
        "events": pushed.events,
        "blobs": pushed.blobs,
        "bytes": pushed.bytes,
        "refs": [
            {"ref": u.ref, "old": u.old, "new": u.new, "kind": _kind(pushed, u)}
            for u in pushed.updates
        ],
        "unchanged": pushed.unchanged,
    }


def _kind(pushed: Pushed, update: Update) -> str:
    """The words of `fetch`."""
    if update.new is None:
        return "deleted"
    if update.old is None:
        return "new"
    return "rewound" if update.ref in pushed.rewound else "forward"


def _write(output: Output, remote: Remote, pushed: Pushed, *, dry_run: bool) -> None:
    if not pushed.updates:
        output.line(f"{remote.name} is up to date")
        return
    sent = f"{plural(pushed.commits, 'commit')}, {plural(pushed.events, 'event')}"
    output.line(f"{'Would send' if dry_run else 'To'} {remote.url}: {sent}")
    for update in pushed.updates:
        name = update.ref.removeprefix(HEADS).removeprefix(TAGS)
        if update.new is None:
            output.line(f" - {'[deleted]':<22} {name}")
        elif update.old is None:
            kind = "[new tag]" if update.ref.startswith(TAGS) else "[new branch]"
            output.line(f" * {kind:<22} {name}")
        elif update.ref in pushed.rewound:
            moved = f"{short(update.old)}...{short(update.new)}"
            output.line(f" + {moved:<22} {name}  (forced update)")
        else:
            output.line(f"   {short(update.old) + '..' + short(update.new):<22} {name}")
