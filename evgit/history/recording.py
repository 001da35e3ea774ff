"""When a commit counts as recorded (docs/format.md, "Time"). Instants: microseconds since year 1.

A commit's time never decreases along first parents, so that asking by time is a binary search with
one answer. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from evgit.errors import InvalidTime
from evgit.formats.times import to_instant, to_text

END_OF_TIME = 1 << 63  # later than any time that can be written
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


def latest_received(now: int) -> int:
    """The latest time that a commit made elsewhere may say it was recorded at."""
    return now + CLOCK_TOLERANCE


def refuse_received(commit_id: str, time: str, latest: int) -> None:
    """Raise InvalidTime if a commit made elsewhere is later than `latest_received` was."""
    if to_instant(time) > latest:
        raise InvalidTime(
            f"commit {commit_id} says it was recorded at {time}, which is more than 10 minutes "
            f"ahead of the receiver's clock ({to_text(latest - CLOCK_TOLERANCE)})",
            hint="set right whichever clock is wrong: the receiver's, and it is taken; that of the "
            "machine where it was committed, and commit anew there. Or wait until then",
        )


def refuse_future(time: int, now: int) -> None:
    """Raise InvalidTime if a commit's time is too far ahead of the clock."""
    if time > now + CLOCK_TOLERANCE:
        raise InvalidTime(
            f"{to_text(time)} is more than 10 minutes ahead of this machine's clock "
            f"({to_text(now)})",
            hint="a commit's time says when it was recorded; give events their own --time",
        )
