"""Blame and versions of documents, against the history folded event by event."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import NotFound, UsageError
from evgit.formats.event import Event
from evgit.repository import Point, Repository
from evgit.state.provenance import stepping, versions
from evgit.state.provenance.parts import Part
from evgit.state.provenance.provenance import BlamedField, Provenance
from evgit.state.states import States

_spec = util.spec_from_file_location("folding", Path(__file__).with_name("folding.py"))
assert _spec is not None
assert _spec.loader is not None
folding = util.module_from_spec(_spec)
_spec.loader.exec_module(folding)

STREAMS = ("a-1", "a-2", "b")
values = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.text("xy/~", max_size=2))
nested = st.one_of(values, st.dictionaries(st.sampled_from(["p", "q/r"]), values, max_size=2))
happenings = st.one_of(
    st.tuples(
        st.just("set"),
        st.dictionaries(st.sampled_from(["u", "v", "w~/"]), nested, min_size=1, max_size=2),
    ),
    st.tuples(st.just("listed"), values),
    st.tuples(st.sampled_from(["popped", "removed", "ignored"]), st.none()),
)
histories = st.lists(st.tuples(st.sampled_from(STREAMS), happenings), max_size=60)


def events_of(history: list[tuple[str, tuple[str, Any]]]) -> list[Event]:
    return [
        Event(
            stream=stream,
            type=kind,
            data=data,
            time=f"2026-01-01T00:{number // 60:02}:{number % 60:02}.000000Z",
            meta={"actor": f"till-{number}"} if number % 2 else {},
        )
        for number, (stream, (kind, data)) in enumerate(history)
    ]


@contextmanager
def repository_of(events: list[Event], a_commit: int = 7) -> Iterator[Repository]:
    with (
        tempfile.TemporaryDirectory() as directory,
        Repository.init(directory, bare=True, author="Ada <ada@example.org>") as repository,
    ):
        for start in range(0, len(events), a_commit):
            repository.append(events[start : start + a_commit], message=f"batch {start}")
        yield repository


@contextmanager
def small_steps() -> Iterator[None]:
    """Every bound so low that short histories meet all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(versions, "ONE_BY_ONE", 3)
        patch.setattr(versions, "HELD_EVENTS", 6)
        patch.setattr(versions, "FOLDED", 4)
        patch.setattr(versions, "WORTH_A_SNAPSHOT", 2)
        patch.setattr(versions, "PLACES", 2)
        patch.setattr(versions, "MANY", 3)
        patch.setattr(versions, "THIN", 2)
        patch.setattr(stepping, "FIRST_WINDOW", 5)
        patch.setattr(stepping, "WINDOW", 9)
        patch.setattr(stepping.Newest.__init__, "__defaults__", (700,))
        yield


KINDS: list[Callable[[], Any]] = [folding.Keyed, folding.KeyedByStream, folding.General]


def provenance_of(repository: Repository, kind: Callable[[], Any]) -> Provenance:
    projection = kind()
    states = States(repository.cache, projection, interval=10)
    return Provenance(repository.history, lambda: [Part("accounts/", projection, states)])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(history=histories, cut=st.integers(0, 60))
def test_versions_and_blame_are_what_a_naive_fold_says(
    kind: Callable[[], Any], history: list[tuple[str, tuple[str, Any]]], cut: int
) -> None:
    events = events_of(history)
    with small_steps(), repository_of(events) as repository:
        provenance = provenance_of(repository, kind)
        tip = repository.resolve("HEAD")
        point = Point(tip.commit, min(cut, tip.size))
        for stream in STREAMS:
            path = f"accounts/{stream}.json"
            expected = folding.naive_versions(events[: point.size], path)
            found = [
                (position, change.old or None, change.new or None)
                for position, change in provenance.versions(point, path)
            ]
            assert found == expected[::-1]
            if not expected or expected[-1][2] is None:
                with pytest.raises(NotFound):
                    provenance.blame(point, path)
                continue
            blamed = provenance.blame(point, path)
            assert {f.pointer: f.by.position for f in blamed} == folding.naive_blame(
                events[: point.size], path
            )
            assert {f.pointer: f.value for f in blamed} == folding.naive_leaves(expected[-1][2])
            for each in blamed:
                event = events[each.by.position]
                assert each.by.id == event.id
                assert each.by.event == event
                assert each.by.commit.message == f"batch {each.by.position // 7 * 7}"
                assert each.by.actor == event.meta.get("actor", "Ada <ada@example.org>")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(history=histories, start=st.integers(0, 60))
