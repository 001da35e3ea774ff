"""What was received many commits to a row goes through all that history goes through."""

from __future__ import annotations

from pathlib import Path

import pytest

from evgit.formats.canonical import digest
from evgit.history import commit_pages
from evgit.maintenance import gc as gc_module
from evgit.repository import NewEvent, Repository, restore
from tests import independent_reader
from tests.history.making import Clock, event, merge, new
from tests.sync.making import Line, cloned, pushed

COMMITS = 200
DAY = 86_400 * 1_000_000


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_pages, "PAGE_COMMITS", 30)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("joined") / "source"
    with Repository.init(path, bare=True, clock=Clock()) as repository:
        for number in range(COMMITS):
            key = f"k{number}" if number % 7 == 0 else None
            repository.append([NewEvent(f"s-{number % 9}", "noted", {"n": number}, key=key)])
    return path


def received(source: Path, path: Path) -> Repository:
    """A clone in which rows have several blocks each."""
    with Repository.open(source) as origin:
        repository = cloned(origin, path)
    assert rows(repository) < COMMITS / 10
    connection = repository.history.connection
    assert connection.execute("SELECT count(*) FROM commit_pages").fetchall() == [(6,)]
    return repository


def rows(repository: Repository) -> int:
    ((count,),) = repository.history.connection.execute("SELECT count(*) FROM blocks")
    return int(count)


def assert_same(repository: Repository, source: Path) -> None:
    """It has the history of the source, and nothing is wrong with it."""
    with Repository.open(source) as origin:
        assert list(repository.log("main").lines()) == list(origin.log("main").lines())
        for stream in ("s-0", "s-8"):
            mine, theirs = repository.stream(stream, "main"), origin.stream(stream, "main")
            assert [e.event for e in mine] == [e.event for e in theirs]
        assert [r.hex for r in repository.history.graph.up_to(1 << 40, 1000)] == [
            r.hex for r in origin.history.graph.up_to(1 << 40, 1000)
        ]
    assert repository.fsck().problems == []
    assert independent_reader.read(repository.layout.directory).problems == []


def test_it_is_checked_indexed_and_consolidated(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc_module, "FULL_LINES", 151)  # packs end in the middle of a row
    with received(source, tmp_path / "clone") as repository:
        assert_same(repository, source)
        assert repository.reindex() == COMMITS + 1
        assert_same(repository, source)
        assert repository.append([NewEvent("s-0", "noted", {"n": 0}, key="k0")]).appended == 0
        report = repository.gc()
        assert report.packs_written == 3
        assert rows(repository) == 0
        assert_same(repository, source)


def test_what_was_left_out_stays_out(tmp_path: Path) -> None:
    with new(tmp_path / "source") as origin:
        origin.append([event(0)])
        origin.branches.create("side", origin.resolve_commit("main"))
        left_out = origin.append([event(1)], branch="side").ids
        origin.append([event(2)])
        merge(origin, "main", [origin.resolve_commit("side")], left_out=left_out)
        for number in range(3, 3 + COMMITS):
            origin.append([event(number, f"s-{number % 9}")])
        merge(origin, "main", [origin.resolve_commit("side")], [event(4 + COMMITS)])
        with cloned(origin, tmp_path / "clone") as repository:
            assert rows(repository) < COMMITS / 10
            assert_same(repository, tmp_path / "source")
            tip = repository.history.graph.get(repository.resolve_commit("main~1"))
            (line,) = repository.history.indexer.held_back_lines(tip)
            assert digest(repository.history.blocks.line(line)).hex() == left_out[0]


def test_part_of_a_row_is_dropped(source: Path, tmp_path: Path) -> None:
    received(source, tmp_path / "clone").close()
    clock = Clock()
    with Repository.open(tmp_path / "clone", clock=clock) as repository:
        tip = repository.history.graph.get(repository.resolve_commit())
        middle = repository.history.graph.at_height(tip, 70)
        with Repository.open(source) as origin:
            kept = list(origin.log("main").lines())[:70]
        repository.branches.create("main", middle.hex, force=True)
        sync = repository.sync()
        sync.forget(sync.remotes.get("origin"))
        clock.now += 91 * DAY
        repository.append([NewEvent("s-0", "noted", {"n": -1})])
        assert repository.upkeep.gc(keep="now").pruned_commits == COMMITS - 70
        assert list(repository.log("main").lines())[:-1] == kept
        assert repository.fsck().problems == []
        assert independent_reader.read(tmp_path / "clone").problems == []


def test_it_is_sent_on_and_backed_up(source: Path, tmp_path: Path) -> None:
    with received(source, tmp_path / "clone") as repository:
        with cloned(repository, tmp_path / "again") as again:
            assert_same(again, source)
        assert repository.back_up(tmp_path / "backup").full
        with restore(tmp_path / "backup", tmp_path / "restored")[0] as restored:
            assert_same(restored, source)
        repository.append([NewEvent("s-1", "noted", {"of": "more"})])
        with Repository.open(source) as origin:
            root = origin.history.commit_line(origin.history.graph.get(origin.id))
        with Repository.init(tmp_path / "other", bare=True, root_line=root) as other:
            pushed(repository, other, "main", line=Line(other))
            assert rows(other) < COMMITS / 10
            assert list(other.log("main").lines()) == list(repository.log("main").lines())
            assert other.fsck().problems == []
