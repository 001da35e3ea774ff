"""What can be said of received lines by their bytes alone, many commits at a time.

In a transfer most commits follow one another, each the only parent of the next, with events of
their own: a **chain**. All of a chain is decoded, checked, hashed and compressed together, by any
process. What is beyond doubt comes out as a `SoundChain`; what is not, and what is out of the
ordinary (merges, `again` lines, blobs, tags, a few events), is left to those who look at blocks one
by one and say what is wrong. It must not know a repository.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import msgspec

from evgit.errors import EvgitError
from evgit.formats.block import COMMIT_START, directory_of, encode_together, split_frames
from evgit.formats.canonical import id_bytes
from evgit.formats.commit import Commit, verified_commits
from evgit.formats.event import EventBatch, verified_batch
from evgit.formats.hashing import ID_BYTES, JoinedIds, hashed, joined_ids
from evgit.formats.merkle import Frontier, Subtrees, first_wrong_root, subtrees
from evgit.formats.native import native
from evgit.formats.times import to_instants
from evgit.formats.transfer import WholeBlocks
from evgit.history.indexing import LEAST_EVENTS
from evgit.sync.kept_frames import KeptFrames

_PLAIN_START = b'{"data":'  # an event without blobs: members stand in alphabetical order
_EVENTS_A_COMMIT = 32
"""With so many, a commit's part of the log's tree is hashed by itself."""
_NO_EVENT = -1
_TEXT, _FRAMES, _CLAIM = b"t", b"f", b"c"
RIGHT, WRONG = b"right", b"wrong"
_BETWEEN = "\n"  # names of streams hold no control characters


class SoundChain(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Commits, each the only parent of the next, and their blocks.

    `parent`: id of the parent of the first. `ids`, `roots`: of the commits, one after another.
    `counts`: of events. `times`, `latest`: instants of the commits, and of their latest events.
    `start`: events in the log before. `earliest`: instant of an event. `event_ids`, `streams`: of
    all events. `keys`: (place among them, stream, key). `trees`: of each commit, or one of all.
    `joined`: how many blocks each row has; `directories` and `data`: of the rows' frames.
    """

    parent: bytes
    ids: bytes
    roots: bytes
    counts: list[int]
    times: list[int]
    latest: list[int]
    start: int
    earliest: int
    event_ids: bytes
    joined_streams: str
    keys: list[tuple[int, str, str]]
    trees: list[Subtrees]
    joined: list[int]
    directories: list[bytes]
    data: list[bytes]

    @property
    def streams(self) -> list[str]:
        return self.joined_streams.split(_BETWEEN)

    @property
    def last(self) -> bytes:
        """The id of the last commit."""
        return self.ids[-ID_BYTES:]


