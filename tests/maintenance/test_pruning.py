"""Pruning: what nothing leads to goes, once it is old; all else stays, and so does every index."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from evgit.errors import UnknownObject
from evgit.maintenance import gc as gc_module, index_folding
from evgit.repository import NewEvent, Repository
from tests import independent_reader
from tests.test_independent_reader import NOW, Weaver

DAY = 86_400 * 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc_module, "WINDOW_LINES", 50)
    monkeypatch.setattr(index_folding, "PAGE_COMMITS", 5)
    monkeypatch.setattr(index_folding, "LEAST_COMMITS", 2)


def add(repository: Repository, branch: str, count: int, stream: str = "s") -> list[str]:
    made: list[str] = []
    start = repository.log(branch).size
    for number in range(start, start + count):
        events = [NewEvent(stream, "noted", {"n": number, "on": branch}, key=f"{branch}{number}")]
        made += repository.append(events, branch=branch).ids
    return made


def forked(path: Path, clock: Clock) -> tuple[Repository, str, list[str]]:
    """A repository with a branch that was deleted: (it, the commit it was at, its own events)."""
    repository = Repository.init(path, bare=True, clock=clock)
    add(repository, "main", 12)
    repository.branches.create("gone", repository.resolve_commit("main"))
    lost = add(repository, "gone", 9)
    commit = repository.resolve_commit("gone")
    add(repository, "main", 5)
    repository.branches.delete("gone", force=True)
    return repository, commit, lost


def sound(repository: Repository, path: Path) -> None:
    assert repository.fsck().problems == []
    assert independent_reader.read(path).problems == []


def test_what_nothing_leads_to_goes_when_its_operations_have_expired(tmp_path: Path) -> None:
    clock = Clock()
    repository, commit, lost = forked(tmp_path, clock)
    with repository:
        kept = list(repository.log("main").lines())
        assert repository.upkeep.gc(keep="now").pruned_commits == 0  # its operations know it
        clock.now += 91 * DAY
        add(repository, "main", 1)
        kept = list(repository.log("main").lines())
        report = repository.upkeep.gc()
        assert (report.pruned_commits, report.pruned_lines) == (9, 18)
        assert [each.command for each in repository.operations()] == ["commit"]  # of today
        with pytest.raises(UnknownObject):
            repository.history.graph.get(commit)
        for event in lost:
            assert repository.history.line_of_event(event) is None
        assert list(repository.log("main").lines()) == kept
        sound(repository, tmp_path)
        again = repository.append([NewEvent("s", "noted", {"on": "gone"}, key="gone12")])
        assert again.appended == 1  # its key is free
        assert repository.upkeep.gc(aggressive=True).pruned_commits == 0
        sound(repository, tmp_path)
        assert repository.reindex() == 1 + 12 + 5 + 1 + 1
        sound(repository, tmp_path)
        text = b"".join(p.read_bytes() for p in repository.layout.packs.glob("*.evpack"))
        assert text
    with Repository.open(tmp_path) as repository:
        assert list(repository.log("main").lines())[: len(kept)] == kept


def test_what_is_young_stays(tmp_path: Path) -> None:
    clock = Clock()
    repository, commit, _ = forked(tmp_path, clock)
    with repository:
        repository.branches.expire_operations(clock() + DAY)
        add(repository, "main", 1)
        repository.branches.expire_operations(clock() + 2 * DAY)
        assert repository.upkeep.gc().pruned_commits == 0  # seen for the first time
        clock.now += 13 * DAY
        assert repository.upkeep.gc().pruned_commits == 0
        clock.now += 2 * DAY
        assert repository.history.graph.get(commit)
        assert repository.upkeep.gc(keep="never").pruned_commits == 0
        assert repository.upkeep.gc().pruned_commits == 9
        sound(repository, tmp_path)


def test_hot_lines_are_dropped_as_well(tmp_path: Path) -> None:
    clock = Clock()
    repository, commit, _ = forked(tmp_path, clock)
    with repository:
        clock.now += 91 * DAY
        add(repository, "main", 1)
        assert repository.upkeep.gc(keep="now").pruned_commits == 9
        assert repository.history.graph.find(bytes.fromhex(commit)) is None
        sound(repository, tmp_path)
        assert len(list(repository.log("main").lines())) == 18


def test_a_chain_that_goes_on_after_it_was_cut(tmp_path: Path) -> None:
    clock = Clock()
    with Repository.init(tmp_path, bare=True, clock=clock) as repository:
        add(repository, "main", 300)
        repository.gc()
        tip = repository.history.graph.get(repository.resolve_commit())
        middle = repository.history.graph.at_height(tip, 140)
        repository.branches.create("main", middle.hex, force=True)
        repository.branches.create("more", middle.hex)
        clock.now += 91 * DAY
        repository.branches.delete("more")
        assert repository.upkeep.gc(keep="now").pruned_commits == 160
        repository.append([NewEvent("other", "noted", {})])
        add(repository, "main", 30, stream="t")
        sound(repository, tmp_path)
        assert repository.stream_revision("s", "main") == 139
        assert repository.stream_revision("t", "main") == 29
        assert [e.position for e in repository.stream("t", "main")] == list(range(141, 171))


@pytest.mark.parametrize("seed", range(3))
def test_random_histories(tmp_path: Path, seed: int) -> None:
    """Branches are deleted at random; what is left is as it was, and can be indexed anew."""
    choose = random.Random(seed)
    weaver = Weaver(tmp_path, seed)
    with weaver.repository as repository:
        pruned = 0
        for number in range(45):
            weaver.step()
            if number % 15 == 14:
                recent = [f"b{len(weaver.commits) - n}" for n in range(10)]
                for ref in repository.refs("refs/heads/"):
                    name = ref.name.removeprefix("refs/heads/")
                    if choose.random() < 0.9 and name not in (*recent, repository.head().branch):
                        repository.branches.delete(name, force=True)
                repository.branches.expire_operations(weaver.clock + DAY)
                logs = {
                    ref.target: list(repository.log(ref.target).lines())
                    for ref in repository.refs("refs/heads/")
                }
                pruned += repository.upkeep.gc(keep="now", aggressive=number == 29).pruned_commits
                for target, lines in logs.items():
                    assert list(repository.log(target).lines()) == lines
                sound(repository, tmp_path)
                with Repository.open(tmp_path) as other:
                    assert other.fsck().problems == []
        assert pruned
        assert repository.reindex()
        sound(repository, tmp_path)
