"""Merging: from two commits to one, at once where everything fits, step by step where it does not.

A merge with conflicts waits in the database, beside the refs: the two commits and what was decided
so far. What is wrong with it is judged anew whenever somebody asks. Nothing moves before the merge
commit is made, in one transaction. docs/merging.md tells what is meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from evgit.errors import (
    Conflict,
    Damage,
    EvgitError,
    InvariantViolated,
    NotAFastForward,
    NotFound,
    UsageError,
)
from evgit.formats.canonical import digest
from evgit.formats.event import Event, batch_from_events, decode_event
from evgit.history.ancestry import Ancestry
from evgit.history.append import Append
from evgit.history.commit_row import CommitRow
from evgit.history.line_ranges import LineAt, LineSet, total
from evgit.history.new_event import NewEvent, stamped
from evgit.merging.conflicts import MergeConflict
from evgit.merging.details import Details
from evgit.merging.differences import Difference, IncomingCommit, difference, lines_of_events
from evgit.merging.ground import Ground
from evgit.merging.judgement import Judge, Judgement
from evgit.merging.merged import (
    Merged,
    Waiting,
    changed_meanwhile,
    no_conflict,
    nothing_waits,
)
from evgit.merging.merged_model import merged_states
from evgit.merging.model_versions import new_versions
from evgit.merging.proposal import Proposal
from evgit.state.diff import diff_states
from evgit.state.modelling.model_states import ModelStates
from evgit.storage.operations import RefChange

KIND = "merge"
MOST_NOTES = 100  # documents that a merge commit names as merged whatever the order
MOST_PASSES = 1000

Prefer = Literal["ours", "theirs", "accept"]
FastForward = Literal["auto", "only", "never"]


class Merge:
    """Merges other histories into the current branch. One merge at a time in a repository."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    # ------------------------------------------------------------------ beginning
    def start(
        self,
        theirs: str,
        *,
        name: str | None = None,
        message: str | None = None,
        left_out: Sequence[str] = (),
        prefer: Prefer | None = None,
        append: bool = False,
        fast_forward: FastForward = "auto",
        commit: bool = True,
        dry_run: bool = False,
        upstream_first: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> Merged:
        """Merge a commit (id) into the current branch: at once, or as far as it goes.

        `name`: what a person calls it. `left_out`: ids of events that stay out. `prefer` settles
        conflicts: "accept" accepts all; "theirs" lets their events, which come last, have the last
        word where only the order is in question; "ours" leaves out the commits that don't fit.
        `append`: without a model, streams that both sides appended to are no conflict. Without
        `commit` it waits even if everything fits. `upstream_first`: theirs becomes the first
        parent, so that what is published there keeps its positions, and ours comes after.

        Raises Conflict while something is in progress, NotAFastForward where only one will do,
        UsageError where HEAD is inside a commit, ModelError; nothing has changed then.
        """
        ground = self._ground
        if not dry_run:
            ground.in_progress.refuse_any(f"a {KIND}")
        ref = ground.branches.current_ref()
        old, other = ground.tip(ref), ground.row(theirs)
        done = Merged("current", ref, old.hex, old.hex)
        graph = ground.history.graph
        more = dict(arguments or {})
        if graph.on_first_parents(other, old) or (
            not upstream_first and Ancestry(graph).reaches(old, other)
        ):
            done.unequal = self._unequal(old, other)
            return done
        ahead = graph.on_first_parents(old, other)
        if ahead and fast_forward != "never" and commit and not left_out:
            return self._fast_forward(done, other, more, dry_run=dry_run)
        if fast_forward == "only":
            raise NotAFastForward(
                f"{name or theirs[:12]} is not ahead of {ref.removeprefix('refs/heads/')} along "
                "first parents: the two have gone different ways",
                hint="merge without --ff-only, or re-append: evgit rebase",
            )
        first, second = (other, old) if upstream_first else (old, other)
        waiting = Waiting(
            ref=ref,
            old=old.hex,
            ours=first.hex,
            theirs=second.hex,
            name=name or theirs[:12],
            message=f"Merge {name or theirs[:12]}" if message is None else message,
            append=append,
            left_out=list(dict.fromkeys(left_out)),
        )
        judgement = self._judge(waiting)
        if not judgement.found.bases:
            raise EvgitError("the two histories have nothing in common, so they can't be merged")
        self._refuse_foreign(judgement, waiting.left_out)
        if prefer is not None:
            judgement = self._settle_by(prefer, waiting, judgement)
        self._describe(done, waiting, judgement)
        if upstream_first:
            more["rewound"] = graph.fork_size(old, first)
        if dry_run:
            return done
        if done.conflicts or not commit:
            done.kind = "waiting"
            with ground.transaction():
                self._expect(waiting)
                ground.in_progress.begin(KIND, msgspec.to_builtins(waiting))
            return done
        return self._commit(done, waiting, judgement, None, more)

    def _fast_forward(
        self, done: Merged, other: CommitRow, arguments: dict[str, Any], *, dry_run: bool
    ) -> Merged:
        ground = self._ground
        done.kind, done.head = "fast-forward", other.hex
        done.brought = other.size - ground.row(done.old).size
        if not dry_run:
            with ground.transaction():
                ground.in_progress.refuse_any(f"a {KIND}")
                ground.move([RefChange(done.ref, done.old, other.hex)], KIND, arguments)
        return done

    def _settle_by(self, prefer: Prefer, waiting: Waiting, judgement: Judgement) -> Judgement:
        """Settle conflicts as somebody wants all of them settled; the judgement after that."""
        for _ in range(MOST_PASSES):
            still = self._open(waiting, judgement)
            if prefer == "ours":
                details = self.details(judgement)
                lines = {
                    line
                    for conflict in still
                    for each in details.commits(conflict)
                    for line in surviving_lines(judgement, each)
                }
                if not lines:
                    return judgement
                waiting.left_out += self._ids(sorted(lines))
            else:
                by_order = ("document", "stream")
                wanted = [c.name for c in still if prefer == "accept" or c.kind in by_order]
                if not wanted:
                    return judgement
                waiting.accepted += wanted
                if not judgement.only_model:
                    return judgement
            judgement = self._judge(waiting)
        return judgement

    # ------------------------------------------------------------------ a merge that waits
    def state(self) -> Waiting | None:
        """The merge that waits, or None."""
        begun = self._ground.in_progress.get()
        if begun is None or begun.kind != KIND:
            return None
        try:
            return msgspec.convert(begun.details, Waiting)
        except msgspec.ValidationError as error:
            raise Damage(
                f"the merge in progress can't be read: {error}",
                hint="`evgit merge --abort` leaves it; history and refs are whole",
            ) from None

    def waiting(self) -> Merged:
        """How the merge that waits stands. Raises NotFound where there is none."""
        state = self._waiting()
        return self._described(state)

    def details(self, judgement: Judgement) -> Details:
        """The events and values that its conflicts are about."""
        return Details(self._ground.history, judgement, self._ground.builtin_states)

    def accept(self, words: Sequence[str] | None) -> Merged:
        """Accept conflicts as they stand, ours first: those that are named, or (None) all."""
        state = self._waiting()
        judgement = self._judge(state)
        still = self._open(state, judgement)
        names: list[str] = []
        for word in [None] if words is None else words:
            found = [c.name for c in still if word is None or c.is_named(word)]
            if not found and word is not None:
                raise no_conflict(word, still)
            names += found
        after = msgspec.structs.replace(state, accepted=list(dict.fromkeys(state.accepted + names)))
        return self._update(state, after)

    def leave_out(self, commits: Sequence[str] = (), events: Sequence[str] = ()) -> Merged:
        """Leave commits of theirs, or single events, out of the merge (ids). Raises UsageError for
        what does not come in."""
        state = self._waiting()
        judgement = self._judge(state)
        self._refuse_foreign(judgement, events)
        incoming = {each.row.hex: each for each in judgement.incoming}
        chosen = list(events)
        for commit in commits:
            lines = surviving_lines(judgement, incoming[commit]) if commit in incoming else []
            if not lines:
                raise UsageError(
                    f"commit {commit[:12]} brings no events with this merge",
                    hint="only what comes in can be left out; `evgit conflicts` names the commits",
                )
            chosen += self._ids(lines)
        left_out = list(dict.fromkeys([*state.left_out, *chosen]))
        return self._update(state, msgspec.structs.replace(state, left_out=left_out))

    def add(self, events: Sequence[NewEvent | Event]) -> tuple[Merged, list[str]]:
        """Add events to the merge commit, which come after all others: (how it stands, ids of
        those that are new). Raises InvariantViolated, ModelError; nothing was added then."""
        clock = self._ground.actor.now
        batch = batch_from_events(
            [each if isinstance(each, Event) else stamped(each, clock) for each in events],
            reserved=True,
        )
        state = self._waiting()
        before = self._judge(state)
        known = {digest(line.encode()).hex() for line in state.own}
        fresh = [
            line.decode()
            for line, event_id in zip(batch.lines, batch.ids, strict=True)
            if event_id.hex() not in known and not self._has(before, event_id)
        ]
        after = msgspec.structs.replace(state, own=[*state.own, *dict.fromkeys(fresh)])
        judgement = self._judge(after)
        names = {conflict.name for conflict in (*before.conflicts, *before.compensated)}
        for conflict in judgement.conflicts:
            if conflict.kind == "invariant" and conflict.name not in names:
                where = f" for {conflict.path}" if conflict.path else ""
                raise InvariantViolated(
                    f"invariant {conflict.rule!r} would not hold{where} after the merge; "
                    "nothing was added",
                    name=str(conflict.rule),
                    path=conflict.path,
                    hint="`evgit conflicts` shows the values; decide again",
                )
        return self._update(state, after), [digest(line.encode()).hex() for line in fresh]

    def record_model(self, *, verify: bool = True) -> tuple[Merged, list[str]]:
        """Add the working tree's versions of the model's files to the merge: of those that were
        edited, and of those in conflict. (how it stands, their paths). `verify`: raise InvalidModel
        for a model that does not load."""
        state = self._waiting()
        models = self._ground.models()
        if models is None or (there := models.in_worktree()) is None:
            raise NotFound(
                "there is no model in the working tree", hint="write one below model/, in Python"
            )
        if verify:
            models.try_out()
        lines, paths = new_versions(self._ground, there, self._proposal(state), state)
        return self._update(state, msgspec.structs.replace(state, own=[*state.own, *lines])), paths

    def go_on(
        self, *, message: str | None = None, arguments: Mapping[str, Any] | None = None
    ) -> Merged:
        """Make the merge commit. Where conflicts are left, nothing happens, and they are told."""
        state = self._waiting()
        judgement = self._judge(state)
        done = Merged("merged", state.ref, state.old, state.old)
        self._describe(done, state, judgement)
        if done.conflicts:
            done.kind = "waiting"
            return done
        final = state if message is None else msgspec.structs.replace(state, message=message)
        more = dict(arguments or {})
        if state.old != state.ours:
            graph, row = self._ground.history.graph, self._ground.row
            more["rewound"] = graph.fork_size(row(state.old), row(state.ours))
        return self._commit(done, final, judgement, state, more)

    def abort(self) -> str:
        """Leave the merge that waits. Nothing had moved. Returns what was to be merged."""
        begun = self._ground.in_progress.get()
        if begun is None or begun.kind != KIND:
            raise nothing_waits()
        with self._ground.transaction():
            if self._ground.in_progress.get() != begun:
                raise changed_meanwhile()
            self._ground.in_progress.end()
        return str(begun.details.get("name", ""))

    # ------------------------------------------------------------------ parts
    def _waiting(self) -> Waiting:
        state = self.state()
        if state is None:
            raise nothing_waits()
        return state

    def _proposal(self, state: Waiting, own: Sequence[str] | None = None) -> Proposal:
        ground = self._ground
        return Proposal(
            ground.row(state.ours),
            ground.row(state.theirs),
            state.left_out,
            [line.encode() for line in (state.own if own is None else own)],
            state.append,
        )

    def _judge(self, state: Waiting, own: Sequence[str] | None = None) -> Judgement:
        """`own`: in the place of the events that the merge adds."""
        ground = self._ground

        def states(proposal: Proposal, found: Difference) -> ModelStates | None:
            models = ground.models()
            if models is None:
                return None
            return merged_states(
                ground.history, ground.blobs(), models, proposal, found, decided=bool(state.own)
            )

        judge = Judge(ground.history, states)
        return judge.judge(self._proposal(state, own), state.accepted)

    def _open(self, state: Waiting, judgement: Judgement) -> list[MergeConflict]:
        return [each for each in judgement.conflicts if each.name not in state.accepted]

    def _described(self, state: Waiting) -> Merged:
        done = Merged("waiting", state.ref, state.old, state.old)
        self._describe(done, state, self._judge(state))
        done.kind = "waiting"
        return done

    def _describe(self, done: Merged, state: Waiting, judgement: Judgement) -> None:
        done.kind = "merged"
        done.judgement = judgement
        done.conflicts = self._open(state, judgement)
        done.brought = total(judgement.found.b)
        done.added = len(state.own)
        done.held_back = self._ids(
            [n for first, count in judgement.found.held for n in range(first, first + count)]
        )
        done.resolved = self._resolutions(state, judgement)
        if not judgement.found.a and not judgement.found.b and not judgement.found.held:
            done.unequal = self._unequal(judgement.found.ours, judgement.found.theirs)

    def _resolutions(self, state: Waiting, judgement: Judgement) -> list[dict[str, Any]]:
        """How conflicts were resolved, as the merge commit records it."""
        found = [
            {"conflict": each.name, "how": "accepted"}
            for each in judgement.conflicts
            if each.name in state.accepted
        ]
        compensated = [each.name for each in judgement.compensated]
        if state.own:
            before = self._judge(state, own=())
            there = {each.name for each in (*judgement.conflicts, *judgement.compensated)}
            compensated += [each.name for each in before.conflicts if each.name not in there]
        found += [{"conflict": name, "how": "compensated"} for name in compensated]
        indifferent = [note.path for note in judgement.notes if note.why == "order"]
        if indifferent:
            entry: dict[str, Any] = {"how": "order does not matter"}
            entry |= {"count": len(indifferent), "documents": indifferent[:MOST_NOTES]}
            found.append(entry)
        return found

    def _update(self, state: Waiting, after: Waiting) -> Merged:
        done = self._described(after)
        with self._ground.transaction():
            self._unchanged(state)
            self._ground.in_progress.update(msgspec.to_builtins(after))
        return done

    def _commit(
        self,
        done: Merged,
        state: Waiting,
        judgement: Judgement,
        stored: Waiting | None,
        arguments: Mapping[str, Any],
    ) -> Merged:
        """Make the merge commit, as one transaction with all that goes with it."""
        ground = self._ground

        def along() -> None:
            if stored is None:
                ground.in_progress.refuse_any(f"a {KIND}")
            else:
                self._unchanged(stored)
                ground.in_progress.end()

        events = [decode_event(line.encode()) for line in state.own]
        appended = ground.appender().append(
            Append(
                batch=batch_from_events(events, reserved=True),
                ref=state.ref,
                author=ground.actor.name,
                now=ground.actor.now(),
                actor=ground.actor.name,
                writer=ground.actor.writer,
                message=state.message,
                further_parents=[state.theirs],
                left_out=state.left_out,
                model=judgement.model,
                resolved=done.resolved,
                at=state.old,
                first_parent=state.ours,
                along=along,
                command=KIND,
                arguments={"name": state.name, **arguments},
            )
        )
        done.kind, done.head, done.warnings = "merged", appended.head, appended.warnings
        return done

    def _expect(self, state: Waiting) -> None:
        at = self._ground.refs.get(state.ref)
        if at != state.old:
            raise Conflict(
                f"{state.ref} was moved by another process",
                hint="look at it again and repeat the command if it still makes sense",
            )

    def _unchanged(self, state: Waiting) -> None:
        """Raise Conflict, under the lock, if another process went on with the merge."""
        if self.state() != state:
            raise changed_meanwhile()

    def _refuse_foreign(self, judgement: Judgement, event_ids: Sequence[str]) -> None:
        """Only what comes in can be left out."""
        found = judgement.found
        coming = LineSet([*found.b, *found.held])
        lines = lines_of_events(self._ground.history, event_ids)
        for event_id, line in zip(event_ids, lines, strict=True):
            if line not in coming:
                raise UsageError(
                    f"event {event_id[:12]} does not come in with this merge, so it can't be "
                    "left out",
                    hint="events of ours are never left out; compensate them with new events",
                )

    def _has(self, judgement: Judgement, event_id: bytes) -> bool:
        """Will the merged log have an event anyway?"""
        history, found = self._ground.history, judgement.found
        line = history.events.find([event_id]).get(event_id)
        if line is None:
            return False
        return line in LineSet(found.b) or history.graph.position_of(found.ours, line) is not None

    def _ids(self, lines: Sequence[int]) -> list[str]:
        blocks = self._ground.history.blocks
        return [digest(blocks.line(line)).hex() for line in lines]

    def _unequal(self, one: CommitRow, other: CommitRow) -> list[str]:
        """Documents that differ although both logs hold the same events."""
        ground = self._ground
        if one.size != other.size:
            return []
        logs = [ground.history.log_of(row) for row in (one, other)]
        if logs[0].root() == logs[1].root():
            return []
        found = difference(ground.history, one, other)
        if found.a or found.b or found.held:
            return []
        states = [ground.states().at(log) for log in logs]
        return [change.path for change in diff_states(states[0], states[1])]


def surviving_lines(judgement: Judgement, commit: IncomingCommit) -> list[int]:
    """Lines of the events of an incoming commit that come in."""
    line_at = LineAt(judgement.found.b)
    return [line_at(n) for first, count in commit.surviving for n in range(first, first + count)]
