"""One repository among others: its remotes, and everything that goes to them or comes from them.

It must not know terminals, nor merge what it fetched: that is for those above.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from evgit.errors import NotFound, UsageError
from evgit.history.heads import HEADS, TAGS, check_shared_name
from evgit.storage.config import Config
from evgit.storage.operations import RefChange
from evgit.storage.refs import SYMBOLIC
from evgit.sync.cloning import refs_at, whole_address
from evgit.sync.fetching import Fetch, Fetched, fetch
from evgit.sync.messages import RefsReply
from evgit.sync.outgoing import to_send
from evgit.sync.pushing import Pushed, PushedRef, push
from evgit.sync.quarantine import Progress
from evgit.sync.remotes import TRACKING, Remote, Remotes, Upstream
from evgit.sync.store import Store
from evgit.sync.transport import Transport
from evgit.sync.transports.connecting import Connecting, connect

DEFAULT_REMOTE = "origin"
ALL_THERE = 1 << 31
"""A depth that reaches the beginning of what another repository has."""


class AheadBehind(NamedTuple):
    """How many commits each of two refs has that the other lacks. `off_chain`: the first has all
    of the second's, but not on its first-parent chain, so that the second can't go forward to it.
    """

    ahead: int
    behind: int
    off_chain: bool


class Sync:
    """What a repository does with others."""

    def __init__(self, store: Store, config: Config, using: Connecting) -> None:
        self._store = store
        self._using = using
        self.remotes = Remotes(config)

    # ------------------------------------------------------------------ which other repository
    def remote(self, name: str | None, branch: str | None = None) -> Remote:
        """A remote by name or address; by default the one that a branch follows, or `origin`.

        Raises NotFound.
        """
        if name is None:
            upstream = None if branch is None else self.remotes.upstream(branch)
            name = DEFAULT_REMOTE if upstream is None else upstream.remote
        known = {remote.name: remote for remote in self.remotes.all()}
        if name in known:
            return known[name]
        if "/" in name or ":" in name or name.startswith("."):
            return Remote(name, name)
        if Path(name).is_file():  # a bundle in this directory: its whole path is no remote's name
            return Remote(whole_address(name), whole_address(name))
        return self.remotes.get(name)

    def add(self, name: str, address: str) -> Remote:
        """Name another repository. Raises AlreadyExists, InvalidName, UsageError."""
        return self.remotes.add(name, whole_address(address))

    def set_url(self, name: str, address: str) -> Remote:
        """Say where a remote is. Raises NotFound, UsageError."""
        self.remotes.get(name)
        return self.remotes.set_url(name, whole_address(address))

    @contextmanager
    def connected(self, remote: Remote) -> Iterator[Transport]:
        """A transport to a remote, closed at the end."""
        transport = connect(remote.url, self._using, self._store)
        try:
            yield transport
        finally:
            transport.close()

    def refs_of(self, remote: Remote) -> RefsReply:
        """What refs a remote has now."""
        return refs_at(remote.url, self._using)

    def wanted_for_clone(self, there: RefsReply, branch: str | None, depth: int) -> Fetch:
        """What a clone of a repository that says this fetches: everything that is there, or with a
        depth one branch: by default that of its HEAD. Raises UsageError."""
        if depth < 0:
            raise UsageError("a depth is a number of commits, 1 or more")
        if not depth:
            return Fetch(depth=ALL_THERE if there.boundaries else 0)
        head = there.head if branch is None else HEADS + branch
        branches = [] if head is None else [head.removeprefix(HEADS)]
        return Fetch(branches=branches, depth=depth)

    # ------------------------------------------------------------------ moving history
    def fetch(
        self, remote: Remote, wanted: Fetch | None = None, progress: Progress | None = None
    ) -> Fetched:
        """Fetch from a remote. Raises as `fetching.fetch`."""
        with self.connected(remote) as transport:
            return fetch(self._store, transport, remote, wanted, progress)

    def push(
        self,
        remote: Remote,
        refs: Sequence[PushedRef],
        *,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Pushed:
        """Push refs to a remote, all or none. Raises as `pushing.push`."""
        named = any(remote.name == other.name for other in self.remotes.all())
        with self.connected(remote) as transport:
            return push(
                self._store,
                transport,
                remote if named else None,
                refs,
                dry_run=dry_run,
                progress=progress,
            )

    def pushed_refs(
        self, remote: Remote, names: Sequence[str], branch: str | None
    ) -> list[PushedRef]:
        """What `push` with these words means: `NAME`, `HERE:THERE`, `:THERE`, `+…` for force.

        Without words: the current branch, to what it follows, or to its own name. HERE may be a
        commit's full id.
        """
        if not names:
            if branch is None:
                raise UsageError(
                    "HEAD is on no branch, so it is not clear what to push", hint="name a branch"
                )
            upstream = self.remotes.upstream(branch)
            there = upstream.ref if upstream and upstream.remote == remote.name else HEADS + branch
            return [PushedRef(HEADS + branch, there)]
        return [self._pushed_ref(word) for word in names]

    def _pushed_ref(self, word: str) -> PushedRef:
        force = word.startswith("+")
        source, colon, target = word.removeprefix("+").partition(":")
        if colon and not target:
            raise UsageError(
                f"{word!r} does not say what the ref is called there",
                hint="evgit push REMOTE HERE:THERE; :THERE deletes it",
            )
        if not source and colon:
            return PushedRef(None, _full(target), force)
        if colon:
            check_shared_name(_full(target))
            if self._is_commit(source):
                return PushedRef(source, _full(target), force)
        found = next(
            (p + source for p in ("", HEADS, TAGS) if self._store.refs.get(p + source)), ""
        )
        if not found.startswith(("refs/heads/", "refs/tags/")):
            raise NotFound(
                f"there is no branch or tag {source!r} to push", hint="`evgit branch` lists them"
            )
        return PushedRef(found, _full(target, found) if colon else found, force)

    def _is_commit(self, text: str) -> bool:
        full = len(text) == 64 and set(text) <= set("0123456789abcdef")
        return full and self._store.row(text) is not None

    # ------------------------------------------------------------------ tracking
    def upstream_named(self, name: str) -> Upstream:
        """The branch of a remote that `origin/main` means. Raises NotFound."""
        short = name.removeprefix(TRACKING).removeprefix("remotes/")
        for remote in self.remotes.all():
            branch = short.removeprefix(f"{remote.name}/")
            if branch != short and self._store.refs.get(remote.tracking + branch) is not None:
                return Upstream(remote.name, HEADS + branch)
        raise NotFound(
            f"no branch of a remote is called {name!r} here",
            hint="`evgit branch -r` lists those that were fetched; `evgit push -u REMOTE BRANCH` "
            "makes one there, and follows it",
        )

    def tracking(self, branch: str) -> AheadBehind | None:
        """How a branch (short name) stands to what it follows; None where that is not known."""
        upstream = self.remotes.upstream(branch)
        ours = self._store.refs.get(HEADS + branch)
        theirs = None if upstream is None else self._store.refs.get(upstream.tracking_ref)
        if ours is None or theirs is None:
            return None
        history = self._store.history
        here, there = history.graph.get(ours), history.graph.get(theirs)
        ahead = to_send(history, [here], [there]).commits
        behind = to_send(history, [there], [here]).commits
        aside = ahead and not behind and not history.graph.on_first_parents(there, here)
        return AheadBehind(ahead, behind, bool(aside))

    def forget(self, remote: Remote) -> None:
        """Remove a remote with its remote-tracking refs."""
        self.remotes.remove(remote.name)
        self._move_tracking(remote, None)

    def rename(self, remote: Remote, new: str) -> None:
        """Rename a remote with its remote-tracking refs."""
        self.remotes.rename(remote.name, new)
        self._move_tracking(remote, Remote(new, remote.url))

    def _move_tracking(self, remote: Remote, new: Remote | None) -> None:
        store = self._store
        with store.changing():
            changes = []
            for ref in store.refs.under(remote.tracking):
                changes.append(RefChange(ref.name, ref.target, None))
                if new is not None:
                    name = new.tracking + ref.name.removeprefix(remote.tracking)
                    changes.append(RefChange(name, None, ref.target))
            if changes:
                command = "remote remove" if new is None else "remote rename"
                store.move(changes, command, {"remote": remote.name})

    def begin_branch(self, fetched: Fetched, remote: Remote, branch: str | None) -> str | None:
        """After a clone: put HEAD on the branch that theirs is on (or `branch`), and follow it.

        Returns its short name; None where there is nothing to be on. Raises NotFound.
        """
        ref = fetched.head if branch is None else HEADS + branch
        if ref is None or ref not in fetched.refs:
            if branch is not None:
                raise NotFound(
                    f"the other repository has no branch {branch!r}",
                    hint="`evgit ls-remote ADDRESS` lists what it has",
                )
            ref = next((name for name in sorted(fetched.refs) if name.startswith(HEADS)), None)
        if ref is None:
            return None
        store = self._store
        with store.changing():
            head = store.refs.get("HEAD")
            made = store.refs.under(HEADS)
            changes = [RefChange(r.name, r.target, None) for r in made if r.name != ref]
            changes.append(RefChange(ref, store.refs.get(ref), fetched.refs[ref]))
            if head != SYMBOLIC + ref:
                changes.append(RefChange("HEAD", head, SYMBOLIC + ref))
            store.refs.move([c for c in changes if c.old != c.new])
            store.operations.record(
                changes,
                now=store.actor.now(),
                actor=store.actor.name,
                writer=store.actor.writer,
                command="clone",
                arguments={"remote": remote.url},
            )
        short = ref.removeprefix(HEADS)
        self.remotes.follow(short, Upstream(remote.name, ref))
        return short


def _full(name: str, like: str = HEADS) -> str:
    if name.startswith("refs/"):
        return name
    return (TAGS if like.startswith(TAGS) else HEADS) + name
