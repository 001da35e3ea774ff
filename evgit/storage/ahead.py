"""Work done ahead by a second thread: for work that needs no Python, such as decompressing.

It knows functions and items, not what they are about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

_AHEAD = 2  # made while the caller uses one; more would only need memory
_ALONE = 3  # so many are made by the caller: most reads are short


def made_ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """`make(item)` for each item in order, by another thread once it is clear that there are many.

    `items` is used by the caller's thread alone; `make` must be fit for any. What either raises is
    raised behind what was made of the items before.
    """
    waiting = iter(items)
    for number, item in enumerate(waiting, 1):
        yield make(item)
        if number == _ALONE:
            break
    else:
        return
    thread = _Maker(make)
    thread.start()
    failure: Exception | None = None
    given = 0
    try:
        while True:
            try:
                thread.items.put((next(waiting),))
                given += 1
            except StopIteration:
                break
            except Exception as error:
                failure = error
                break
            if given > _AHEAD:
                given -= 1
                yield thread.next()
        for _ in range(given):
            yield thread.next()
        if failure is not None:
            raise failure
    finally:
        thread.items.put(None)


class _Maker(Thread, Generic[Item, Made]):
    """Makes things of `items`, one after another; None among them ends it."""

    def __init__(self, make: Callable[[Item], Made]) -> None:
        # A daemon: nobody need wait for what nobody wants any more.
        super().__init__(name="evgit-ahead", daemon=True)
        self._make = make
        self.items: SimpleQueue[tuple[Item] | None] = SimpleQueue()
        self._made: SimpleQueue[tuple[Made] | Exception] = SimpleQueue()

    def run(self) -> None:
        while (item := self.items.get()) is not None:
            try:
                self._made.put((self._make(item[0]),))
            except Exception as error:
                self._made.put(error)

    def next(self) -> Made:
        """What was made of the next item; raises what making it raised."""
        made = self._made.get()
        if isinstance(made, Exception):
            raise made
        return made[0]
