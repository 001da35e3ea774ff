"""What a conflict is about, in full: the events of both sides and the values that they lead to.

Worked out when somebody asks, from the judgement that found the conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from evgit.formats.canonical import digest
from evgit.formats.event import Event, decode_event
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.line_ranges import LineAt, LineRange
from evgit.merging.both_orders import BothOrders, Replay
from evgit.merging.conflicts import MODEL_FILES, MergeConflict
from evgit.merging.differences import IncomingCommit
from evgit.merging.evidence import places_by_document
from evgit.merging.judgement import Judgement
from evgit.merging.overlaps import model_files_written
from evgit.state.diff import MISSING
from evgit.state.modelling.model_states import ModelStates, Part
from evgit.state.modelling.model_stream import STREAM
from evgit.state.states import States

_decode = msgspec.json.Decoder().decode

ORDERS = ("base", "ours", "theirs", "ours_then_theirs", "theirs_then_ours")


class _Stream(msgspec.Struct, gc=False):
    stream: str


_decode_streams = msgspec.json.Decoder(_Stream).decode_lines


class Seen(msgspec.Struct, frozen=True):
    """An event that a conflict is about."""

    id: str
    event: Event


@dataclass(frozen=True, slots=True)
class Detail:
    """`ours`, `theirs`: the events of each side that a conflict is about, in log order. `values`:
    of its document (of its stream, for a guard: the last revision), MISSING for none, under the
    names in ORDERS; empty where it is about no value."""

    conflict: MergeConflict
    ours: list[Seen]
    theirs: list[Seen]
    values: dict[str, Any]


class Details:
    """The details of one judgement's conflicts."""

    def __init__(
        self,
        history: History,
        judgement: Judgement,
        builtin: Callable[[], States],
    ) -> None:
        """`builtin` gives the states without a model."""
        self._history = history
        self._judgement = judgement
        self._builtin = builtin
        self._folded: dict[str, BothOrders] = {}

    def of(self, conflict: MergeConflict) -> Detail:
        """The details of a conflict. Raises ModelError."""
        ours, theirs = self.lines(conflict)
        values = self._values(conflict)
        return Detail(conflict, self._events(ours), self._events(theirs), values)

    def commits(self, conflict: MergeConflict) -> list[IncomingCommit]:
        """The incoming commits without which the conflict would not be there, as far as can be
        told before trying."""
        incoming = self._judgement.incoming
        if conflict.commit is not None:
            return [each for each in incoming if each.row.hex == conflict.commit]
        lines = set(self.lines(conflict)[1])
        return [
            each
            for each in incoming
            if any(first <= n < first + count for first, count in each.own for n in lines)
        ]

    # ------------------------------------------------------------------ events
    def lines(self, conflict: MergeConflict) -> tuple[list[int], list[int]]:
        """Lines of the events of ours and of theirs that a conflict is about."""
        found = self._judgement.found
        if conflict.kind == "torn":
            commit = self._incoming(conflict)
            b = LineAt(found.b)
            return [], [
                b(n) for first, count in commit.surviving for n in range(first, first + count)
            ]
        if conflict.kind == "key":
            ours, theirs = self._judgement.keys[conflict.name]
            return [ours], [theirs]
        if conflict.kind == "guard":
            return self._of_guard(conflict)
        if conflict.kind == "stream":
            stream = str(conflict.stream)
            return self._in_stream(found.a, stream), self._in_stream(found.b, stream)
        path = conflict.path
        if path is None:
            commits = self._incoming(conflict) if conflict.commit else None
            return [], [] if commits is None else _lines(commits.own)
        if path.startswith(MODEL_FILES):
            name = path.removeprefix(MODEL_FILES)
            return self._of_model_file(found.a, name), self._of_model_file(found.b, name)
        part = self._part(path)
        if part is None:
            return [], []
        replay = self._replay
        return (
            self._of_document(part, path, found.theirs, found.a, replay.a),
            self._of_document(part, path, found.ours, found.b, replay.b),
        )

    def _of_guard(self, conflict: MergeConflict) -> tuple[list[int], list[int]]:
        found, stream = self._judgement.found, str(conflict.stream)
        guard = self._judgement.guards[stream]
        ours, theirs = self._in_stream(found.a, stream), self._in_stream(found.b, stream)
        missing = [line for line in guard.found if line not in {*guard.seen, *ours, *theirs}]
        known = [line for line in guard.seen if line not in {*guard.found, *ours, *theirs}]
        if not theirs:  # it decided on a stream that it did not append to
            theirs = _lines(self._incoming(conflict).own)
        return [*missing, *ours], [*known, *theirs]

    def _incoming(self, conflict: MergeConflict) -> IncomingCommit:
        return next(e for e in self._judgement.incoming if e.row.hex == conflict.commit)

    def _in_stream(self, ranges: Sequence[LineRange], stream: str) -> list[int]:
        line_at = LineAt(ranges)
        found, place = [], 0
        for text in self._history.blocks.texts(ranges):
            for event in _decode_streams(text):
                if event.stream == stream:
                    found.append(line_at(place))
                place += 1
        return found

    def _of_model_file(self, ranges: Sequence[LineRange], path: str) -> list[int]:
        return [
            line
            for line in self._in_stream(ranges, STREAM)
            if path in model_files_written([self._history.blocks.line(line) + b"\n"])
        ]

    def _of_document(
        self,
        part: Part,
        path: str,
        before: CommitRow,
        ranges: Sequence[LineRange],
        texts: Sequence[bytes],
    ) -> list[int]:
        log = self._history.log_of(before)
        places = places_by_document(part, log, texts, {path}).get(path, [])
        line_at = LineAt(ranges)
        return [line_at(place) for place in places]

    def _events(self, lines: Iterable[int]) -> list[Seen]:
        stored = [self._history.blocks.line(line) for line in lines]
        return [Seen(digest(line).hex(), decode_event(line)) for line in stored]

    # ------------------------------------------------------------------ values
    @property
    def _replay(self) -> Replay:
        replay = self._judgement.replay
        if replay is None:
            found, own = self._judgement.found, self._judgement.proposal.own
            replay = self._judgement.replay = Replay(self._history, found, own)
        return replay

    def _values(self, conflict: MergeConflict) -> dict[str, Any]:
        path = conflict.path
        if conflict.kind == "guard":
            return self._revisions(str(conflict.stream))
        if conflict.kind == "stream":
            path = f"streams/{conflict.stream}.json"
            return self._values_at(path, self._builtin(), None)
        if path is None:
            return {}
        if path.startswith(MODEL_FILES):
            return self._model_values(path.removeprefix(MODEL_FILES))
        part = self._part(path)
        return {} if part is None else self._values_at(path, part.states, part)

    def _revisions(self, stream: str) -> dict[str, Any]:
        found = self._judgement.found
        values: dict[str, Any] = {}
        for name, row in (("base", found.base), ("ours", found.ours), ("theirs", found.theirs)):
            if row is not None:
                values[name] = self._history.streams.revision(row, row.size, stream)
        return values

    def _values_at(self, path: str, states: States, part: Part | None) -> dict[str, Any]:
        found, history = self._judgement.found, self._history

        def value(document: bytes | None) -> Any:
            if document is None:
                return MISSING
            return _decode(document if part is None else part.adapter.present(document))

        prefix = "" if part is None else part.adapter.prefix
        orders = self._judgement.orders.get(prefix) or self._folded.get(prefix)
        if orders is None:
            orders = self._folded[prefix] = self._replay.fold(states)
        values: dict[str, Any] = {}
        for name, row in (("base", found.base), ("ours", found.ours), ("theirs", found.theirs)):
            if row is not None:
                values[name] = value(states.at(history.log_of(row)).document(path))
        for name, state in zip(ORDERS[3:], orders.states, strict=True):
            values[name] = value(state.document(path))
        return values

    def _model_values(self, path: str) -> dict[str, Any]:
        """The blobs of a model's file."""
        found, history = self._judgement.found, self._history

        def at(row: CommitRow | None) -> Any:
            number = history.streams.number(STREAM)
            if row is None or number is None:
                return MISSING
            blob: Any = MISSING
            for position in history.streams.positions(row, row.size, number):
                line = history.log_of(row).line(position)
                written = model_files_written([line + b"\n"])
                if path in written:
                    blob = written[path] or MISSING
            return blob

        ours, theirs = at(found.ours), at(found.theirs)
        return dict(zip(ORDERS, (at(found.base), ours, theirs, theirs, ours), strict=True))

    def _part(self, path: str) -> Part | None:
        states: ModelStates | None = self._judgement.states
        if states is not None:
            for part in states.parts:
                if path.startswith(part.adapter.prefix):
                    return part
        return None


def _lines(ranges: Iterable[LineRange]) -> list[int]:
    return [line for first, count in ranges for line in range(first, first + count)]
