"""The shape of random DAGs, against sets of ancestors."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

from hypothesis import given, strategies as st

from evgit.history.ancestry import Ancestry
from evgit.history.commit_row import CommitRow
from evgit.repository import Repository
from tests.history.making import event, merge


class Dag:
    """Commits as lists of parents' numbers, in the place of the index."""

    def __init__(self, parents: list[list[int]]) -> None:
        self.parents = parents
        self.looked_at = 0

    def get(self, commit_id: str) -> CommitRow:
        return self.by_number(int(commit_id[:8], 16))

    def by_number(self, number: int) -> CommitRow:
        self.looked_at += 1
        first, *further = self.parents[number] or [None]
        name = number.to_bytes(4, "big") * 8
        more = array("Q", further).tobytes() or None
        return CommitRow(number, name, 0, 0, 0, 0, 0, first, more, None, None)

    def up_to(self, number: int, limit: int) -> list[CommitRow]:
        return [self.by_number(n) for n in range(number, max(-1, number - limit), -1)]

    def on_first_parents(self, ancestor: CommitRow, row: CommitRow) -> bool:
        number: int | None = row.number
        while number is not None and number > ancestor.number:
            number = self.parents[number][0] if self.parents[number] else None
        return number == ancestor.number

    def ancestors(self, rows: list[CommitRow]) -> Iterator[CommitRow]:
        for number in sorted(self.history(rows[0].number), reverse=True):
            yield self.by_number(number)

    def history(self, number: int) -> set[int]:
        return {number}.union(*(self.history(parent) for parent in self.parents[number]))


@st.composite
def dags(draw: st.DrawFn) -> list[list[int]]:
    parents: list[list[int]] = [[]]
    for number in range(1, draw(st.integers(2, 14))):
        near = st.integers(max(0, number - 4), number - 1)
        parents.append(draw(st.lists(near, min_size=1, max_size=3, unique=True)))
    return parents


@given(parents=dags(), data=st.data())
def test_bases_are_the_common_ancestors_that_no_other_descends_from(
    parents: list[list[int]], data: st.DataObject
) -> None:
    dag: Any = Dag(parents)
    ancestry = Ancestry(dag)
    numbers = st.integers(0, len(parents) - 1)
    left, right = dag.by_number(data.draw(numbers)), dag.by_number(data.draw(numbers))
    common = dag.history(left.number) & dag.history(right.number)
    best = {n for n in common if not any(n in dag.history(m) - {m} for m in common)}
    found = ancestry.merge_bases(left.hex, right.hex)
    assert found == [dag.by_number(n).hex for n in sorted(best, reverse=True)]
    assert ancestry.merge_bases(right.hex, left.hex) == found
    assert ancestry.is_ancestor(left.hex, right.hex) is (left.number in dag.history(right.number))


def test_looking_for_bases_costs_what_lies_between() -> None:
    long: list[list[int]] = [[], *([n] for n in range(1000))]
    dag: Any = Dag([*long, [1000], [1000], [1001, 1002]])
    assert Ancestry(dag).merge_bases(dag.by_number(1001).hex, dag.by_number(1002).hex) == [
        dag.by_number(1000).hex
    ]
    assert dag.looked_at < 20


def test_crosswise_merges_have_two_bases(repository: Repository) -> None:
    base = repository.append([event(0)]).head
    for name in ("a", "b"):
        repository.branches.create(name, base)
    a = repository.append([event(1, "a-1")], branch="a").head
    b = repository.append([event(2, "b-1")], branch="b").head
    left = merge(repository, "a", [b]).head
    right = merge(repository, "b", [a]).head
    ancestry = repository.ancestry
    assert ancestry.merge_bases(left, right) == [b, a]
    assert ancestry.merge_bases(a, right) == [a]
    assert ancestry.merge_bases(left, left) == [left]
    assert ancestry.is_ancestor(b, left)
    assert not ancestry.is_ancestor(left, b)
    assert ancestry.may_fast_forward(a, left)
    assert not ancestry.may_fast_forward(b, left)
