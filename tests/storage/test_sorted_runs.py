"""Sorted runs against a plain set: whatever is added in whatever order, it is all found."""

from __future__ import annotations

import random
from array import array
from bisect import bisect_left
from contextlib import nullcontext, suppress
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import Damage
from evgit.storage import database, schema, sorted_runs
from evgit.storage.run_directory import RunDirectory
from evgit.storage.sorted_runs import KEY_LIMIT, MERGE_CHUNK_KEYS, PAGE_KEYS, SortedRuns

keys = st.one_of(
    st.integers(0, 3_000),
    st.integers(0, KEY_LIMIT - 1),
    st.sampled_from([0, 1, KEY_LIMIT - 1, KEY_LIMIT - 2, 1 << 32, (1 << 32) - 1]),
)
bounds = st.one_of(keys, st.just(KEY_LIMIT))


def new_runs() -> SortedRuns:
    connection = apsw.Connection(":memory:")
    connection.execute(schema.INDEXES)
    return SortedRuns(connection)


@pytest.fixture
def runs() -> SortedRuns:
    return new_runs()


def levels(runs: SortedRuns, family: int) -> list[int]:
    rows = runs._connection.execute(
        "SELECT level FROM runs WHERE family=? ORDER BY number", (family,)
    )
    return [int(level) for (level,) in rows]


@settings(max_examples=60)
@given(
    additions=st.lists(
        st.tuples(st.sampled_from([-2, -1, 1, 7]), st.sets(keys, max_size=40)), max_size=30
    ),
    ranges=st.lists(st.tuples(bounds, bounds), max_size=8),
)
def test_runs_hold_what_sets_hold(
    additions: list[tuple[int, set[int]]], ranges: list[tuple[int, int]]
) -> None:
    runs = new_runs()
    model: dict[int, set[int]] = {-2: set(), -1: set(), 1: set(), 7: set()}
    reach = dict.fromkeys(model, -1)
    for number, (family, added) in enumerate(additions):
        fresh = added - model[family]
        runs.add(family, fresh, number)
        model[family] |= fresh
        reach[family] = number
    for family, held in model.items():
        ordered = sorted(held)
        assert runs.reach(family) == reach[family]
        assert list(runs.all_keys(family)) == ordered
        assert sorted(k for chunk in runs.chunks(family) for k in chunk) == ordered
        assert all(sound for _, sound in runs.pages(family))
        for low, high in [*ranges, (0, KEY_LIMIT), (0, 0)]:
            expected = ordered[bisect_left(ordered, low) : bisect_left(ordered, high)]
            assert runs.keys_between(family, low, high).tolist() == expected
            if low <= high:
                assert runs.count_between(family, low, high) == len(expected)
        # Never four runs of one level side by side: that is what bounds a look-up.
        found = levels(runs, family)
        assert found == sorted(found, reverse=True)
        assert all(found.count(level) < sorted_runs.FAN_IN for level in found)


@settings(max_examples=40)
@given(
    additions=st.lists(st.tuples(st.integers(0, 50_000), st.integers(1, 1500)), max_size=6),
    apart=st.integers(0, 6),
    ranges=st.lists(st.tuples(bounds | st.integers(0, 60_000), bounds), min_size=1, max_size=6),
)
def test_a_directory_leads_where_statements_lead(
    additions: list[tuple[int, int]], apart: int, ranges: list[tuple[int, int]]
) -> None:
    """Asked again and again while nobody writes, runs remember where their pages are."""
    connection = database._Connection(":memory:", database._CREATE)
    connection.execute(schema.INDEXES + schema.RUN_PAGE_DATA)
    runs, model = SortedRuns(connection), set[int]()
    for number, (start, count) in enumerate(additions):
        fresh = set(range(start, start + 7 * count, 7)) - model
        runs.add(1, fresh, number)
        model |= fresh
        if number + 1 == apart:
            runs.consolidate(1)
        with database.reading(connection):
            for _ in range(12):
                for low, high in ranges:
                    found = sorted(key for key in model if low <= key < high)
                    assert runs.keys_between(1, low, high).tolist() == found
                    few = runs.few_between(1, low, high)
                    assert few is None or list(few) == found
                    assert runs.count_between(1, low, high) == len(found)
            if any(low < high for low, high in ranges):
                assert isinstance(runs._directory(1), RunDirectory)


def test_four_of_a_level_become_one(runs: SortedRuns) -> None:
    seen = []
    for number in range(17):
        runs.add(3, [number], number)
        seen.append(levels(runs, 3))
    assert seen[2:5] == [[0, 0, 0], [1], [1, 0]]
    assert seen[14] == [1, 1, 1, 0, 0, 0]
    assert seen[15:] == [[2], [2, 0]]
    assert list(runs.all_keys(3)) == list(range(17))


