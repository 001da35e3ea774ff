"""Chains of commits that are certified in one pass over their text.

Two things are held: that nothing is said of a text but what the slow way says, which looks at
each object alone, and that ordinary chains are certified, so that the first can't come of saying
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import EvgitError
from evgit.formats.block import count_lines, split_lines
from evgit.formats.canonical import digest, encode, object_id
from evgit.formats.commit import Commit, verified_commit
from evgit.formats.event import Event, verify_event_lines
from evgit.formats.native import native
from evgit.formats.times import to_instant
from evgit.formats.transfer import WholeBlocks
from evgit.sync import sound_chains
from tests.history.making import event

Certify = Callable[[bytes], tuple[Any, ...] | None]
ROOT = "ab" * 32


def slowly(text: bytes) -> tuple[Any, ...] | None:
    """What the native part says, object by object. None: the text is no chain."""
    if not text.endswith(b"\n"):
        return None
    commits: list[tuple[Commit, bytes, list[Event]]] = []
    events: list[Event] = []
    ends, place = [], 0
    try:
        for line in split_lines(text):
            place += len(line) + 1
            if line.startswith(b'{"author":'):
                commits.append((verified_commit(line), digest(line), events))
                ends.append(place)
                events = []
            else:
                if verify_event_lines([line]) != [None]:
                    return None
                events.append(sound_chains.verified_batch([line]).events[0])  # type: ignore[union-attr]
    except (EvgitError, AttributeError):
        return None
    own = [event for _, _, some in commits for event in some]
    if events or not own or any(event.blobs for event in own):
        return None
    for number, (commit, _, some) in enumerate(commits):
        if len(commit.parents) != 1 or commit.merge is not None or commit.events != len(some):
            return None
        if number and not (
            commit.parents == [commits[number - 1][1].hex()]
            and commit.time >= commits[number - 1][0].time
            and commit.log.size == commits[number - 1][0].log.size + commit.events
        ):
            return None
    first = commits[0][0]
    if first.log.size < first.events:
        return None
    return (
        bytes.fromhex(first.parents[0]),
        b"".join(commit_id for _, commit_id, _ in commits),
        b"".join(bytes.fromhex(commit.log.root) for commit, _, _ in commits),
        [commit.events for commit, _, _ in commits],
        [to_instant(commit.time) for commit, _, _ in commits],
        [max((to_instant(e.time) for e in some), default=-1) for _, _, some in commits],
        first.log.size - first.events,
        min(to_instant(event.time) for event in own),
        b"".join(digest(event.canonical()) for event in own),
        "\n".join(event.stream for event in own),
        [(place, e.stream, e.key) for place, e in enumerate(own) if e.key is not None],
        ends,
    )


def in_python(text: bytes) -> tuple[Any, ...] | None:
    """The same by what runs where there is no native part."""
    found: list[tuple[Any, ...]] = []

    def taken(said: Any, given: bytes, *rest: Any) -> None:
        if given == text:
            found.append(tuple(said))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sound_chains, "LEAST_EVENTS", 0)
        patch.setattr(sound_chains, "_sound", taken)
        patch.setattr(sound_chains, "native", None)
        if text.endswith(b"\n"):
            sound_chains.parts_of(WholeBlocks([text], [], len(text)))
    return found[0] if found else None


IMPLEMENTATIONS: dict[str, Certify] = {"python": in_python}
if native is not None:
    IMPLEMENTATIONS["native"] = native.certified_chain

QUICKEST = list(IMPLEMENTATIONS.values())[-1]


@pytest.fixture(params=IMPLEMENTATIONS, scope="module")
def certify(request: pytest.FixtureRequest) -> Certify:
    return IMPLEMENTATIONS[request.param]


def chain(counts: list[int], start: int = 0, **first: Any) -> bytes:
    """The text of commits with so many events each. `first`: members of the first one, else."""
    parent, size, number, lines = ROOT, start, 0, list[bytes]()
    for place, count in enumerate(counts):
        for _ in range(count):
            key = f"key-{number}" if number % 5 == 3 else None
            lines.append(event(number, f"stream-{number % 3}", key=key).canonical())
            number += 1
        size += count
        members: dict[str, Any] = {
            "author": "Ada Lovelace <ada@example.org>",
            "events": count,
            "format": 1,
            "kind": "commit",
            "log": {"root": f"{place:064x}", "size": size},
            "message": f"number {place}",
            "parents": [parent],
            "time": f"2026-01-01T00:{place % 60:02}:00.000000Z",
            **({} if place else first),
        }
        lines.append(encode(members))
        parent = object_id(lines[-1])
    return b"\n".join([*lines, b""])


def test_ordinary_chains_are_certified(certify: Certify) -> None:
    for text in (
        chain([1]),
        chain([1, 1, 1, 1, 1]),
        chain([3, 0, 0, 7, 1], start=100),
        chain([2, 1], recorded="events"),
        chain([2, 1], author="", message='\\ " \n \x00 é 😀'),
        chain([2, 1], guards={"a": -1, "a/b": 0, "a/b-7": 2**53 - 1, "é": 5}),
        chain([2, 1], start=2**53 - 4),
        chain([1], time="0001-01-01T00:00:00.000000Z"),
    ):
        assert certify(text) == slowly(text)
        assert certify(text) is not None


NO_CHAINS: dict[str, bytes] = {
    "nothing": b"",
    "no line": b"\n",
    "no events": chain([0, 0]),
    "no newline at its end": chain([2, 1])[:-1],
    "an empty line more": chain([2, 1]) + b"\n",
    "events and no commit": chain([2])[: chain([2]).rindex(b'{"author"')],
    "no parents": chain([2, 1], parents=[]),
    "two parents": chain([2, 1], parents=[ROOT, "cd" * 32]),
    "a parent in capitals": chain([2, 1], parents=[ROOT.upper()]),
    "a short parent": chain([2, 1], parents=[ROOT[:-1]]),
    "a merge": chain([2, 1], merge={"resolved": [1]}),
    "a smaller log than its events": chain([2, 1], log={"root": ROOT, "size": 1}),
    "another log": chain([2, 1], log={"root": ROOT, "size": 3}),
    "more events": chain([2, 1], events=3),
    "fewer events": chain([2, 1], events=1),
    "a later time": chain([2, 1], time="2026-01-01T00:02:00.000000Z"),
    "no time": chain([2, 1], time="2026-02-30T00:00:00.000000Z"),
    "a time in another form": chain([2, 1], time="2026-01-01T00:00:00Z"),
    "another format": chain([2, 1], format=2),
    "a format that is text": chain([2, 1], format="1"),
    "an unknown member that is critical": chain([2, 1], crit=["zebra"], zebra=1),
    "an empty guard": chain([2, 1], guards={}),
    "a guard that is none": chain([2, 1], guards={"a": -2}),
    "a guard that is too high": chain([2, 1], guards={"a": 2**53}).replace(b".0", b""),
    "a guard of no stream": chain([2, 1], guards={"a/../b": 1}),
    "another record": chain([2, 1], recorded="now"),
    "an author that is no text": chain([2, 1], author=1),
    "a blob": chain([1]).replace(b'{"data"', b'{"blobs":{"%s":1},"data"' % ROOT.encode(), 1),
}


@pytest.mark.parametrize("name", NO_CHAINS)
def test_what_is_no_chain_is_not_certified(name: str, certify: Certify) -> None:
    assert slowly(NO_CHAINS[name]) is None
    assert certify(NO_CHAINS[name]) is None


def agrees(text: bytes) -> None:
    found = QUICKEST(text)
    assert found is None or found == slowly(text)


TWO = chain([2, 1], guards={"a": 1, "b": -1})


def test_every_prefix_and_every_end() -> None:
    for place in range(len(TWO)):
        agrees(TWO[:place])
        agrees(TWO[place:])


@pytest.mark.parametrize("other", [b"\n", b'"', b"\\", b"}", b"0", b"A", b"\xff", b""])
def test_every_byte_in_another_way(other: bytes) -> None:
    for place in range(len(TWO)):
        agrees(TWO[:place] + other + TWO[place + 1 :])


counts = st.lists(st.integers(0, 4), min_size=1, max_size=8)


@given(counts, st.data())
def test_changed_texts(counts: list[int], data: st.DataObject) -> None:
    text = chain(counts, data.draw(st.sampled_from([0, 5, 1 << 40])))
    assert (QUICKEST(text) is None) == (not any(counts))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = min(len(text), start + data.draw(st.integers(0, 3)))
        pieces = st.sampled_from([b"0", b"a", b"-", b'"', b"\n", b",", b"}", b"\xc3\xa9", b"\\n"])
        text = text[:start] + b"".join(data.draw(st.lists(pieces, max_size=2))) + text[stop:]
    agrees(text)


@given(counts, st.data())
def test_lines_that_were_moved(counts: list[int], data: st.DataObject) -> None:
    lines = chain(counts).splitlines(keepends=True)
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(lines))] * 2)))
    to = data.draw(st.integers(0, len(lines)))
    moved = lines[start:stop]
    left = lines[:start] + lines[stop:]
    agrees(b"".join(left[:to] + moved + left[to:]))
    agrees(b"".join(lines[:to] + moved + lines[to:]))


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0, 1, 2, 60, 300]), min_size=1, max_size=8), st.booleans())
def test_parts_are_the_same_in_both_ways(counts: list[int], spoiled: bool) -> None:
    text = chain(counts)
    if spoiled:
        text = text.replace(b'"format":1', b'"format": 1', 1)
    blocks = WholeBlocks([text], [], len(text))
    found = sound_chains.parts_of(blocks)
    assert found == sound_chains._parts_of(blocks)
    assert found[-1][1] == count_lines(text)
    large = sum(counts) > sound_chains.LEAST_EVENTS and not spoiled
    assert (found[0][2] is not None) == large
