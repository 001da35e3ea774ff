"""Frames of a transfer that can be stored as they came, in place of compressing their lines again.

That goes for frames that were cut just as they would be here, and are no longer than their text;
what compressed them is nobody's business. It must not know what lines say.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from evgit.formats.block import EncodedBlock, count_lines, is_cut_alike
from evgit.formats.transfer import WholeBlocks

MOST_MORE_BYTES = 32
"""So much longer than its text a frame may be: what can't be compressed needs a head."""


class KeptFrames:
    """The frames of some whole blocks of a transfer."""

    def __init__(self, blocks: WholeBlocks) -> None:
        self._texts = blocks.texts
        self._frames = blocks.frames
        self._lines: list[int] = []
        self._places: dict[int, int] = {}
        if len(blocks.frames) > 1:
            self._lines = [count_lines(text) for text in blocks.texts]
            starts = accumulate(self._lines, initial=0)
            self._places = {line: place for place, line in enumerate(starts)}

    def blocks(self, starts: Sequence[int], ends: Sequence[int]) -> list[EncodedBlock | None]:
        """Blocks that have the lines from each of `starts` to their commit's, in `ends`; None: one
        that is not in such frames. Nothing where none can be."""
        return list(map(self._block, starts, ends)) if self._places else []

    def _block(self, start: int, end: int) -> EncodedBlock | None:
        first, behind = self._places.get(start), self._places.get(end + 1)
        if first is None or behind is None or not is_cut_alike(self._texts[first:behind]):
            return None
        frames = self._frames[first:behind]
        sizes = [len(frame) for frame in frames]
        texts = map(len, self._texts[first:behind])
        if any(size > text + MOST_MORE_BYTES for size, text in zip(sizes, texts, strict=True)):
            return None
        lines = self._lines[first:behind]
        return EncodedBlock(b"".join(frames), list(zip(sizes, lines, strict=True)))
