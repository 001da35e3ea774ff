"""A branch re-appended behind another point, stopping where something speaks against it.

The branch itself moves at the very end. While it is stopped, HEAD is at the last commit that went
through, where compensating events can be appended; what is left to do is kept beside the refs, so
that it survives restarts. All that a rebase did, however often it stopped, is undone at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evgit.errors import Conflict, Damage, EvgitError, NotFound
from evgit.history.ancestry import compare, parents_first
from evgit.history.commit_row import CommitRow
from evgit.merging.ground import Ground
from evgit.merging.problems import Problem
from evgit.merging.reappend import Judge, Plan, Reappended, plan, write
from evgit.storage.operations import ABORT, SINCE, RefChange
from evgit.storage.refs import SYMBOLIC

KIND = "rebase"


class Stopped(msgspec.Struct, kw_only=True):
    """A rebase that waits. `ref`: what moves in the end, `old` what it is at; `head`: what HEAD
    held; `onto`: the commit behind which all goes; `partial`: the last commit that went through;
    `todo`: ids of the commits that are left, the one with `problems` first; `done`: how many went
    through; `began`: number of the operation that stopped first."""

    ref: str
    old: str
    head: str
    onto: str
    partial: str
    todo: list[str]
    done: int
    problems: list[Problem]
    began: int
    verify: bool = True


class Rebase:
    """Re-appends the current branch. One at a time in a repository."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def state(self) -> Stopped | None:
        """The rebase that waits, or None."""
        begun = self._ground.in_progress.get()
        if begun is None or begun.kind != KIND:
            return None
        try:
            return msgspec.convert(begun.details, Stopped)
        except msgspec.ValidationError as error:
            raise Damage(
                f"the rebase in progress can't be read: {error}",
                hint="`evgit rebase --abort` leaves it; history and refs are whole",
            ) from None

    def start(
        self,
        upstream: str,
        onto: str | None = None,
        *,
        verify: bool = True,
        accept_all: bool = False,
        dry_run: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> Reappended:
        """Re-append what the current branch has and `upstream` has not behind `onto`, by default
        `upstream` itself. All three are ids of commits.

        Without `verify`, neither guards nor invariants are asked; with `accept_all` what they say
        is noted in the commits. Raises Conflict while something is in progress, UsageError where
        HEAD is inside a commit, ModelError where the model fails; nothing has changed then.
        """
        ground = self._ground
        ground.in_progress.refuse_any(f"a {KIND}")
        ref = ground.branches.current_ref()
        old = ground.tip(ref)
        base, behind = ground.row(upstream), ground.row(onto or upstream)
        rows = _between(ground, base, old)
        planned = self._plan(behind, rows, old, verify, None if accept_all else ())
        found = Reappended.of(ref, old, planned, rows)
        if dry_run:
            return found
        state = Stopped(
            ref=ref,
            old=old.hex,
            head=ground.refs.get("HEAD") or "",
            onto=behind.hex,
            partial=behind.hex,
            todo=[row.hex for row in rows],
            done=0,
            problems=[],
            began=0,
            verify=verify,
        )
        return self._write(state, state.head, planned, found, arguments or {}, started=True)

    def go_on(self, *, accept: bool = False, skip: bool = False) -> Reappended:
        """Go on with the rebase that waits, behind what HEAD is at now.

        The commit that stopped it is judged again; with `accept` it goes through whatever speaks
        against it, with `skip` it is left out.
        """
        state = self._waiting()
        ground = self._ground
        at = ground.refs.get("HEAD") or ""
        head = ground.row(at) if not at.startswith(SYMBOLIC) and "#" not in at else None
        if head is None or not ground.history.graph.on_first_parents(
            ground.row(state.partial), head
        ):
            raise Conflict(
                "HEAD is not where the rebase left it, or behind that",
                hint="`evgit rebase --abort` puts everything back to where it was before",
            )
        rows = [ground.row(each) for each in state.todo]
        skipped = rows.pop(0).hex if skip else None
        accepted = {state.todo[0]} if accept else set()
        old = ground.row(state.old)
        planned = self._plan(head, rows, old, state.verify, accepted)
        found = Reappended.of(state.ref, old, planned, rows)
        found.skipped = skipped
        return self._write(state, at, planned, found, {}, started=False)

    def abort(self) -> str:
        """Leave the rebase that waits: HEAD goes back to where it was. Returns what that was."""
        state = self._waiting()
        ground = self._ground
        with ground.transaction():
            self._unchanged(state)
            at = ground.refs.get("HEAD")
            changes = [] if at == state.head else [RefChange("HEAD", at, state.head)]
            ground.in_progress.end()
            ground.move(changes, KIND + ABORT, {SINCE: state.began})
        return state.head

    # ------------------------------------------------------------------ steps
    def _waiting(self) -> Stopped:
        state = self.state()
        if state is None:
            raise NotFound("no rebase is in progress", hint="evgit rebase UPSTREAM begins one")
        return state

    def _plan(
        self,
        head: CommitRow,
        rows: Sequence[CommitRow],
        old: CommitRow,
        verify: bool,
        accept: set[str] | tuple[()] | None,
    ) -> Plan:
        ground = self._ground
        history = ground.history
        judge = Judge(history, ground.model_states()) if verify else None
        held = {line for row in (old, head) for line in history.indexer.held_back_lines(row)}
        return plan(history, head, rows, judge, held=held, accept=accept)

    def _write(
        self,
        state: Stopped,
        at: str,
        planned: Plan,
        found: Reappended,
        arguments: Mapping[str, Any],
        *,
        started: bool,
    ) -> Reappended:
        ground = self._ground
        history = ground.history
        try:
            with ground.transaction():
                if started:
                    ground.in_progress.refuse_any(f"a {KIND}")
                else:
                    self._unchanged(state)
                self._expect(state, at)
                written = write(history, planned.head, planned.steps, ground.actor.now())
                head = written[-1] if written else planned.head
                if planned.stopped is None:
                    self._finish(state, at, head, arguments, started=started)
                else:
                    self._stop(state, at, head, found, arguments, started=started)
        except BaseException:
            history.forget()
            raise
        found.note_written(planned, written)
        return found

    def _expect(self, state: Stopped, at: str) -> None:
        refs = self._ground.refs
        for ref, target in ((state.ref, state.old), ("HEAD", at)):
            if refs.get(ref) != target and not (ref == state.ref == "HEAD"):
                raise Conflict(
                    f"{ref} was moved by another process",
                    hint="look at it again and repeat the command if it still makes sense",
                )

    def _unchanged(self, state: Stopped) -> None:
        """Raise Conflict, under the lock, if another process went on with the rebase."""
        if self.state() != state:
            raise Conflict(
                "another process went on with the rebase, or ended it",
                hint="`evgit status` shows where it is",
            )

    def _finish(
        self,
        state: Stopped,
        at: str,
        head: CommitRow,
        arguments: Mapping[str, Any],
        *,
        started: bool,
    ) -> None:
        ground = self._ground
        more = dict(arguments)
        if state.ref == "HEAD":
            changes = [RefChange("HEAD", at, head.hex)]
        else:
            changes = [RefChange(state.ref, state.old, head.hex), RefChange("HEAD", at, state.head)]
        if not started:
            more[SINCE] = state.began
            ground.in_progress.end()
        changes = [change for change in changes if change.old != change.new]
        graph = ground.history.graph
        old = ground.row(state.old)
        if not graph.on_first_parents(old, head):
            more["rewound"] = graph.fork_size(old, head)
        if changes:
            ground.move(changes, KIND, more)

    def _stop(
        self,
        state: Stopped,
        at: str,
        head: CommitRow,
        found: Reappended,
        arguments: Mapping[str, Any],
        *,
        started: bool,
    ) -> None:
        ground = self._ground
        changes = [] if at == head.hex else [RefChange("HEAD", at, head.hex)]
        number = ground.move(changes, KIND, dict(arguments) | {"stopped": found.stopped})
        after = msgspec.structs.replace(
            state,
            partial=head.hex,
            todo=state.todo[len(state.todo) - found.left :],
            done=state.done + len(state.todo) - found.left,
            problems=found.problems,
            began=number if started else state.began,
        )
        details = msgspec.to_builtins(after)
        if started:
            ground.in_progress.begin(KIND, details)
        else:
            ground.in_progress.update(details)


def _between(ground: Ground, base: CommitRow, old: CommitRow) -> list[CommitRow]:
    """What `old` has and `base` has not, in the order of the log."""
    compared = compare(ground.history.graph, [base], [old])
    if not compared.bases:
        raise EvgitError("the two histories have nothing in common, so none can follow the other")
    return parents_first(compared.only_theirs, [old])
