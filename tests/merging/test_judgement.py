"""What a merge finds in random histories, against plain lists and dictionaries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from evgit.merging.judgement import Judge, Judgement
from evgit.merging.proposal import Proposal
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.loader import load
from evgit.state.modelling.model_states import ModelStates
from evgit.storage.cache import Cache
from tests.merging import naive
from tests.merging.making import Histories, grow, some_commit, some_of

MODEL = """\
from evgit.model import KeyedProjection, Projection, invariant, on


class Sums(KeyedProjection):
    prefix = "sums/"
    categories = "a"

    def initial(self, key):
        return {"n": 0}

    @on("counted")
    def counted(self, document, event):
        document["n"] += event.data["n"] % 5 - 2

    @on("put")
    def put(self, document, event):
        document["n"] = event.data["n"] % 3


class Lists(KeyedProjection):
    prefix = "lists/"
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
        documents["last/value.json"] = event.data["n"] % 4

    @on("counted")
    def counted(self, documents, event):
        if event.stream == "b-0":
            seen = documents.get("last/value.json", 0)
            documents["last/seen.json"] = documents.get("last/seen.json", 0) + seen


@invariant("not low", Sums)
def not_low(path, document):
    return document["n"] >= -1


@invariant("seen a few")
def few(documents):
    return ["last/seen.json"] if documents.get("last/seen.json", 0) > 3 else []
"""

RANDOM = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def folded(made: Histories, log: Iterable[str]) -> dict[str, Any]:
    """The strict documents of the model, folded in the most naive way."""
    documents: dict[str, Any] = {}
    for each in log:
        event = made.events[each]
        n = event.data["n"]
        if event.stream.startswith("a-"):
            path = f"sums/{event.stream[2:]}.json"
            documents[path] = n % 3 if event.type == "put" else documents.get(path, 0) + n % 5 - 2
        if event.type == "put":
            documents["last/value.json"] = n % 4
        elif event.stream == "b-0":
            seen = documents.get("last/value.json", 0)
            documents["last/seen.json"] = documents.get("last/seen.json", 0) + seen
    return documents


def offending(documents: dict[str, Any]) -> set[str]:
    found = {path for path, n in documents.items() if path.startswith("sums/") and n < -1}
    return found | ({"last/seen.json"} if documents.get("last/seen.json", 0) > 3 else set())


def conflicts_of(made: Histories, ours: str, theirs: str, left_out: list[str]) -> set[Any]:
    """(kind, what it is about) of all conflicts, as docs/merging.md defines them."""
    one, other = made.naive[ours], made.naive[theirs]
    a, b, commits = naive.differences(one, other, left_out)
    merged = [*one.log, *b]
    back = [*(e for e in other.log if e in merged), *a]
    found: set[Any] = {
        ("guard", stream) for stream in naive.failed_guards(commits, one.log, b, made.stream_of)
    }
    first, second = folded(made, merged), folded(made, back)
    found |= {
        ("document", path)
        for path in first.keys() | second.keys()
        if first.get(path) != second.get(path)
    }
    already = offending(folded(made, one.log)) | offending(folded(made, other.log))
    for commit in commits:
        here = [e for e in commit.own if e in b]
        if here:
            state = folded(made, merged[: merged.index(here[-1]) + 1])
            found |= {("invariant", path) for path in offending(state) - already}
    return found | {("torn", made.ids[id(each)]) for each in naive.torn(one, other, b)}


def judged(made: Histories, ours: str, theirs: str, left_out: list[str]) -> Judgement:
    states = ModelStates(Cache(None), load(ModelFiles({"model/m.py": MODEL.encode()})))
    judge = Judge(made.repository.history, lambda proposal, found: states)
    return judge.judge(Proposal(made.row(ours), made.row(theirs), left_out))


@RANDOM
@given(st.data())
def test_conflicts_are_those_of_the_lists(data: st.DataObject) -> None:
    with Histories() as made:
        grow(made, data, data.draw(st.integers(4, 14)))
        for _ in range(3):
            ours, theirs = (some_commit(made, data) for _ in "ab")
            new = [e for e in made.naive[theirs].log if e not in made.naive[ours].log]
            left_out = some_of(new, data, 1)
            judgement = judged(made, ours, theirs, left_out)
            about = [
                (c.kind, c.commit if c.kind == "torn" else c.stream or c.path)
                for c in judgement.conflicts
            ]
            settled = [("document", note.path) for note in judgement.notes if note.why == "settled"]
            assert len({*about, *settled}) == len(about) + len(settled)
            assert {*about, *settled} == conflicts_of(made, ours, theirs, left_out)
            # What an earlier merge has decided on stays as it is in ours.
            before = folded(made, made.naive[ours].log)
            b = naive.differences(made.naive[ours], made.naive[theirs], left_out)[1]
            merged = folded(made, [*made.naive[ours].log, *b])
            assert all(merged.get(path) == before.get(path) for _, path in settled)
