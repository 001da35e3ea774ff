"""When a commit counts as recorded (docs/format.md, "Time"). Instants: microseconds since year 1.

A commit's time never decreases along first parents, so that asking by time is a binary search with
one answer. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from evgit.errors import InvalidTime
from evgit.formats.times import to_instant, to_text

CLOCK_TOLERANCE = 10 * 60 * 1_000_000  # that a commit's time may be ahead of the clock


def recorded_at_event_times(times: Sequence[str], before: int, now: int) -> int:
    """The time of an imported batch: its latest event time not after now, or the parent's."""
    clock, latest = to_text(now), max(times)
    if latest > clock:
        latest = max([time for time in times if time <= clock], default=clock)
    return max(to_instant(latest), before)


def never_before(before: int, time: int, warnings: list[str]) -> int:
    """`time`, or the parent's if that is later: a clock that went back is overruled, and said."""
    if time >= before:
        return time
    warnings.append(
        f"the clock ({to_text(time)}) is behind the last commit ({to_text(before)}); "
        "the new commit takes the last commit's time"
    )
    return before


def refuse_future(time: int, now: int) -> None:
    """Raise InvalidTime if a commit's time is too far ahead of the clock."""
    if time > now + CLOCK_TOLERANCE:
        raise InvalidTime(
            f"{to_text(time)} is more than 10 minutes ahead of this machine's clock "
            f"({to_text(now)})",
            hint="a commit's time says when it was recorded; give events their own --time",
        )
