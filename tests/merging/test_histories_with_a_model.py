"""Random histories with a model: documents that depend on order, and rules that break.

The steps are those of test_histories.py; what they must come to is told by the model, folded here
in the most naive way. EVGIT_TEST_STEPS says how many steps are taken, 600 unless told.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import initialize, rule

from evgit.formats.event import Event
from evgit.repository import ModelUse, Repository
from evgit.state.modelling.trust import TrustEverything
from tests.history.making import Clock, event
from tests.merging.naive import Commit, differences, failed_guards, history, torn
from tests.merging.test_histories import MOST_STEPS_EACH, STEPS_EACH, Histories

STEPS = int(os.environ.get("EVGIT_TEST_STEPS", "600"))
MODEL = """\
from evgit.model import KeyedProjection, Projection, invariant, on


class Sums(KeyedProjection):
    prefix = "sums/"
    categories = "s"

    def initial(self, key):
        return {"n": 0}

    @on("counted")
    def counted(self, document, event):
        document["n"] += event.data["n"] % 5 - 3

    @on("put")
    def put(self, document, event):
        document["n"] = event.data["n"] % 4


class Lists(KeyedProjection):
    prefix = "lists/"
    categories = "s"
    order = "any"

    def initial(self, key):
        return []

    @on("counted", "put")
    def seen(self, document, event):
        document.append(event.data["n"])


class Last(Projection):
    prefix = "last/"

    @on("put")
    def put(self, documents, event):
        documents["last/value.json"] = event.data["n"] % 3

    @on("counted")
    def counted(self, documents, event):
        if event.stream == "s-0":
            seen = documents.get("last/value.json", 0)
            documents["last/seen.json"] = (documents.get("last/seen.json", 0) + seen) % 7


@invariant("not low", Sums)
def not_low(path, document):
    return document["n"] >= -2


@invariant("seen a few")
def few(documents):
    return ["last/seen.json"] if documents.get("last/seen.json", 0) > 4 else []
