"""What commands that go to other repositories share: how to get there, and what came of it."""

from __future__ import annotations

import os
import pwd
import shlex

from evgit.cli.clock import now
from evgit.cli.commit_text import plural
from evgit.cli.credentials import token_for
from evgit.cli.event_text import short
from evgit.cli.identity import identity
from evgit.cli.output import Output, shown_in_line
from evgit.errors import UsageError
from evgit.repository import Connecting, Fetched, RefMove, Repository, Sync

_SIGNS = {"new": "*", "forward": " ", "rewound": "+", "deleted": "-", "refused": "!", "behind": "!"}


def ssh_words() -> tuple[str, ...]:
    """The command that stands for ssh: EVGIT_SSH_COMMAND, split as a shell would."""
    command = os.environ.get("EVGIT_SSH_COMMAND", "")
    try:
        return tuple(shlex.split(command)) or ("ssh",)
    except ValueError as error:
        raise UsageError(
            f"EVGIT_SSH_COMMAND, {command!r}, is no command: {error}", hint="quote it for a shell"
        ) from None


def sync_of(repository: Repository) -> Sync:
    """What the repository does with others, as this person."""
    repository.author = identity(repository).author
    return repository.sync(connecting(repository.author))


def connecting(author: str) -> Connecting:
    """How to go to another repository before there is one here."""
    certificates = os.environ.get("EVGIT_CERTIFICATES")
    return Connecting(author, now, ssh_words(), token_for, certificates, system_user())


def system_user() -> str:
    """The user that this process runs as, whatever its environment says."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def write_moves(output: Output, moves: list[RefMove]) -> None:
    """A line for each ref that moved, or could not."""
    for move in moves:
        if move.kind == "unnameable":
            there = shown_in_line(move.remote_ref[:300])
            output.line(f" ! {'[left out]':<22} {there}  (nothing may be called so here)")
            continue
        if move.kind == "untracked":
            there = move.remote_ref.removeprefix("refs/heads/")
            output.line(f" * {short(move.new or ''):<22} {there}  (no ref here follows it)")
            continue
        there = move.remote_ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        here = move.ref.removeprefix("refs/remotes/").removeprefix("refs/tags/")
        if move.kind == "new":
            what = "[new tag]" if move.ref.startswith("refs/tags/") else "[new branch]"
        elif move.kind == "deleted":
            what = "[deleted]"
        elif move.kind == "behind":
            what = "[not here]"
        else:
            dots = "..." if move.kind == "rewound" else ".."
            what = f"{short(move.old or '')}{dots}{short(move.new or '')}"
        note = {
            "rewound": "  (rewound there: what it had is kept here under its commits)",
            "refused": "  (a tag of that name is here already, and stays)",
            "behind": "  (behind the boundary of this shallow clone: `evgit fetch --unshallow`)",
        }.get(move.kind, "")
        output.line(f" {_SIGNS[move.kind]} {what:<22} {there} -> {here}{note}")


def came(fetched: Fetched) -> str:
    """What a fetch brought, in words."""
    words = f"{plural(fetched.commits, 'commit')}, {plural(fetched.events, 'event')}"
    return words + (f", {plural(fetched.blobs, 'blob')}" if fetched.blobs else "")


def fetched_document(remote: str, fetched: Fetched) -> dict[str, object]:
    """What a fetch did, for machines."""
    return {
        "remote": remote,
        "commits": fetched.commits,
        "events": fetched.events,
        "blobs": fetched.blobs,
        "bytes": fetched.bytes,
        "rounds": fetched.rounds,
        "refs": [
            {"there": m.remote_ref, "ref": m.ref, "old": m.old, "new": m.new, "kind": m.kind}
            for m in fetched.moves
        ],
    }
