"""Work done ahead by another thread: order, failures, and no more of it than is bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from evgit.storage.ahead import made_ahead


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 6, 50])
def test_everything_comes_in_order(count: int) -> None:
    makers = []

    def make(item: int) -> int:
        makers.append(threading.current_thread())
        return item * 2

    assert list(made_ahead(make, range(count))) == [item * 2 for item in range(count)]
    assert {maker is threading.current_thread() for maker in makers[:3]} <= {True}
    assert {maker is threading.current_thread() for maker in makers[3:]} <= {False}


@pytest.mark.parametrize("bad", [0, 2, 3, 4, 7, 19])
@pytest.mark.parametrize("of", ["make", "items"])
def test_a_failure_comes_behind_what_was_made_before(bad: int, of: str) -> None:
    def make(item: int) -> int:
        if of == "make" and item == bad:
            raise ValueError(item)
        return item

    def items() -> Iterator[int]:
        for item in range(20):
            if of == "items" and item == bad:
                raise ValueError(item)
            yield item

    found: list[int] = []
    with pytest.raises(ValueError, match=str(bad)):
        found.extend(made_ahead(make, items()))
    assert found == list(range(bad))


def test_few_are_asked_for_ahead_and_nobody_works_for_who_has_left() -> None:
    asked = []

    def items() -> Iterator[int]:
        for item in range(10_000):
            asked.append(item)
            yield item

    before = set(threading.enumerate())
    making = made_ahead(lambda item: item, items())
    for expected in range(100):
        assert next(making) == expected
        assert len(asked) <= expected + 4
    assert [thread.name for thread in set(threading.enumerate()) - before] == ["evgit-ahead"]
    making.close()
    deadline = time.monotonic() + 30
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before
