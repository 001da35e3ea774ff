"""Judging a merge: everything that does not simply fit together, found in the order of
docs/merging.md.

A judgement depends on nothing but the two commits, what is left out, what the merge adds, and the
model: so it is never stored, but made again whenever it is asked for. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from evgit.formats import canonical
from evgit.history.history import History
from evgit.merging.both_orders import BothOrders, Replay
from evgit.merging.conflicts import MODEL_FILES, MergeConflict, Note
from evgit.merging.differences import (
    Difference,
    IncomingCommit,
    difference,
    incoming_commits,
    lines_of_events,
)
from evgit.merging.evidence import places_by_document
from evgit.merging.guards import FailedGuard, failed_guards
from evgit.merging.overlaps import (
    key_conflicts,
    model_conflicts,
    model_files_written,
    streams_of,
    types_of,
)
from evgit.merging.proposal import Proposal
from evgit.state.modelling.declarations import AnyProjection
from evgit.state.modelling.invariants import Violation, violations
from evgit.state.modelling.judging import Walk
from evgit.state.modelling.loaded import LoadedModel, LoadedProjection
from evgit.state.modelling.model_states import ModelState, ModelStates, Part

_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Judgement:
    """What was found. `conflicts` are those that nothing has settled yet; `compensated` those that
    the merge's own events settle. `only_model`: nothing but the model's files was judged, since
    those have conflicts. `states`: of the model that judged, None for none."""

    proposal: Proposal
    found: Difference
    incoming: list[IncomingCommit]
    states: ModelStates | None = None
    conflicts: list[MergeConflict] = field(default_factory=list)
    compensated: list[MergeConflict] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    guards: dict[str, FailedGuard] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    only_model: bool = False
    orders: dict[str, BothOrders] = field(default_factory=dict)
    """By prefix: the projections that were folded in both orders."""
    replay: Replay | None = None

    @property
    def model(self) -> str | None:
        """Id of the model that judged, None for none."""
        return None if self.states is None else self.states.model.id


class Judge:
    """Judges merges of one repository."""

    def __init__(
        self, history: History, model: Callable[[Proposal, Difference], ModelStates | None]
    ) -> None:
        """`model` gives the states of the model that judges, None for none."""
        self._history = history
        self._model = model

    def judge(self, proposal: Proposal, accepted: Collection[str] = ()) -> Judgement:
        """Everything that does not fit. `accepted`: names of conflicts that are settled, which
        matters only for the model's files: nothing else is judged before those.

        Raises NotFound (an event to be left out), ModelError.
        """
        history = self._history
        left_out = lines_of_events(history, proposal.left_out)
        found = difference(history, proposal.ours, proposal.theirs, left_out)
        judgement = Judgement(proposal, found, incoming_commits(history, found))
        written = model_files_written([line + b"\n" for line in proposal.own])
        for conflict in model_conflicts(history, found):
            settled = str(conflict.path).removeprefix(MODEL_FILES) in written
            (judgement.compensated if settled else judgement.conflicts).append(conflict)
        if any(conflict.name not in accepted for conflict in judgement.conflicts):
            judgement.only_model = True
            return judgement
        _Work(history, judgement, self._model(proposal, found)).run()
        return judgement


class _Work:
    """One judgement in the making."""

    def __init__(self, history: History, judgement: Judgement, states: ModelStates | None) -> None:
        self._history = history
        self._judgement = judgement
        self._states = states
        self._found = judgement.found
        self._proposal = judgement.proposal
        self._own_streams = streams_of(line + b"\n" for line in self._proposal.own)
        self._replay = Replay(history, self._found, self._proposal.own)

    def run(self) -> None:
        judgement, states = self._judgement, self._states
        judgement.states = states
        judgement.replay = self._replay
        self._guards()
        if states is not None:
            declared = {each.prefix: each for each in states.model.projections}
            for part in states.parts:
                self._documents(part, declared[part.adapter.prefix])
            self._invariants(states)
        elif not self._proposal.append:
            self._streams()
        for conflict, ours, theirs in key_conflicts(self._history, self._found, self._replay.b):
            judgement.keys[conflict.name] = ours, theirs
            self._add(conflict, compensated=conflict.stream in self._own_streams)
        for each in judgement.incoming:
            if each.torn:
                self._add(MergeConflict("torn", commit=each.row.hex))

    def _add(self, conflict: MergeConflict, *, compensated: bool = False) -> None:
        judgement = self._judgement
        (judgement.compensated if compensated else judgement.conflicts).append(conflict)

    # ------------------------------------------------------------------ streams
    def _guards(self) -> None:
        commuting = () if self._states is None else self._states.model.commuting
        for failed in failed_guards(
            self._history, self._found.commits, self._found.ours, self._found.b, commuting
        ):
            self._judgement.guards[failed.stream] = failed
            conflict = MergeConflict("guard", stream=failed.stream, commit=failed.commit.hex)
            self._add(conflict, compensated=failed.stream in self._own_streams)

    def _streams(self) -> None:
        ours = streams_of(self._history.blocks.texts(self._found.a))
        both = ours & streams_of(self._replay.b) if ours else set()
        for stream in sorted(both - self._judgement.guards.keys()):
            self._add(
                MergeConflict("stream", stream=stream), compensated=stream in self._own_streams
            )

    # ------------------------------------------------------------------ documents
    def _documents(self, part: Part, projection: LoadedProjection) -> None:
        if projection.declared.order == "any" or self._replay.nothing_to_compare:
            return
        judgement = self._judgement
        orders = self._replay.fold(part.states)
        judgement.orders[projection.prefix] = orders
        notes: list[Note] = []
        conflicts: list[MergeConflict] = []
        for change in orders.differences():
            one, other = (_shown(part, each) for each in (change.old_bytes, change.new_bytes))
            if one == other:
                continue
            if change.path not in orders.merged.touched:
                notes.append(Note(change.path, "settled"))
            elif _alike(projection.declared, one, other):
                notes.append(Note(change.path, "order"))
            else:
                conflicts.append(MergeConflict("document", path=change.path))
        if conflicts and projection.commuting:
            conflicts = self._without_commuting(part, projection, conflicts, notes)
        unequal = {note.path for note in notes} | {str(each.path) for each in conflicts}
        notes += [Note(path, "order") for path in (orders.touched or set()) - unequal]
        judgement.notes += sorted(notes, key=lambda note: note.path)
        for conflict in conflicts:
            self._add(conflict)

    def _without_commuting(
        self,
        part: Part,
        projection: LoadedProjection,
        conflicts: list[MergeConflict],
        notes: list[Note],
    ) -> list[MergeConflict]:
        """The conflicts about documents that others than commuting events have to do with."""
        wanted = {str(conflict.path) for conflict in conflicts}
        kept: set[str] = set()
        for row, texts in self._replay.sides():
            types = [kind for text in texts for kind in types_of(text)]
            log = self._history.log_of(row)
            for path, places in places_by_document(part, log, texts, wanted).items():
                if any(types[place] not in projection.commuting for place in places):
                    kept.add(path)
        notes += [Note(path, "order") for path in sorted(wanted - kept)]
        return [conflict for conflict in conflicts if conflict.path in kept]

    # ------------------------------------------------------------------ invariants
    def _invariants(self, states: ModelStates) -> None:
        """Judged after every whole commit of theirs, and after the merge's own events."""
        model, found = states.model, self._found
        if not model.invariants:
            return
        history = self._history
        ours, theirs = (
            _Failing(model, states.at(history.log_of(row))) for row in (found.ours, found.theirs)
        )
        walk = Walk(model, states.at(history.log_of(found.ours)))
        lines = (line for text in self._replay.b for line in text.splitlines())
        broken: dict[str, MergeConflict] = {}

        def take(events: list[bytes], commit: str | None) -> None:
            for violation in walk.after(events):
                if violation not in ours and violation not in theirs:
                    conflict = MergeConflict(
                        "invariant",
                        path=violation.path,
                        rule=violation.name,
                        commit=commit,
                        reason=violation.reason,
                    )
                    broken.setdefault(conflict.name, conflict)

        ends = {each.end: each.row.hex for each in reversed(self._judgement.incoming)}
        done = 0
        for end in sorted(ends.keys() - {-1}):
            take(list(islice(lines, end - done)), ends[end])
            done = end
        at_end = {
            name for name, each in broken.items() if self._proposal.own and _holds_not(walk, each)
        }
        if self._proposal.own:
            take(list(self._proposal.own), None)
        for name, conflict in sorted(broken.items()):
            mended = name in at_end and not _holds_not(walk, conflict)
            self._add(conflict, compensated=mended)


