"""Re-append: the commits of one history behind another, one by one, with their events.

Events keep their ids; commits are new, and so are the revisions in their guards. What a commit's
author relied on is checked again: its guards, and the model's invariants after it. Everything that
can be judged is judged before anything is written, so that the lock is held for writing only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evgit.formats.canonical import digest
from evgit.formats.event import decode_event
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.line_ranges import LineRange, LineSet, joined, total
from evgit.history.rewriting import CommitWriter, NewCommit, ReadSource, Source, read_sources
from evgit.merging.differences import own_lines
from evgit.merging.guards import failed_guards
from evgit.merging.problems import Problem, of_guard, of_violation
from evgit.state.modelling.invariants import Violation, violations
from evgit.state.modelling.judging import Walk
from evgit.state.modelling.model_states import ModelStates

SHOWN_EVENTS = 100  # of those that made a guard fail


REAPPENDED = "reappended"
"""In a commit's `meta`: the id of the commit that it was written anew of."""
ACCEPTED = "accepted"
"""In a commit's `meta`: what speaks against it, in words, and was accepted."""


class Step(NamedTuple):
    """A commit on its way: to be written anew with `guards` and in spite of `problems`, or to stay
    as it is (`reused`), since it stands there already."""

    source: ReadSource
    guards: dict[str, int]
    problems: list[Problem]
    reused: bool
    message: str | None = None
    """In the place of the source's."""


