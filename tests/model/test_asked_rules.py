"""Rules about all documents together: asked anew only where what they read may have changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings, strategies as st

from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.invariants import Asked, violations
from evgit.state.modelling.loader import load

MODEL = """\
from evgit.model import Projection, invariant, on


class Numbers(Projection):
    prefix = "n/"

    @on("put")
    def put(self, documents, event):
        documents["n/a.json"] = 1


@invariant("a before b")
def pair(documents):
    return documents.get("n/a.json", 0) <= documents.get("n/b.json", 9)


@invariant("small in all")
def small(documents):
    return [path for path in documents if path > "n/b" and documents[path] > 3]


@invariant("few")
def few(documents):
    return len(documents) < 4
"""
PATHS = ("n/a.json", "n/b.json", "n/c.json", "n/d.json")
CHANGE = st.dictionaries(st.sampled_from(PATHS), st.none() | st.integers(0, 5), max_size=2)


class Counting(Mapping[str, Any]):
    """Documents, and how often somebody looked."""

    def __init__(self, documents: dict[str, Any]) -> None:
        self.documents = documents
        self.looked = 0

    def __getitem__(self, path: str) -> Any:
        self.looked += 1
        return self.documents[path]

    def __iter__(self) -> Any:
        self.looked += 1
        return iter(self.documents)

    def __len__(self) -> int:
        self.looked += 1
        return len(self.documents)


def change(documents: dict[str, Any], changes: Mapping[str, int | None]) -> dict[str, bool]:
    """{path: did it come or go?}"""
    touched = {path: (new is None) is (path in documents) for path, new in changes.items()}
    for path, new in changes.items():
        if new is None:
            documents.pop(path, None)
        else:
            documents[path] = new
    return touched


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(CHANGE, min_size=1, max_size=8))
def test_what_is_told_is_what_asking_always_would_find_first(
    steps: list[dict[str, int | None]],
) -> None:
    model = load(ModelFiles({"model/m.py": MODEL.encode()}))
    documents: dict[str, Any] = {}
    asked = Asked(model, documents)
    known: set[tuple[str, str | None]] = set()
    for step in steps:
        touched = change(documents, step)
        told = {(each.name, each.path) for each in asked.after(touched)}
        always = {(each.name, each.path) for each in violations(model, documents, touched)}
        assert told <= always
        assert always - known <= told
        known = always or (known if not touched else set())


def test_what_a_rule_did_not_read_costs_nothing() -> None:
    model = load(ModelFiles({"model/m.py": MODEL.split('@invariant("small')[0].encode()}))
    documents = Counting({f"n/x{n}.json": n for n in range(9)})
    asked = Asked(model, documents)
    assert list(asked.after(change(documents.documents, {"n/x1.json": 5}))) == []
    before = documents.looked
    assert before > 0
    assert list(asked.after(change(documents.documents, {"n/x2.json": 5}))) == []
    assert documents.looked == before
    assert [each.name for each in asked.after(change(documents.documents, {"n/b.json": -1}))] == [
        "a before b"
    ]
