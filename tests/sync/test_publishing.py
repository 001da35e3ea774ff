"""Published directories: always the old whole or the new whole; from disk or a plain web server,
and nothing in them is believed."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import pytest
from blake3 import blake3
from hypothesis import given, settings, strategies as st

from evgit.errors import (
    AccessDenied,
    Conflict,
    EvgitError,
    InvalidObject,
    NotARepository,
    TransferInterrupted,
    UnknownObject,
    UnsupportedFormat,
    UsageError,
)
from evgit.formats import canonical
from evgit.formats.published_list import FILE_NAME, PublishedList, decode_list, encode_list
from evgit.formats.tag import Tag
from evgit.repository import PushedRef, Remote, Repository, clone, publish, refs_at
from evgit.sync import publishing
from evgit.sync.published import DirectoryPlace
from evgit.sync.transports.http_files import HttpPlace
from tests import independent_reader
from tests.history.making import Clock, event, events, ids, new
from tests.sync.file_servers import Elsewhere, Endless, Packed, Plain, Ranged, files_served
from tests.sync.making import USING, Step, cloned, grow, heads, steps, tracked


def fetch_from(target: Repository, address: object):  # type: ignore[no-untyped-def]
    return target.sync(USING).fetch(Remote("origin", str(address)))


def clone_of(address: object, path: Path) -> Repository:
    return clone(str(address), path, using=USING, bare=True)[0]


def packs(directory: Path) -> set[str]:
    return {path.name for path in (directory / "packs").glob("*.evpack")}


def list_of(directory: Path) -> PublishedList:
    return decode_list((directory / FILE_NAME).read_bytes())


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Repository]:
    with new(tmp_path / "source") as repository:
        repository.append(events(0, 50, streams=5))
        repository.append(events(50, 60, streams=5))
        yield repository


@settings(max_examples=10)
@given(steps("gc"), steps("gc"), st.integers(1, 3), st.booleans())
def test_who_fetches_now_and_then_has_it_all(
    first: list[Step], second: list[Step], most: int, full: bool
) -> None:
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "SMALL_PACKS", most)
        patch.setattr(publishing, "FULL_LINES", 5 if full else 1 << 20)
        place, clock = Path(directory), Clock()
        with new(place / "source", clock) as source:
            grow(source, clock, first)
            publish(source.store, place / "web")
            copy = clone_of(place / "web", place / "copy")
            for half in (second[::2], second[1::2]):
                grow(source, clock, half)
                before = {f"{pack.name}.evpack" for pack in list_of(place / "web").packs}
                publish(source.store, place / "web")
                assert before <= packs(place / "web")
                fetch_from(copy, place / "web")
                assert tracked(copy) == heads(source)
            assert publish(source.store, place / "web").packs_written == 0
            late = clone_of(place / "web", place / "late")
            for name, commit in heads(source).items():
                assert ids(copy, commit) == ids(late, commit) == ids(source, name)
            assert copy.fsck().clean
            assert late.fsck().clean
            copy.close()
            late.close()
            for pack in list_of(place / "web").packs:
                data = (place / "web" / "packs" / f"{pack.name}.evpack").read_bytes()
                assert independent_reader.read_pack(data).name == pack.name


def test_only_what_is_new_is_written(source: Repository, tmp_path: Path) -> None:
    web = tmp_path / "web"
    blob_id, size = source.write_blob(io.BytesIO(b"b" * 70_000))
    source.append([event(70, blobs={blob_id: size})])
    first = publish(source.store, web)
    assert (first.commits, first.events, first.blobs, first.packs) == (4, 61, 1, 1)
    again = publish(source.store, web)
    assert (again.commits, again.blobs, again.packs_written, again.packs) == (0, 0, 0, 1)
    source.append(events(80, 83))
    tag = Tag(
        name="v1",
        target=source.resolve_commit(),
        tagger="A",
        message="1\n",
        time="2026-01-01T00:00:00.000000Z",
    )
    source.branches.write_tag(tag)
    source.branches.create_tag("v1", tag.id)
    second = publish(source.store, web)
    assert (second.commits, second.events, second.blobs, second.packs) == (1, 3, 0, 2)
    copy = clone_of(web, tmp_path / "copy")
    assert copy.resolve_commit("v1") == source.resolve_commit()
    assert b"".join(copy.store.blobs.chunks(blob_id)) == b"b" * 70_000
    source.branches.create_tag("v2", tag.id)
    late = Tag(
        name="v3",
        target=source.resolve_commit("main~1"),
        tagger="A",
        message="3\n",
        time="2026-01-01T00:00:00.000000Z",
    )
    source.branches.write_tag(late)
    source.branches.create_tag("v3", late.id)
    assert publish(source.store, web).commits == 0
    assert {move.remote_ref[-2:] for move in fetch_from(copy, web).moves} == {"v2", "v3"}
    assert copy.resolve_commit("v3") == source.resolve_commit("main~1")
    assert copy.fsck().clean
    copy.close()
    anew = publish(source.store, web, anew=True)
    assert (anew.commits, anew.packs) == (5, 1)
    assert len(packs(web)) > 1  # the old ones are for who reads now
    source.append(events(90, 91))
    publish(source.store, web)
    assert len(packs(web)) == 2


def test_what_no_branch_or_tag_leads_to_stays_at_home(source: Repository, tmp_path: Path) -> None:
    secret = event(99, data={"secret": "s3cret"})
    source.append([secret])
    source.branches.undo()
    publish(source.store, tmp_path / "web")
    with clone_of(tmp_path / "web", tmp_path / "copy") as copy:
        assert copy.history.line_of_event(secret.id) is None


def test_who_reads_has_the_old_or_the_new(source: Repository, tmp_path: Path) -> None:
    """Publishing that is interrupted after any of its steps, and a reader of any list so far."""
    web = tmp_path / "web"
    publish(source.store, web)

    class Stop(Exception):
        pass

    for number, stop in enumerate(("packs", "blobs", "list")):
        source.append(events(100 + number * 10, 105 + number * 10))

        def step(name: str, stop: str = stop) -> None:
            if name == stop:
                raise Stop

        with pytest.raises(Stop):
            publish(source.store, web, anew=True, step=step)
        with clone_of(web, tmp_path / f"copy{number}") as copy:
            expected = source.resolve_commit("main" if stop == "list" else "main~1")
            assert tracked(copy)["main"] == expected
        old = (web / FILE_NAME).read_bytes()
        publish(source.store, web, anew=True)
        new_list = (web / FILE_NAME).read_bytes()
        (web / FILE_NAME).write_bytes(old)  # as a reader has it who began before
        with clone_of(web, tmp_path / f"old{number}") as copy:
            assert copy.fsck().clean
        (web / FILE_NAME).write_bytes(new_list)


def test_killed_at_any_moment_something_whole_is_published(
    source: Repository, tmp_path: Path
) -> None:
    web = tmp_path / "web"
    words = [sys.executable, "-m", "evgit", "-C", str(source.layout.directory), "gc", "-q"]
    started = time.monotonic()
    subprocess.run([*words, "--publish", str(web)], check=True, capture_output=True)
    whole = time.monotonic() - started
    published = {source.resolve_commit()}
    for number in range(5):
        source.append(events(100 + 10 * number, 105 + 10 * number, streams=3))
        published.add(source.resolve_commit())
        process = subprocess.Popen(
            [*words, "--aggressive", "--publish", str(web)], stderr=subprocess.DEVNULL
        )
        try:
            process.wait(whole * (number + 3) / 7)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with clone_of(web, tmp_path / f"copy{number}") as copy:
            assert tracked(copy)["main"] in published
            assert copy.fsck().clean
    source.append(events(200, 205))
    publish(source.store, web)
    publish(source.store, web)
    assert not [path for path in web.rglob("*") if "partial" in path.name]
    with clone_of(web, tmp_path / "last") as copy:
        assert tracked(copy) == heads(source)


def test_a_directory_of_something_else_is_left_alone(source: Repository, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match=r"letter\.txt"):
        publish(source.store, tmp_path / "home")
    with pytest.raises(UsageError, match="inside the repository"):
        publish(source.store, source.layout.directory / "web")
    publish(source.store, tmp_path / "web")
    with new(tmp_path / "other") as other, pytest.raises(Conflict, match="another repository"):
        publish(other.store, tmp_path / "web")


# ---------------------------------------------------------------- over http
@pytest.mark.parametrize("kind", [Plain, Ranged])
def test_any_web_server_will_do(kind: type[Plain], source: Repository, tmp_path: Path) -> None:
    web = tmp_path / "web"
    blob_id, size = source.write_blob(io.BytesIO(b"b" * 300_000))
    source.append([event(70, blobs={blob_id: size})])
    publish(source.store, web)
    with files_served(tmp_path, kind) as (url, asked):
        address = f"{url}/web"
        assert refs_at(address, USING).refs == {"refs/heads/main": source.resolve_commit()}
        with clone_of(address, tmp_path / "copy") as copy:
            assert b"".join(copy.store.blobs.chunks(blob_id)) == b"b" * 300_000
            source.append(events(80, 83))
            publish(source.store, web)
            asked.clear()
            done = fetch_from(copy, address)
            assert (done.commits, done.events) == (1, 3)
            assert sum("evpack" in line for line in asked) == 1
            assert fetch_from(copy, address).moves == []
            assert copy.fsck().clean
            assert list(copy.layout.incoming.iterdir()) == []
            copy.append(events(85, 86))
            with pytest.raises(AccessDenied, match="only be read"):
                copy.sync(USING).push(
                    Remote("origin", address), [PushedRef("refs/heads/main", "refs/heads/x")]
                )
        with pytest.raises(NotARepository):
            clone_of(f"{url}/nothing", tmp_path / "none")


def test_an_interrupted_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with new(tmp_path / "source") as source:
        for n in range(4):
            source.append(events(n * 2000, n * 2000 + 2000, streams=9))
        publish(source.store, tmp_path / "web")
        (size,) = (p.stat().st_size for p in (tmp_path / "web" / "packs").iterdir())

        class Short(Ranged):
            cut_after = (size - 1) // 4  # so that four of them never are all of it

        with files_served(tmp_path / "web", Short) as (url, asked):
            tries = 0
            while True:
                tries += 1
                try:
                    copy = clone_of(url, tmp_path / "copy")
                    break
                except TransferInterrupted:
                    assert tries < 9
            starts = [int(line.split()[-1]) for line in asked if "evpack" in line]
            assert tries == len(starts) == 5
            assert starts == [n * Short.cut_after for n in range(5)]
        with copy:
            assert tracked(copy) == heads(source)
            assert copy.fsck().clean


@pytest.mark.parametrize(
    ("kind", "error"),
    [(Elsewhere, UsageError), (Packed, InvalidObject), (Endless, InvalidObject)],
)
def test_a_server_that_misbehaves(
    kind: type[Plain], error: type[Exception], source: Repository, tmp_path: Path
) -> None:
    publish(source.store, tmp_path / "web")
    with files_served(tmp_path / "web", kind) as (url, _), pytest.raises(error):
        refs_at(url, USING)


# ---------------------------------------------------------------- hostile ones
Spoil = Callable[[Path], object]


def pack_of(web: Path) -> Path:
    (found,) = (web / "packs").iterdir()
    return found


def listed(web: Path, **changes: object) -> None:
    """Rewrite the list with other members."""
    members = canonical.parse((web / FILE_NAME).read_bytes())
    assert isinstance(members, dict)
    (web / FILE_NAME).write_bytes(canonical.encode(members | changes) + b"\n")  # type: ignore[arg-type]


def pack_entry(web: Path, **changes: object) -> None:
    members = canonical.parse((web / FILE_NAME).read_bytes())
    listed(web, packs=[members["packs"][0] | changes])  # type: ignore[index,call-overload]


def swapped(web: Path, data: bytes) -> None:
    """Another pack, sound in itself and honestly listed or not."""
    pack_of(web).write_bytes(data)


def renamed(web: Path, data: bytes) -> None:
    pack_of(web).unlink()
    name = blake3(data).hexdigest()
    (web / "packs" / f"{name}.evpack").write_bytes(data)
    pack_entry(web, name=name, bytes=len(data))


def linked(web: Path, name: str) -> None:
    target = web / name if name else pack_of(web)
    moved = web.parent / "moved"
    shutil.move(target, moved)
    target.symlink_to(moved)


OTHER = "ab" * 32
SPOILT: dict[str, Spoil] = {
    "no list": lambda web: (web / FILE_NAME).unlink(),
    "an empty list": lambda web: (web / FILE_NAME).write_bytes(b""),
    "a list that nests": lambda web: (web / FILE_NAME).write_bytes(b"[" * 100_000),
    "a list that is cut": lambda web: (web / FILE_NAME).write_bytes(
        (web / FILE_NAME).read_bytes()[:200]
    ),
    "a list with garbage behind": lambda web: (web / FILE_NAME).write_bytes(
        (web / FILE_NAME).read_bytes() + b"{}"
    ),
    "a list with a key twice": lambda web: (web / FILE_NAME).write_bytes(
        (web / FILE_NAME).read_bytes().replace(b'"format":1', b'"format":1,"format":1')
    ),
    "a list that is a link": lambda web: linked(web, FILE_NAME),
    "a list that is a directory": lambda web: (
        (web / FILE_NAME).unlink(),
        (web / FILE_NAME).mkdir(),
    ),
    "a newer format": lambda web: listed(web, format=2),
    "a member nobody knows": lambda web: listed(web, path="/etc/passwd"),
    "a pack named by a path": lambda web: pack_entry(web, name="../../source/evgit"),
    "a pack of another name": lambda web: pack_entry(web, name=OTHER),
    "a pack of negative size": lambda web: pack_entry(web, bytes=-1),
    "a pack of huge size": lambda web: pack_entry(web, bytes=(1 << 53) - 1),
    "a pack longer than listed": lambda web: pack_entry(web, bytes=10),
    "a pack shorter than listed": lambda web: pack_entry(web, bytes=1 << 40),
    "tips that are no ids": lambda web: pack_entry(web, tips=["../x"]),
    "tips that are known": lambda web: pack_entry(
        web,
        tips=[canonical.parse((web / FILE_NAME).read_bytes())["repository"]],  # type: ignore[index,call-overload]
    ),
    "refs to nothing": lambda web: listed(web, refs={"refs/heads/main": OTHER}),
    "refs that are paths": lambda web: listed(web, refs={"refs/heads/../../x": OTHER}),
    "refs that are no ids": lambda web: listed(web, refs={"refs/heads/main": "x"}),
    "another repository": lambda web: listed(web, repository=OTHER),
    "a pack that is gone": lambda web: pack_of(web).unlink(),
    "a pack that is a link": lambda web: linked(web, ""),
    "a pack that is a pipe": lambda web: (
        pack_of(web).rename(web.parent / "moved"),
        os.mkfifo(
            web / "packs" / f"{decode_list((web / FILE_NAME).read_bytes()).packs[0].name}.evpack"
        ),
    ),
    "a pack that is cut": lambda web: swapped(web, pack_of(web).read_bytes()[:-30]),
    "a pack with garbage behind": lambda web: swapped(web, pack_of(web).read_bytes() + b"x"),
    "a bit of a pack": lambda web: swapped(
        web, pack_of(web).read_bytes().replace(b"head", b"hebd", 1)
    ),
    "a pack swapped for another": lambda web: swapped(web, FOREIGN.read_bytes()),
    "a pack of another repository": lambda web: renamed(web, FOREIGN.read_bytes()),
    "a pack that is none": lambda web: renamed(web, b"x" * 1000),
}
FOREIGN = Path()


OVER_HTTP = (
    "no list",
    "a list that is cut",
    "a pack of another name",
    "a pack longer than listed",
    "a pack shorter than listed",
    "a pack that is gone",
    "a pack that is cut",
    "a pack with garbage behind",
    "a pack swapped for another",
)


@pytest.mark.parametrize(
    ("name", "over_http"), [*((n, False) for n in SPOILT), *((n, True) for n in OVER_HTTP)]
)
def test_what_is_not_sound_is_refused(
    name: str, over_http: bool, source: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = tmp_path / "web"
    with cloned(source, tmp_path / "copy") as copy, new(tmp_path / "other") as other:
        publish(other.store, tmp_path / "foreign")
        monkeypatch.setitem(globals(), "FOREIGN", pack_of(tmp_path / "foreign"))
        source.append(events(80, 95))
        publish(source.store, web)
        SPOILT[name](web)
        around = sorted(p for p in tmp_path.rglob("*") if p.name != "evgit.db-shm")
        before = copy.refs(""), copy.history.end(), list(copy.operations())

        def attempt(address: object) -> None:
            with pytest.raises(EvgitError) as refused:
                fetch_from(copy, address)
            assert refused.value.exit_code in (3, 5, 7), refused.value
            assert refused.value.message.isprintable()
            if name != "tips that are known":
                with pytest.raises(EvgitError):
                    clone_of(address, tmp_path / "none")

        if over_http:
            with files_served(web) as (url, _):
                attempt(url)
        else:
            attempt(web)
        assert (copy.refs(""), copy.history.end(), list(copy.operations())) == before
        left = [p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p not in around]
        left = [p for p in left if p.parts[0] != "none"]  # a clone that may go on another time
        names = {p.name for p in left if not p.match("copy/incoming/*.evpack")}
        assert names <= {"incoming", "evgit.db-wal", "evgit.db-shm"}
        assert copy.fsck().clean


def test_the_list_in_bytes() -> None:
    line = (
        '{"format":1,"gone":[],"kind":"published","packs":[{"bytes":1053,"commits":4,"events":3,'
        f'"name":"{OTHER}","tips":["{OTHER}"]}}],"refs":{{"HEAD":"ref: refs/heads/main"}},'
        f'"repository":"{OTHER}","root":"{{}}"}}\n'
    ).encode()
    found = decode_list(line)
    assert encode_list(found) == line
    assert (found.packs[0].lines, found.packs[0].tips) == (7, [OTHER])
    with pytest.raises(UnsupportedFormat):
        decode_list(line.replace(b'"format":1', b'"format":2'))


@pytest.mark.parametrize("kind", [Plain, Ranged])
def test_a_blob_goes_on_in_the_middle(
    kind: type[Plain], source: Repository, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 1000
    blob_id, size = source.write_blob(io.BytesIO(data))
    source.append([event(70, blobs={blob_id: size})])
    publish(source.store, tmp_path / "web")
    path = f"blobs/{blob_id[:2]}/{blob_id[2:]}"
    with files_served(tmp_path / "web", kind) as (url, _):
        remote, local = HttpPlace(url, None, None, None), DirectoryPlace(tmp_path / "web")
        for place in (remote, local):
            for offset in (0, 1, 100_000, size - 1):
                found, chunks = place.blob(path, offset)
                assert found == size
                assert b"".join(chunks) == data[offset:]
            with pytest.raises(UnknownObject):
                place.blob(f"blobs/00/{'0' * 62}", 0)
            place.close()


def test_what_is_newer_is_not_published_over(source: Repository, tmp_path: Path) -> None:
    copytree(source.layout.directory, tmp_path / "older")
    source.append(events(70, 75))
    publish(source.store, tmp_path / "web")
    with Repository.open(tmp_path / "older", author="Ada <a@example.org>") as older:
        older.append(events(80, 81))
        for anew in (False, True):
            with pytest.raises(Conflict, match=source.resolve_commit()[:12]) as refused:
                publish(older.store, tmp_path / "web", anew=anew)
            assert "--force" in refused.value.hint
        publish(older.store, tmp_path / "web", force=True)
        assert list_of(tmp_path / "web").refs["refs/heads/main"] == older.resolve_commit()


def test_a_branch_that_was_moved_back_is_published_so(source: Repository, tmp_path: Path) -> None:
    source.append(events(70, 75))
    publish(source.store, tmp_path / "web")
    source.branches.undo()
    publish(source.store, tmp_path / "web")
    assert list_of(tmp_path / "web").refs["refs/heads/main"] == source.resolve_commit()


def test_a_file_in_the_way_is_named(source: Repository, tmp_path: Path) -> None:
    (tmp_path / "web").write_text("dear")
    with pytest.raises(UsageError, match="web is no directory"):
        publish(source.store, tmp_path / "web")