@dataclass(slots=True)
class Plan:
    """What is to be written behind `head`, in order. `stopped`: the first commit that has
    `problems`, None where all go. `gone`: commits of which nothing goes."""

    head: CommitRow
    steps: list[Step] = field(default_factory=list)
    gone: list[CommitRow] = field(default_factory=list)
    stopped: CommitRow | None = None
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class Reappended:
    """What re-appending did, so far or in the end.

    `written`: (id of the commit as it was, id now) of each that went through this time; both are
    the same where it stands there already. `gone`: ids of commits of which nothing was missing
    there. `skipped`: of the one left out. `accepted`: what spoke against commits that went through.
    `stopped`: the commit with `problems`, and `left` how many are still to go, itself included.
    `head`: where it led, the commit that `ref` is at unless it stopped or was only tried.
    """

    ref: str
    old: str
    head: str
    written: list[tuple[str, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    skipped: str | None = None
    accepted: list[Problem] = field(default_factory=list)
    stopped: str | None = None
    problems: list[Problem] = field(default_factory=list)
    left: int = 0

    @classmethod
    def of(cls, ref: str, old: CommitRow, planned: Plan, rows: Sequence[CommitRow]) -> Reappended:
        """What a plan for `rows` says, before anything is written."""
        found = cls(ref, old.hex, planned.head.hex)
        found.accepted = [problem for step in planned.steps for problem in step.problems]
        found.gone = [row.hex for row in planned.gone]
        if planned.stopped is not None:
            found.stopped = planned.stopped.hex
            found.problems = planned.problems
            numbers = [row.number for row in rows]
            found.left = len(rows) - numbers.index(planned.stopped.number)
        return found

    def note_written(self, planned: Plan, written: Sequence[CommitRow]) -> None:
        """Take in the commits that the plan's steps became."""
        self.head = written[-1].hex if written else planned.head.hex
        self.written = [
            (step.source.row.hex, row.hex) for step, row in zip(planned.steps, written, strict=True)
        ]


def sources_of(
    history: History,
    rows: Sequence[CommitRow],
    head: CommitRow,
    held: Collection[int] = (),
) -> tuple[list[Source], list[CommitRow]]:
    """(what of these commits goes behind `head`, commits of which nothing does), in their order.

    `held`: lines of events that stay out.
    """
    graph = history.graph
    known = LineSet([*_lines_since_fork(history, rows, head), *((line, 1) for line in held)])
    # An event can be another commit's too only where a block names it instead of holding it.
    shared = any(row.segment is not None for row in rows)
    taken: set[int] = set()
    sources: list[Source] = []
    gone: list[CommitRow] = []
    for row, own in zip(rows, own_lines(history, rows), strict=True):
        ranges = known.removed_from(own)
        if shared:
            lines = [n for first, count in ranges for n in range(first, first + count)]
            if row.segment is not None:
                lines = [n for n in lines if graph.position_of(head, n) is None]
            lines = [n for n in lines if n not in taken]
            taken.update(lines)
            ranges = joined((n, 1) for n in lines)
        if ranges:
            sources.append(Source(row, ranges))
        else:
            gone.append(row)
    return sources, gone


def _lines_since_fork(
    history: History, rows: Sequence[CommitRow], head: CommitRow
) -> Iterable[LineRange]:
    """The lines of `head`'s log that one of these commits can have as its own events."""
    graph = history.graph
    first: dict[int, CommitRow] = {}
    for row in rows:
        if row.events and (row.chain not in first or row.height < first[row.chain].height):
            first[row.chain] = row
    parents = [graph.by_number(row.parent) for row in first.values() if row.parent is not None]
    start = min((graph.fork_size(parent, head) for parent in parents), default=head.size)
    return graph.log_ranges(head, start, head.size)


class Judge:
    """Judges commits that go behind others. Without a model, guards and keys are all there is."""

    def __init__(self, history: History, states: ModelStates | None) -> None:
        self._history = history
        self._states = states
        self._commuting = frozenset() if states is None else states.model.commuting

    # ------------------------------------------------------------------ guards and keys
    def failed_guards(
        self, head: CommitRow, sources: Sequence[Source], accepted: Collection[str] = ()
    ) -> dict[str, list[Problem]]:
        """The streams whose guards fail behind `head`, by the first commit whose guard does.

        `accepted` commits are asked apart, so that none of theirs hides one of the others.
        """
        moved = [each for source in sources for each in source.ranges]
        rows = [source.row for source in sources if source.row.hex not in accepted]
        apart = [source.row for source in sources if source.row.hex in accepted]
        found = self.guards_behind(head, rows, moved)
        for commit, problems in self.guards_behind(head, apart, moved).items():
            found.setdefault(commit, []).extend(problems)
        return found

    def guards_behind(
        self, head: CommitRow, rows: Sequence[CommitRow], moved: Sequence[LineRange]
    ) -> dict[str, list[Problem]]:
        """The same for commits some of whose events are among `moved`, which follow `head`."""
        found: dict[str, list[Problem]] = {}
        for each in failed_guards(self._history, rows, head, moved, self._commuting):
            problem = of_guard(each, self._ids(each.seen), self._ids(each.found))
            found.setdefault(problem.commit, []).append(problem)
        return found

    def _ids(self, lines: Sequence[int]) -> list[str]:
        shown = lines[:SHOWN_EVENTS]
        return [digest(self._history.blocks.line(line)).hex() for line in shown]

    def reused_key(self, head: CommitRow, source: ReadSource) -> Problem | None:
        """An event whose idempotency key another event of its stream has behind which it goes."""
        if not any(b'"key":' in line for line in source.lines):
            return None
        history = self._history
        for line in source.lines:
            event = decode_event(line)
            if event.key is None:
                continue
            for number in history.events.lines_with_key(event.stream, event.key):
                other = decode_event(history.blocks.line(number))
                if (
                    (other.stream, other.key) == (event.stream, event.key)
                    and other.id != event.id
                    and history.graph.position_of(head, number) is not None
                ):
                    return Problem(
                        "key",
                        source.row.hex,
                        stream=event.stream,
                        events=[other.id, event.id],
                    )
        return None

    # ------------------------------------------------------------------ invariants
    def walk(self, head: CommitRow) -> Walk | None:
        """What takes in commits behind `head`, None where there are no rules."""
        states = self._states
        if states is None or not states.model.invariants:
            return None
        return Walk(states.model, states.at(self._history.log_of(head)))

    def new_violations(
        self, found: Sequence[Violation], head: CommitRow, source: CommitRow
    ) -> list[Violation]:
        """Those that neither `head` has, nor the source had where it was."""
        if not found or self._states is None:
            return []
        old = {*self._broken(head, found), *self._broken(source, found)}
        return [each for each in found if (each.name, each.path) not in old]

    def _broken(
        self, row: CommitRow, like: Sequence[Violation]
    ) -> Iterator[tuple[str, str | None]]:
        assert self._states is not None
        state = self._states.at(self._history.log_of(row))
        touched = [each.path for each in like if each.path is not None] or [""]
        for each in violations(self._states.model, state, touched):
            yield each.name, each.path


def plan(
    history: History,
    head: CommitRow,
    rows: Sequence[CommitRow],
    judge: Judge | None,
    *,
    held: Collection[int] = (),
    accept: Collection[str] | None = (),
) -> Plan:
    """What of these commits goes behind `head`, up to the first that has problems.

    Without a `judge`, nothing is checked. `held`: lines of events that stay out. `accept`: ids of
    commits that go with all their problems; None: all do. Raises ModelError where the model's own
    code fails.
    """
    sources, gone = sources_of(history, rows, head, held)
    found = Plan(head, gone=gone)
    parent: CommitRow | None = head
    revisions = Revisions(history, head)
    for source, problems in _judged(judge, head, sources, accept, history):
        stop = accept is not None and source.row.hex not in accept
        if problems and stop:
            found.problems = problems
            found.stopped = source.row
            return found
        guards = revisions.of(source.commit.guards)
        revisions.add(source.streams)
        whole = total(source.ranges) == source.row.events and not source.row.further_parents
        reused = whole and parent is not None and source.row.parent == parent.number
        parent = source.row if reused else None
        light = source._replace(lines=[])  # they were looked at, and may be very many
        found.steps.append(Step(light, guards, [] if reused else problems, reused))
    return found


def _judged(
    judge: Judge | None,
    head: CommitRow,
    sources: Sequence[Source],
    accept: Collection[str] | None,
    history: History,
) -> Iterator[tuple[ReadSource, list[Problem]]]:
    """Each source with what speaks against it, up to the first that stops the others."""
    if judge is None:
        for source in read_sources(history, sources):
            yield source, []
        return
    by_commit = judge.failed_guards(head, sources, accept or ())
    walk = judge.walk(head)
    tolerated: set[tuple[str, str | None]] = set()
    for source in read_sources(history, sources):
        problems = by_commit.get(source.row.hex, [])
        key = judge.reused_key(head, source)
        if key is not None:
            problems.append(key)
        if walk is not None:
            broken = judge.new_violations(walk.after(source.lines), head, source.row)
            broken = [each for each in broken if (each.name, each.path) not in tolerated]
            tolerated.update((each.name, each.path) for each in broken)
            problems += [of_violation(each, source.row.hex) for each in broken]
        yield source, problems


class Revisions:
    """The last revisions of streams behind a commit, while events are appended."""

    def __init__(self, history: History, head: CommitRow) -> None:
        self._history = history
        self._head = head
        self._before: dict[str, int] = {}
        self._added: Counter[str] = Counter()

    def of(self, streams: Iterable[str]) -> dict[str, int]:
        """{stream: revision, -1 for no such stream}"""
        found = {}
        for stream in streams:
            if stream not in self._before:
                head = self._head
                self._before[stream] = self._history.streams.revision(head, head.size, stream)
            found[stream] = self._before[stream] + self._added[stream]
        return found

    def add(self, streams: Iterable[str]) -> None:
        """Take in events of these streams."""
        self._added.update(streams)


def write(history: History, head: CommitRow, steps: Sequence[Step], now: int) -> list[CommitRow]:
    """Write what was planned behind `head`, inside the caller's transaction: the commit of each
    step. If that is rolled back, `History.forget` must be called."""
    written: list[CommitRow] = []
    writer: CommitWriter | None = None
    for step in steps:
        if step.reused:
            head = step.source.row
        else:
            writer = writer or CommitWriter(history, head)
            head = writer.write(_anew(step, now))
        written.append(head)
    return written


def _anew(step: Step, now: int) -> NewCommit:
    source = step.source
    meta = {**source.commit.meta, REAPPENDED: source.row.hex}
    meta.pop(ACCEPTED, None)
    if step.problems:
        meta[ACCEPTED] = [str(problem) for problem in step.problems]
    return NewCommit(
        author=source.commit.author,
        message=source.commit.message if step.message is None else step.message,
        time=now,
        ids=source.ids,
        streams=source.streams,
        ranges=source.ranges,
        guards=step.guards,
        meta=meta,
    )
