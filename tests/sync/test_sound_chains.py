"""Commits that are judged many at a time meet the judgement that each would meet by itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, strategies as st

from evgit.errors import EvgitError
from evgit.formats.canonical import encode, object_id
from evgit.formats.commit import Commit, root_commit, verified_commit, verified_commits
from evgit.formats.merkle import Frontier, first_wrong_root
from evgit.formats.tag import Tag
from evgit.repository import Repository
from evgit.storage import workers
from evgit.storage.layout import Layout
from evgit.sync import chain_run, preparing, sound_chains
from evgit.sync.quarantine import Limits
from tests.history.making import event, events, new
from tests.sync.hostile import OTHER_ID, packed

COMMITS, EVENTS = 60, 3
MIDDLE = 40

Lines = list[bytes]
Change = Callable[[dict[str, Any]], None]


def transfer(
    root: str,
    *,
    at: int = MIDDLE,
    events_of: Callable[[int, Lines], Lines] = lambda number, lines: lines,
    change: Change = lambda members: None,
    spoil: Callable[[bytes], bytes] = bytes,
    before: Lines | None = None,
) -> bytes:
    """A chain of commits. The one numbered `at` has the events that `events_of` makes of its own,
    and is what `change` and then `spoil` make of it; those behind it build on that."""
    parent, frontier, lines = root, Frontier(), Lines()
    for number in range(COMMITS):
        start = 1000 + number * EVENTS
        own = [event(n, f"s-{n % 7}").canonical() for n in range(start, start + EVENTS)]
        if number == at:
            own = events_of(number, own)
            lines += before or []
        for line in own:
            again = line.startswith(b'{"id":')
            frontier.extend([bytes.fromhex(line[7:71].decode() if again else object_id(line))])
        members: dict[str, Any] = {
            "author": "Mallory <m@example.org>",
            "events": len(own),
            "format": 1,
            "kind": "commit",
            "log": {"root": frontier.root().hex(), "size": frontier.size},
            "message": f"number {number}",
            "parents": [parent],
            "time": f"2026-01-01T00:{number:02}:00.000000Z",
        }
        if number == at:
            change(members)
        line = encode({name: value for name, value in members.items() if value is not None})
        line = spoil(line) if number == at else line
        parent = object_id(line)
        lines += [*own, line]
    return packed(*lines)


def setting(**changes: Any) -> Change:
    return lambda members: members.update(changes)


def log(**changes: Any) -> Change:
    return lambda members: members["log"].update(changes)


def first_again(lines: Lines, event_id: str) -> Lines:
    return [encode({"id": event_id, "kind": "again"}), *lines[1:]]


STORED = events(100, 120, streams=2)
EARLIER = event(1000, f"s-{1000 % 7}")
TAG = Tag(message="", name="v1", tagger="M", target=OTHER_ID, time="2026-01-01T00:00:00.000000Z")

KINDS: dict[str, dict[str, Any]] = {
    "honest": {},
    "another root": {"change": log(root=OTHER_ID)},
    "a root that is no id": {"change": log(root="x" * 64)},
    "a longer log": {"change": log(size=1_000_000)},
    "a shorter log": {"change": log(size=5)},
    "more events": {"change": setting(events=EVENTS + 1)},
    "too many events": {"change": setting(events=65_537)},
    "an earlier time": {"change": setting(time="2025-12-31T00:00:00.000000Z")},
    "no time": {"change": setting(time="2026-02-30T00:00:00.000000Z")},
    "another parent": {"change": setting(parents=[OTHER_ID])},
    "no parents": {"change": setting(parents=[])},
    "a parent in capitals": {"change": lambda m: m.update(parents=[m["parents"][0].upper()])},
    "a guard": {"change": setting(guards={"s-0": 3})},
    "guards beyond the BMP": {"change": setting(guards={"\U00010000": 3, "\uffff": 2})},
    "a guard that is none": {"change": setting(guards={"s-0": -2})},
    "no guards": {"change": setting(guards={})},
    "meta": {"change": setting(meta={"a": 1.5})},
    "an unknown member": {"change": setting(zebra=1)},
    "an unknown member that is critical": {"change": setting(zebra=1, crit=["zebra"])},
    "another format": {"change": setting(format=2)},
    "recorded at its events' times": {"change": setting(recorded="events")},
    "a record of a merge": {"change": setting(merge={"resolved": [1]})},
    "left out what is not there": {"change": setting(merge={"left_out": [OTHER_ID]})},
    "a blank": {"spoil": lambda line: line.replace(b'"format":', b'"format": ')},
    "a member twice": {"spoil": lambda line: line.replace(b'"format":1', b'"format":1,"format":1')},
    "no JSON": {"spoil": lambda line: line[:-1]},
    "no events": {"events_of": lambda _, lines: []},
    "an event twice": {"events_of": lambda _, lines: [*lines, lines[0]]},
    "an event of an earlier commit": {"events_of": lambda _, lines: [EARLIER.canonical(), *lines]},
    "an event stored before": {"events_of": lambda _, lines: [STORED[0].canonical(), *lines]},
    "an earlier event": {"events_of": lambda _, lines: [event(3, "s-0").canonical(), *lines]},
    "an event in another order": {
        "events_of": lambda _, lines: [*lines[1:], lines[0].replace(b'"data"', b'"Data"')]
    },
    "a number that is not canonical": {
        "events_of": lambda _, lines: [lines[0].replace(b'"n":', b'"n":0.'), *lines[1:]]
    },
    "again an earlier event": {"events_of": lambda _, lines: first_again(lines, EARLIER.id)},
    "again an event stored before": {
        "events_of": lambda _, lines: first_again(lines, STORED[0].id)
    },
    "again what is not there": {"events_of": lambda _, lines: first_again(lines, OTHER_ID)},
    "an event with a key": {
        "events_of": lambda _, lines: [*lines, event(9000, "s-0", key="k").canonical()]
    },
    "an event with a blob": {
        "events_of": lambda _, lines: [*lines, event(9000, "s-0", blobs={OTHER_ID: 5}).canonical()]
    },
    "a tag between blocks": {"before": [TAG.canonical()]},
    "a tag inside a block": {"events_of": lambda _, lines: [*lines, TAG.canonical()]},
    "another repository's root": {"before": [root_commit("x").canonical()]},
    "a wrong root in the last commit": {"at": COMMITS - 1, "change": log(root=OTHER_ID)},
    "a wrong root in the first commit": {"at": 0, "change": log(root=OTHER_ID)},
    "a wrong parent of the first commit": {"at": 0, "change": setting(parents=[OTHER_ID])},
}


class Prompt(workers.Workers):
    """Workers that are ready when they are made, so that they do all there is to do."""

    def __init__(self, begin: str, setup: bytes, count: int) -> None:
        super().__init__(begin, setup, count)
        self.wait()


@contextmanager
def way(name: str) -> Iterator[list[int]]:
    """One way of receiving; what is given counts the commits stored in bulk."""
    in_bulk: list[int] = []
    add = chain_run.ChainRun.add

    def counted(*arguments: Any) -> bool:
        taken = add(*arguments)
        if taken:
            in_bulk.append(len(arguments[1].counts))
        return taken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain_run.ChainRun, "add", counted)
        if name == "one by one":
            patch.setattr(sound_chains, "LEAST_EVENTS", 1 << 30)
        if name == "workers":
            patch.setattr(preparing, "START_BYTES", 0)
            patch.setattr(workers, "Workers", Prompt)
        yield in_bulk


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with some history of its own, to be copied."""
    path = tmp_path_factory.mktemp("chains") / "origin"
    with new(path) as repository:
        repository.append(STORED)
    return path


