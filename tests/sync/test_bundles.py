"""Bundles: any range of any history, and what it builds on, make what the source has; nothing that
is not sound is taken."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from blake3 import blake3
from hypothesis import given, settings, strategies as st

from evgit.errors import (
    AccessDenied,
    AlreadyExists,
    Damage,
    EvgitError,
    InvalidObject,
    NotFound,
    UnknownObject,
    UsageError,
)
from evgit.formats.canonical import encode, object_id
from evgit.formats.event import Event
from evgit.formats.pack import PackHead, checked, encode_head
from evgit.formats.pack_blobs import PIECE_BYTES, encode_pieces
from evgit.formats.pack_reading import PackReader
from evgit.formats.pack_writing import PackWriter
from evgit.formats.tag import Tag
from evgit.repository import (
    PushedRef,
    Remote,
    Repository,
    clone,
    create_bundle,
    read_bundle,
    refs_at,
    verify_bundle,
)
from evgit.storage.config import Config
from tests import independent_reader
from tests.history.making import Clock, event, events, ids, new
from tests.sync import hostile
from tests.sync.making import USING, Step, cloned, grow, heads, steps, tracked


def bundled(
    source: Repository, path: Path, refs: dict[str, str] | None = None, without: Sequence[str] = ()
) -> Path:
    """A bundle of branches as they are, or were."""
    named = heads(source) if refs is None else refs
    create_bundle(
        source.store, path, {f"refs/heads/{name}": t for name, t in named.items()}, without
    )
    return path


def fetch_bundle(target: Repository, path: Path):  # type: ignore[no-untyped-def]
    return target.sync(USING).fetch(Remote("origin", str(path)))


@settings(max_examples=15)
@given(steps("gc"), st.data())
def test_the_parts_of_any_history_make_all_of_it(taken: list[Step], data: st.DataObject) -> None:
    with TemporaryDirectory() as directory:
        place, clock = Path(directory), Clock()
        with new(place / "source", clock) as source:
            seen = grow(source, clock, taken)
            cuts = sorted(data.draw(st.sets(st.integers(1, len(seen) - 1), max_size=3)))
            copy, had = None, dict[str, str]()
            for n, cut in enumerate([*cuts, len(seen) - 1]):
                now = seen[cut]
                if copy is not None and now == had:
                    continue
                path = place / f"{n}.evpack"
                try:
                    bundled(source, path, now, list(had.values()))
                except UsageError:
                    assert had  # there was nothing new
                    continue
                found = read_bundle(path)
                assert (found.requires == []) == (copy is None)
                if copy is None:
                    assert verify_bundle(path, None, clock).missing == []
                    assert independent_reader.check_pack(path).problems == []
                    copy, _ = clone(str(path), place / "copy", using=USING, bare=True)
                else:
                    assert verify_bundle(path, copy.store, clock).missing == []
                    fetch_bundle(copy, path)
                had = had | now
            assert copy is not None
            assert tracked(copy) == had
            for commit in heads(source).values():
                assert ids(copy, commit) == ids(source, commit)
            assert copy.fsck().clean
            copy.close()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Repository]:
    with new(tmp_path / "source") as repository:
        repository.append(events(0, 50, streams=5))
        repository.append(events(50, 60, streams=5))
        yield repository


def test_blobs_and_tags_travel_in_it(source: Repository, tmp_path: Path) -> None:
    small, large = b"small", bytes(range(256)) * 9000  # in more than two pieces
    listed = dict(source.write_blob(io.BytesIO(b)) for b in (small, large, b""))
    source.append([event(90, blobs=listed)])
    head = source.resolve_commit()
    tag = Tag(
        name="v1", target=head, tagger="Ada", message="1\n", time="2026-01-01T00:00:00.000000Z"
    )
    refs = {
        "refs/heads/main": head,
        "refs/tags/v1": source.branches.write_tag(tag),
        "HEAD": "ref: refs/heads/main",
    }
    path = tmp_path / "all.evpack"
    done = create_bundle(source.store, path, refs)
    assert done.blobs == listed
    assert (done.commits, done.events) == (4, 61)
    second = independent_reader.read_pack(path.read_bytes())
    assert sorted(second.blobs.values(), key=len) == [b"", small, large]
    assert independent_reader.check_pack(path).problems == []
    assert verify_bundle(path, None, Clock()).refs == refs
    copy, fetched = clone(str(path), tmp_path / "copy", using=USING, bare=True)
    with copy:
        assert fetched.blobs == 3
        assert copy.head().branch == "main"
        assert copy.resolve_commit("v1") == head
        for blob_id in listed:
            stored = b"".join(copy.store.blobs.chunks(blob_id))
            assert blake3(stored).hexdigest() == blob_id
        assert copy.fsck().clean
        again = fetch_bundle(copy, path)
        assert (again.commits, again.bytes) == (0, 0)


def test_a_blob_goes_on_in_the_middle(source: Repository, tmp_path: Path) -> None:
    large = bytes(range(256)) * 9000
    blob_id, _ = source.write_blob(io.BytesIO(large))
    source.append([event(90, blobs={blob_id: len(large)})])
    path = bundled(source, tmp_path / "b.evpack")
    with clone(str(path), tmp_path / "copy", using=USING, bare=True)[0] as copy:
        for offset in (0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 7, len(large)):
            with copy.sync(USING).connected(Remote("", str(path))) as transport:
                size, chunks = transport._source.blob(blob_id, offset)  # type: ignore[attr-defined]
                assert size == len(large)
                assert b"".join(chunks) == large[offset:]


def test_what_is_missing_is_said(source: Repository, tmp_path: Path) -> None:
    before = source.resolve_commit("main~1")
    path = bundled(source, tmp_path / "news.evpack", None, [before])
    assert read_bundle(path).requires == [before]
    assert refs_at(str(path), USING).refs == {"refs/heads/main": source.resolve_commit()}
    with pytest.raises(InvalidObject, match="only a part of a history"):
        clone(str(path), tmp_path / "none", using=USING, bare=True)
    assert not (tmp_path / "none").exists()
    old = bundled(source, tmp_path / "old.evpack", {"main": source.resolve_commit("main~2")})
    with clone(str(old), tmp_path / "copy", using=USING, bare=True)[0] as copy:
        assert verify_bundle(path, copy.store, Clock()).missing == [before]
        with pytest.raises(NotFound, match=before[:12]):
            fetch_bundle(copy, path)
        bundled(source, tmp_path / "middle.evpack", {"main": before}, [copy.resolve_commit()])
        fetch_bundle(copy, tmp_path / "middle.evpack")
        fetch_bundle(copy, path)
        assert tracked(copy)["main"] == source.resolve_commit()
        assert copy.fsck().clean


def test_it_can_be_a_remote_but_not_be_pushed_to(source: Repository, tmp_path: Path) -> None:
    path = bundled(source, tmp_path / "a.evpack")
    with cloned(source, tmp_path / "copy") as copy:
        sync = copy.sync(USING)
        remote = sync.add("stick", str(path))
        source.append(events(60, 61))
        assert [m.kind for m in sync.fetch(remote).moves] == ["new"]
        bundled(source, path)
        assert [m.kind for m in sync.fetch(remote).moves] == ["forward"]
        copy.append(events(70, 71))
        with pytest.raises(AccessDenied, match="only be read"):
            sync.push(remote, [PushedRef("refs/heads/main", "refs/heads/x")])
        assert Config(copy.layout.config).get("remote.stick.url") == str(path)


def test_a_bundle_of_another_repository_is_refused(source: Repository, tmp_path: Path) -> None:
    with new(tmp_path / "other") as other:
        path = bundled(other, tmp_path / "other.evpack")
    with pytest.raises(InvalidObject, match="no history in common"):
        fetch_bundle(source, path)


def test_nothing_is_left_where_there_is_nothing_to_write(
    source: Repository, tmp_path: Path
) -> None:
    path = tmp_path / "a.evpack"
    with pytest.raises(UsageError, match="nothing to put"):
        bundled(source, path, None, [source.resolve_commit()])
    assert not path.exists()
    before = bundled(source, path).read_bytes()
    source._connection.execute("UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line>0")
    with pytest.raises(Damage):
        bundled(source, path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.evpack", "source"]


# ---------------------------------------------------------------- hostile ones
Make = Callable[[bytes], bytes]


def rewritten(data: bytes, **changes: object) -> bytes:
    """The same lines and blobs in a pack with another head, sound in form."""
    reader = PackReader(io.BytesIO(data).read)
    windows = list(reader.windows())
    head = reader.head
    members = {"refs": head.refs, "requires": head.requires, "blobs": head.blobs}
    repository = changes.pop("repository", head.repository)
    out = io.BytesIO()
    writer = PackWriter(out.write, PackHead(str(repository), **(members | changes)))  # type: ignore[arg-type]
    for window in windows:
        for lines, commit in window.pieces():
            writer.add_block(lines, commit or b"")
    for blob_id in head.blobs:
        writer.add_blob([BLOBS[blob_id]])
    writer.finish()
    return out.getvalue()


def blocks(data: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    """The last block's event lines changed."""
    reader = PackReader(io.BytesIO(data).read)
    found = [p for window in reader.windows() for p in window.pieces()]
    out = io.BytesIO()
    head = PackHead(reader.head.repository, reader.head.refs, [], {})
    writer = PackWriter(out.write, head)
    for lines, commit in found[:-1]:
        writer.add_block(lines, commit or b"")
    writer.add_block(change(found[-1][0]), found[-1][1] or b"")
    writer.finish()
    return out.getvalue()


