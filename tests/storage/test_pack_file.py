"""Lines of an open pack, by number: whatever has been read before, they are the same."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from evgit.formats.pack import PAGE_EVENTS, PackHead
from evgit.formats.pack_writing import Effort, PackWriter, stream_member
from evgit.storage import pack_file
from evgit.storage.pack_file import PackCache, PackFile

SMALL = Effort(600, 1, 600, 1)


def line_of(number: int, stream: int) -> bytes:
    return b'{"data":%d,"kind":"event","stream":"s-%d","time":"","type":"t"}' % (number, stream)


def written(path: Path, rng: random.Random, events: int, window: int, *, cluster: bool) -> int:
    """A pack at a path; how many lines it has."""
    number = lines = 0
    with path.open("wb") as file:
        writer = PackWriter(
            file.write, PackHead("0" * 64), cluster=cluster, effort=SMALL, window_lines=window
        )
        while number < events:
            count = rng.choice((0, 1, 1, 7, 300))
            block = [line_of(number + n, rng.randrange(12)) for n in range(count)]
            writer.add_block(block, b'{"kind":"commit","n":%d}' % number)
            number += count
            lines += count + 1
        writer.finish()
    return lines


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cluster", [True, False])
def test_some_lines_are_those_that_the_blocks_have(
    tmp_path: Path, seed: int, cluster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(pack_file, "KEPT_ORDERS", 1)
    monkeypatch.setattr(pack_file, "KEPT_FRAME_BYTES", 100 * 700)
    path = tmp_path / "pack"
    count = written(path, rng, 5 * PAGE_EVENTS, 2 * PAGE_EVENTS, cluster=cluster)
    whole, file = PackFile(path), PackFile(path, PackCache())
    assert file.lines == count
    for _ in range(60):
        number = rng.randrange(file.window_count)
        window, there = file.window(number), file.window_range(number)
        expected = whole.window(number).all_lines()
        start = rng.randrange(len(there))
        for chosen in (
            range(start, min(start + rng.choice((1, 2, 30)), len(there))),
            sorted(rng.sample(range(len(there)), min(rng.choice((1, 5, 60)), len(there)))),
            rng.sample(range(len(there)), min(rng.choice((1, 5)), len(there))),
            [n for n in range(len(there)) if b'"s-3"' in expected[n]][-rng.choice((1, 9, 90)) :],
        ):
            if chosen:
                parts: list[bytes] = []
                stop = window.add_texts(list(chosen), 0, 0, len(there), 0, parts)
                assert stop == len(chosen)
                assert b"".join(parts) == b"".join([expected[n] + b"\n" for n in chosen])
        assert file.line(there[start]) == expected[start]
        events = [line + b"\n" for line in expected if b'"event"' in line]
        first = rng.randrange(len(events) + 1)
        last = min(first + rng.choice((0, 1, 40, PAGE_EVENTS)), len(events))
        places = window.event_places(first, last)
        assert window.lines_at(places) == events[first:last]
        standing = window.events_as_they_stand()
        assert standing.picked(window.places(), 0, len(events)) == b"".join(events)


def test_what_is_kept_of_packs_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    monkeypatch.setattr(pack_file, "KEPT_ORDERS", 2)
    monkeypatch.setattr(pack_file, "KEPT_FRAME_BYTES", 100 * 1000)
    path, cache = tmp_path / "pack", PackCache()
    count = written(path, rng, 8 * PAGE_EVENTS, PAGE_EVENTS, cluster=True)
    file = PackFile(path, cache)
    for number in range(file.window_count):
        there = file.window_range(number)
        file.window(number).add_texts(list(range(len(there))), 0, 0, len(there), 0, [])
        file.window(number).add_texts(list(range(len(there))), 0, 0, len(there), 0, [])
    held = sum(len(frame.text) for frame in cache.frames._frames.values())
    assert 0 < held == cache.frames.held <= 100 * 1000 < count * 50
    assert len(cache._places) == 2


@pytest.mark.parametrize("cluster", [True, False])
def test_a_frame_ends_where_a_stream_does_unless_that_is_far(tmp_path: Path, cluster: bool) -> None:
    sizes = [3, 1, 40, 2, 7, 1, 1, 200, 3, 30]
    events = [line_of(n, stream) for stream, size in enumerate(sizes) for n in range(size)]
    random.Random(1).shuffle(events)
    with (tmp_path / "pack").open("wb") as file:
        writer = PackWriter(
            file.write, PackHead("0" * 64), cluster=cluster, effort=Effort(1000, 1, 1000, 1)
        )
        writer.add_block(events, b'{"kind":"commit"}')
        writer.finish()
    opened = PackFile(tmp_path / "pack")
    window = opened.window(0)
    texts = [window.frame_text(number) for number in range(window.frame_count - 1)]
    assert sorted(b"".join(texts).splitlines()) == sorted(events)
    went_on = False
    for text, after in pairwise(texts):
        last = text.splitlines()[-1]
        at_once = len(text) - len(last) - 1 < 1000 <= len(text)
        at_end = stream_member(last) != stream_member(after.splitlines()[0])
        assert at_once or (cluster and at_end and 1000 <= len(text) <= 2000)
        went_on |= not at_once
    assert went_on == cluster
