"""Commits in pages: every look-up gives what it gave when each was a row of its own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from evgit.errors import Damage
from evgit.history.commit_pages import page_of
from evgit.history.commit_row import COLUMNS, CommitRow, checked
from evgit.history.commit_table import ANY_HEIGHT, CommitTable
from evgit.maintenance import index_folding
from evgit.repository import NewEvent, Repository
from tests.test_independent_reader import Weaver

Plain = tuple[object, ...]


def plain(row: CommitRow | None) -> Plain | None:
    """A row with its id, however that is known."""
    return None if row is None else (row.id, row.number, *row[2:])


def all_rows(repository: Repository) -> list[CommitRow]:
    found = repository.history.connection.execute(f"SELECT {COLUMNS} FROM commits ORDER BY number")
    return [checked(values) for values in found]


def agrees(table: CommitTable, rows: list[CommitRow], choose: random.Random) -> None:
    """Ask everything of the table and of a plain list."""
    end = rows[-1].number + rows[-1].events + 1
    assert table.count() == len(rows)
    for row in rows:
        assert plain(table.find(row.id)) == plain(table.by_number(row.number)) == plain(row)
        low, high = row.id[:2] + bytes(30), row.id[:2] + b"\xff" * 30
        expected = sorted(each.id for each in rows if low <= each.id <= high)
        assert table.ids_between(low, high, 10) == expected[:10]
    assert table.find(bytes(32)) is table.by_number(end) is None
    assert table.owning(-1) is None
    for line in range(end):
        before = [row for row in rows if row.number <= line]
        assert plain(table.owning(line)) == plain(before[-1])
        limit = choose.randrange(1, 20)
        assert list(map(plain, table.up_to(line, limit))) == list(map(plain, before[::-1][:limit]))
        first = choose.randrange(line + 1)
        assert list(map(plain, table.between(first, line))) == [
            plain(row) for row in rows if first <= row.number < line
        ]
    for chain in {row.chain for row in rows}:
        along(table, [row for row in rows if row.chain == chain], choose)


def along(table: CommitTable, rows: list[CommitRow], choose: random.Random) -> None:
    """The same of one chain."""
    chain = rows[0].chain
    keys = [(row.size, row.height) for row in rows]
    first, last = rows[0].size - 1, rows[-1].size + 1
    for size in range(first, last + 1):
        for height in (ANY_HEIGHT, -1, choose.choice(rows).height):
            after = [row for row, key in zip(rows, keys, strict=True) if key > (size, height)]
            expected = plain(after[0]) if after else None
            assert plain(table.next(chain, size, height)) == expected
            bound = choose.choice(keys)
            found = table.ascending(chain, size, height, *bound)
            assert list(map(plain, found)) == [
                plain(row) for row in after if row.size <= bound[0] and row.height <= bound[1]
            ]
            found = table.descending(chain, size, height)
            below = [row for row, key in zip(rows, keys, strict=True) if key < (size, height)]
            assert list(map(plain, found)) == list(map(plain, below[::-1]))
    held = [n for row in rows for n in range(row.size - row.added, row.size)]
    for _ in range(5):
        positions = sorted(choose.sample(held, choose.randrange(len(held) + 1)))
        holders = [next(row for row in rows if row.size > n) for n in positions]
        expected_lines = [row.line_at(n) for row, n in zip(holders, positions, strict=True)]
        assert table.lines_of(chain, positions) == expected_lines


@pytest.mark.parametrize("seed", range(3))
def test_as_a_plain_list(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_folding, "PAGE_COMMITS", 2 + seed)
    monkeypatch.setattr(index_folding, "LEAST_COMMITS", 2)
    choose = random.Random(seed)
    weaver = Weaver(tmp_path, seed)
    with weaver.repository as repository:
        for _ in range(25):
            weaver.step()
        for number in range(12):  # some that follow one another in every respect, some empty
            events = [NewEvent("s", "noted", {"n": n}) for n in range(number % 3)]
            repository.append(events, branch="main", allow_empty=True)
        rows = all_rows(repository)
        agrees(repository.history.graph.table, rows, choose)
        repository.gc()
        weaver.step()
        pages = repository.history.graph.table.pages
        assert pages is not None
        assert pages.count() > 5
        later = [row for row in all_rows(repository) if row.number > rows[-1].number]
        agrees(repository.history.graph.table, rows + later, choose)
        points = [(row.hex, plain(row)) for row in rows]
        assert [(i, plain(repository.history.graph.get(i))) for i, _ in points] == points


@pytest.mark.parametrize("place", range(0, 120, 20))
def test_a_damaged_page_is_noticed(tmp_path: Path, place: int) -> None:
    with Repository.init(tmp_path) as repository:
        for number in range(40):
            repository.append([NewEvent("s", "noted", {"n": number})])
        repository.gc()
        connection = repository.history.connection
        ((data,),) = connection.execute("SELECT data FROM commit_pages").fetchall()
        hurt = bytearray(data)
        hurt[place % len(data)] ^= 16
        connection.execute("UPDATE commit_pages SET data=?", (bytes(hurt),))
    with Repository.open(tmp_path) as repository:
        assert {problem.kind for problem in repository.fsck().problems} <= {"index", "database"}
        assert repository.fsck().problems
        with pytest.raises(Damage, match="index is damaged"):
            list(repository.history.graph.first_parents(repository.history.graph.owning(1 << 31)))
        repository.reindex()
        assert repository.fsck().clean


def test_a_page_is_short() -> None:
    rows = [
        CommitRow(2 * n, bytes(32), 1, 1, n + 1, n + 1, 10**15 + n * n, 2 * n - 2, None, None, None)
        for n in range(1, 257)
    ]
    assert len(page_of(rows).values()[-1]) < 600