class _Failing:
    """What does not hold in a state, found out where it is asked for."""

    def __init__(self, model: LoadedModel, state: ModelState) -> None:
        self._model = model
        self._state = state
        self._asked: dict[str | None, set[tuple[str, str | None]]] = {}

    def __contains__(self, violation: Violation) -> bool:
        path = violation.path
        rule = next(each for each in self._model.invariants if each.name == violation.name)
        asked = path if rule.prefix is not None else None
        if asked not in self._asked:
            found = violations(self._model, self._state, ["" if asked is None else asked])
            self._asked[asked] = {(each.name, each.path) for each in found}
        return (violation.name, path) in self._asked[asked]


def _holds_not(walk: Walk, conflict: MergeConflict) -> bool:
    return any(each.name == conflict.rule for each in walk.broken(conflict.path))


def _shown(part: Part, document: bytes | None) -> bytes | None:
    return None if document is None else part.adapter.present(document)


def _alike(declared: AnyProjection, one: bytes | None, other: bytes | None) -> bool:
    """Are two documents alike, but for what a projection leaves out of the comparison?"""
    if one is None or other is None or not (declared.ignore or declared.sets):
        return False
    values = [_decode(one), _decode(other)]
    for value in values:
        for pointer in declared.ignore:
            _change_at(value, pointer, None)
        for pointer in declared.sets:
            _change_at(value, pointer, _as_set)
    return bool(values[0] == values[1])


def _as_set(value: Any) -> Any:
    """An array whose order does not count, in one order."""
    if not isinstance(value, list):
        return value
    return sorted({canonical.encode(each) for each in value})


def _change_at(value: Any, pointer: str, change: Callable[[Any], Any] | None) -> None:
    """Replace what a JSON pointer (RFC 6901) names, or remove it; nothing where it names nothing.
    `*` stands for every member of an object or an array."""
    *way, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    places = [value]
    for part in way:
        places = [place[key] for place in places for key in _keys(place, part)]
    for place in places:
        for key in _keys(place, last):
            if change is not None:
                place[key] = change(place[key])
            elif isinstance(place, dict):
                del place[key]
            else:
                place[key] = None


def _keys(place: Any, part: str) -> list[Any]:
    if isinstance(place, dict):
        return list(place) if part == "*" else [part] if part in place else []
    if isinstance(place, list):
        if part == "*":
            return list(range(len(place)))
        return [int(part)] if part.isdecimal() and int(part) < len(place) else []
    return []