class Claim(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Roots that commits say their logs have, from a frontier (size and peaks) on."""

    size: int
    peaks: bytes
    event_ids: bytes
    counts: list[int]
    roots: bytes


def split_ids(joined: bytes) -> list[bytes]:
    """Ids that stand one after another."""
    return [joined[place : place + ID_BYTES] for place in range(0, len(joined), ID_BYTES)]


class _Said(NamedTuple):
    """What the lines of a chain say, as in `SoundChain`. `ends`: where blocks end in their text."""

    parent: bytes
    ids: bytes
    roots: bytes
    counts: list[int]
    times: list[int]
    latest: list[int]
    start: int
    earliest: int
    event_ids: bytes
    joined_streams: str
    keys: list[tuple[int, str, str]]
    ends: list[int]


Part = tuple[int, int, SoundChain | None]
"""Lines [start, stop) of what was given: a chain, or blocks to be looked at one by one."""


def parts_of(blocks: WholeBlocks) -> list[Part]:
    """What whole blocks, one after another, consist of."""
    blocks = blocks.unfolded()
    if native is not None:
        text = b"".join(blocks.texts)
        certified = native.certified_chain(text)
        if certified is not None:
            said = _Said(*certified)
            chain = _sound(said, text, 0, KeptFrames(blocks))
            if chain is not None:
                return [(0, sum(said.counts) + len(said.counts), chain)]
    return _parts_of(blocks)


def _parts_of(blocks: WholeBlocks) -> list[Part]:
    """The same for blocks of all kinds."""
    lines, kept = blocks.lines, KeptFrames(blocks)
    others = [place for place, line in enumerate(lines) if not line.startswith(_PLAIN_START)]
    ends = [place for place in others if lines[place].startswith(COMMIT_START)]
    doubtful: list[Part] = [(0, len(lines), None)]
    try:
        commits = verified_commits([lines[end] for end in ends])
    except EvgitError:
        return doubtful
    ids = hashed([lines[end] for end in ends])
    special = set(others).difference(ends)
    found: list[Part] = []
    for first, behind in _chains(ids, ends, commits, special):
        start = ends[first - 1] + 1 if first else 0
        stop = ends[behind - 1] + 1
        chain = None
        if not special or special.isdisjoint(range(start, stop)):
            said = _said(lines, start, ends[first:behind], commits[first:behind], ids[first:behind])
            if said is not None:
                chain = _sound(said, b"\n".join([*lines[start:stop], b""]), start, kept)
        if chain is None and found and found[-1][2] is None:
            start = found.pop()[0]
        found.append((start, stop, chain))
    behind_all = found[-1][1] if found else 0
    if behind_all < len(lines):
        found.append((behind_all, len(lines), None))
    return found


def _chains(
    ids: Sequence[bytes], ends: Sequence[int], commits: Sequence[Commit], special: set[int]
) -> Iterator[tuple[int, int]]:
    """The commits cut into [first, behind) that may be chains."""
    plain = [len(c.parents) == 1 and c.merge is None for c in commits]
    if special:
        place = 0
        for number, end in enumerate(ends):
            plain[number] = plain[number] and special.isdisjoint(range(place, end))
            place = end + 1
    first = 0
    for number in range(1, len(commits)):
        before, commit = commits[number - 1], commits[number]
        if (
            not (plain[number] and plain[number - 1])
            or commit.parents[0] != ids[number - 1].hex()
            or commit.log.size != before.log.size + commit.events
            or commit.time < before.time
        ):
            yield first, number
            first = number
    if commits:
        yield first, len(commits)


def _said(
    lines: Sequence[bytes],
    begin: int,
    ends: Sequence[int],
    commits: list[Commit],
    ids: Sequence[bytes],
) -> _Said | None:
    """What the chain says that some blocks are, if they are one beyond doubt: `lines` from `begin`
    on, each block up to its one of `ends`."""
    first = commits[0]
    own = ends[-1] + 1 - begin - len(ends)
    if own <= LEAST_EVENTS or len(first.parents) != 1 or first.merge is not None:
        return None
    counts, events, before = list[int](), list[bytes](), begin
    for end, commit in zip(ends, commits, strict=True):
        if commit.events != end - before:
            return None
        counts.append(end - before)
        events += lines[before:end]
        before = end + 1
    batch = verified_batch(events)
    start = first.log.size - first.events
    if batch is None or start < 0:
        return None
    behind = list(accumulate(len(line) + 1 for line in lines[begin:before]))
    return _Said(
        parent=id_bytes(first.parents[0]),
        ids=b"".join(ids),
        roots=bytes.fromhex("".join(commit.log.root for commit in commits)),
        counts=counts,
        times=to_instants([commit.time for commit in commits]),
        latest=_latest(batch.instants, counts),
        start=start,
        earliest=min(batch.instants),
        event_ids=joined_ids(batch.ids),
        joined_streams=batch.joined_streams,
        keys=_keys(batch),
        ends=[behind[end - begin] for end in ends],
    )


def _keys(batch: EventBatch) -> list[tuple[int, str, str]]:
    return [
        (place, batch.streams[place], key)
        for place, key in zip(batch.keyed, batch.keys, strict=True)
    ]


def _latest(instants: array[int], counts: list[int]) -> list[int]:
    """The instants of the latest events of commits with so many."""
    if len(instants) == len(counts) and min(counts):
        return instants.tolist()
    latest, place = [], 0
    for count in counts:
        latest.append(max(instants[place : place + count], default=_NO_EVENT))
        place += count
    return latest


def _sound(said: _Said, text: bytes, begin: int, kept: KeptFrames) -> SoundChain | None:
    """The chain that says this, with what can be computed of it. `text`: its lines, the first of
    which is number `begin` of those in `kept`. None: it has few events, or one twice."""
    counts, ids = said.counts, JoinedIds(said.event_ids)
    if len(ids) <= LEAST_EVENTS or not ids.all_differ():
        return None
    lines = [count + 1 for count in counts]
    *firsts, _ = accumulate(lines, initial=begin)
    ends = [first + count for first, count in zip(firsts, counts, strict=True)]
    rows = list(encode_together(text, said.ends, lines, kept.blocks(firsts, ends)))
    return SoundChain(
        parent=said.parent,
        ids=said.ids,
        roots=said.roots,
        counts=counts,
        times=said.times,
        latest=said.latest,
        start=said.start,
        earliest=said.earliest,
        event_ids=said.event_ids,
        joined_streams=said.joined_streams,
        keys=said.keys,
        trees=_trees(ids, said.start, counts),
        joined=[count for count, _ in rows],
        directories=[directory_of(block.frames) for _, block in rows],
        data=[block.data for _, block in rows],
    )


def _trees(ids: JoinedIds, start: int, counts: list[int]) -> list[Subtrees]:
    if len(ids) < _EVENTS_A_COMMIT * len(counts):
        return [subtrees(ids, start)]
    trees, place = [], 0
    for count in counts:
        own = JoinedIds(ids.joined[ID_BYTES * place : ID_BYTES * (place + count)])
        trees.append(subtrees(own, start + place))
        place += count
    return trees


# ---------------------------------------------------------------------------- in any process
def begin(_setup: bytes) -> Callable[[bytes], bytes]:
    """What answers in a worker process: to whole blocks with parts, to a claim with OK or WRONG."""
    return _answer


def request_of(blocks: WholeBlocks) -> bytes:
    """A request for `parts_of`."""
    if blocks.frames:
        return b"".join([_FRAMES, *blocks.frames])
    return b"".join([_TEXT, *blocks.texts])


def parts_in(answer: bytes) -> list[Part]:
    """The answer to it."""
    return _parts_decoder().decode(answer)


def question_of(claim: Claim) -> bytes:
    """A request for whether a claim is right."""
    return _CLAIM + msgspec.msgpack.encode(claim)


def _answer(request: bytes) -> bytes:
    if request.startswith(_CLAIM):
        claim = _claim_decoder().decode(memoryview(request)[1:])
        return RIGHT if wrong_claim(claim) is None else WRONG
    if request.startswith(_TEXT):
        blocks = WholeBlocks([request[1:]], [], len(request) - 1)
    else:
        blocks = WholeBlocks.in_frames(split_frames(request, 1))
    return msgspec.msgpack.encode(parts_of(blocks))


def wrong_claim(claim: Claim) -> tuple[int, bytes] | None:
    """Which commit says another root than its log has, if any does, and what root it has."""
    frontier = Frontier.from_bytes(claim.size, claim.peaks)
    wrong = first_wrong_root(frontier, claim.event_ids, claim.counts, claim.roots)
    return None if wrong is None else (wrong, frontier.root())


@cache
def _parts_decoder() -> msgspec.msgpack.Decoder[list[Part]]:
    return msgspec.msgpack.Decoder(list[Part])


@cache
def _claim_decoder() -> msgspec.msgpack.Decoder[Claim]:
    return msgspec.msgpack.Decoder(Claim)