def outcome(path: Path, made: bytes, name: str) -> tuple[object, int]:
    """What comes of a transfer, and how many commits were stored in bulk."""
    with Repository(Layout.at(path, bare=True)) as repository:
        repository.store.jobs = 2
        with way(name) as in_bulk:
            try:
                with repository.store.arriving([made], Limits()) as received:
                    pass
            except EvgitError as error:
                return (type(error), error.message, repository.history.end()), sum(in_bulk)
        return (received, list(_stored(repository))), sum(in_bulk)


def _stored(repository: Repository) -> Iterator[object]:
    """What a reader can find out about all commits, and what a check does."""
    history = repository.history
    for row in sorted(history.graph.up_to(1 << 40, 1000)):
        yield row, history.blocks.lines(row.number, row.events + 1)
    for stream in ("s-0", "s-1", "s-6"):
        number = history.streams.number(stream)
        assert number is not None
        yield history.streams.positions(row, row.size, number)
    for entry, data in history.blocks.blocks():
        yield entry.first_line, entry.line_count, list(history.blocks.decode(entry, data))
    yield history.end(), history.events.lines_with_key("s-0", "k")
    yield repository.fsck().problems


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_comes_of_it(kind: str, origin: Path, tmp_path: Path) -> None:
    with Repository(Layout.at(origin, bare=True)) as repository:
        made = transfer(repository.id, **KINDS[kind])
    found = []
    for name in ("one by one", "alone", "workers"):
        copy = tmp_path / name
        shutil.copytree(origin, copy)
        outcome_, in_bulk = outcome(copy, made, name)
        found.append(outcome_)
        if kind == "honest":
            assert in_bulk == (0 if name == "one by one" else COMMITS)
    assert found[1] == found[0]
    assert found[2] == found[0]


