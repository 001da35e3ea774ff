"""States at any point equal a naive fold, whatever was cached, lost or damaged before."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import UnknownRevision
from evgit.formats import canonical
from evgit.formats.event import Event, decode_events
from evgit.state import folding, states as states_module
from evgit.state.diff import MISSING, FieldChange, diff_states, field_changes
from evgit.state.states import States
from evgit.storage.cache import Cache
from tests.state.oracle import FakeLog, naive, random_events

EVENTS = random_events(1, 900, 40)
LOG = FakeLog(EVENTS)


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, len(EVENTS)), min_size=1, max_size=8),
    st.sampled_from([1, 5, 64, 10_000]),
    st.booleans(),
)
def test_random_positions_in_any_order(sizes: list[int], interval: int, fresh: bool) -> None:
    cache = Cache(None)
    states = States(cache, interval=interval)
    for size in sizes:
        if fresh:
            states = States(cache, interval=interval)
        state = states.at(LOG, size)
        expected = naive(EVENTS[:size])
        some = next(iter(expected), "streams/none.json")
        assert state.get(some) == expected.get(some)
        assert dict(state) == expected
        assert len(state) == len(expected)
        assert state.root == states.rebuild(LOG, size).root
        assert dict(state) == expected
        assert ("streams/none.json" in state) is False


@settings(max_examples=40)
@given(
    st.integers(0, len(EVENTS)),
    st.integers(0, len(EVENTS)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, "streams", "streams/account-1", "streams/account-1.json", "st", "x/"]),
)
def test_diff_is_what_differs(
    a: int, b: int, settle_a: bool, settle_b: bool, together: bool, under: str | None
) -> None:
    cache = Cache(None)
    states = States(cache, interval=100)
    left = states.at(LOG, a)
    right = (states if together else States(cache, interval=100)).at(LOG, b)
    if settle_a:
        assert left.root
    if settle_b:
        assert right.root
    old, new = naive(EVENTS[:a]), naive(EVENTS[:b])
    place = (under or "").rstrip("/")
    expected = {
        p: (old.get(p, MISSING), new.get(p, MISSING))
        for p in old.keys() | new.keys()
        if old.get(p) != new.get(p) and (not place or p == place or p.startswith(place + "/"))
    }
    found = list(diff_states(left, right, under))
    assert {c.path: (c.old, c.new) for c in found} == expected
    assert [c.path for c in found] == sorted(expected)


def test_a_warm_state_reads_a_bounded_tail() -> None:
    log, cache = FakeLog(EVENTS), Cache(None)
    States(cache, interval=50).at(log)
    documents = len(naive(EVENTS))
    tail = max(50, states_module.SPARSENESS * documents)
    assert tail < 333
    for size in (880, 500):  # looking back leaves what the way to the present left out
        States(cache, interval=50).at(log, size)
    for size in (900, 333, 51, 420):
        log.read = 0
        States(cache, interval=50).at(log, min(size, log.size))
        assert log.read <= tail + tail // 4 + 7


def test_a_replay_leaves_snapshots_all_along_its_way() -> None:
    log, cache = FakeLog(EVENTS), Cache(None)
    states = States(cache, interval=50)
    states.at(log)
    sizes = sorted(snapshot.size for snapshot in cache.snapshots(states.projection.key, log.size))
    apart = [b - a for a, b in pairwise([0, *sizes])]
    assert len(sizes) >= 3
    assert max(apart) <= 2 * max(50, 2 * len(states.at(log)))


def test_states_near_each_other_share_the_work() -> None:
    log = FakeLog(EVENTS)
    states = States(Cache(None), interval=10_000)
    states.at(log, 600)
    log.read = 0
    states.at(log, 610)
    assert log.read == 10
    states.at(log, 610)
    assert log.read == 10


def test_another_history_is_never_served() -> None:
    other = FakeLog(EVENTS[:100] + random_events(2, 500, 40))
    cache = Cache(None)
    States(cache, interval=20).at(LOG)
    states = States(cache, interval=20)
    states.at(LOG, 700)
    assert dict(states.at(other, 550)) == naive(other.events[:550])
    assert dict(states.at(LOG, 550)) == naive(EVENTS[:550])


def test_a_point_beyond_the_log() -> None:
    with pytest.raises(UnknownRevision, match="has"):
        States(Cache(None)).at(LOG, LOG.size + 1)


def test_what_is_got_can_be_changed_without_harm() -> None:
    state = States(Cache(None)).at(LOG)
    path = next(iter(state))
    state[path]["data"] = "changed"
    assert state[path] == naive(LOG.events)[path]


@pytest.mark.parametrize("damage", ["delete", "nodes", "foreign", "newer", "noise", "snapshots"])
def test_a_cache_that_is_lost_or_damaged(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    cache = Cache(path)
    states = States(cache, interval=100)
    before = states.at(LOG, 850)
    if damage == "delete":
        for file in tmp_path.iterdir():
            file.unlink()
    elif damage == "noise":
        cache.close()
        path.write_bytes(b"this is no database, and never was one" * 300)
    else:
        connection = apsw.Connection(str(path))
        connection.execute(
            {
                "nodes": "UPDATE nodes SET data=x'28b52ffd2000010000'",
                "foreign": "DROP TABLE nodes",
                "newer": "PRAGMA user_version=999",
                "snapshots": "UPDATE snapshots SET map_root=zeroblob(32)",
            }[damage]
        )
        connection.close()
    for reopened in (cache, Cache(path)):
        again = States(reopened, interval=100)
        for size in (850, 120, 851):
            assert dict(again.at(LOG, size)) == naive(EVENTS[:size])
    assert dict(before) == naive(EVENTS[:850])
    assert before.root == states.at(LOG, 850).root


def test_damage_noticed_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    States(Cache(path), interval=100).at(LOG)
    state = States(Cache(path), interval=100).at(LOG, 880)
    other = States(Cache(path), interval=100).at(LOG, 300)
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM nodes")
    expected = naive(EVENTS[:880])
    assert dict(state) == expected
    assert len(list(diff_states(other, state))) == sum(
        naive(EVENTS[:300]).get(p) != d for p, d in expected.items()
    )


def test_without_a_place_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    states = States(Cache(tmp_path / "file" / "cache.db"), interval=50)
    assert dict(states.at(LOG, 700)) == naive(EVENTS[:700])
    assert dict(states.at(LOG, 100)) == naive(EVENTS[:100])


def test_the_cache_stays_bounded(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.db", max_bytes=100_000)
    states = States(cache, interval=10)
    for size in range(0, 900, 30):
        assert dict(states.at(LOG, size)) == naive(EVENTS[:size])
    assert (tmp_path / "cache.db").stat().st_size < 400_000
    assert not cache.oversized()
    kept = [s.size for s in cache.snapshots(states_module.BUILTIN.key, 10_000)]
    assert kept
    assert len(kept) < 20
    assert max(kept) >= 750


def test_several_caches_on_one_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    both = [States(Cache(path), interval=30), States(Cache(path), interval=30)]
    for size in (100, 90, 300, 299, 800):
        for states in both:
            assert dict(states.at(LOG, size)) == naive(EVENTS[:size])


def test_many_documents_spill_into_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "PENDING_EVENTS", 50)
    monkeypatch.setattr(folding, "OVERLAY_BYTES", 4000)
    state = States(Cache(None), interval=10_000).at(LOG, 880)
    assert dict(state) == naive(EVENTS[:880])
    assert state.tree.root != States(Cache(None)).at(LOG, 0).tree.root


class Totals:
    """A general projection: counts in one document, and an index that changes what it got."""

    key = b"totals 1"

    def decode(self, text: bytes, position: int) -> list[Event]:
        return decode_events(text)

    def encode(self, path: str, value: Any) -> bytes:
        return canonical.encode(value)

    def fold(self, events: Sequence[Event], documents: MutableMapping[str, Any]) -> None:
        for event in events:
            total = documents.get("total.json", {"events": 0})
            total["events"] += 1
            documents["total.json"] = total
            kind = f"types/{event.type}.json"
            if kind in documents:
                documents[kind]["streams"].append(event.stream)
            else:
                documents[kind] = {"streams": [event.stream]}
            if total["events"] % 10 == 0:
                documents[f"tens/{total['events']}.json"] = event.stream
            old = f"tens/{total['events'] - 100}.json"
            if old in documents:
                del documents[old]


@settings(max_examples=10)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=4), st.sampled_from([10, 1000]))
def test_a_general_projection(sizes: list[int], interval: int) -> None:
    cache = Cache(None)
    for size in sizes:
        expected: dict[str, Any] = {}
        Totals().fold(EVENTS[:size], expected)
        assert dict(States(cache, Totals(), interval=interval).at(LOG, size)) == expected


def test_field_changes() -> None:
    old = {"a/b": 1, "m~n": {"x": [1, 2, 3]}, "same": [1], "t": True, "gone": None, "": 0}
    new = {"a/b": 2, "m~n": {"x": [1, 5]}, "same": [1], "t": 1, "new": {}, "": 0}
    assert field_changes(old, new) == [
        FieldChange("/a~1b", 1, 2),
        FieldChange("/gone", None, MISSING),
        FieldChange("/m~0n/x/1", 2, 5),
        FieldChange("/m~0n/x/2", 3, MISSING),
        FieldChange("/new", MISSING, {}),
        FieldChange("/t", True, 1),
    ]
    assert field_changes({"a": 1}, [1]) == [FieldChange("", {"a": 1}, [1])]
    assert field_changes(MISSING, 1) == [FieldChange("", MISSING, 1)]
    assert field_changes({"a": [1.0]}, {"a": [1]}) == []
