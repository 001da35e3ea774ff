"""Chains that were received and go on one from the other, judged and then stored together.

What makes their bytes beyond doubt was found by `sound_chains`; here they are held against the
log that they go on from. It must not know who sent them, nor what to do about doubts.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, chain as chained, islice
from typing import NoReturn

from evgit.errors import InvalidObject
from evgit.formats.hashing import ID_BYTES
from evgit.formats.merkle import Frontier
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.indexing import ChainToIndex
from evgit.sync.preparing import Preparing
from evgit.sync.sound_chains import Claim, SoundChain, split_ids

LONG_EVENTS = 1 << 14
LONG_BYTES = 8 << 20


class ChainRun:
    """Chains behind `parent`, whose log has this frontier, to be stored from line `number` on."""

    def __init__(self, parent: CommitRow, frontier: Frontier, number: int, latest: int) -> None:
        self.frontier = frontier
        self.latest = latest
        self.last = parent.id
        self._parent = parent
        self._number = number
        self._time = parent.time
        self._chains: list[SoundChain] = []
        self._latest: list[int] = []
        self._nodes: list[tuple[int, int, bytes]] = []
        self._bytes = 0

    @property
    def is_long(self) -> bool:
        """Has it come to as much as is worth storing together?"""
        return self.frontier.size - self._parent.size >= LONG_EVENTS or self._bytes >= LONG_BYTES

    def add(self, chain: SoundChain, preparing: Preparing) -> bool:
        """Judge a chain: size and root of the log, times. False where something is not right;
        that roots are right may turn out only when `preparing` is done."""
        if chain.start != self.frontier.size or chain.times[0] < self._time:
            return False
        frontier, nodes = self.frontier.copy(), list[tuple[int, int, bytes]]()
        if len(chain.trees) == len(chain.counts):
            for number, tree in enumerate(chain.trees):
                frontier.add(tree, lambda *node: nodes.append(node))
                if frontier.root() != chain.roots[ID_BYTES * number : ID_BYTES * (number + 1)]:
                    return False
        else:
            claim = Claim(
                frontier.size, frontier.to_bytes(), chain.event_ids, chain.counts, chain.roots
            )
            preparing.check(claim, _refusing(chain))
            frontier.add(chain.trees[0], lambda *node: nodes.append(node))
        self.frontier = frontier
        self._nodes += nodes
        self._chains.append(chain)
        self._latest += islice(accumulate(chain.latest, max, initial=self.latest), 1, None)
        self.latest = self._latest[-1]
        self.last = chain.last
        self._time = chain.times[-1]
        self._bytes += sum(map(len, chain.data))
        return True

    def store(self, history: History) -> tuple[CommitRow, int]:
        """Store it: the row of the last commit, and the line behind it."""
        chains = self._chains
        counts = [count for found in chains for count in found.counts]
        *numbers, end = accumulate((count + 1 for count in counts), initial=self._number)
        lasts = [*accumulate(joined for chain in chains for joined in chain.joined)]
        firsts = [0, *lasts[:-1]]
        history.blocks.put_together(
            zip(
                [numbers[first] for first in firsts],
                [self._latest[last - 1] for last in lasts],
                chained.from_iterable(chain.directories for chain in chains),
                chained.from_iterable(chain.data for chain in chains),
                strict=True,
            )
        )
        row = history.indexer.index_chain(
            ChainToIndex(
                parent=self._parent,
                numbers=numbers,
                ids=b"".join([chain.ids for chain in chains]),
                counts=counts,
                times=[time for chain in chains for time in chain.times],
                event_ids=b"".join([chain.event_ids for chain in chains]),
                streams=[stream for chain in chains for stream in chain.streams],
                keys=self._keys(numbers, counts),
                frontier=self.frontier,
                nodes=self._nodes,
            )
        )
        return row, end

    def _keys(self, numbers: list[int], counts: list[int]) -> list[tuple[int, str, str]]:
        """(line, stream, key) of all events that have a key."""
        if not any(chain.keys for chain in self._chains):
            return []
        lines = [
            line
            for number, count in zip(numbers, counts, strict=True)
            for line in range(number, number + count)
        ]
        keys, before = [], 0
        for chain in self._chains:
            keys += [(lines[before + place], stream, key) for place, stream, key in chain.keys]
            before += sum(chain.counts)
        return keys


def _refusing(chain: SoundChain) -> Callable[[int, bytes], NoReturn]:
    def refuse(number: int, root: bytes) -> NoReturn:
        ids, said = split_ids(chain.ids), split_ids(chain.roots)
        raise InvalidObject(
            f"commit {ids[number].hex()} says log root {said[number].hex()}, its events give "
            f"{root.hex()}"
        )

    return refuse
