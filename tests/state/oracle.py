"""A log in memory, and what its states must be, written as plainly as can be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from evgit.formats.event import Event, batch_from_events


class FakeLog:
    def __init__(self, events: Sequence[Event], per_text: int = 7) -> None:
        self.events = list(events)
        self.lines = batch_from_events(self.events).lines if self.events else []
        self.per_text = per_text
        self.read = 0

    @property
    def size(self) -> int:
        return len(self.lines)

    def texts(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        stop = self.size if stop is None else stop
        for first in range(start, stop, self.per_text):
            part = self.lines[first : min(first + self.per_text, stop)]
            self.read += len(part)
            yield b"".join(line + b"\n" for line in part)

    def root(self, size: int | None = None) -> bytes:
        return hashlib.sha256(
            b"\n".join(self.lines[: self.size if size is None else size])
        ).digest()


def naive_merge(target: Any, patch: Any) -> Any:
    """The pseudocode of RFC 7396, section 2, without changing anything in place."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = naive_merge(result.get(name), value)
    return result


def random_events(seed: int, count: int, streams: int) -> list[Event]:
    random = Random(seed)
    events = []
    for n in range(count):
        name = f"account-{random.randrange(streams)}"
        if random.random() < 0.1:
            name += "/part"
        if random.random() < 0.02:
            name = "$model"
        data: Any = {"n": n, "k" + str(random.randrange(3)): random.choice([None, 1, {"a": n}])}
        if random.random() < 0.05:
            data = [n]
        time = f"2026-01-01T00:{n // 60 % 60:02d}:{n % 60:02d}.000000Z"
        events.append(Event(stream=name, type=f"type-{n % 3}", data=data, time=time))
    # Events that begin with `$` are evgit's own: tests put them past the check of names.
    return [e for e in events if e.stream != "$model"]


def naive(events: Sequence[Event]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for event in events:
        document = found.setdefault(
            f"streams/{event.stream}.json",
            {
                "data": None,
                "first": event.time,
                "revision": -1,
                "stream": event.stream,
                "types": {},
            },
        )
        document["data"] = naive_merge(document["data"], event.data)
        document["last"] = event.time
        document["revision"] += 1
        document["types"][event.type] = document["types"].get(event.type, 0) + 1
    return found
