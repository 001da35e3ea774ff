"""Which names point at which commits: `(HEAD -> main, tag: v1)`."""

from __future__ import annotations

from evgit.cli.commit_text import Decorations
from evgit.repository import Repository

HEADS = "refs/heads/"
TAGS = "refs/tags/"


def decorations(repository: Repository) -> Decorations:
    """The names of branches and tags by the commit that they lead to, HEAD's first."""
    names: dict[str, list[str]] = {}
    head = repository.head()
    head_name = f"HEAD -> {head.branch}" if head.branch else "HEAD"
    names.setdefault(head.point.commit, []).append(head_name)
    for ref in repository.refs():
        if ref.name == f"{HEADS}{head.branch}":
            continue
        if ref.name.startswith(TAGS):
            shown = f"tag: {ref.name.removeprefix(TAGS)}"
        elif ref.name.startswith("refs/"):
            shown = ref.name.removeprefix("refs/").removeprefix("heads/").removeprefix("remotes/")
        else:
            continue
        tag = repository.tag(ref.target) if ref.name.startswith(TAGS) else None
        names.setdefault(tag.target if tag else ref.target, []).append(shown)
    return names