"""


class Modelled(Histories):
    """The same steps in a repository whose model is recorded before all else."""

    verify = False  # so that rules are broken on either side, too
    by_stream = False

    @initialize()
    def make(self) -> None:
        root = Path(self.directory.name) / "r"
        (root / "model").mkdir(parents=True)
        (root / "model" / "m.py").write_text(MODEL)
        use = ModelUse(trust=TrustEverything())
        self.repository = Repository.init(root, author="Ada", clock=self.clock, model=use)
        self.repository._connection.execute("PRAGMA synchronous=OFF")
        self.repository.commit_model()
        self.fixed = self.repository.head().point.size
        self.learn(self.repository.resolve_commit("HEAD"))

    def clone(self) -> Repository:
        copy = super().clone()
        path = copy.layout.directory
        copy.close()
        use = ModelUse(trust=TrustEverything())
        return Repository.open(path, author="Ada", clock=Clock(self.clock.now), model=use)

    def any_commit(self, data: st.DataObject) -> str:
        """Any but the root, where there is no model yet."""
        found = super().any_commit(data)
        return self.repository.resolve_commit("HEAD") if found == self.repository.id else found

    def fresh(self, streams: Sequence[int]) -> list[Event]:
        start = self.count
        self.count += len(streams)
        return [
            event(start + n, f"s-{stream}", type="counted" if (start + n) % 3 else "put")
            for n, stream in enumerate(streams)
        ]

    def fold(self, log: Sequence[str]) -> dict[str, Any]:
        documents: dict[str, Any] = {}
        for each in log:
            happened = self.events[each]
            category, _, key = happened.stream.partition("-")
            if category != "s":
                continue
            n, put = happened.data["n"], happened.type == "put"
            path = f"sums/{key}.json"
            before = documents.get(path, {"n": 0})["n"]
            documents[path] = {"n": n % 4 if put else before + n % 5 - 3}
            path = f"lists/{key}.json"
            documents[path] = [*documents.get(path, []), n]
            if put:
                documents["last/value.json"] = n % 3
            elif key == "0":
                seen = documents.get("last/value.json", 0)
                documents["last/seen.json"] = (documents.get("last/seen.json", 0) + seen) % 7
        return documents

    def strict(self, log: Sequence[str]) -> dict[str, Any]:
        documents = self.fold(log)
        return {path: documents[path] for path in documents if not path.startswith("lists/")}

    def offending(self, log: Sequence[str]) -> set[str]:
        """The documents that break a rule."""
        documents = self.fold(log)
        low = {path for path, value in documents.items() if path[:5] == "sums/" and value["n"] < -2}
        return low | ({"last/seen.json"} if documents.get("last/seen.json", 0) > 4 else set())

    def conflicts(self, ours: Commit, theirs: Commit, out: list[str]) -> set[Any]:
        a, b, incoming = differences(ours, theirs, out)
        merged = [*ours.log, *b]
        found: set[Any] = {
            ("guard", stream) for stream in failed_guards(incoming, ours.log, b, self.stream_of)
        }
        first = self.strict(merged)
        second = self.strict([*(e for e in theirs.log if e in merged), *a])
        differing = {p for p in first.keys() | second.keys() if first.get(p) != second.get(p)}
        found |= {("document", path) for path in differing}
        already = self.offending(ours.log) | self.offending(theirs.log)
        for commit in incoming:
            here = [e for e in commit.own if e in b]
            if here:
                fallen = self.offending(merged[: merged.index(here[-1]) + 1]) - already
                found |= {("invariant", path) for path in fallen}
        names = {id(commit): name for name, commit in self.naive.items()}
        return found | {("torn", names[id(commit)]) for commit in torn(ours, theirs, b)}

    @rule(data=st.data())
    def rebase(self, data: st.DataObject) -> None:  # type: ignore[override]
        """All of it goes, and what speaks against it is told: all of that, and nothing else."""
        name = self.go(data)
        upstream_id = self.any_commit(data)
        local, upstream = self.at(f"refs/heads/{name}"), self.learn(upstream_id)
        names = {id(commit): key for key, commit in self.naive.items()}
        log, known = list(upstream.log), self.offending(upstream.log)
        expected: set[Any] = set()
        for commit in (c for c in history(local) if c not in history(upstream)):
            kept = [e for e in commit.own if e in local.log]
            own = [e for e in kept if e not in log and e not in upstream.held_back]
            if own:
                key = names[id(commit)]
                failed = failed_guards([commit], log, own, self.stream_of)
                expected |= {(key, "guard", stream) for stream in failed}
                log += own
                touched = {f"sums/{self.stream_of(e)[2:]}.json" for e in own} | {"last/seen.json"}
                broken = self.offending(log) & touched - known - self.offending(commit.log)
                known |= broken
                expected |= {(key, "invariant", path) for path in broken}
        start = self.repository.merging.rebase.start
        found = self.act(lambda: start(upstream_id, accept_all=True))
        assert found.stopped is None
        assert self.at(f"refs/heads/{name}").log == log
        told = {(p.commit, p.kind, p.stream or p.path) for p in found.accepted}
        assert told <= expected
        # What stands there as it is was judged where it stands, and a stream is told of once.
        stays = {names.get(id(c)) for c in history(self.at(f"refs/heads/{name}"))}
        told_of = {(kind, where) for _, kind, where in told}
        untold = {each[0] for each in expected - told if each[1:] not in told_of}
        assert untold <= stays

    @rule(data=st.data(), back=st.integers(1, 3))
    def cherry_pick(self, data: st.DataObject, back: int) -> None:  # type: ignore[override]
        name = self.go(data)
        log = list(self.at(f"refs/heads/{name}").log)
        commits = [self.any_commit(data) for _ in range(back)]
        for commit in dict.fromkeys(commits):
            log += [e for e in self.learn(commit).own if e not in log]
        pick = self.repository.merging.cherry_pick
        found = self.act(lambda: pick(commits, accept=True))
        assert found.stopped is None
        assert self.at(f"refs/heads/{name}").log == log


Modelled.TestCase.settings = settings(
    max_examples=max(1, STEPS // STEPS_EACH),
    stateful_step_count=MOST_STEPS_EACH,
    deadline=None,
    phases=(Phase.generate, Phase.shrink) if STEPS <= 3000 else (Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
TestModelled = Modelled.TestCase
