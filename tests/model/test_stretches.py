"""Packed history folded stream by stream, by one process or several: the same as in log order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from evgit.errors import HandlerFailed
from evgit.formats.event import Event
from evgit.formats.pack_writing import Effort
from evgit.history.log import Log
from evgit.maintenance import gc as gc_module
from evgit.repository import NewEvent, Repository
from evgit.state import states as states_module
from evgit.state.modelling import shared_documents
from evgit.state.modelling.live_documents import LiveDocuments
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.model_states import ModelStates
from evgit.state.modelling.shared_documents import SharedDocuments
from evgit.storage.cache import Cache
from evgit.storage.stretches import Share, StretchReader, Unclustered
from tests.model.banking import loaded
from tests.test_independent_reader import Weaver

MODEL = """\
import sys
from evgit.model import DELETE, KeyedProjection, on


class Counts(KeyedProjection):
    prefix = "counts/"
    categories = ("s", "t")

    @on("counted")
    def counted(self, found, event):
        if event.data["n"] % 11 == 10:
            return DELETE
        found["seen"] = found.get("seen", 0) * 3 % 1_000_003 + event.data["n"]


class Places(KeyedProjection):
    prefix = "places/"
    streams = "s*"

    def initial(self, key):
        return []

    @on("counted")
    def counted(self, found, event):
        found.append([event.position, event.id, event.time, event.key])


class ByRest(KeyedProjection):
    prefix = "rests/"

    def key(self, event):
        return str(event.data["n"] % 3)

    @on("counted")
    def counted(self, found, event):
        found.setdefault("all", []).append(event.data["n"])
"""
STREAMS = ("s-0", "s-1", "s-2", "s-10", "s-é", "s-ﬀ😀", "t-9", "other")


class Plain:
    """A log that can be read in its own order alone."""

    def __init__(self, log: Log) -> None:
        self.size, self.texts, self.root = log.size, log.texts, log.root


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc_module, "WINDOW_LINES", 40)
    monkeypatch.setattr(gc_module, "NORMAL", Effort(700, 1, 700, 1))
    monkeypatch.setattr(states_module, "LIVE_EVENTS", 0)
    monkeypatch.setattr(shared_documents, "WORTH_FORKING", 0)
    monkeypatch.setattr(shared_documents, "WORTH_SPAWNING", 0)


@pytest.fixture
def folded() -> Iterator[dict[str, int]]:
    """How many stretches were folded to their ends: here, and by several processes."""
    found = {"here": 0, "shared": 0}

    def counting(name: str, take: Any) -> Any:
        def counted(*given: Any) -> Iterator[None]:
            yield from take(*given)
            found[name] += 1

        return counted

    with (
        patch.object(LiveDocuments, "take_stretch", counting("here", LiveDocuments.take_stretch)),
        patch.object(
            SharedDocuments, "take_stretch", counting("shared", SharedDocuments.take_stretch)
        ),
    ):
        yield found


def described(model: LoadedModel, log: Any, **more: Any) -> Any:
    """All documents and roots; or what is wrong, as people are told."""
    states = ModelStates(Cache(None), model, **more)
    state = states.at(log)
    try:
        roots = [state.part(part.adapter.prefix).root for part in states.parts]
        return dict(state.documents()), roots
    except HandlerFailed as error:
        return str(error), error.position, error.event_id, error.line


@pytest.mark.parametrize("seed", range(4))
def test_all_ways_come_to_the_same(
    tmp_path: Path, seed: int, folded: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With merges, events that a merge left out, blocks that are not packed, streams that share
    a document, handlers that fail, and now and then more documents than may be held."""
    weaver = Weaver(tmp_path, seed)
    make, choose = weaver.fresh, weaver.random.choice
    streams = (*STREAMS, "t-1") if seed == 3 else STREAMS

    def fresh() -> Event:
        event = make()
        weaver.events[-1] = event = event.__class__(
            **{name: getattr(event, name) for name in event.__struct_fields__}
            | {"stream": choose(streams)}
        )
        return event

    monkeypatch.setattr(weaver, "fresh", fresh)
    model = loaded(MODEL)
    failing = loaded(MODEL.replace("% 11 == 10:", "% 31 == 30:\n            1 / 0"))
    with weaver.repository as repository:
        for number in range(60):
            weaver.step()
            if number % 12 == 7:
                repository.upkeep.gc()
        commits = weaver.commits[-6:]
        for number, commit in enumerate(commits):
            log = repository.log(commit)
            for each in (model, failing):
                expected = described(each, Plain(log))
                assert described(each, log) == expected
                with patch("evgit.state.folding.LIVE_DOCUMENTS", 2):
                    assert described(each, log) == expected
                if number % 3 == 0:
                    assert described(each, log, jobs=3) == expected
    assert folded["here"] > 20
    assert folded["shared"] or seed == 3