def test_many_are_in_bulk_around_one_that_is_not(origin: Path, tmp_path: Path) -> None:
    """A merge, say, costs its neighbours nothing, where there are enough of them."""
    shutil.copytree(origin, tmp_path / "copy")
    with Repository(Layout.at(origin, bare=True)) as repository:
        made = transfer(repository.id, at=3, **KINDS["a record of a merge"])
    _, in_bulk = outcome(tmp_path / "copy", made, "alone")
    assert in_bulk == COMMITS - 4


# ---------------------------------------------------------------------------- the parts of it
@given(st.lists(st.integers(0, 5), max_size=40), st.integers(0, 600), st.data())
def test_the_first_wrong_root_is_found(counts: list[int], before: int, data: st.DataObject) -> None:
    ids = [bytes([n % 251, n // 251]) * 16 for n in range(before + sum(counts))]
    plain, nodes = Frontier(), set()
    plain.extend(ids[:before])
    moved, moved_nodes = plain.copy(), set()
    roots, place = [], before
    for count in counts:
        plain.extend(ids[place : place + count], lambda *node: nodes.add(node))
        place += count
        roots.append(plain.root())
    wrong = data.draw(st.none() | st.integers(0, len(counts) - 1)) if counts else None
    if wrong is not None:
        roots[wrong] = bytes(32)
    joined = b"".join(ids[before:])
    found = first_wrong_root(moved, joined, counts, b"".join(roots), lambda *n: moved_nodes.add(n))
    assert found == wrong
    if wrong is None:
        assert (moved.size, moved.peaks, moved_nodes) == (plain.size, plain.peaks, nodes)


@pytest.mark.parametrize("kind", KINDS)
def test_commits_are_verified_together_as_one_by_one(kind: str) -> None:
    arguments = {k: v for k, v in KINDS[kind].items() if k in ("change", "spoil", "events_of")}
    text = zstandard.ZstdDecompressor().decompress(transfer(OTHER_ID, **arguments))
    lines = [line for line in text.splitlines() if line.startswith(b'{"author"')]

    def judged(verified: Callable[[Lines], list[Commit]]) -> object:
        try:
            return verified(lines)
        except EvgitError as error:
            return type(error), error.message

    assert judged(verified_commits) == judged(lambda some: [verified_commit(one) for one in some])