@settings(max_examples=60)
@given(
    transactions=st.lists(
        st.tuples(
            st.booleans(),
            st.lists(st.tuples(st.sampled_from([-1, 7]), st.sets(keys, max_size=300)), max_size=8),
        ),
        max_size=8,
    ),
    look=st.sampled_from(["range", "count", "all", "pages", ""]),
    low=bounds,
    high=bounds,
)
def test_gathered_keys_are_found_at_once_and_afterwards(
    transactions: list[tuple[bool, list[tuple[int, set[int]]]]], look: str, low: int, high: int
) -> None:
    runs = new_runs()
    model: dict[int, set[int]] = {-1: set(), 7: set()}
    number = 0
    for gathered, additions in transactions:
        with runs.gathering() if gathered else nullcontext():
            for family, added in additions:
                fresh = added - model[family]
                number += 1
                runs.add(family, fresh, number)
                model[family] |= fresh
                assert runs.reach(family) == number
                ordered = sorted(model[family])
                between = [key for key in ordered if low <= key < high]
                if look == "range":
                    assert runs.keys_between(family, low, high).tolist() == between
                elif look == "count" and low <= high:
                    assert runs.count_between(family, low, high) == len(between)
                elif look == "all":
                    assert list(runs.all_keys(family)) == ordered
                elif look == "pages":
                    assert sum(len(page) for page, _ in runs.pages(family)) == len(ordered)
    for family, held in model.items():
        assert list(runs.all_keys(family)) == sorted(held)
        assert all(sound for _, sound in runs.pages(family))
        found = levels(runs, family)
        assert found == sorted(found, reverse=True)
        assert all(found.count(level) < sorted_runs.FAN_IN for level in found)


def test_gathered_keys_become_one_run(runs: SortedRuns) -> None:
    with runs.gathering():
        for number in range(16):
            runs.add(3, range(number, 64 * 16, 16), number)
        assert levels(runs, 3) == []
        assert runs.reach(3) == 15
    assert levels(runs, 3) == [2]
    assert runs.reach(3) == 15


def test_a_longer_run_takes_the_shorter_ones_before_it_along(runs: SortedRuns) -> None:
    runs.add(3, range(10_000, 20_000), 0)
    for number in range(1, 4):
        runs.add(3, [number], number)
    assert levels(runs, 3) == [3, 0, 0, 0]
    runs.add(3, range(20_000, 21_024), 4)
    assert levels(runs, 3) == [3, 2]
    assert list(runs.all_keys(3)) == [1, 2, 3, *range(10_000, 21_024)]


def test_after_an_error_gathered_keys_are_forgotten(runs: SortedRuns) -> None:
    runs.add(3, [1], 1)
    with suppress(ZeroDivisionError), runs.gathering():
        runs.add(3, [2], 2)
        _ = 1 / 0
    assert list(runs.all_keys(3)) == [1]
    assert runs.reach(3) == 1


def test_merging_runs_longer_than_a_chunk(runs: SortedRuns) -> None:
    """Runs that overlap, that don't, and that end at different places, all in bounded pieces."""
    rng = random.Random(1)
    size = MERGE_CHUNK_KEYS + 3 * PAGE_KEYS + 1
    everything = rng.sample(range(1 << 40), 3 * size)
    last = range(1 << 41, (1 << 41) + MERGE_CHUNK_KEYS)
    parts = [
        everything[:size],
        sorted(everything[size:])[:size],
        sorted(everything[size:])[size:],
        last,
    ]
    for number, part in enumerate(parts):
        runs.add(5, part, number)
    assert levels(runs, 5) == [6]
    ordered = sorted([*everything, *last])
    assert list(runs.all_keys(5)) == ordered
    assert runs.reach(5) == 3
    longest = max(len(chunk) for chunk in runs.chunks(5))
    assert longest <= MERGE_CHUNK_KEYS
    for place in rng.sample(range(len(ordered)), 20):
        end = min(place + 700, len(ordered) - 1)
        low, high = ordered[place], ordered[end]
        assert runs.keys_between(5, low, high).tolist() == ordered[place:end]
        assert runs.count_between(5, 0, low) == place
        assert runs.count_between(5, 0, low + 1) == place + 1
    assert all(sound for _, sound in runs.pages(5))


def test_a_lookup_reads_a_page_or_two_of_each_run(tmp_path: Path) -> None:
    runs = new_runs()
    runs.add(1, range(0, 200 * PAGE_KEYS * 3, 3), 0)
    statements: list[str] = []
    pages = runs._decode_page

    def counted(page: bytes) -> object:
        statements.append("page")
        return pages(page)

    runs._decode_page = counted  # type: ignore[method-assign, assignment]
    assert len(runs.keys_between(1, 30_000, 30_300)) == 100
    assert len(statements) <= 2
    statements.clear()
    assert runs.count_between(1, 3_000, 300_000) == 99_000
    assert len(statements) <= 2


def test_a_page_is_a_column_of_bytes_after_another() -> None:
    """Golden: the layout of a page. Databases hold it, so changing it needs a new format."""
    runs = new_runs()
    page = runs._encode_page(array("Q", [0x0102030405060708, 0x1112131415161718]))
    assert runs._decompress(page) == bytes.fromhex("01110212031304140515061607170818")
    assert list(runs._decode_page(page)) == [0x0102030405060708, 0x1112131415161718]


def test_a_damaged_page_is_said_to_be_one(runs: SortedRuns) -> None:
    runs.add(1, range(1000), 0)
    ((data,),) = runs._connection.execute("SELECT data FROM run_pages LIMIT 1").fetchall()
    for place in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[place] ^= 0x10
        runs._connection.execute("UPDATE run_pages SET data=? WHERE ordinal=0", (bytes(flipped),))
        with pytest.raises(Damage) as caught:
            runs.keys_between(1, 0, 10)
        assert "reindex" in caught.value.hint


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE run_pages SET ordinal=ordinal+1 WHERE ordinal=512",
        "UPDATE run_pages SET first=x'0000000000000001' WHERE ordinal=0",
        "DELETE FROM run_pages WHERE ordinal=512",
    ],
)
def test_pages_out_of_place_are_seen(runs: SortedRuns, damage: str) -> None:
    runs.add(1, range(2000), 0)
    assert all(sound for _, sound in runs.pages(1))
    runs._connection.execute(damage)
    assert not all(sound for _, sound in runs.pages(1))
