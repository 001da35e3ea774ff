"""A commit written in one straight line is, to the last row, the one that appending writes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import evgit
from evgit.errors import EvgitError
from evgit.history import append, stamps
from evgit.history.next_commit import MOST_EVENTS
from evgit.repository import NewEvent, Repository
from evgit.storage.operations import OperationLog
from tests.history.making import SECOND, Clock

TABLES = (
    "blocks", "refs", "operations", "commits", "chains", "merkle_nodes", "streams", "runs",
    "run_pages", "merged_lines", "held_back", "settings", "objects", "blobs",
)  # fmt: skip
STREAMS = ("a-1", "a-2", "b/c", "\N{LATIN SMALL LETTER U WITH DIAERESIS}-1", "$odd")

events = st.builds(
    NewEvent,
    stream=st.sampled_from(STREAMS[:4]) | st.sampled_from(STREAMS),
    type=st.sampled_from(["done", "made.well"]),
    data=st.sampled_from([{}, {"n": 1}, {"n": 1.0, "t": [True, None]}, "text", 1.5, {"x": (1,)}]),
    meta=st.sampled_from([{}, {"actor": "me"}]),
    time=st.sampled_from([None] * 6 + ["2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00"]),
    version=st.sampled_from([1, 1, 1, 2]),
    key=st.sampled_from([None] * 8 + ["k1", "k2"]),
)
appends = st.tuples(
    st.just("append"),
    st.lists(events, min_size=1, max_size=3) | st.lists(events, min_size=1, max_size=40),
    st.dictionaries(st.sampled_from(STREAMS), st.sampled_from(["any", "none", 0, 1, 2]), max_size=2)
    | st.just({}),
    st.sampled_from([None, None, None, "side"]),
    st.sampled_from(["", "why", "\N{MUSICAL SYMBOL G CLEF}"]),
    st.sampled_from([{}, {}, {"ticket": 7}]),
)
others = st.sampled_from(
    [("undo",), ("elsewhere",), ("branch",), ("blob",), ("many",), ("clock back",)]
)
steps = st.lists(appends | appends | appends | others, min_size=1, max_size=25)


class Twin:
    """One of two repositories that are told the same."""

    def __init__(self, path: Path, root: bytes | None = None) -> None:
        self.clock = Clock()
        self.repository = Repository.init(path, author="me <>", clock=self.clock, root_line=root)
        self.other = Repository.open(path, author="you <>", clock=self.clock)
        self.repository._writer, self.other._writer = "first", "second"

    def do(self, step: Any) -> Any:
        self.clock.now += SECOND
        stamps._process.last = 0
        try:
            return self._done(*step)
        except EvgitError as error:
            return type(error), error.message

    def _done(self, kind: str, *how: Any) -> Any:
        repository = self.repository
        if kind == "append":
            new, expected, branch, message, meta = how
            done = repository.append(
                new, expected=expected, branch=branch, message=message, meta=meta
            )
            return done.commit, done.head, done.appended, done.already, done.size, done.ids
        if kind == "undo":
            return repository.branches.undo().number
        if kind == "elsewhere":
            return self.other.append([NewEvent("a-1", "done")]).commit
        if kind == "branch":
            return repository.branches.create("side", repository.head().point.commit)
        if kind == "blob":
            return repository.write_blob(io.BytesIO(b"blob"))
        if kind == "many":
            return [repository.append([NewEvent("a-1", "done")]).commit for _ in range(70)]
        self.clock.now -= 5 * SECOND
        return None

    def rows(self) -> dict[str, list[Any]]:
        connection = self.repository.history.connection
        found = {t: connection.execute(f"SELECT * FROM {t}").fetchall() for t in TABLES}
        del found["operations"][0]  # making a repository draws the writer's name at random
        return found

    def close(self) -> None:
        self.other.close()
        self.repository.close()


@contextmanager
def twins(path: Path) -> Iterator[tuple[Twin, Twin]]:
    one = Twin(path / "one")
    root = one.repository.history.commit_line(
        one.repository.history.graph.get(one.repository.head().point.commit)
    )
    other = Twin(path / "other", root)
    other.repository._appender._append_next = lambda request: None  # type: ignore[method-assign]
    try:
        yield one, other
    finally:
        one.close()
        other.close()


@settings(max_examples=40, deadline=None)
@given(steps)
def test_both_ways_write_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    with twins(tmp_path_factory.mktemp("twins")) as (one, other):
        for step in steps:
            assert one.do(step) == other.do(step)
        assert one.rows() == other.rows()
        assert not one.repository.fsck(jobs=1).problems


def test_most_commits_of_a_few_events_are_written_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(
        append, "write_next", lambda *a, _w=append.write_next, **k: written.append(1) or _w(*a, **k)
    )
    with evgit.init(tmp_path) as repository:
        for n in range(200):
            repository.append([NewEvent(f"a-{n % 9}", "t", {"n": n})], expected={"b": "none"})
        assert len(written) > 180
        before = len(written)
        repository.append([NewEvent("a", "t")] * (MOST_EVENTS + 1))
        assert len(written) == before


def test_what_fails_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with twins(tmp_path) as (one, other):
        step = "append", [NewEvent("a-1", "done")], {}, None, "", {}
        for twin in (one, other):
            for _ in range(3):
                twin.do(step)

        def broken(*arguments: object, **more: object) -> int:
            raise MemoryError

        with monkeypatch.context() as patch:
            patch.setattr(OperationLog, "record", broken)
            for twin in (one, other):
                with pytest.raises(MemoryError):
                    twin.do(step)
        assert one.do(step) == other.do(step)
        assert one.rows() == other.rows()


def test_subtrees_that_become_complete_are_kept_all_the_same(tmp_path: Path) -> None:
    with twins(tmp_path) as (one, other):
        for twin in (one, other):
            twin.repository.history.connection.execute("PRAGMA synchronous=OFF")
            for n in range(180):
                twin.do(("append", [NewEvent("a-1", "done", n)] * 3, {}, None, "", {}))
        assert one.rows() == other.rows()
        assert one.rows()["merkle_nodes"]
