"""Bisection of a log: the first event after which something is wrong, in O(log n) questions.

It goes event by event along the log of the point that is known to be bad. A point is *good* or
*bad* as a whole state; what is looked for is the first event whose state is bad, while the one
before it is good. It knows logs and points, not who answers the questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from evgit.errors import Conflict, NotFound, UsageError
from evgit.history.history import History
from evgit.history.log import Log
from evgit.history.points import Point
from evgit.history.sessions import Sessions

Verdict = Literal["good", "bad", "skip"]
SESSION = "bisect"
GOLDEN = 0.618033988749895  # its multiples spread over an interval more evenly than any other's
SPREAD = 64  # points tried so, before they are tried one after another


class Mark(msgspec.Struct, frozen=True):
    """A point and what was found there. `by`: who found it, `hand` or `check`."""

    verdict: Verdict
    commit: str
    size: int
    by: str = "hand"


class Record(msgspec.Struct):
    """What is remembered of a bisection. `head`: HEAD's target before it began."""

    head: str
    marks: list[Mark] = []


class Bisection:
    """A bisection under way. Every change is kept durably at once."""

    def __init__(self, history: History, sessions: Sessions, record: Record) -> None:
        self._history = history
        self._sessions = sessions
        self.record = record
        self.bad: Point | None = None
        self.good: int | None = None
        self._whole: Point | None = None  # the first point said to be bad: what the log is of
        self._early: list[Mark] = []  # good and skipped points from before a bad one was named
        self._skipped: set[int] = set()
        for mark in record.marks:
            self._apply(mark)

    # ------------------------------------------------------------------ beginning and end
    @classmethod
    def load(cls, history: History, sessions: Sessions) -> Bisection:
        """The bisection under way. Raises NotFound."""
        value = sessions.load(SESSION)
        if value is None:
            raise NotFound(
                "no bisection is under way",
                hint="evgit bisect start BAD GOOD begins one",
            )
        return cls(history, sessions, msgspec.convert(value, Record))

    @classmethod
    def start(cls, history: History, sessions: Sessions, head: str) -> Bisection:
        """Begin one. Raises Conflict while another is under way."""
        if sessions.load(SESSION) is not None:
            raise Conflict(
                "a bisection is under way already",
                hint="evgit bisect log shows it, evgit bisect reset ends it",
            )
        bisection = cls(history, sessions, Record(head))
        bisection._save()
        return bisection

    def end(self) -> None:
        """Forget it."""
        self._sessions.clear(SESSION)

    # ------------------------------------------------------------------ answers
    def mark(self, verdict: Verdict, point: Point, by: str = "hand") -> None:
        """Say what was found at a point.

        Raises UsageError for a point of another log, Conflict for what contradicts known marks.
        """
        mark = Mark(verdict, point.commit, point.size, by)
        self._apply(mark)
        self.record.marks.append(mark)
        self._save()

    def _apply(self, mark: Mark) -> None:
        point = Point(mark.commit, mark.size)
        if self.bad is None:
            if mark.verdict != "bad":
                self._early.append(mark)
                return
            self.bad = self._whole = point
            early, self._early = self._early, []
            try:
                for each in early:
                    self._apply(each)
            except (Conflict, UsageError):
                self.bad, self.good, self._whole, self._early = None, None, None, early
                raise
            return
        self._check_on_log(point)
        size = mark.size
        low, high = self.good, self.bad.size
        if mark.verdict == "bad":
            if low is not None and size <= low:
                raise _contradiction(f"{_after(size)} is bad, yet {_after(low)} is good")
            if size < high:
                self.bad = Point(self.bad.commit, size)
        elif mark.verdict == "good":
            if size >= high:
                raise _contradiction(f"{_after(size)} is good, yet {_after(high)} is bad")
            self.good = size if low is None else max(low, size)
        else:
            self._skipped.add(size)

    def _check_on_log(self, point: Point) -> None:
        assert self._whole is not None
        log, other = self._history.log(self._whole), self._history.log(point)
        if other.size > log.size or log.root(other.size) != other.root():
            raise UsageError(
                f"{point.commit[:12]} is not in the history of the bad point",
                hint="bisect goes along one log: name points that the bad one's log begins with",
            )

    def _save(self) -> None:
        self._sessions.save(SESSION, self.record)

    # ------------------------------------------------------------------ questions
    @property
    def log(self) -> Log:
        """The log that is searched. Raises UsageError before a bad point is named."""
        if self.bad is None:
            raise UsageError("no point is marked bad yet", hint="evgit bisect bad [REV] names one")
        return self._history.log(self.bad)

    @property
    def found(self) -> int | None:
        """The position of the first bad event, once it is known."""
        if self.bad is None or self.good is None or self.bad.size - self.good > 1:
            return None
        return self.good

    @property
    def suspects(self) -> range:
        """Positions of the events of which one is the first bad one."""
        if self.bad is None or self.good is None:
            return range(0)
        return range(self.good, self.bad.size)

    @property
    def steps_left(self) -> int:
        """How many questions are left, at most, if none is skipped."""
        return max(len(self.suspects) - 1, 0).bit_length()

    def next_point(self) -> Point | None:
        """The point to be judged next; None if the event is found or all are skipped."""
        if self.bad is None or self.good is None:
            return None
        for size in self._candidates(self.good, self.bad.size):
            if size not in self._skipped:
                return self.point(size)
        return None

    def point(self, size: int) -> Point:
        """The point after `size` events of the log, named by the commit that it lies in."""
        graph, row = self._history.graph, self.log.row
        holder = graph.holding(row, size - 1) if size else graph.at_height(row, 0)
        return Point(holder.hex, size)

    def _candidates(self, good: int, bad: int) -> Iterator[int]:
        """Sizes between the two, the middle first; after that such as are far from each other."""
        inner = bad - good - 1
        if inner < 1:
            return
        yield good + (inner + 1) // 2
        if self._skipped:
            for step in range(1, SPREAD):
                yield good + 1 + int(step * GOLDEN % 1 * inner)
            yield from range(good + 1, bad)