@pytest.mark.parametrize(("forks", "few"), [(True, 1000), (False, 1000), (True, 0)])
def test_snapshots_on_the_way_are_of_all_processes(
    tmp_path: Path,
    folded: dict[str, int],
    capsys: pytest.CaptureFixture[str],
    forks: bool,
    few: int,
) -> None:
    """Also where documents are given only when they are asked for, since there are many."""
    model = loaded(MODEL.replace('found["seen"] =', 'print(event.data["n"]); found["seen"] ='))
    with Repository.init(tmp_path, bare=True) as repository:
        events = [NewEvent(f"s-{n * n % 23}", "counted", {"n": 11 * n}) for n in range(200)]
        repository.append(events)
        repository.upkeep.gc()
        repository.append([NewEvent("s-1", "counted", {"n": 1})])
        log, cache = repository.log("HEAD"), Cache(None)
        expected = described(model, Plain(log))
        printed = sorted(capsys.readouterr().err.splitlines())
        states = ModelStates(cache, model, jobs=2, interval=1)
        with (
            patch.object(states_module, "LIVE_SPARSENESS", 0),
            patch.object(shared_documents, "FEW_DOCUMENTS", few),
            patch("evgit.storage.worker_process.may_fork", lambda: forks),
        ):
            assert states.at(log).part("counts/").root == expected[1][0]
        assert folded == {"here": 0, "shared": 5}
        assert sorted(capsys.readouterr().err.splitlines()) == printed
        key = states.parts[0].adapter.key
        sizes = sorted(found.size for found in cache.snapshots(key, log.size))
        assert sizes == [40, 80, 120, 160, 200, 201]
        for size in sizes:
            again = ModelStates(cache, model).at(log, size).part("counts/")
            assert (
                again.root
                == ModelStates(Cache(None), model).rebuild(log, size).part("counts/").root
            )


def test_processes_end_when_interrupted(tmp_path: Path) -> None:
    with Repository.init(tmp_path, bare=True) as repository:
        repository.append([NewEvent(f"s-{n % 23}", "counted", {"n": 11 * n}) for n in range(100)])
        repository.upkeep.gc()
        pids: list[int] = []

        def interrupted(self: SharedDocuments) -> Any:
            pids.extend(worker.process.pid for pool in self._pools for worker in pool._workers)
            raise KeyboardInterrupt

        states = ModelStates(Cache(None), loaded(MODEL), jobs=2)
        with (
            patch.object(SharedDocuments, "_answers", interrupted),
            pytest.raises(KeyboardInterrupt),
        ):
            states.at(repository.log("HEAD")).part("counts/")
        assert len(pids) == 2
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        assert len(states.at(repository.log("HEAD")).part("counts/")) == 23


def test_an_order_that_is_not_by_stream_is_noticed(tmp_path: Path) -> None:
    """Other writers of packs may put lines in any order: here in one that time alone decides."""
    with Repository.init(tmp_path, bare=True) as repository:
        repository.append([NewEvent(f"s-{n * n % 23}", "counted", {"n": n}) for n in range(100)])
        names = {"stream_member": lambda line: line[line.rfind(b'"n":') + 5 :]}
        with patch.multiple("evgit.formats.pack_writing", **names):
            repository.upkeep.gc()
        log, model = repository.log("HEAD"), loaded(MODEL)
        stretches = list(log.stretches())
        assert sum(each.size for each in stretches) == log.size
        documents = (
            ModelStates(Cache(None), model)
            .parts[0]
            .adapter.live(  # type: ignore[attr-defined]
                lambda path: None
            )
        )
        with pytest.raises(Unclustered):
            list(documents.take_stretch(stretches[0]))
        expected = described(model, Plain(log))
        assert described(model, log) == expected
        assert described(model, log, jobs=3) == expected


@pytest.mark.parametrize("category", ["s", "t"])
def test_a_document_that_was_put_away_may_be_another_streams(
    tmp_path: Path, category: str, folded: dict[str, int]
) -> None:
    with Repository.init(tmp_path, bare=True) as repository:
        names = [f"s-{n}" for n in range(19)] + [f"{category}-1"]
        events = [NewEvent(names[n * 7 % 20], "counted", {"n": n * 11}) for n in range(39)]
        repository.append([NewEvent("s-1", "counted", {"n": 0}), *events])
        repository.upkeep.gc()
        log, model = repository.log("HEAD"), loaded(MODEL)
        with patch("evgit.state.folding.LIVE_DOCUMENTS", 2):
            assert described(model, log) == described(model, Plain(log))
        assert folded["here"] == (2 if category == "s" else 1)  # of places, and of counts


@pytest.mark.parametrize("number", [1, 2, 5, 60])
def test_shares_have_each_event_once(tmp_path: Path, number: int) -> None:
    with Repository.init(tmp_path, bare=True) as repository:
        repository.append([NewEvent(f"s-{n * n % 23}", "counted", {"n": n}) for n in range(150)])
        repository.upkeep.gc()
        log, reader = repository.log("HEAD"), StretchReader()
        stretches = list(log.stretches(10, 140))
        lines = list(log.lines())
        found = []
        shares = reader.shares(stretches, number)
        assert 1 <= len(shares) <= number
        for share in shares:
            for stretch in stretches:
                for run in reader.runs(stretch, share):
                    assert run.text.splitlines() == [lines[each] for each in run.positions]
                    found += run.positions
        assert sorted(found) == list(range(10, 140))
        assert list(reader.runs(stretches[0], Share("x", "y"))) == []
