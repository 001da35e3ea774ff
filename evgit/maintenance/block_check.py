"""Checks blocks by their bytes alone, so that any process can: frames, canonical form, hashes.

What is beyond doubt comes back packed, with everything computed that commits and indexes are then
held against. What is not, and what a block alone can't tell, comes back as doubt: what is wrong is
said by `fsck`, which looks at the block again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import TypeVar

import msgspec

from evgit.errors import EvgitError
from evgit.formats.block import EncodedBlock, count_lines, decode_frames
from evgit.formats.commit import verified_commit
from evgit.formats.event import EventBatch, unpack_batch, verified_text
from evgit.history.event_index import id_words
from evgit.storage.blocks import BlockData, BlockEntry
from evgit.storage.jobs import usable_cores, workers_possible
from evgit.storage.workers import Workers

GROUP_BYTES = 65_536
GROUP_BLOCKS = 64
WORTH_WORKERS = 20_000
"""With fewer lines, a check takes less time than starting processes for it."""
USEFUL_JOBS = 4  # more than the process that compares with the index keeps up with
Group = TypeVar("Group")
_NEWLINE = b"\n"


class _Given(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A block to be checked. `frames`: (compressed size, lines) of each."""

    first_line: int
    frames: list[tuple[int, int]]
    data: bytes


class SoundBlock(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is known of a block beyond doubt. `words`: `sum_of_hashes` of its events' id words."""

    commit_line: bytes
    events: bytes
    words: int

    def batch(self) -> EventBatch:
        """Its events, without their lines."""
        return unpack_batch(self.events) if self.events else EventBatch([], [])


def sum_of_hashes(words: Collection[int]) -> int:
    """One number that stands for a set of words, to be added to those of others."""
    # The hash of a tuple mixes well, unlike a number's, and is the fastest that there is.
    return sum(map(hash, zip(words, strict=False))) & 0xFFFF_FFFF_FFFF_FFFF


Block = tuple[BlockEntry, BlockData]


def packed(blocks: Sequence[Block]) -> bytes:
    """What `check` takes."""
    given = [
        _Given(entry.first_line, [(size, lines) for _, size, _, lines in entry.frames], data)
        for entry, data in blocks
        if entry.sound and isinstance(data, bytes)  # damage may change types
    ]
    return msgspec.msgpack.encode(given)


def unpacked(blocks: Sequence[Block], answer: bytes) -> Iterator[SoundBlock | None]:
    """What `check` said of each block; None: doubt."""
    found = iter(_answer_decoder().decode(answer))
    for entry, data in blocks:
        yield next(found) if entry.sound and isinstance(data, bytes) else None


def check(given: bytes) -> bytes:
    """Check packed blocks."""
    answer = []
    for block in _given_decoder().decode(given):
        try:
            answer.append(_checked(block))
        except EvgitError:
            answer.append(None)
    return msgspec.msgpack.encode(answer)


def begin(_setup: bytes) -> Callable[[bytes], bytes]:
    """What answers in a worker process."""
    return check


def checked(
    groups: Iterable[tuple[Group, bytes]],
    jobs: int | None,
    total: int,
    meanwhile: Callable[[], None],
) -> Iterator[tuple[Group, bytes]]:
    """Each group, and what `check` says of its packed blocks; a bounded number is looked at ahead.

    `jobs`: how many processes check; 1: this one alone; None: as many as are worth it with `total`
    lines. The answers are the same. `meanwhile` is called once, before the first answer, when
    others have something to do.
    """
    if jobs is None:
        jobs = min(usable_cores(), USEFUL_JOBS) if total >= WORTH_WORKERS else 1
    if jobs < 2 or not workers_possible():
        meanwhile()
        for group, given in groups:
            yield group, check(given)
        return
    called = False
    waiting: deque[tuple[Group, bytes]] = deque()
    with Workers(f"{__name__}:begin", b"", jobs) as workers:

        def oldest() -> tuple[Group, bytes]:
            group, given = waiting.popleft()
            answer = workers.next()
            return group, check(given) if answer is None else answer

        for group, given in groups:
            while not workers.submit(given):
                if not called:
                    meanwhile()
                    called = True
                if not waiting:  # none is ready yet, or they are all gone
                    yield group, check(given)
                    break
                yield oldest()
            else:
                waiting.append((group, given))
        if not called:
            meanwhile()
        while waiting:
            yield oldest()


@cache
def _given_decoder() -> msgspec.msgpack.Decoder[list[_Given]]:
    return msgspec.msgpack.Decoder(list[_Given])


@cache
def _answer_decoder() -> msgspec.msgpack.Decoder[list[SoundBlock | None]]:
    return msgspec.msgpack.Decoder(list[SoundBlock | None])


def _checked(block: _Given) -> SoundBlock | None:
    text = _text(block)
    if text is None:
        return None
    end = text.rfind(_NEWLINE, 0, -1) + 1
    commit_line = text[end:-1]
    commit = verified_commit(commit_line)
    batch = verified_text(text[:end])  # doubts that an `again` line is an event
    if batch is None or batch.listing_blobs:
        return None
    if not end:
        return SoundBlock(commit_line, b"", 0)
    ids = batch.ids
    batch.know_frames(EncodedBlock(b"", []))  # nobody asks for more than is packed anyway
    return SoundBlock(
        commit_line,
        batch.pack(max(commit.log.size - len(batch), 0)),
        sum_of_hashes(id_words(ids, block.first_line)),
    )


def _text(block: _Given) -> bytes | None:
    """A block's lines, of which there is one, each with its newline; None in doubt."""
    frames, offset = [], 0
    for size, _ in block.frames:
        frames.append(block.data[offset : offset + size])
        offset += size
    if offset != len(block.data):
        return None
    texts = decode_frames(frames)
    if texts is None:
        return None
    for text, (_, count) in zip(texts, block.frames, strict=True):
        if not text.endswith(_NEWLINE) or count_lines(text) != count:
            return None
    return b"".join(texts)
