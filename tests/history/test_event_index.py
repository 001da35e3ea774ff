"""Finding events by id, prefix and key: in rows, in runs, in memory, after merges of runs."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from evgit.formats.canonical import digest
from evgit.formats.event import batch_from_events
from evgit.history.event_index import (
    BULK_LOOKUP,
    IDS,
    KEYS,
    PENDING_LINES,
    id_fingerprint,
    key_fingerprint,
)
from evgit.repository import Repository
from tests.history.making import event, events, new

ABSENT = [digest(b"absent %d" % n) for n in range(BULK_LOOKUP + 10)]


def stored_ids(repository: Repository) -> list[bytes]:
    return list(repository.log().ids())


def lines_by_scan(repository: Repository) -> dict[bytes, int]:
    found = {}
    for entry, data in repository.history.blocks.blocks():
        for first, lines in repository.history.blocks.decode(entry, data):
            found.update({digest(line): number for number, line in enumerate(lines, first)})
    return found


@settings(max_examples=25)
@given(
    sizes=st.lists(st.sampled_from([1, 2, 30, 127, 128, 129, 200]), min_size=1, max_size=10),
    data=st.data(),
)
def test_small_and_bulk_lookups_agree(sizes: list[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory, new(Path(directory) / "r") as repository:
        index, count = repository.history.events, 0
        for size in sizes:
            repository.append(events(count, count + size))
            count += size
            if data.draw(st.booleans()):  # load the index into memory now, and see it kept up
                index.find(ABSENT)
        expected = lines_by_scan(repository)
        ids = stored_ids(repository)
        for few in (ids[:5], ids[-5:], [ABSENT[0], ids[0]]):
            assert index.find(few) == {i: expected[i] for i in few if i in expected}
        assert index.find([*ids, *ABSENT]) == {i: expected[i] for i in ids}
        assert index.find(ABSENT) == {}
        assert index.find([]) == {}


def test_what_is_in_memory_keeps_up_with_appends(repository: Repository) -> None:
    index = repository.history.events
    repository.append(events(0, 500))
    index.find(ABSENT)
    for start in range(500, 3_000, 170):
        repository.append(events(start, start + 170))
        assert len(index.find(stored_ids(repository))) == start + 170
        (loaded,) = [index._loaded[IDS]]
        lengths = [len(words) for words in loaded.arrays]
        assert sum(lengths) == start + 170
        assert all(a >= 4 * b for a, b in pairwise(lengths))


def test_what_is_in_memory_is_dropped_when_another_process_appends(repository: Repository) -> None:
    repository.append(events(0, 300))
    assert len(repository.history.events.find([*stored_ids(repository), *ABSENT])) == 300
    with Repository.open(repository.layout.directory, clock=repository.clock) as other:
        other.append(events(300, 310))
        other.append(events(310, 600))
        expected = stored_ids(other)
    assert set(repository.history.events.find([*expected, *ABSENT])) == set(expected)


def test_by_prefix(repository: Repository) -> None:
    repository.append(events(0, 400))
    for number in range(400, 420):
        repository.append([event(number)])
    ids = sorted(i.hex() for i in stored_ids(repository))
    for prefix in ("", "0", "f", "7f", ids[0][:4], ids[9][:8], ids[50][:9], ids[99], "f" * 64):
        low, high = (bytes.fromhex(prefix.ljust(64, f)) for f in "0f")
        found = repository.history.events.with_prefix(low, high, 1_000)
        assert sorted(i.hex() for i, _ in found) == [i for i in ids if i.startswith(prefix)]
    assert len(repository.history.events.with_prefix(b"\0" * 32, b"\xff" * 32, 7)) == 7


def test_a_line_that_stands_for_an_event_elsewhere_is_no_event(repository: Repository) -> None:
    repository.branches.create("side", repository.head().point.commit)
    repository.append([event(1)], branch="side")
    repository.append([event(2)])
    repository.append([event(1)])
    found = repository.history.events.with_prefix(b"\0" * 32, b"\xff" * 32, 100)
    assert sorted(i.hex() for i, _ in found) == sorted([event(1).id, event(2).id])
    assert str(repository.resolve_any(event(1).id[:12])) == str(repository.resolve_any(event(1).id))


def test_pending_and_runs(repository: Repository) -> None:
    """Ids stand in commit rows until more than PENDING_LINES lines have come together."""
    index = repository.history.events
    while repository.history.blocks.end()[0] <= PENDING_LINES - 2:
        number = repository.history.blocks.end()[0]
        repository.append([event(number, key=f"k-{number}")])
    assert repository.history.runs.reach(IDS) == -1
    held = len(index.pending(IDS))
    assert held == len(index.pending(KEYS)) > PENDING_LINES // 2 - 3
    repository.append([event(1_000, key="last")])
    assert index.pending(IDS) == index.pending(KEYS) == []
    assert len(repository.history.runs.all_keys(IDS)) == held + 1
    assert len(repository.history.runs.all_keys(KEYS)) == held + 1
    repository.append([event(1_001, key="more")])
    assert len(index.pending(IDS)) == len(index.pending(KEYS)) == 1
    assert len(index.find(stored_ids(repository))) == held + 2


@pytest.mark.parametrize("count", [3, BULK_LOOKUP + 20, 300])
def test_by_key(repository: Repository, count: int) -> None:
    keyed = [event(n, f"s-{n % 2}", key=f"k-{n // 2}") for n in range(count)]
    repository.append(keyed)
    repository.append([event(900, "s-0", key="late")])
    index = repository.history.events
    expected = lines_by_scan(repository)
    pairs = [(e.stream, str(e.key)) for e in keyed]
    lines = [[expected[i]] for i in batch_from_events(keyed).ids]
    assert index.lines_with_keys(pairs) == lines
    assert [index.lines_with_key(*pair) for pair in pairs[:4]] == lines[:4]
    assert index.lines_with_key("s-0", "late") == [
        expected[bytes.fromhex(event(900, "s-0", key="late").id)]
    ]
    assert index.lines_with_key("s-1", "late") == []


def test_fingerprints_that_collide_are_told_apart(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fingerprints of two values only, every look-up must read the lines to decide."""
    monkeypatch.setattr("evgit.history.event_index.id_fingerprint", lambda i: i[0] & 1)
    for module in ("event_index", "indexing"):
        monkeypatch.setattr(
            f"evgit.history.{module}.short_fingerprints",
            lambda ids: b"".join((i[0] & 1).to_bytes(4, "little") for i in ids),
        )
    monkeypatch.setattr("evgit.history.event_index.key_fingerprint", lambda s, k: len(k) & 1)
    keyed = [event(n, key=f"key-{n}") for n in range(100)]
    repository.append(keyed[:90])
    for one in keyed[90:]:
        repository.append([one])
    expected = lines_by_scan(repository)
    index = repository.history.events
    ids = stored_ids(repository)
    for wanted in (ids[90:], ids[:3] + ABSENT[:3]):
        assert index.find(wanted) == {i: expected[i] for i in wanted if i in expected}
    again = repository.append([event(n, key=f"key-{n}") for n in (3, 95)])
    assert (again.commit, again.already) == (None, 2)


def test_fingerprints_are_the_ids_first_bytes_and_a_hash() -> None:
    """Golden: what the index holds; a change needs a new storage format."""
    assert id_fingerprint(bytes(range(32))) == 0x00010203
    assert key_fingerprint("account-1", "k") == int.from_bytes(digest(b"account-1\0k")[:4], "big")
