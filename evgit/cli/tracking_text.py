"""How a branch stands to the one that it follows, in words."""

from __future__ import annotations

from typing import Any

from evgit.cli.commit_text import plural
from evgit.repository import Repository

HEADS = "refs/heads/"


def tracking_line(repository: Repository, branch: str) -> str | None:
    """A sentence for `status`; None for a branch that follows nothing."""
    sync = repository.sync()
    upstream = sync.remotes.upstream(branch)
    if upstream is None:
        return None
    name = f"{upstream.remote}/{upstream.ref.removeprefix(HEADS)}"
    counts = sync.tracking(branch)
    if counts is None:
        return f"It follows {name}, which is not there (any more)."
    if counts.ahead and counts.behind:
        return (
            f"It has {plural(counts.ahead, 'commit')} that {name} lacks, and lacks "
            f"{counts.behind}: evgit pull"
        )
    if counts.behind:
        return f"It lacks {plural(counts.behind, 'commit')} of {name}: evgit pull"
    if counts.ahead:
        lacks = f"It has {plural(counts.ahead, 'commit')} that {name} lacks"
        if counts.off_chain:
            return (
                f"{lacks}, but {name} was merged as second parent, which a push can't publish: "
                "evgit undo takes the merge back, evgit pull merges the other way round"
            )
        return f"{lacks}: evgit push"
    return f"It has what {name} has."


def tracking_mark(repository: Repository, branch: str) -> str:
    """For a list of branches: `[origin/main: ahead 1, behind 2]`, or nothing."""
    sync = repository.sync()
    upstream = sync.remotes.upstream(branch)
    if upstream is None:
        return ""
    counts = sync.tracking(branch)
    words = []
    if counts is None:
        words.append("gone")
    else:
        words += [f"ahead {counts.ahead}"] if counts.ahead else []
        words += [f"behind {counts.behind}"] if counts.behind else []
    name = f"{upstream.remote}/{upstream.ref.removeprefix(HEADS)}"
    return f"[{name}{': ' + ', '.join(words) if words else ''}]"


def tracking_document(repository: Repository, branch: str | None) -> dict[str, Any] | None:
    """The same for machines; None for a branch that follows nothing."""
    sync = repository.sync()
    upstream = None if branch is None else sync.remotes.upstream(branch)
    if branch is None or upstream is None:
        return None
    counts = sync.tracking(branch)
    return {
        "remote": upstream.remote,
        "ref": upstream.ref,
        "ahead": None if counts is None else counts.ahead,
        "behind": None if counts is None else counts.behind,
    }
