"""The difference of two states that are near is that of the whole states, and makes neither."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

import evgit
from evgit.state import late_state, near
from evgit.state.builtin import BuiltinProjection
from evgit.state.diff import DocumentChange, diff_states
from evgit.state.late_state import LateState
from evgit.state.near import near_changes
from evgit.state.states import States
from evgit.storage.cache import Cache
from tests.state.oracle import random_events
from tests.state.test_late_states import FindingLog

EVENTS = random_events(2, 2400, 30)
PATHS = [None, "", "streams", "streams/", *(f"streams/{e.stream}.json" for e in EVENTS[:9])]


def states_of(*, warm: bool) -> States:
    states = States(Cache(None), interval=500)
    if warm:
        states.at(FindingLog(EVENTS))
    return states


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, len(EVENTS)),
    st.integers(0, len(EVENTS)),
    st.sampled_from(PATHS),
    st.booleans(),
)
def test_what_near_states_differ_in_is_what_whole_ones_do(
    one: int, other: int, under: str | None, warm: bool
) -> None:
    a, b = FindingLog(EVENTS[:one]), FindingLog(EVENTS[:other])
    found = near_changes(states_of(warm=warm), a, b, under)
    if abs(one - other) > near.NEAR:
        assert found is None
        return
    assert found is not None
    whole = states_of(warm=False)
    assert list(found) == list(diff_states(whole.at(a), whole.at(b), under))


def test_neither_state_is_made_and_only_the_way_to_a_snapshot_is_read() -> None:
    states = states_of(warm=True)
    a, b = FindingLog(EVENTS[:1900]), FindingLog(EVENTS[:1950])
    found = near_changes(states, a, b)
    assert found is not None
    assert len(list(found)) > late_state.ALONE
    earlier = states.at(a)
    assert isinstance(earlier, LateState)
    assert earlier._whole is None
    assert b.read == 50
    assert a.read < 1000  # and not 1,900


def test_a_long_way_is_replayed_so_that_it_leaves_snapshots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(late_state, "LOOK_UPS", 3)
    cache = Cache(None)
    states = States(cache, interval=300)
    before = states.at(FindingLog(EVENTS[:10]))
    late = LateState(
        before,
        FindingLog(EVENTS[:2000]),
        BuiltinProjection(),
        lambda: states.at(FindingLog(EVENTS[:2000])),
        size=2000,
        log_root=b"",
        short=600,
    )
    paths = [path for path in PATHS if path and path.endswith(".json")]
    assert late.several(paths) == states.rebuild(FindingLog(EVENTS[:2000])).several(paths)
    assert next(cache.snapshots(states.projection.key, 2000)).size >= 1500


def test_other_histories_and_projections_that_see_all_are_compared_whole() -> None:
    class SeesAll(BuiltinProjection):
        sees_all = True

    a, b = FindingLog(EVENTS[:50]), FindingLog(EVENTS[1:90])
    assert near_changes(states_of(warm=False), a, b) is None
    assert near_changes(States(Cache(None), SeesAll()), a, FindingLog(EVENTS[:90])) is None


def test_the_façade_finds_the_same_forwards_and_backwards(tmp_path: Path) -> None:
    with evgit.init(tmp_path) as repository:
        for n in range(60):
            repository.append([evgit.NewEvent(f"a-{n % 7}", "t", {"n": n})])
        repository.state()
        forwards = list(repository.diff("HEAD~40", "HEAD~30"))
        whole = list(diff_states(repository.state("HEAD~40"), repository.state("HEAD~30")))
        assert forwards == whole
        assert len(whole) == 7
        assert list(repository.diff("HEAD~30", "HEAD~40")) == [
            DocumentChange(change.path, change.new_bytes, change.old_bytes) for change in whole
        ]
        assert list(repository.diff("HEAD", "HEAD")) == []