BLOB = b"x" * 3000
BLOBS = {blake3(BLOB).hexdigest(): BLOB}
OTHER = "ab" * 32


def flipped(at: int) -> Make:
    def change(data: bytes) -> bytes:
        spoilt = bytearray(data)
        spoilt[at] ^= 1
        return bytes(spoilt)

    return change


HOSTILE: dict[str, Make] = {
    "empty": lambda d: b"",
    "text": lambda d: b"{}\n" * 100,
    "cut in its head": lambda d: d[:40],
    "cut in a window": lambda d: d[: len(d) // 2],
    "cut in its tail": lambda d: d[:-1],
    "garbage behind it": lambda d: d + b"x",
    "another pack behind it": lambda d: d + d,
    "a bit of a window": flipped(400),
    "a bit of a blob": lambda d: flipped(d.rindex(b"xxxxxxxx"))(d),
    "a bit of the index": flipped(-70),
    "a bit of the tail": flipped(-20),
    "head of another repository": lambda d: rewritten(d, repository=OTHER),
    "a ref to nothing": lambda d: rewritten(d, refs={"refs/heads/main": OTHER}),
    "a ref to an event": lambda d: rewritten(
        d, refs={"refs/heads/main": object_id(event(0).canonical())}
    ),
    "a ref that is no id": lambda d: rewritten(d, refs={"refs/heads/main": "../../x"}),
    "a ref that is a path": lambda d: rewritten(d, refs={"refs/heads/../../x": OTHER}),
    "a ref of control characters": lambda d: rewritten(d, refs={"refs/heads/\x1b[2J": OTHER}),
    "a head without the blob": lambda d: blocks(rewritten(d), lambda lines: lines),
    "a blob of another size": lambda d: rewritten(d, blobs=dict.fromkeys(BLOBS, 2999)),
    "a blob of another name": lambda d: rewritten(d, blobs={OTHER: 3000}).replace(b"x", b"x"),
    "a blob larger than the file": lambda d: rewritten(d, blobs=dict.fromkeys(BLOBS, 1 << 52)),
    "a blob of negative size": lambda d: rewritten(d, blobs=dict.fromkeys(BLOBS, -1)),
    "it needs what is not here": lambda d: rewritten(d, requires=[OTHER]),
    "it needs what is no id": lambda d: rewritten(d, requires=["../x"]),
    "an event less": lambda d: blocks(d, lambda lines: lines[:-1]),
    "an event twice": lambda d: blocks(d, lambda lines: [*lines, lines[0]]),
    "events in another order": lambda d: blocks(d, lambda lines: lines[::-1]),
    "an event that is not canonical": lambda d: blocks(
        d, lambda lines: [lines[0].replace(b'{"', b'{ "', 1), *lines[1:]]
    ),
    "a head that nests": lambda d: checked(b"head", b"[" * 100_000) + d,
    "a head of another format": lambda d: checked(b"head", encode({"format": 9})) + d,
    "a head with a member": lambda d: checked(
        b"head", encode({"format": 1, "path": "/etc", "repository": OTHER})
    ),
    "two heads": lambda d: encode_head(PackHead(OTHER)) + d,
    "a blob in front": lambda d: next(encode_pieces([b"x"])) + d,
    "a zstd bomb": lambda d: hostile.frame(bytes(1 << 26), level=19) + d,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_sound_is_refused(name: str, tmp_path: Path) -> None:
    good, path = tmp_path / "good.evpack", tmp_path / "bad.evpack"
    with new(tmp_path / "source") as source, cloned(source, tmp_path / "copy") as copy:
        sizes = dict(source.write_blob(io.BytesIO(b)) for b in BLOBS.values())
        source.append(events(0, 20, streams=3))
        source.append([*events(20, 30, streams=3), event(31, blobs=sizes)])
        bundled(source, good)
        if name == "a blob of another name":
            name = "a blob of another size"
        path.write_bytes(HOSTILE[name](good.read_bytes()))
        around = sorted(tmp_path.rglob("*"))
        before = copy.refs(""), copy.history.end(), list(copy.operations())
        with pytest.raises(EvgitError) as refused:
            fetch_bundle(copy, path)
        assert refused.value.exit_code in (3, 5, 7)
        assert refused.value.message.isprintable()
        with pytest.raises(EvgitError):
            clone(str(path), tmp_path / "none", using=USING, bare=True)
        if name != "it needs what is not here":
            with pytest.raises(EvgitError):
                verify_bundle(path, copy.store, Clock())
        now = copy.refs(""), copy.history.end(), list(copy.operations())
        if isinstance(refused.value, UnknownObject) or "blob" in name:
            assert now[0] == before[0]  # what events need came too late: no ref has moved
        else:
            assert now == before
        left = [p for p in tmp_path.rglob("*") if p not in around]
        assert {p.name for p in left} <= {"incoming", "evgit.db-wal", "evgit.db-shm"}
        assert copy.fsck().clean or "blob" in name


def test_a_pipe_is_not_waited_for(source: Repository, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(EvgitError):
        fetch_bundle(source, tmp_path / "pipe")


def test_what_is_known_here_is_compared(source: Repository, tmp_path: Path) -> None:
    """`fetch` passes over what is here; `verify` says that it lies."""
    data = bundled(source, tmp_path / "a.evpack").read_bytes()
    before = source.resolve_commit("main~1")
    reader = PackReader(io.BytesIO(data).read)
    found = [p for window in reader.windows() for p in window.pieces()]
    path = tmp_path / "b.evpack"
    with path.open("wb") as file:
        refs = {"refs/heads/main": source.resolve_commit()}
        writer = PackWriter(file.write, PackHead(source.id, refs, [before]))
        other = Event(stream="x", type="t", data=1, time="2026-01-01T00:00:00.000000Z")
        writer.add_block([other.canonical(), *found[-1][0][1:]], found[-1][1] or b"")
        writer.finish()
    with pytest.raises(InvalidObject, match="other events"):
        verify_bundle(path, source.store, Clock())


def test_only_a_bundle_is_replaced(source: Repository, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    (tmp_path / "link").symlink_to("letter.txt")
    source.gc()
    pack = next(source.layout.packs.glob("*.evpack"))
    (tmp_path / "pack").write_bytes(pack.read_bytes())
    for name in ("letter.txt", "link", "pack"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(AlreadyExists, match="is no bundle") as refused:
            bundled(source, tmp_path / name)
        assert "another name" in refused.value.hint
        assert (tmp_path / name).read_bytes() == before
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "source", "source/evgit.db", "source/new", "source/packs/" + pack.name):
        with pytest.raises(UsageError):
            bundled(source, tmp_path / name)
    assert source.fsck().clean
    (tmp_path / "stick").symlink_to("real.evpack")
    for _ in range(2):
        bundled(source, tmp_path / "stick")
        assert (tmp_path / "stick").is_symlink()
        assert read_bundle(tmp_path / "real.evpack").refs
    (tmp_path / "ring").symlink_to("ring")
    with pytest.raises(EvgitError):
        bundled(source, tmp_path / "ring")
    tree = Repository.init(tmp_path / "tree", author="Ada <a@example.org>")
    tree.close()
    with pytest.raises(UsageError, match="inside the repository"):
        bundled(source, tmp_path / "tree" / ".evgit" / "new.evpack")
