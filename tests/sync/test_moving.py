"""Histories of any shape move whole: clone, fetch and push against what the sender has."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings, strategies as st

from evgit.errors import (
    Conflict,
    InvalidObject,
    NotAFastForward,
    TransferInterrupted,
)
from evgit.formats.transfer import encode_transfer
from evgit.repository import NewEvent, Repository
from evgit.sync.fetching import Fetch
from evgit.sync.messages import PushReply, PushRequest, Update
from evgit.sync.outgoing import Outgoing, outgoing, texts, to_send
from evgit.sync.pushing import PushedRef, push
from evgit.sync.quarantine import Limits
from evgit.sync.remotes import Remote
from evgit.sync.transport import ask
from tests.history.making import Clock, event, events, ids, merge, new
from tests.sync.making import (
    Line,
    Step,
    cloned,
    fetched,
    heads,
    pushed,
    steps,
    take,
    tracked,
)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Repository]:
    with new(tmp_path / "source") as repository:
        repository.append(events(0, 50, streams=5))
        repository.append(events(50, 60, streams=5))
        yield repository


@pytest.fixture
def copy(source: Repository, tmp_path: Path) -> Iterator[Repository]:
    with cloned(source, tmp_path / "copy") as repository:
        yield repository


# ---------------------------------------------------------------- shapes of any kind
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
UNUSUAL = {"text": "Grüezi \u2028 \U0001f600", "large": 1e21, "tiny": 5e-324, "\U0001f600": 1}


@settings(max_examples=15)
@given(st.lists(st.dictionaries(st.text(max_size=3), JSON), min_size=1, max_size=4))
@example([UNUSUAL])
def test_whatever_an_event_may_say_arrives(said: list[dict[str, object]]) -> None:
    """Whether it comes alone, with others in its commit, or among so many that they go in bulk."""
    with TemporaryDirectory() as directory:
        place = Path(directory)
        with new(place / "source", Clock()) as source, cloned(source, place / "copy") as copy:
            source.append([NewEvent("s", "said", data, key=str(n)) for n, data in enumerate(said)])
            fetched(copy, source)
            for n in range(130):
                data = said[n % len(said)] if n % 50 == 0 else {"n": n}
                source.append([NewEvent("t", "said", data, key=str(n))])
            fetched(copy, source)
            assert ids(copy, "origin/main") == ids(source)
            assert [e.data for e in copy.events("origin/main")] == [e.data for e in source.events()]
            assert copy.fsck(jobs=1).problems == []


@settings(max_examples=40)
@given(steps("talk"), st.booleans())
def test_a_clone_that_fetches_has_the_same_logs(taken: list[Step], by_push: bool) -> None:
    with TemporaryDirectory() as directory:
        place = Path(directory)
        clock = Clock()
        with new(place / "source", clock) as source, cloned(source, place / "copy") as copy:
            number = 0
            for step in [*taken, ("talk", "main", "main", 1)]:
                number = take(source, clock, step, number)
                if step[0] == "talk" and by_push:
                    pushed(source, copy, *heads(source))
                elif step[0] == "talk":
                    fetched(copy, source)
            found = heads(copy) if by_push else tracked(copy)
            assert found == heads(source)
            for name, target in found.items():
                assert ids(copy, target) == ids(source, f"refs/heads/{name}")
                assert copy.log(target).root() == source.log(target).root()
            assert copy.fsck().problems == []


# ---------------------------------------------------------------- what is said, and how often
def test_a_new_commit_takes_one_round_trip_and_little_text(
    source: Repository, copy: Repository
) -> None:
    fetched(copy, source)
    source.append([event(1000)])
    line = Line(source)
    done = fetched(copy, source, line)
    assert (done.commits, done.events, line.round_trips) == (1, 1, 1)
    assert line.sent + line.received < 2048


def test_nothing_new_brings_nothing(source: Repository, copy: Repository) -> None:
    done = fetched(copy, source)
    assert (done.commits, done.events, done.moves) == (0, 0, [])


def test_only_the_part_that_is_missing_is_sent_to_a_stranger(tmp_path: Path) -> None:
    """Two clones of one repository that never met: where they part is found by asking."""
    with new(tmp_path / "root") as root:
        for number in range(200):
            root.append([event(number)])
        with cloned(root, tmp_path / "left") as left, cloned(root, tmp_path / "right") as right:
            for number in range(300, 307):
                left.append([event(number)])
            for number in range(400, 433):
                right.append([event(number)])
            line = Line(right)
            done = fetched(left, right, line)
            assert done.commits == 33
            assert tracked(left) == heads(right)
            assert left.fsck().clean


def test_tags_and_blobs_come_along(source: Repository, tmp_path: Path) -> None:
    small, small_size = source.write_blob(BytesIO(b"small"))
    large, large_size = source.write_blob(BytesIO(bytes(300_000)))
    blobs = {small: small_size, large: large_size}
    source.append([event(100, blobs=blobs, data={"files": sorted(blobs)})])
    source.branches.create_tag("light", source.resolve_commit("main"))
    with cloned(source, tmp_path / "c") as copy:
        assert copy.open_blob(large).read() == bytes(300_000)
        assert copy.resolve_commit("light") == source.resolve_commit("main")
        again, size = copy.write_blob(BytesIO(b"of the copy"))
        copy.append([event(101, blobs={again: size})])
        done = pushed(copy, source, "main")
        assert done.blobs == 1
        assert source.open_blob(again).read() == b"of the copy"
        assert source.fsck().clean


# ---------------------------------------------------------------- what is refused
def test_a_push_behind_new_commits_is_refused_and_says_which(
    source: Repository, copy: Repository
) -> None:
    source.append([event(200)], message="Came first")
    copy.append([event(201)])
    with pytest.raises(NotAFastForward, match="not here"):
        pushed(copy, source, "main")
    fetched(copy, source)
    with pytest.raises(NotAFastForward, match="moved on"):
        pushed(copy, source, "main")


def test_a_push_of_a_merge_with_upstream_second_says_the_two_ways_on(
    source: Repository, copy: Repository
) -> None:
    source.append([event(200)])
    copy.append([event(201, "other")])
    fetched(copy, source)
    merge(copy, "main", [tracked(copy)["main"]])
    with pytest.raises(NotAFastForward, match="second parent") as refused:
        pushed(copy, source, "main")
    assert "evgit pull" in refused.value.hint
    assert "--reappend" in refused.value.hint


def test_a_race_is_lost_by_the_second(source: Repository, copy: Repository) -> None:
    """The other side moves after it said where it is, and before the push arrives."""
    copy.append([event(201)])

    class Racing(Line):
        def carry(self, message: bytes, body=()):  # type: ignore[no-untyped-def]
            if b'"push"' in message:
                source.append([event(200)], message="Faster")
            return super().carry(message, body)

    before = heads(copy)
    with pytest.raises(Conflict, match="Faster"):
        pushed(copy, source, "main", line=Racing(source))
    assert heads(copy) == before
    assert source.fsck().clean


def test_refs_move_together_or_not_at_all(source: Repository, copy: Repository) -> None:
    copy.append([event(201)])
    copy.branches.create("new", copy.resolve_commit("main"))
    source.append([event(202)])
    before = heads(source)
    with pytest.raises(NotAFastForward):
        pushed(copy, source, "new", "main")
    assert heads(source) == before


def test_a_deletion_from_outside_needs_leave(source: Repository, copy: Repository) -> None:
    source.branches.create("trial", source.resolve_commit("main"))
    remote = Remote("origin", "there")
    with pytest.raises(NotAFastForward, match="deleted"):
        push(copy.store, Line(source), remote, [PushedRef(None, "refs/heads/trial")])
    assert "trial" in heads(source)


def test_another_repository_is_unrelated(source: Repository, tmp_path: Path) -> None:
    with new(tmp_path / "other") as other, pytest.raises(InvalidObject, match="in common"):
        fetched(other, source)


def test_a_rewound_branch_is_said_to_be_one(source: Repository, copy: Repository) -> None:
    before = source.resolve_commit("main~1")
    source.branches.create("main", before, force=True)
    source.append([event(300)])
    (move,) = fetched(copy, source).moves
    assert move.kind == "rewound"
    assert copy.fsck().clean


def test_pruning_forgets_what_is_gone(source: Repository, copy: Repository) -> None:
    source.branches.create("trial", source.resolve_commit("main"))
    fetched(copy, source)
    source.branches.delete("trial")
    fetched(copy, source)
    assert "trial" in tracked(copy)
    fetched(copy, source, wanted=Fetch(prune=True))
    assert "trial" not in tracked(copy)


# ---------------------------------------------------------------- interruptions
def test_a_fetch_goes_on_where_it_was_cut(source: Repository, copy: Repository) -> None:
    noise = Random(1)
    for number in range(1000, 1400):
        data = {"n": number, "noise": noise.randbytes(1500).hex()}
        source.append([event(number, data=data)])
    refs, rounds = copy.refs(), 0
    with cloned(source, copy.layout.directory.parent / "whole") as clean:
        clean_ids = ids(clean)
    while True:
        rounds += 1
        line = Line(source)
        line.cut_after = 200_000
        try:
            fetched(copy, source, line)
            break
        except TransferInterrupted:
            assert copy.refs() == refs
            assert rounds < 50
    assert rounds > 3
    assert ids(copy, "refs/remotes/origin/main") == clean_ids
    assert copy.fsck().clean


def test_blobs_whose_events_came_in_a_cut_transfer_come_later(
    source: Repository, copy: Repository
) -> None:
    """They are asked for again, though no transfer brings their events any more."""
    blob, size = source.write_blob(BytesIO(b"x" * 50_000))
    source.append([event(1000, blobs={blob: size})])

    class Cut(Line):
        def carry(self, message: bytes, body=()):  # type: ignore[no-untyped-def]
            if b'"get-blob"' in message:
                raise TransferInterrupted("the line was cut")
            return super().carry(message, body)

    with pytest.raises(TransferInterrupted):
        fetched(copy, source, Cut(source))
    assert tracked(copy) != heads(source)
    assert fetched(copy, source).blobs == 1
    assert copy.fsck().clean


def test_a_ref_is_not_moved_to_events_whose_blobs_never_came(
    source: Repository, copy: Repository
) -> None:
    """Not even if their events were left by a transfer before."""
    blob, size = copy.write_blob(BytesIO(b"y" * 50_000))
    copy.append([event(1000, blobs={blob: size})])
    before = heads(source)
    row = copy.history.graph.get(copy.resolve_commit("main"))
    text = texts(copy.history, Outgoing([(row.number, 2)], set(), 1))
    with source.store.arriving(encode_transfer(text), Limits()):
        pass
    update = Update("refs/heads/main", before["main"], row.hex)
    with pytest.raises(InvalidObject, match="was not sent"):
        ask(Line(source), PushRequest([update]), PushReply)
    assert heads(source) == before
    pushed(copy, source, "main")
    assert heads(source) == heads(copy)
    assert source.fsck().clean


def test_a_straight_history_is_sent_as_one_range(source: Repository) -> None:
    """With the same text as commit by commit, also over the border of a pack, and only then."""

    def straight(wanted: str, known: str) -> bool:
        rows = [[source.history.graph.get(source.resolve_commit(name))] for name in (wanted, known)]
        whole, each = to_send(source.history, *rows), outgoing(source.history, *rows)
        assert (whole.commits, whole.events) == (each.commits, each.events)
        sent, expected = (b"".join(texts(source.history, some)) for some in (whole, each))
        assert sent == expected
        assert len(sent.splitlines()) == whole.commits + whole.events
        return whole.straight is not None

    source.gc()
    source.append(events(60, 70))
    source.append(events(70, 300, streams=9))
    assert straight("main", source.id)
    assert straight("main", "main~1")
    assert straight("main~1", "main~3")
    assert straight("main", "main")
    source.branches.create("a", source.resolve_commit("main~2"))
    source.append(events(300, 303), branch="a")
    assert straight("main", source.id)
    assert not straight("a", source.id)
    assert not straight("a", "a~1")
    source.append(events(303, 305))
    assert not straight("main", source.id)
    merge(source, "main", [source.resolve_commit("a")])
    source.append(events(305, 307))
    assert not straight("main", source.id)
    assert straight("main", "main~1")


def test_an_interrupted_push_goes_on_where_it_stopped(source: Repository, copy: Repository) -> None:
    noise = Random(2)
    for number in range(1000, 1300):
        data = {"n": number, "noise": noise.randbytes(1500).hex()}
        copy.append([event(number, data=data)])
    line = Line(source)
    line.cut_after = 400_000
    with pytest.raises(TransferInterrupted):
        pushed(copy, source, "main", line=line)
    left = source.history.end()[0]
    assert left > 200
    done = pushed(copy, source, "main")
    assert done.commits == (copy.history.end()[0] - left) / 2
    assert heads(source) == heads(copy)


@pytest.mark.parametrize("place", [0, 5, 40, 300, 2000])
def test_spoilt_bytes_leave_no_trace(source: Repository, copy: Repository, place: int) -> None:
    source.append(events(500, 900, streams=7))
    line = Line(source)
    before = copy.refs(), copy.history.end()

    def spoil(chunk: bytes) -> bytes:
        at = place % len(chunk)
        return chunk[:at] + bytes([chunk[at] ^ 16]) + chunk[at + 1 :]

    line.spoil = spoil
    with pytest.raises(InvalidObject):
        fetched(copy, source, line)
    assert (copy.refs(), copy.history.end()) == before
    assert not list(copy.layout.incoming.glob("*"))
    line.spoil = bytes
    fetched(copy, source, line)
    assert tracked(copy) == heads(source)
