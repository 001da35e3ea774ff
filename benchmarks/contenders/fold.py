"""What every replay adds up to, so that all contenders provably read the same events.

The fold itself stands inline in each contender's loop, for a call an event would hide what is
measured: `totals[stream] = totals.get(stream, 0) + data.get("amount", 1)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256


def checksum(totals: Mapping[str, int]) -> str:
    """Equal for equal totals, whatever order they were made in."""
    lines = (f"{stream} {total}\n" for stream, total in sorted(totals.items()))
    return sha256("".join(lines).encode()).hexdigest()[:16]
