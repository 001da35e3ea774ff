"""Documents of the past made one by one equal those of a replay, and replay nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import evgit
from evgit.state import late_state
from evgit.state.builtin import BuiltinProjection
from evgit.state.late_state import IndexedLog, LateState
from evgit.state.states import States
from evgit.storage.cache import Cache
from tests.state.oracle import FakeLog, naive, random_events

EVENTS = random_events(2, 2400, 30)
STREAMS = sorted({event.stream for event in EVENTS})


class FindingLog(FakeLog):
    """A log that knows its streams."""

    def stream_names(self, prefix: str) -> list[str]:
        return [name for name in STREAMS if name.startswith(prefix)]

    def stream_positions(self, name: str, start: int, stop: int) -> list[int]:
        return [n for n in range(start, stop) if EVENTS[n].stream == name]

    def line(self, position: int) -> bytes:
        return self.lines[position]

    def decoded(
        self, decode: Callable[[bytes], list[Any]], start: int, stop: int | None
    ) -> Iterator[tuple[bytes, list[Any]]]:
        return ((text, decode(text)) for text in self.texts(start, stop))


def path_of(stream: str) -> str:
    return f"streams/{stream}.json"


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, len(EVENTS)),
    st.lists(st.sampled_from([*STREAMS, "nobody"]), min_size=1, max_size=6),
    st.booleans(),
)
def test_documents_made_alone_are_those_of_the_whole(
    size: int, streams: list[str], all_after: bool
) -> None:
    log = FindingLog(EVENTS)
    states = States(Cache(None), interval=500)
    states.at(log)
    log.read = 0
    state = states.at(log, size)
    expected = naive(EVENTS[:size])
    for stream in streams:
        assert state.get(path_of(stream)) == expected.get(path_of(stream))
    if isinstance(state, LateState):
        assert log.read == 0
    if all_after:
        assert dict(state) == expected
        assert len(state) == len(expected)
        assert state.root == states.rebuild(log, size).root
        assert states.at(log, size).root == state.root
        assert all(state[path] == document for path, document in expected.items())


def test_who_asks_for_many_gets_them_from_one_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_state, "LOOK_UPS", 3)
    log = FindingLog(EVENTS)
    states = States(Cache(None), interval=2000)
    states.at(log)
    state = states.at(log, 1900)
    assert isinstance(state, LateState)
    log.read = 0
    expected = naive(EVENTS[:1900])
    assert {path: state[path] for path in expected} == expected
    assert log.read == 1900


def test_a_document_of_many_events_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_state, "OWN_EVENTS", 3)
    log = FindingLog(EVENTS)
    states = States(Cache(None), interval=2000)
    states.at(log)
    log.read = 0
    path = path_of(STREAMS[0])
    assert states.at(log, 1900).get(path) == naive(EVENTS[:1900]).get(path)
    assert log.read == 1900


def test_the_log_of_a_commit_finds_the_events_of_a_stream(tmp_path: Path) -> None:
    with evgit.init(tmp_path) as repository:
        for n in range(40):
            repository.append([evgit.NewEvent(f"a-{n % 3}", "t", {"n": n})])
        log = repository.log("HEAD")
        assert isinstance(log, IndexedLog)
        expected = [p for p, e in enumerate(log.events()) if e.stream == "a-1"]
        assert list(log.stream_positions("a-1", 5, 30)) == [p for p in expected if 5 <= p < 30]
        assert list(log.stream_positions("a-9", 0, 40)) == []
        assert sorted(log.stream_names("a-")) == ["a-0", "a-1", "a-2"]


def test_what_must_see_all_events_is_replayed() -> None:
    class SeesAll(BuiltinProjection):
        sees_all = True

    log = FindingLog(EVENTS)
    states = States(Cache(None), SeesAll(), interval=2000)
    states.at(log)
    assert not isinstance(states.at(log, 1900), LateState)