def test_changes_of_every_event_lead_from_state_to_state(
    kind: Callable[[], Any], history: list[tuple[str, tuple[str, Any]]], start: int
) -> None:
    events = events_of(history)
    with small_steps(), repository_of(events) as repository:
        provenance = provenance_of(repository, kind)
        tip = repository.resolve("HEAD")
        found = list(provenance.changes(tip, start))
        assert [position for position, _ in found] == list(range(start, tip.size))[::-1]
        for position, changes in found:
            path = folding.path_of(events[position])
            versions = {p: (old, new) for p, old, new in folding.naive_versions(events, path)}
            assert [(c.path, (c.old or None, c.new or None)) for c in changes] == (
                [(path, versions[position])] if position in versions else []
            )
        below = [p for p, changes in found if any(c.path.startswith("accounts/") for c in changes)]
        assert [position for position, _ in provenance.changes(tip, start, "accounts")] == below
        one = "accounts/a-1.json"
        assert [position for position, _ in provenance.changes(tip, start, one)] == [
            p for p, _, _ in reversed(folding.naive_versions(events, one)) if p >= start
        ]


def test_a_field_and_what_is_below_it() -> None:
    history = [
        ("b", ("set", {"u": {"p": 1, "q/r": 2}})),
        ("b", ("set", {"v": True})),
        ("b", ("set", {"u": {"p": 1, "q/r": 3}, "v": 1})),
    ]
    with repository_of(events_of(history)) as repository:
        provenance = provenance_of(repository, folding.KeyedByStream)
        tip, path = repository.resolve("HEAD"), "accounts/b.json"

        def positions(field: str) -> dict[str, int]:
            found = provenance.blame(tip, path, field)
            assert all(isinstance(each, BlamedField) for each in found)
            return {each.pointer: each.by.position for each in found}

        assert positions("/fields/u") == {"/fields/u/p": 0, "/fields/u/q~1r": 2}
        assert positions("fields/u/q~1r") == {"/fields/u/q~1r": 2}
        assert positions("/fields/v") == {"/fields/v": 2}  # true and 1 differ
        assert positions("/list") == {"/list": 0}
        with pytest.raises(NotFound, match="/fields/v"):
            provenance.blame(tip, path, "/fields/w")
        with pytest.raises(NotFound, match="no projection") as caught:
            provenance.blame(tip, "elsewhere/b.json")
        assert "accounts/" in caught.value.hint


lines = st.lists(st.sampled_from(["one", "two", "three", "four", ""]), max_size=6)


@settings(max_examples=60)
@given(texts=st.lists(lines, min_size=1, max_size=12))
def test_lines_are_followed_through_every_version(texts: list[list[str]]) -> None:
    """Every line is in each version since the event that is blamed, and not new in a later one."""
    events = [
        Event(
            stream="b",
            type="set",
            data={"t": "\n".join(text) + "\n"},
            time=f"2026-01-01T00:00:{number:02}.000000Z",
        )
        for number, text in enumerate(texts)
    ]
    with repository_of(events) as repository:
        projection = folding.Keyed()
        states = States(repository.cache, projection)

        def present(path: str, document: bytes | None) -> bytes | None:
            return document and json.dumps(json.loads(document)["fields"]["t"]).encode()

        provenance = Provenance(
            repository.history, lambda: [Part("accounts/", projection, states, present)]
        )
        tip = repository.resolve("HEAD")
        blamed = provenance.blame(tip, "accounts/b.json")
        kept = "\n".join(texts[-1]) + "\n"
        assert [each.text for each in blamed] == kept.split("\n")[:-1]
        changed = [0] + [n for n in range(1, len(texts)) if texts[n] != texts[n - 1]]
        for each in blamed:
            assert each.by.position in changed
            for text in texts[each.by.position :]:
                assert each.text in text or (not text and not each.text)
        if len(changed) > 1:
            before = texts[changed[-1] - 1]
            fresh = [each for each in blamed if each.text not in before and each.text]
            assert {each.by.position for each in fresh} <= {changed[-1]}
        with pytest.raises(UsageError, match="no fields"):
            provenance.blame(tip, "accounts/b.json", "/x")


def test_a_line_that_moved_down_keeps_its_event() -> None:
    texts = ["a\nb\n", "new\na\nb\n", "new\na\nB\nlast\n"]
    events = [
        Event(stream="b", type="set", data={"t": t}, time=f"2026-01-01T00:00:0{n}.000000Z")
        for n, t in enumerate(texts)
    ]
    with repository_of(events) as repository:
        projection = folding.General()
        states = States(repository.cache, projection)

        def present(path: str, document: bytes | None) -> bytes | None:
            return document and json.dumps(json.loads(document)["fields"]["t"]).encode()

        provenance = Provenance(
            repository.history, lambda: [Part("accounts/", projection, states, present)]
        )
        blamed = provenance.blame(repository.resolve("HEAD"), "accounts/b.json")
        assert [(each.text, each.by.position) for each in blamed] == [
            ("new", 1),
            ("a", 0),
            ("B", 2),
            ("last", 2),
        ]