def search(
    bisection: Bisection,
    judge: Callable[[Point], Verdict],
    told: Callable[[Point, Verdict], None] = lambda point, verdict: None,
) -> None:
    """Let `judge` answer until the event is found or nothing is left to ask.

    Both ends are asked about too unless a check has judged them before, for a check that says
    the same everywhere would blame an innocent event. Without a good point, that is the beginning.
    Raises Conflict if the ends are not what they were said to be.
    """
    if bisection.good is None:
        bisection.mark("good", bisection.point(0), by="assumed")
    assert bisection.bad is not None
    assert bisection.good is not None
    for size, expected in ((bisection.bad.size, "bad"), (bisection.good, "good")):
        if any(m.size == size and m.by == "check" for m in bisection.record.marks):
            continue
        point = bisection.point(size)
        verdict = judge(point)
        if verdict not in (expected, "skip"):
            raise Conflict(
                f"the check finds {_after(size)} {verdict}, which is marked {expected}",
                hint=_END_HINTS[verdict],
            )
        told(point, verdict)
    while (next_point := bisection.next_point()) is not None:
        verdict = judge(next_point)
        bisection.mark(verdict, next_point, by="check")
        told(next_point, verdict)


_END_HINTS = {
    "good": "try the check by hand: it must fail (1 to 127, not 125) where something is wrong",
    "bad": "try the check by hand: it must exit with 0 where all is well; "
    "127 mostly means that a program was not found",
}


def _after(size: int) -> str:
    return "the beginning" if size == 0 else f"the point at position {size - 1}"


def _contradiction(message: str) -> Conflict:
    return Conflict(
        message,
        hint="bad is what comes later; evgit bisect reset, then start again: "
        "evgit bisect start BAD GOOD",
    )
