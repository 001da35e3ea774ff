"""Tips: the commits that refs are at, with what it takes to append to them.

A writer goes on from what it wrote last without looking it up again, as long as nobody else wrote
since. It knows no transaction: who calls holds one.
"""

from __future__ import annotations

import msgspec

from evgit.errors import Damage, DamagedObject, NotFound, UsageError
from evgit.formats.merkle import Frontier
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.storage.refs import RefStore

REMEMBERED_REVISIONS = 10_000


class Tip(msgspec.Struct):
    """What a ref is at. `peaks`: of its log's frontier, one after another. `revisions`: last
    revisions of streams that were asked for lately."""

    target: str
    row: CommitRow
    peaks: bytes
    revisions: dict[str, int]

    @property
    def frontier(self) -> Frontier:
        """Its log's frontier, anew each time."""
        return Frontier.from_bytes(self.row.size, self.peaks)

    def after(self, target: str, row: CommitRow, peaks: bytes, appended: list[str]) -> Tip:
        """The tip once a commit was appended, with events of these streams."""
        revisions = self.revisions
        if revisions:
            for stream in appended:
                if stream in revisions:
                    revisions[stream] += 1
            if len(revisions) >= REMEMBERED_REVISIONS:
                revisions = {}
        return Tip(target, row, peaks, revisions)


class Tips:
    """The tips that one writer left, and those of other refs when they are asked for."""

    def __init__(self, history: History, refs: RefStore) -> None:
        self._history = history
        self._refs = refs
        self._tips: dict[str, Tip] = {}
        self._current: set[str] = set()

    def remember(self, ref: str, tip: Tip) -> None:
        """The ref is at this tip, by a transaction that was committed."""
        self._tips[ref] = tip
        self._current.add(ref)

    def doubt(self) -> None:
        """Somebody else may have written since: look at refs again."""
        self._current.clear()

    def forget(self) -> None:
        """Forget everything, after a roll-back."""
        self._tips.clear()
        self._current.clear()

    def likely_size(self, ref: str) -> int:
        """How many events the ref's log had when last seen; 0 where it was not."""
        known = self._tips.get(ref)
        return known.row.size if known else 0

    def current(self, ref: str | None) -> Tip | None:
        """The tip of a ref, if it is known that nobody else has written since it was seen."""
        return None if ref is None or ref not in self._current else self._tips.get(ref)

    def of(self, ref: str) -> Tip:
        """The tip of a ref. Raises NotFound, UsageError, or Damage where the index is wrong."""
        known = self._tips.get(ref)
        if known is not None and ref in self._current:
            return known
        target = self._refs.get(ref)
        if target is None:
            raise NotFound(
                f"there is no {ref}", hint="`evgit branch` lists the branches that there are"
            )
        if known is not None and known.target == target:
            return known
        if "#" in target:
            raise UsageError(
                "HEAD is at a point inside a commit; appending there would lose what follows",
                hint="make a branch from a whole commit, or switch to a branch",
            )
        return self.at(target)

    def at(self, target: str) -> Tip:
        """What it takes to append to a commit. Raises UnknownObject, or Damage as `of`."""
        row = self._history.graph.get(target)
        frontier = self._history.log_of(row).frontier()
        try:
            root = self._history.commit(row).log.root
        except DamagedObject:
            root = ""  # nothing to compare with; the frontier has a checksum of its own
        if root and frontier.root().hex() != root:
            # A wrong index must not find its way into a commit, where it would be for good.
            raise Damage(
                f"the index does not give the log root of commit {target}",
                hint="`evgit fsck` shows the extent, `evgit reindex` rebuilds the index",
            )
        return Tip(target, row, frontier.to_bytes(), {})
