"""Which commits of two ranges are the same decision: before and after a re-append, say.

They correspond if they have events in common, since events keep their ids wherever they go.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from evgit.history.ancestry import compare, parents_first
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.reading import Reader


@dataclass(slots=True)
class Pair:
    """A commit of either range, None where there is none. `guards`: {stream: (revision in the old
    one, in the new one)} of those that differ, None for no guard. `missing`, `new`: ids of events
    that only the old one has, or only the new one; `reordered`: they are in another order."""

    old: str | None
    new: str | None
    guards: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    reordered: bool = False

    @property
    def mark(self) -> str:
        """`=` the same, `!` changed, `<` only old, `>` only new."""
        if self.new is None:
            return "<"
        if self.old is None:
            return ">"
        changed = self.guards or self.missing or self.added or self.reordered
        return "!" if changed else "="

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        guards = {stream: {"old": old, "new": new} for stream, (old, new) in self.guards.items()}
        return {
            "mark": self.mark,
            "old": self.old,
            "new": self.new,
            "guards": guards,
            "missing": self.missing,
            "added": self.added,
            "reordered": self.reordered,
        }


def range_diff(history: History, old: tuple[str, str], new: tuple[str, str]) -> list[Pair]:
    """Compare two ranges, (what it begins after, its end), ids of commits: pairs in the order of
    the new range, those that only the old one has where they stood."""
    olds, news = _commits(history, *old), _commits(history, *new)
    owner = {event: n for n, (_, own) in enumerate(olds) for event in own}
    partner: dict[int, int] = {}
    free = set(range(len(olds)))
    for place, (_, own) in enumerate(news):
        shared = Counter(owner[event] for event in own if owner.get(event) in free)
        if shared:
            partner[place] = shared.most_common(1)[0][0]
            free.discard(partner[place])
    pairs: list[Pair] = []
    waiting = sorted(free)
    for place, each in enumerate(news):
        if place in partner:
            while waiting and waiting[0] < partner[place]:
                pairs.append(Pair(olds[waiting.pop(0)][0].hex, None))
            pairs.append(_paired(history, olds[partner[place]], each))
        else:
            pairs.append(Pair(None, each[0].hex))
    return pairs + [Pair(olds[n][0].hex, None) for n in waiting]


def _commits(history: History, after: str, end: str) -> list[tuple[CommitRow, list[str]]]:
    tip = history.graph.get(end)
    rows = parents_first(
        compare(history.graph, [history.graph.get(after)], [tip]).only_theirs, [tip]
    )
    reader = Reader(history)
    return [(row, list(reader.own_ids(row))) for row in rows]


def _paired(
    history: History, old: tuple[CommitRow, list[str]], new: tuple[CommitRow, list[str]]
) -> Pair:
    before, after = (dict(history.commit(row).guards or {}) for row, _ in (old, new))
    guards = {
        stream: (before.get(stream), after.get(stream))
        for stream in sorted(before.keys() | after.keys())
        if before.get(stream) != after.get(stream)
    }
    missing = [event for event in old[1] if event not in new[1]]
    added = [event for event in new[1] if event not in old[1]]
    reordered = not missing and not added and old[1] != new[1]
    return Pair(old[0].hex, new[0].hex, guards, missing, added, reordered)
