"""The Merkle log: any tree hash of any branch at any size, against RFC 6962's own recursion."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import Damage
from evgit.formats.event import again_line, batch_from_events
from evgit.formats.merkle import EMPTY_ROOT, Frontier
from evgit.history.merkle_log import KEPT_LEVEL
from evgit.repository import Repository
from tests.history.making import event, events, ids, merge, new
from tests.history.naive import merkle

BLOCK = 1 << KEPT_LEVEL


def roots(repository: Repository, revision: str) -> list[bytes]:
    """Naive roots at every size, by growing a frontier event by event from nothing."""
    frontier, found = Frontier(), [EMPTY_ROOT]
    for event_id in repository.log(revision).ids():
        frontier.extend([event_id])
        found.append(frontier.root())
    assert found[-1] == merkle(ids(repository, revision))
    return found


@settings(max_examples=8)
@given(
    main=st.lists(st.sampled_from([1, 2, 200, BLOCK - 1, BLOCK, 700]), min_size=1, max_size=5),
    side=st.lists(st.sampled_from([1, 100, BLOCK, 600]), min_size=1, max_size=3),
    fork=st.integers(0, 5),
    data=st.data(),
)
def test_every_size_of_every_branch(
    main: list[int], side: list[int], fork: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as directory, new(Path(directory) / "r") as repository:
        heads, count = [repository.head().point.commit], 0
        for size in main:
            heads.append(repository.append(events(count, count + size)).head)
            count += size
        repository.branches.create("side", heads[min(fork, len(heads) - 1)])
        for size in side:
            repository.append(events(count, count + size), branch="side")
            count += size
        merge(repository, "side", [heads[-1]])
        for branch in ("main", "side"):
            expected, log = roots(repository, branch), repository.log(branch)
            sizes = {0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, log.size - 1, log.size}
            sizes |= set(data.draw(st.lists(st.integers(0, log.size), max_size=5)))
            for size in sorted(s for s in sizes if 0 <= s <= log.size):
                assert log.root(size) == expected[size]
                frontier = log.frontier(size)
                assert (frontier.size, frontier.root()) == (size, expected[size])
        for entry in repository.walk([repository.resolve_commit(b) for b in ("main", "side")]):
            log = repository.log(entry.id)
            assert log.root().hex() == entry.commit.log.root
            assert log.size == entry.commit.log.size


def test_a_tree_hash_costs_no_more_in_a_long_log(repository: Repository) -> None:
    """At most 255 ids are hashed again, wherever the size lies."""
    repository.append(events(0, 5_000))
    repository.append(events(5_000, 5_001))
    history, tip = repository.history, repository.history.graph.get(repository.resolve_commit())
    asked: list[int] = []

    def counted(start: int, stop: int) -> object:
        asked.append(stop - start)
        return history.log_of(tip).ids(start, stop)

    rng = random.Random(2)
    expected = roots(repository, "main")
    for size in [rng.randrange(5_000) for _ in range(20)]:
        asked.clear()
        assert history.merkle.frontier(tip, size, counted).root() == expected[size]  # type: ignore[arg-type]
        assert sum(asked) == size % BLOCK
    asked.clear()
    assert history.merkle.frontier(tip, tip.size, counted).root() == expected[-1]  # type: ignore[arg-type]
    assert asked == [], "the frontier of a tip is kept whole"


@pytest.mark.parametrize(
    "damage",
    ["DELETE FROM merkle_nodes WHERE level=8 AND place=0", "UPDATE chains SET frontier=x'00'"],
)
def test_a_lost_node_is_damage_that_reindex_repairs(repository: Repository, damage: str) -> None:
    repository.append(events(0, 400))
    repository.append(events(400, 500))
    expected = repository.log("main").root(), repository.log("main").root(300)
    repository._connection.execute(damage)
    with pytest.raises(Damage) as caught:
        repository.log("main").root(), repository.log("main").root(300)
    assert "reindex" in caught.value.hint
    repository.reindex()
    assert (repository.log("main").root(), repository.log("main").root(300)) == expected


def test_a_wrong_frontier_never_gets_into_a_commit(repository: Repository) -> None:
    repository.append(events(0, 3))
    ((frontier,),) = repository._connection.execute("SELECT frontier FROM chains").fetchall()
    repository._connection.execute("UPDATE chains SET frontier=?", (frontier[::-1],))
    with (
        Repository.open(repository.layout.directory, clock=repository.clock) as other,
        pytest.raises(Damage) as caught,
    ):
        other.append([event(9)])
    assert "reindex" in caught.value.hint
    assert repository.reindex() == 2
    assert repository.append([event(9)]).size == 4
    assert repository.fsck().clean


def test_a_line_that_stands_for_an_event_counts_as_that_event(repository: Repository) -> None:
    repository.branches.create("side", repository.head().point.commit)
    repository.append([event(1), event(2)], branch="side")
    done = repository.append([event(3), event(1)])
    assert ids(repository) == [event(3).id, event(1).id]
    assert repository.commit(done.head).commit.log.root == merkle(ids(repository)).hex()
    line = repository.history.blocks.line(repository.history.graph.get(done.head).number + 1)
    assert line == again_line(event(1).id)
    assert repository.log().root() == merkle(ids(repository))


def test_the_golden_root_of_two_events(repository: Repository) -> None:
    """Golden: what everybody who verifies a log must compute from these two events."""
    two = [
        event(1, "account-1", data={"amount": 500}, type="deposit_made"),
        event(2, "account-1", data={"amount": 20}, type="withdrawal_made"),
    ]
    assert [i.hex() for i in batch_from_events(two).ids] == GOLDEN_IDS
    repository.append(two)
    assert repository.log().root().hex() == GOLDEN_ROOT


GOLDEN_IDS = [
    "54008c05f1e3da51d0d3fded03fbea7e724088cd141c7942e18a0a5d0eb960f3",
    "8ae92066ec7cfb5755981325c723d2a24d0a62794b8896c8c6996b23cbf43b7b",
]
GOLDEN_ROOT = "8e5d5e43d3b570fb49b4451bc5d67c7f4e3e659774402d85f781ab018e728456"
