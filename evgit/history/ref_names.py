"""Which ref a name is short for, and what a ref holds, now or some operations ago.

It knows names and targets, and must not know what ids stand for.
"""

from __future__ import annotations

import re

from evgit.errors import UnknownRevision
from evgit.history import revision_syntax as syntax
from evgit.history.revision_source import RevisionSource
from evgit.history.suggestions import hint_for_name

SYMBOLIC = "ref: "
HEADS = "refs/heads/"
TAGS = "refs/tags/"
REMOTES = "refs/remotes/"
MAX_LINKS = 32  # of refs that name refs, or tags that name tags: more is a mistake

_PSEUDO_REF = re.compile(r"[A-Z][A-Z_]*")


class RefNames:
    """Refs as expressions name them. Raises UnknownRevision for what does not exist."""

    def __init__(self, source: RevisionSource) -> None:
        self._source = source
        self.notes: list[str] = []
        """What a person should hear about a name that was found all the same."""

    def find(self, text: str) -> str | None:
        """The full name of the stored ref that a name is short for (see `resolve`), or None."""
        as_it_is = text.startswith("refs/") or _PSEUDO_REF.fullmatch(text)
        if as_it_is and self._source.read_ref(text) is not None:
            return text
        for prefix in ("refs/", TAGS, HEADS, REMOTES):
            if self._source.read_ref(prefix + text) is None:
                continue
            if prefix == TAGS and self._source.read_ref(HEADS + text) is not None:
                self.notes.append(
                    f"{text!r} is a tag and a branch, and the tag is meant; "
                    f"the branch is {HEADS + text!r}"
                )
            return prefix + text
        remote = f"{REMOTES}{text}/{syntax.HEAD}"
        return remote if self._source.read_ref(remote) is not None else None

    def of(self, node: syntax.Revision) -> str | None:
        """The full name of the ref that a node is, or None if it is none."""
        match node:
            case syntax.CurrentBranch():
                return self.current()
            case syntax.PreviousBranch(number):
                target = self.previous_target(number)
                return target.removeprefix(SYMBOLIC) if target.startswith(SYMBOLIC) else None
            case syntax.Upstream(of):
                return self.upstream(of)
            case syntax.Name(text):
                return self.find(text)
            case _:
                return None

    def required(self, node: syntax.Revision) -> str:
        """As `of`, for a node that must be a ref."""
        name = self.of(node)
        if name is None:
            text = syntax.render(node)
            hint = hint_for_name(text, self._source.list_ref_names(), None)
            raise UnknownRevision(f"there is no branch, tag or other ref {text!r}", hint=hint)
        return name

    def current(self) -> str:
        """The ref that HEAD is on, or HEAD itself where it is detached."""
        target = self._source.read_ref(syntax.HEAD) or ""
        return target.removeprefix(SYMBOLIC) if target.startswith(SYMBOLIC) else syntax.HEAD

    def previous_target(self, number: int) -> str:
        """What HEAD held before its `number`-th switch back."""
        target = self._source.previous_branch(number)
        if target is None:
            raise UnknownRevision(
                f"there is no @{{-{number}}}: HEAD was not switched that often",
                hint="`evgit reflog HEAD` lists where it was",
            )
        return target

    def upstream(self, of: syntax.Revision) -> str:
        """The full name of the ref that a branch follows, which exists."""
        branch = self.required(of)
        if branch == syntax.HEAD:
            branch = self.current()
        if not branch.startswith(HEADS):
            raise UnknownRevision(f"{branch} is not a local branch, so it has no upstream")
        upstream = self._source.upstream(branch)
        short = branch.removeprefix(HEADS)
        if upstream is None:
            raise UnknownRevision(
                f"branch {short!r} has no upstream",
                hint=f"name one: evgit branch -u REMOTE/BRANCH {short}",
            )
        if self._source.read_ref(upstream) is None:
            raise UnknownRevision(
                f"the upstream of branch {short!r} is {upstream}, which does not exist yet",
                hint="fetch it first",
            )
        return upstream

    def target_before(self, of: syntax.Revision, count: int) -> str:
        """What a ref held that many operations ago (0: holds now)."""
        name = self.required(of)
        if count == 0:
            return SYMBOLIC + name
        target = self._source.ref_before(name, count)
        if target is None:
            hint = f"`evgit reflog {name}` lists the operations that moved it"
            if 1000 <= count <= 9999 or 10**7 <= count < 10**8:
                hint += "; digits alone are a number of operations, a date is written 2015-06-01"
            raise UnknownRevision(f"{name} has no value {count} operations ago", hint=hint)
        return target

    def follow(self, target: str) -> tuple[str, str]:
        """The last ref that a target leads to ("" if it is not symbolic), and what that holds."""
        name = ""
        for _ in range(MAX_LINKS):
            if not target.startswith(SYMBOLIC):
                return name, target
            came_from, name = name, target.removeprefix(SYMBOLIC)
            following = self._source.read_ref(name)
            if following is None:
                raise UnknownRevision(
                    f"{name} does not exist" + (f", and {came_from} names it" if came_from else ""),
                    hint="`evgit branch` lists the branches",
                )
            target = following
        raise UnknownRevision(f"{name} names itself, through other refs")
