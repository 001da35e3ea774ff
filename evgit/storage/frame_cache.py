"""Frames that were decompressed and may be wanted again, bounded by their bytes.

It must not know where frames come from, nor whether they still hold: who keeps them does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence


class Frame:
    """The lines of a frame. `text`: all of them, each with its newline; `starts`: where each begins
    in it, and where the last one ends."""

    __slots__ = ("starts", "text")

    def __init__(self, text: bytes, starts: Sequence[int]) -> None:
        self.text = text
        self.starts = starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def line(self, number: int) -> bytes:
        """One line, without its newline."""
        return self.text[self.starts[number] : self.starts[number + 1] - 1]

    def lines(self, first: int, end: int) -> bytes:
        """The text of the lines [first, end)."""
        return self.text[self.starts[first] : self.starts[end]]


class FrameCache:
    """Frames by any key. What was not asked for longest goes when there are more than `limit` bytes
    of text; a frame of more than a hundredth of that is not kept, for there may be many with a huge
    line."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        """Bytes of text."""
        self._frames: OrderedDict[Hashable, Frame] = OrderedDict()

    def get(self, key: Hashable) -> Frame | None:
        """A frame, if it is kept."""
        found = self._frames.get(key)
        if found is not None:
            self._frames.move_to_end(key)
        return found

    def keep(self, key: Hashable, frame: Frame) -> None:
        """Keep a frame for a while."""
        size = len(frame.text)
        if size > self.limit // 100 or key in self._frames:
            return
        self._frames[key] = frame
        self.held += size
        while self.held > self.limit:
            self.held -= len(self._frames.popitem(last=False)[1].text)

    def clear(self) -> None:
        """Forget all of them."""
        self._frames.clear()
        self.held = 0
