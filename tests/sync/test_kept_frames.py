"""Frames that were cut as they are cut here are stored as they came, all others cut anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from evgit.errors import InvalidObject
from evgit.formats.block import decode_frame, frame_end, is_cut_alike
from evgit.formats.transfer import encode_transfer
from evgit.repository import Repository
from evgit.storage.layout import Layout
from evgit.sync import preparing
from evgit.sync.outgoing import pieces, texts, to_send
from evgit.sync.quarantine import Limits
from tests.history.making import events
from tests.sync.test_sound_chains import way

COMMIT_EVENTS = 1000
Frames = list[bytes]
Recast = Callable[[Frames], Frames]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    with Repository.init(tmp_path_factory.mktemp("kept") / "source", bare=True) as repository:
        for number in range(5):
            first = number * COMMIT_EVENTS
            repository.append(events(first, first + COMMIT_EVENTS, streams=9))
        yield repository


def sent(source: Repository, *, as_stored: bool) -> Frames:
    """The frames of a transfer of all that there is."""
    graph = source.history.graph
    what = to_send(
        source.history, [graph.get(source.resolve_commit("main"))], [graph.get(source.id)]
    )
    read = pieces(source.history, what) if as_stored else texts(source.history, what)
    body = b"".join(encode_transfer(read))
    frames, start = [], 0
    while start < len(body):
        end = frame_end(body, start)
        frames.append(body[start:end])
        start = end
    return frames


def rows(repository: Repository) -> list[tuple[object, ...]]:
    return list(
        repository.history.connection.execute("SELECT first_line, frames, data FROM blocks")
    )


def received(
    source: Repository, path: Path, frames: Frames, jobs: int = 1
) -> list[tuple[object, ...]]:
    """What a repository stores of a transfer; it is sound."""
    root = source.history.commit_line(source.history.graph.get(source.id))
    with Repository.init(path, bare=True, root_line=root) as repository:
        repository.store.jobs = jobs
        with (
            way("workers" if jobs > 1 else "alone") as in_bulk,
            repository.store.arriving(frames, Limits()) as found,
        ):
            assert found.events == 5 * COMMIT_EVENTS
        assert sum(in_bulk) == 5
        assert repository.fsck().clean
        return rows(repository)


def compressed(text: bytes, level: int = 1, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(level=level, write_checksum=True, **options).compress(text)


def line_by_line(frames: Frames) -> Frames:
    return [compressed(line) for frame in frames for line in decode_frame(frame).splitlines(True)]


def otherwise_cut(frames: Frames) -> Frames:
    lines = [line for frame in frames for line in decode_frame(frame).splitlines(True)]
    return [compressed(b"".join(lines[i : i + 50])) for i in range(0, len(lines), 50)]


def padded(frames: Frames) -> Frames:
    """With many blocks of nothing in each: valid, and longer than its text."""
    found = []
    for frame in frames:
        head = zstandard.frame_header_size(frame)
        found.append(frame[:head] + bytes(3 * 20_000) + frame[head:])
    return found


def interspersed(frames: Frames) -> Frames:
    skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    return [part for frame in frames for part in (skippable, frame)]


ANEW = {"line by line": line_by_line, "otherwise cut": otherwise_cut, "padded": padded}


@pytest.mark.parametrize("jobs", [1, 2])
def test_large_blocks_are_sent_and_stored_as_they_are(
    jobs: int, source: Repository, tmp_path: Path
) -> None:
    frames = sent(source, as_stored=True)
    stored = rows(source)
    assert b"".join(frames) == b"".join(data for first, _, data in stored if first)
    assert received(source, tmp_path / "copy", frames, jobs) == stored


@pytest.mark.parametrize("kind", ANEW)
def test_what_was_cut_otherwise_is_cut_anew(kind: str, source: Repository, tmp_path: Path) -> None:
    frames = ANEW[kind](sent(source, as_stored=True))
    assert received(source, tmp_path / "copy", frames) == rows(source)


def test_the_large_frames_of_other_senders_are_cut_anew(source: Repository, tmp_path: Path) -> None:
    frames = sent(source, as_stored=False)
    assert len(frames) < 5 * 2
    assert received(source, tmp_path / "copy", frames) == rows(source)


def test_skippable_frames_are_not_kept(source: Repository, tmp_path: Path) -> None:
    frames = interspersed(sent(source, as_stored=True))
    assert received(source, tmp_path / "copy", frames) == rows(source)


def test_how_well_a_frame_is_compressed_is_the_senders_business(
    source: Repository, tmp_path: Path
) -> None:
    frames = [compressed(decode_frame(frame), 9) for frame in sent(source, as_stored=True)]
    stored = received(source, tmp_path / "copy", frames)
    assert b"".join(data for first, _, data in stored if first) == b"".join(frames)


@pytest.mark.parametrize("as_stored", [True, False])
@pytest.mark.parametrize("waiting", [0, 10_000, 40_000])
def test_what_does_not_wait_in_memory_is_read_again(
    waiting: int,
    as_stored: bool,
    source: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preparing, "MAX_WAITING_BYTES", waiting)
    frames = interspersed(sent(source, as_stored=as_stored))
    body = b"".join(frames)
    chunks = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    assert received(source, tmp_path / "copy", chunks, jobs=2) == rows(source)


@pytest.mark.parametrize("place", [7, -2])
@pytest.mark.parametrize("jobs", [1, 2])
def test_damage_inside_a_frame_is_found(
    jobs: int, place: int, source: Repository, tmp_path: Path
) -> None:
    frames = sent(source, as_stored=True)
    frames[place] = frames[place][:-3] + bytes([frames[place][-3] ^ 1]) + frames[place][-2:]
    with pytest.raises(InvalidObject, match="not sound"):
        received(source, tmp_path / "copy", frames, jobs)
    with Repository(Layout.at(tmp_path / "copy", bare=True)) as repository:
        assert repository.history.graph.count() == 1
        assert not list(repository.layout.incoming.iterdir())


def test_small_commits_share_frames(tmp_path: Path) -> None:
    with Repository.init(tmp_path / "small", bare=True) as repository:
        for number in range(40):
            repository.append(events(number * 3, number * 3 + 3, streams=2))
        assert len(sent(repository, as_stored=True)) == 1


@pytest.mark.parametrize(
    ("texts", "alike"),
    [
        ([b"a" * 16_383 + b"\n", b"b\n", b"c\n"], True),
        ([b"a" * 16_383 + b"\n", b"c\n"], True),
        ([b"a" * 16_382 + b"\n", b"b\n", b"c\n"], False),
        ([b"a" * 16_383 + b"\n", b"b\n", b"", b"c\n"], False),
        ([b"a" * 16_383 + b"\nb\n", b"c\n"], False),
        ([b"a" * 16_383 + b"\n", b"b\nc\n"], False),
        ([b"a" * 16_383 + b"\n"], False),
        ([b"a\n", b"c\n"], False),
        ([b"a" * 16_383 + b"\n", b""], False),
    ],
)
def test_what_is_cut_alike(texts: list[bytes], alike: bool) -> None:
    assert is_cut_alike(texts) is alike
