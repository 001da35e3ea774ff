"""Lines of frames that were decompressed and may be wanted again, bounded by their bytes.

It must not know where frames come from, nor whether they still hold: who keeps them does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class FrameCache:
    """The lines of frames, with their newlines, by any key. What was not asked for longest goes
    when there are more than `limit` bytes of text; a frame of more than a hundredth of that is not
    kept, for there may be many with a huge line."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        """Bytes of text."""
        self._frames: OrderedDict[Hashable, tuple[list[bytes], int]] = OrderedDict()

    def get(self, key: Hashable) -> list[bytes] | None:
        """The lines of a frame, if they are kept."""
        found = self._frames.get(key)
        if found is None:
            return None
        self._frames.move_to_end(key)
        return found[0]

    def keep(self, key: Hashable, lines: list[bytes], size: int) -> None:
        """Keep a frame's lines, which have so many bytes, for a while."""
        if size > self.limit // 100 or key in self._frames:
            return
        self._frames[key] = lines, size
        self.held += size
        while self.held > self.limit:
            self.held -= self._frames.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Forget all of them."""
        self._frames.clear()
        self.held = 0
