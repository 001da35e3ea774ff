"""Random repositories against full lists: merges of all kinds, re-appends, picks, what-ifs, undo.

EVGIT_TEST_STEPS says how many steps are taken, at least 3,000. They are taken in memory where there
is /dev/shm, and nothing is synced.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from evgit.formats.event import Event, batch_from_events
from evgit.history.reading import Reader
from evgit.repository import Repository
from tests.history.making import NOW, SECOND, Clock, event, ids, merge as merge_at_once
from tests.merging.naive import Commit, bases, differences, failed_guards, history, torn
from tests.state.oracle import naive as folded

STEPS = int(os.environ.get("EVGIT_TEST_STEPS", "3000"))
MOST_STEPS_EACH = 50
STEPS_EACH = 32  # at least, on average: some end early
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
MOST_EVENTS = 150
Decision = st.sampled_from(["accept", "accept", "skip", "abort"])


class Histories(RuleBasedStateMachine):
    """One repository, and what it must be. Without a model: those with one are made of this."""

    fixed = 0
    """How many events every log begins with, that no step leaves out."""
    verify = True
    by_stream = True
    """Do the events of a stream make a document of their own, and nothing else?"""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(prefix="evgit-test-", dir=MEMORY)
        self.clock = Clock(NOW)
        self.naive: dict[str, Commit] = {}
        self.events: dict[str, Event] = {}
        self.count = 0
        self.done: list[tuple[dict[str, str], dict[str, str]]] = []
        self.undone: list[tuple[dict[str, str], dict[str, str]]] = []

    @initialize()
    def make(self) -> None:
        path = Path(self.directory.name) / "r"
        self.repository = Repository.init(path, bare=True, author="Ada", clock=self.clock)
        self.repository._connection.execute("PRAGMA synchronous=OFF")
        self.learn(self.repository.id)

    def teardown(self) -> None:
        if hasattr(self, "repository"):
            assert self.repository.fsck().problems == []
            self.repository.close()
        self.directory.cleanup()

    # ------------------------------------------------------------------ what is there
    def refs(self) -> dict[str, str]:
        return {ref.name: ref.target for ref in self.repository.refs("")}

    def learn(self, commit: str) -> Commit:
        """A commit as lists, made of what the repository says of it, and held against its log."""
        if commit in self.naive:
            return self.naive[commit]
        said = self.repository.commit(commit).commit
        row = self.repository.history.graph.get(commit)
        parents: list[Any] = [self.learn(parent) for parent in said.parents]
        own = list(Reader(self.repository.history).own_ids(row))
        left_out = said.merge.left_out if said.merge else []
        found = Commit(parents, own, left_out, guards=dict(said.guards or {}))
        log = ids(self.repository, commit)
        assert log == found.log
        assert len(set(log)) == len(log)
        assert said.log.root == found.root
        for event_id, stored in zip(log, self.repository.events(commit), strict=True):
            self.events.setdefault(event_id, stored)
        if parents:
            assert log[: len(parents[0].log)] == parents[0].log
            assert not set(left_out) & set(log)
            for stream, revision in found.guards.items():
                assert self.count_of(parents[0].log, stream) - 1 == revision
        held = self.repository.history.indexer.held_back_lines(row)
        lines = {self.repository.history.line_of_event(each) for each in found.held_back}
        assert set(held) == lines
        self.naive[commit] = found
        assert dict(self.repository.state(commit)) == self.fold(log)
        return found

    def fold(self, log: Sequence[str]) -> dict[str, Any]:
        """The state after a log, in the most naive way."""
        return folded([self.events[each] for each in log])

    def strict(self, log: Sequence[str]) -> dict[str, Any]:
        """The documents that must not depend on the order of events."""
        return self.fold(log)

    def stream_of(self, event_id: str) -> str:
        return self.events[event_id].stream

    def count_of(self, log: Sequence[str], stream: str) -> int:
        return sum(self.stream_of(each) == stream for each in log)

    def at(self, ref: str) -> Commit:
        return self.learn(self.repository.resolve_commit(ref))

    def act(self, do: Callable[[], Any]) -> Any:
        """Do something that is one thing to undo, or nothing."""
        before, last = self.refs(), next(self.repository.operations()).number
        found = do()
        after, now = self.refs(), next(self.repository.operations()).number
        if now != last:
            self.undone.clear()
        if before != after:
            self.undone.clear()
            if now == last:  # one more commit of what one process appended
                before = self.done.pop()[0]
            self.done.append((before, after))
        self.clock.now += SECOND
        for target in after.values():
            if not target.startswith("ref: "):
                self.learn(target)
        return found

    def go(self, data: st.DataObject) -> str:
        """Switch to some branch; its name."""
        name = data.draw(st.sampled_from(self.branches))
        target = f"ref: refs/heads/{name}"
        self.act(lambda: self.repository.branches.set_head(target, "switch", {}))
        return str(name)

    @property
    def branches(self) -> list[str]:
        return [ref.name.removeprefix("refs/heads/") for ref in self.repository.refs("refs/heads/")]

    def any_commit(self, data: st.DataObject) -> str:
        """Mostly a branch's, sometimes any that there ever was."""
        if data.draw(st.integers(0, 3)):
            name = data.draw(st.sampled_from(self.branches))
            return self.repository.resolve_commit(f"refs/heads/{name}")
        return str(data.draw(st.sampled_from(list(self.naive))))

    def fresh(self, streams: Sequence[int]) -> list[Event]:
        start = self.count
        self.count += len(streams)
        return [event(start + n, f"s-{stream}") for n, stream in enumerate(streams)]

    # ------------------------------------------------------------------ steps
    @precondition(lambda self: self.count < MOST_EVENTS)
    @rule(
        data=st.data(),
        streams=st.lists(st.integers(0, 4), min_size=1, max_size=3),
        guarded=st.sets(st.integers(0, 5), max_size=2),
    )
    def commit(self, data: st.DataObject, streams: list[int], guarded: set[int]) -> None:
        name = data.draw(st.sampled_from(self.branches))
        log = self.at(f"refs/heads/{name}").log
        expected: Any = {f"s-{n}": self.count_of(log, f"s-{n}") - 1 for n in guarded}
        own = self.fresh(streams)
        self.act(
            lambda: self.repository.append(own, branch=name, expected=expected, verify=self.verify)
        )
        assert self.at(f"refs/heads/{name}").log == log + [each.id for each in own]

    @rule(data=st.data())
    def branch(self, data: st.DataObject) -> None:
        names = [name for name in "abcde" if name not in self.branches]
        if names:
            at = self.any_commit(data)
            self.act(lambda: self.repository.branches.create(names[0], at))

    @rule(data=st.data(), accept=st.booleans(), leave_out=st.integers(0, 3), never=st.booleans())
    def merge(self, data: st.DataObject, accept: bool, leave_out: int, never: bool) -> None:
        name = self.go(data)
        theirs_id = self.any_commit(data)
        ours, theirs = self.at(f"refs/heads/{name}"), self.learn(theirs_id)
        ours_id = self.repository.resolve_commit(f"refs/heads/{name}")
        best = {c for c in self.naive if self.naive[c] in bases(ours, theirs)}
        assert set(self.repository.ancestry.merge_bases(ours_id, theirs_id)) == best
        _, b, incoming = differences(ours, theirs)
        out: list[str] = []
        if not leave_out and b and incoming:
            chosen = data.draw(st.sampled_from(incoming))
            out = [each for each in chosen.own if each in b]
        before = self.refs()
        clone = self.clone() if leave_out == 3 else None
        start = self.repository.merging.merge.start
        fast: Any = "never" if never else "auto"
        found = self.act(lambda: start(theirs_id, name="x", left_out=out, fast_forward=fast))
        if found.kind == "current":
            assert self.refs() == before
            if theirs.log != ours.log and set(theirs.log) == set(ours.log):
                one, other = (self.fold(c.log) for c in (ours, theirs))
                if not (ours.held_back or theirs.held_back):
                    differing = {p for p in one.keys() | other.keys() if one.get(p) != other.get(p)}
                    assert set(found.unequal) == differing
        elif found.kind == "fast-forward":
            assert self.at("HEAD") is theirs
        else:
            expected = self.conflicts(ours, theirs, out)
            notes = [] if found.judgement is None else found.judgement.notes
            settled = {("document", note.path) for note in notes if note.why == "settled"}
            assert settled <= expected
            expected -= settled
            if found.kind == "waiting":
                told = {
                    (c.kind, c.commit if c.kind == "torn" else c.stream or c.path)
                    for c in found.conflicts
                }
                assert told == expected
                assert self.refs() == before
                self.end_merge(accept=accept)
            else:
                assert not expected
            if found.kind == "merged" or accept:
                made = self.at("HEAD")
                a, b, _ = differences(ours, theirs, out)
                assert made.log == ours.log + b
                assert made.parents == [ours, theirs]
                shared = len(set(ours.log) & set(theirs.log))
                disjoint = self.by_stream and not {self.stream_of(e) for e in a} & {
                    self.stream_of(e) for e in b
                }
                if disjoint and ours.log[:shared] == theirs.log[:shared]:
                    first = [e for e in theirs.log if e in made.log]
                    assert self.fold(made.log) == self.fold([*first, *a])
            if clone is not None and (found.kind == "merged" or accept):
                self.same_in_clone(clone, theirs_id, out, fast)
        if clone is not None:
            clone.close()

    def end_merge(self, *, accept: bool) -> None:
        merge = self.repository.merging.merge
        before = self.refs()
        if accept:
            merge.accept(None)
            self.act(merge.go_on)
            return
        merge.abort()
        assert self.refs() == before
        assert self.repository.in_progress() is None

    def conflicts(self, ours: Commit, theirs: Commit, out: list[str]) -> set[Any]:
        """What speaks against a merge where there is no model."""
        a, b, incoming = differences(ours, theirs, out)
        guards = failed_guards(incoming, ours.log, b, self.stream_of)
        both = {self.stream_of(e) for e in a} & {self.stream_of(e) for e in b}
        names = {id(commit): name for name, commit in self.naive.items()}
        found = {("guard", stream) for stream in guards}
        found |= {("stream", stream) for stream in both - guards}
        return found | {("torn", names[id(commit)]) for commit in torn(ours, theirs, b)}

    def clone(self) -> Repository:
        path = Path(self.directory.name) / f"clone-{len(self.done)}-{self.clock.now}"
        shutil.copytree(self.repository.layout.directory, path)
        clock = Clock(self.clock.now)
        return Repository.open(path, author="Ada", clock=clock)

    def same_in_clone(self, clone: Repository, theirs: str, out: list[str], fast: Any) -> None:
        """The same merge elsewhere, at another time: the same but for that."""
        clone.clock.now += 7 * SECOND  # type: ignore[attr-defined]
        found = clone.merging.merge.start(theirs, name="x", left_out=out, fast_forward=fast)
        if found.kind == "waiting":
            clone.merging.merge.accept(None)
            found = clone.merging.merge.go_on()
        one = clone.commit(found.head).commit
        other = self.repository.commit(self.repository.resolve_commit("HEAD")).commit
        assert (one.log, one.parents, one.merge) == (other.log, other.parents, other.merge)

    @rule(data=st.data(), streams=st.lists(st.integers(0, 4), max_size=2))
    def octopus(self, data: st.DataObject, streams: list[int]) -> None:
        name = data.draw(st.sampled_from(self.branches))
        ours = self.repository.resolve_commit(f"refs/heads/{name}")
        others = list(dict.fromkeys(self.any_commit(data) for _ in range(3)))
        others = [each for each in others if each != ours]
        if others:
            own = self.fresh(streams)
            self.act(lambda: merge_at_once(self.repository, name, others, own))

    @rule(data=st.data(), decisions=st.lists(Decision, min_size=8, max_size=8))
    def rebase(self, data: st.DataObject, decisions: list[str]) -> None:
        name = self.go(data)
        upstream_id = self.any_commit(data)
        local, upstream = self.at(f"refs/heads/{name}"), self.learn(upstream_id)
        before = self.refs()
        names = {id(commit): key for key, commit in self.naive.items()}
        todo = [c for c in history(local) if c not in history(upstream)]
        rebase = self.repository.merging.rebase
        found, accepted = None, False

        def whole() -> list[str] | None:
            """All of it: the log that must come of it, None where it was aborted."""
            nonlocal found, accepted
            log = list(upstream.log)
            found = rebase.start(upstream_id)
            waiting = list(decisions)
            rest = list(todo)
            while rest:
                commit = rest[0]
                own = [
                    e
                    for e in commit.own
                    if e in local.log and e not in log and e not in upstream.held_back
                ]
                failed = failed_guards([commit], log, own, self.stream_of)
                if failed and not accepted:
                    assert found.stopped == names[id(commit)]
                    assert {problem.stream for problem in found.problems} == failed
                    decision = waiting.pop() if waiting else "abort"
                    if decision == "abort":
                        rebase.abort()
                        return None
                    found = rebase.go_on(accept=decision == "accept", skip=decision == "skip")
                    if decision == "skip":
                        rest.pop(0)
                        continue
                    accepted = True
                log += own
                rest.pop(0)
                accepted = False
            assert found.stopped is None
            return log

        log = self.act(whole)
        if log is None:
            assert self.refs() == before
        else:
            assert self.at(f"refs/heads/{name}").log == log
            assert self.refs() == before | {
                f"refs/heads/{name}": self.repository.resolve_commit(f"refs/heads/{name}")
            }
            assert log[: len(upstream.log)] == upstream.log
        assert self.repository.in_progress() is None

    @rule(data=st.data(), accept=st.booleans(), back=st.integers(1, 3))
    def cherry_pick(self, data: st.DataObject, accept: bool, back: int) -> None:
        name = self.go(data)
        before, log = self.refs(), list(self.at(f"refs/heads/{name}").log)
        commits = [self.any_commit(data) for _ in range(back)]
        stopped = None
        for commit in dict.fromkeys(commits):
            picked = self.learn(commit)
            own = [e for e in picked.own if e not in log]
            failed = failed_guards([picked], log, own, self.stream_of) if own else set()
            if failed and not accept:
                stopped = commit
                break
            log += own
        pick = self.repository.merging.cherry_pick
        found = self.act(lambda: pick(commits, accept=accept))
        assert found.stopped == stopped
        if stopped is not None:
            assert self.refs() == before
        else:
            assert self.at(f"refs/heads/{name}").log == log

    @precondition(lambda self: "trial" not in self.branches)
    @rule(data=st.data(), streams=st.lists(st.integers(0, 4), max_size=2))
    def what_if(self, data: st.DataObject, streams: list[int]) -> None:
        commit = self.any_commit(data)
        log = self.learn(commit).log
        if not log[self.fixed :]:
            return
        out = data.draw(st.lists(st.sampled_from(log[self.fixed :]), max_size=2, unique=True))
        at = data.draw(st.integers(self.fixed, len(log)))
        insert = batch_from_events(self.fresh(streams)) if streams else None
        if out or insert:
            what_if = self.repository.merging.what_if
            tried = self.act(
                lambda: what_if(
                    commit, without=out, insert=insert, at=at if insert else None, branch="trial"
                )
            )
            new = [each.hex() for each in insert.ids] if insert else []
            expected = [*log[:at], *new, *log[at:]] if insert else log
            told = self.at("refs/heads/trial").log
            assert told == [e for e in expected if e not in out]
            real, trial = self.fold(log), self.fold(told)
            differing = {p for p in real.keys() | trial.keys() if real.get(p) != trial.get(p)}
            changes = self.repository.diff(commit, tried.head)
            assert {change.path for change in changes} == differing

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.branches))
        if self.repository.head().branch != name:
            self.act(lambda: self.repository.branches.delete(name, force=True))

    @precondition(lambda self: self.done)
    @rule()
    def undo(self) -> None:
        self.repository.branches.undo()
        before, after = self.done.pop()
        self.undone.append((before, after))
        assert self.refs() == before

    @precondition(lambda self: self.undone)
    @rule()
    def redo(self) -> None:
        self.repository.branches.redo()
        before, after = self.undone.pop()
        self.done.append((before, after))
        assert self.refs() == after


Histories.TestCase.settings = settings(
    max_examples=max(1, STEPS // STEPS_EACH),
    stateful_step_count=MOST_STEPS_EACH,
    deadline=None,
    phases=(Phase.generate, Phase.shrink) if STEPS <= 3000 else (Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
TestHistories = Histories.TestCase
