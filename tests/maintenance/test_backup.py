"""Backups: what is restored is what there was at one moment, whatever went on, whoever was killed;
and a backup that is not sound becomes no repository."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given, settings, strategies as st

from evgit.errors import (
    AlreadyExists,
    BehindBoundary,
    Conflict,
    Damage,
    EvgitError,
    InvalidObject,
    NotFound,
    UnsupportedFormat,
    UsageError,
)
from evgit.formats import canonical
from evgit.formats.backup_list import FILE_NAME, BackupList, decode_list, encode_list
from evgit.maintenance import backup
from evgit.maintenance.backup import Subject, back_up
from evgit.repository import Repository, clone, publish, restore
from tests import independent_reader
from tests.history.making import Clock, event, events, ids, new
from tests.sync.making import USING, Step, cloned, fetched, grow, steps, tracked
from tests.sync.test_bundles import bundled, fetch_bundle


def seen(repository: Repository) -> object:
    """All that a backup must bring back."""
    return (
        repository.id,
        repository.refs(""),
        list(repository.operations()),
        sorted(repository.blobs.all()),
        repository.history.end()[0],
        {ref.name: ids(repository, ref.target) for ref in repository.refs("refs/heads/")},
        repository.layout.config.read_text() if repository.layout.config.exists() else "",
    )


def subject(repository: Repository) -> Subject:
    return Subject(
        repository.history,
        repository.blobs,
        repository.layout,
        repository.id,
        repository.clock(),
    )


def files(directory: Path) -> set[str]:
    return {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Repository]:
    with new(tmp_path / "source") as repository:
        blob_id, size = repository.write_blob(io.BytesIO(b"b" * 70_000))
        repository.append(events(0, 50, streams=5))
        repository.append([*events(50, 60, streams=5), event(61, blobs={blob_id: size})])
        yield repository


@settings(max_examples=10)
@given(steps("gc"), steps("gc"), st.booleans())
def test_what_comes_back_is_what_there_was(
    first: list[Step], second: list[Step], full: bool
) -> None:
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        if full:
            patch.setattr(backup, "FULL_LINES", 5)
        place, clock = Path(directory), Clock()
        with new(place / "source", clock) as source:
            grow(source, clock, first)
            source.append([event(500, "gone")])
            source.branches.undo()  # blocks that no ref leads to
            begun = source.back_up(place / "b")
            before = files(place / "b" / "packs")
            source.write_blob(io.BytesIO(b"small"))
            grow(source, clock, second)
            report = source.back_up(place / "b")
            assert not report.full
            assert before <= files(place / "b" / "packs")
            copy, checked = restore(place / "b", place / "copy")
            with copy:
                assert checked.clean
                assert checked.events == begun.events + report.events
                assert seen(copy) == seen(source)
                assert copy.history.line_of_event(event(500, "gone").id) is not None
                assert independent_reader.read(place / "copy").problems == []
                copy.append([event(900)])
                copy.gc()
                assert copy.fsck().clean


def test_only_what_is_new_is_written(source: Repository, tmp_path: Path) -> None:
    target = tmp_path / "b"
    first = source.back_up(target)
    assert (first.full, first.commits, first.events, first.blobs, first.packs) == (
        True, 3, 61, 1, 1,
    )  # fmt: skip
    again = source.back_up(target)
    assert (again.full, again.commits, again.blobs, again.packs) == (False, 0, 0, 0)
    source.gc()
    source.append(events(70, 73))
    source.config.set("user.name", "Ada")
    more = source.back_up(target)
    assert (more.full, more.commits, more.events, more.packs, more.lines) == (False, 1, 3, 1, 68)
    assert len(files(target / "packs")) == 2
    assert len(files(target / "state")) == 1
    with restore(target, tmp_path / "copy")[0] as copy:
        assert seen(copy) == seen(source)
        assert copy.back_up(target).full  # another database, though the same until now
    assert source.back_up(target).full
    assert source.back_up(target, full=True).full
    assert len(files(target / "packs")) == 1


def test_what_can_t_be_written_can_be_backed_up(source: Repository, tmp_path: Path) -> None:
    source.append(events(70, 75))
    source._connection.execute("PRAGMA query_only=1")
    assert source.back_up(tmp_path / "b").full
    assert source.back_up(tmp_path / "b").full
    with restore(tmp_path / "b", tmp_path / "copy")[0] as copy:
        assert seen(copy) == seen(source)


def test_what_is_missing_there_is_written_anew(source: Repository, tmp_path: Path) -> None:
    source.back_up(tmp_path / "b")
    for path in (tmp_path / "b" / "packs").iterdir():
        path.unlink()
    assert source.back_up(tmp_path / "b").full
    restore(tmp_path / "b", tmp_path / "copy")[0].close()


def test_remote_refs_and_a_working_tree_come_back(tmp_path: Path) -> None:
    with (
        Repository.init(tmp_path / "a", author="Ada <a@example.org>", clock=Clock()) as source,
        cloned(source, tmp_path / "bare") as bare,
    ):
        source.append(events(0, 9))
        fetched(bare, source)
        bare.back_up(tmp_path / "b1")
        source.back_up(tmp_path / "b2.tar")
        with restore(tmp_path / "b1", tmp_path / "c1")[0] as copy:
            assert copy.refs("refs/remotes/") == bare.refs("refs/remotes/") != []
            assert copy.layout.worktree is None
        with restore(tmp_path / "b2.tar", tmp_path / "c2")[0] as copy:
            assert copy.layout.worktree == tmp_path / "c2"
            assert seen(copy) == seen(source)


def test_what_gc_has_dropped_is_in_no_new_backup(source: Repository, tmp_path: Path) -> None:
    secret = event(500, "secret")
    head = source.resolve_commit()
    source.branches.create("b", head)
    source.append([secret], branch="b")
    source.append(events(70, 75))
    source.branches.delete("b", force=True)
    source.back_up(tmp_path / "b")
    clock = source.clock
    assert isinstance(clock, Clock)
    clock.now += 91 * 86_400_000_000
    source.append(events(76, 77))
    assert source.upkeep.gc(keep="now").pruned_commits == 1
    assert source.back_up(tmp_path / "b").full
    with restore(tmp_path / "b", tmp_path / "copy")[0] as copy:
        assert seen(copy) == seen(source)
        assert copy.history.line_of_event(secret.id) is None
        assert independent_reader.read(tmp_path / "copy").problems == []
    source.append(events(80, 85))
    assert not source.back_up(tmp_path / "b").full
    with restore(tmp_path / "b", tmp_path / "later")[0] as copy:
        assert seen(copy) == seen(source)
        copy.append(events(90, 95))
        copy.gc(aggressive=True)
        assert copy.fsck().clean


def test_one_file_is_replaced_when_the_new_one_is_whole(source: Repository, tmp_path: Path) -> None:
    target = tmp_path / "b.tar"
    source.back_up(target)
    before = target.read_bytes()
    with tarfile.open(target) as tar:
        assert FILE_NAME in tar.getnames()
    source.append(events(80, 83))

    def fail(name: str) -> None:
        if name == "state":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(subject(source), target, step=fail)
    assert target.read_bytes() == before
    source.back_up(target)
    with restore(target, tmp_path / "copy")[0] as copy:
        assert seen(copy) == seen(source)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.tar", "copy", "source"]


def test_it_is_one_moment_while_writers_go_on(source: Repository, tmp_path: Path) -> None:
    before = seen(source)
    number = iter(range(1000, 10_000))
    with Repository.open(source.layout.directory, author="Bob <b@example.org>") as other:

        def write(*_: object) -> None:
            other.append([event(next(number))])
            other.branches.create(f"b{next(number)}", other.resolve_commit())

        write()
        before = seen(source)
        back_up(subject(source), tmp_path / "b", progress=write, step=write)
        assert seen(source) != before
        with restore(tmp_path / "b", tmp_path / "copy")[0] as copy:
            assert seen(copy) == before
        other.gc()
        assert not source.back_up(tmp_path / "b").full
        with restore(tmp_path / "b", tmp_path / "later")[0] as copy:
            assert seen(copy) == seen(source)


@pytest.mark.parametrize("stop", ["packs", "blobs", "state", "list"])
def test_the_one_before_stands_until_the_new_one_does(
    stop: str, source: Repository, tmp_path: Path
) -> None:
    target = tmp_path / "b"
    source.back_up(target)
    before = seen(source)
    source.write_blob(io.BytesIO(b"c" * 80_000))
    source.append(events(80, 83))

    def fail(name: str) -> None:
        if name == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(subject(source), target, full=True, step=fail)
    with restore(target, tmp_path / "copy")[0] as copy:
        assert seen(copy) == (seen(source) if stop == "list" else before)
    source.back_up(target)
    with restore(target, tmp_path / "later")[0] as copy:
        assert seen(copy) == seen(source)


def test_killed_at_any_moment_one_can_be_restored(source: Repository, tmp_path: Path) -> None:
    target = tmp_path / "b"
    source.back_up(target)
    states = [seen(source)]
    words = [sys.executable, "-m", "evgit", "-C", str(source.layout.directory), "backup"]
    started = time.monotonic()
    subprocess.run([*words, str(tmp_path / "first")], check=True, capture_output=True)
    whole = time.monotonic() - started
    for number in range(6):
        source.append(events(100 + 10 * number, 105 + 10 * number, streams=3))
        states.append(seen(source))
        process = subprocess.Popen([*words, "-q", "--full", str(target)], stderr=subprocess.DEVNULL)
        try:
            process.wait(whole * (number + 3) / 8)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        with restore(target, tmp_path / f"copy{number}")[0] as copy:
            assert seen(copy) in states
    source.back_up(target)
    assert not [name for name in files(target) if "partial" in name]
    with restore(target, tmp_path / "last")[0] as copy:
        assert seen(copy) == seen(source)


def test_a_place_of_something_else_is_left_alone(source: Repository, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match=r"letter\.txt"):
        source.back_up(tmp_path / "home")
    with pytest.raises(UsageError, match="inside the repository"):
        source.back_up(source.layout.directory / "b")
    source.back_up(tmp_path / "b")
    with new(tmp_path / "other") as other, pytest.raises(Conflict, match="another repository"):
        other.back_up(tmp_path / "b")
    with pytest.raises(AlreadyExists):
        restore(tmp_path / "b", tmp_path / "home")
    with pytest.raises(AlreadyExists):
        restore(tmp_path / "b", source.layout.directory)


def test_only_a_backup_of_the_same_is_replaced_by_a_file(
    source: Repository, tmp_path: Path
) -> None:
    (tmp_path / "letter.tar").write_text("dear")
    with tarfile.open(tmp_path / "own.tar", "w") as tar:
        tar.add(tmp_path / "letter.tar")
    with new(tmp_path / "other") as other:
        other.back_up(tmp_path / "theirs.tar")
        other.back_up(tmp_path / "theirs")
    (tmp_path / "link.tar").symlink_to("letter.tar")
    for name in ("letter.tar", "own.tar", "theirs.tar", "link.tar"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(Conflict) as refused:
            source.back_up(tmp_path / name)
        assert "another name" in refused.value.hint
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(Conflict, match="another repository"):
        source.back_up(tmp_path / "theirs", full=True)
    os.mkfifo(tmp_path / "pipe.tar")
    inside = ("source", "source/evgit.db", "source/new.tar")
    for name in ("pipe.tar", "new.tar.gz", "new.zip", *inside):
        with pytest.raises(UsageError):
            source.back_up(tmp_path / name)
    assert source.fsck().clean
    (tmp_path / "disk.tar").symlink_to("real.tar")
    for _ in range(2):
        source.back_up(tmp_path / "disk.tar")
        assert (tmp_path / "disk.tar").is_symlink()
    with restore(tmp_path / "real.tar", tmp_path / "copy")[0] as copy:
        assert seen(copy) == seen(source)


@pytest.mark.parametrize("name", ["b", "b.tar"])
def test_a_newer_backup_is_not_replaced_by_an_older_copy(
    name: str, source: Repository, tmp_path: Path
) -> None:
    copytree(source.layout.directory, tmp_path / "older")
    source.append(events(70, 75))
    source.back_up(tmp_path / name)
    with Repository.open(tmp_path / "older", author="Ada <a@example.org>") as older:
        for full in (False, True):
            with pytest.raises(Conflict, match=source.resolve_commit()[:12]) as refused:
                older.back_up(tmp_path / name, full=full)
            assert "--force" in refused.value.hint
        older.append([event(90)])
        with pytest.raises(Conflict, match="newer"):
            older.back_up(tmp_path / name)
        with restore(tmp_path / name, tmp_path / "copy")[0] as copy:
            assert seen(copy) == seen(source)
        older.back_up(tmp_path / name, force=True)
        with restore(tmp_path / name, tmp_path / "later")[0] as copy:
            assert seen(copy) == seen(older)


def test_what_was_moved_back_here_is_no_newer_backup(source: Repository, tmp_path: Path) -> None:
    source.branches.create("b", source.resolve_commit())
    source.append([event(500, "gone")], branch="b")
    source.append(events(70, 75))
    for name in ("b", "b.tar"):
        source.back_up(tmp_path / name)
    source.branches.delete("b", force=True)
    source.branches.undo()
    source.branches.undo()
    for name in ("b", "b.tar"):
        source.back_up(tmp_path / name)


# ---------------------------------------------------------------- backups that are not sound
def only(directory: Path) -> Path:
    (found,) = (p for p in directory.rglob("*") if p.is_file())
    return found


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def listed(target: Path, **changes: object) -> None:
    members = canonical.parse((target / FILE_NAME).read_bytes())
    assert isinstance(members, dict)
    del members["checksum"]  # which is compared before anything else
    (target / FILE_NAME).write_bytes(canonical.encode(members | changes) + b"\n")  # type: ignore[arg-type]


def pack_entry(target: Path, **changes: object) -> None:
    members = canonical.parse((target / FILE_NAME).read_bytes())
    listed(target, packs=[members["packs"][0] | changes])  # type: ignore[index,call-overload]


def linked(path: Path) -> None:
    moved = path.parent.parent / "moved"
    path.rename(moved)
    path.symlink_to(moved)


OTHER = "ab" * 32
SPOILT: dict[str, Callable[[Path], object]] = {
    "no list": lambda b: (b / FILE_NAME).unlink(),
    "an empty list": lambda b: (b / FILE_NAME).write_bytes(b""),
    "a list that nests": lambda b: (b / FILE_NAME).write_bytes(b"[" * 100_000),
    "a bit of the list": lambda b: flipped(b / FILE_NAME, 20),
    "a newer format": lambda b: listed(b, format=2),
    "another repository": lambda b: listed(b, repository=OTHER),
    "fewer commits": lambda b: listed(b, commits=2),
    "another last commit": lambda b: listed(b, last=OTHER),
    "a pack named by a path": lambda b: pack_entry(b, name="../../x"),
    "a pack of other lines": lambda b: pack_entry(b, lines=9),
    "lines that are missing": lambda b: pack_entry(b, first_line=1),
    "a pack of another time": lambda b: pack_entry(b, latest="yesterday"),
    "no packs": lambda b: listed(b, packs=[]),
    "a state named by a path": lambda b: listed(b, state="../x"),
    "a pack is gone": lambda b: only(b / "packs").unlink(),
    "a state is gone": lambda b: only(b / "state").unlink(),
    "a blob is gone": lambda b: only(b / "blobs").unlink(),
    "a bit of a pack": lambda b: flipped(only(b / "packs"), 500),
    "a bit of a state": lambda b: flipped(only(b / "state"), 50),
    "a bit of a blob": lambda b: flipped(only(b / "blobs"), 50),
    "a pack that is a link": lambda b: linked(only(b / "packs")),
    "a pack that is cut": lambda b: only(b / "packs").write_bytes(
        only(b / "packs").read_bytes()[:-9]
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_not_sound_becomes_no_repository(
    name: str, source: Repository, tmp_path: Path
) -> None:
    source.back_up(tmp_path / "b")
    SPOILT[name](tmp_path / "b")
    with pytest.raises(EvgitError) as refused:
        restore(tmp_path / "b", tmp_path / "copy")
    assert refused.value.exit_code in (3, 5, 6, 7)
    if name.startswith(("a bit of", "an empty list", "a pack that is cut")) or "is gone" in name:
        assert refused.value.exit_code == 6
        assert re.search(r"packs/|state/|blobs/|evgit-backup\.json", refused.value.message)
        assert refused.value.hint
    assert not (tmp_path / "copy").exists()


def test_any_flipped_bit_of_the_list_is_noticed(source: Repository, tmp_path: Path) -> None:
    source.back_up(tmp_path / "b")
    path = tmp_path / "b" / FILE_NAME
    data = path.read_bytes()
    for at in range(len(data) - 1):
        for bit in (1, 4, 32):
            changed = bytearray(data)
            changed[at] ^= bit
            with pytest.raises((InvalidObject, UnsupportedFormat)):
                decode_list(bytes(changed))


def test_a_tar_file_that_is_cut_short_is_damage(source: Repository, tmp_path: Path) -> None:
    target = tmp_path / "b.tar"
    source.back_up(target)
    data = target.read_bytes()
    for size in (2000, len(data) // 3, len(data) // 2):
        target.write_bytes(data[:size])
        with pytest.raises(Damage, match=r"b\.tar"):
            restore(target, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()


def test_what_is_no_backup_is_named(source: Repository, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nope"):
        with pytest.raises(NotFound, match=f"{name} is no backup"):
            restore(tmp_path / name, tmp_path / "copy")


def test_a_file_that_is_no_backup(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"x" * 5000)
    with pytest.raises(InvalidObject, match="not the backup"):
        restore(tmp_path / "x.tar", tmp_path / "copy")
    with tarfile.open(tmp_path / "y.tar", "w") as tar:
        info = tarfile.TarInfo("../../outside")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(NotFound, match="is no backup"):
        restore(tmp_path / "y.tar", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_an_attempt_that_was_killed_is_begun_anew(source: Repository, tmp_path: Path) -> None:
    source.back_up(tmp_path / "b")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "unfinished").touch()
    (tmp_path / "copy" / "packs").mkdir()
    with restore(tmp_path / "b", tmp_path / "copy")[0] as copy:
        assert seen(copy) == seen(source)


def test_damage_is_not_backed_up_in_silence(source: Repository, tmp_path: Path) -> None:
    source.back_up(tmp_path / "b")
    before = files(tmp_path / "b")
    source._connection.execute("UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line>0")
    with pytest.raises(Damage):
        source.back_up(tmp_path / "b", full=True)
    assert files(tmp_path / "b") == before


def test_the_list_in_bytes() -> None:
    line = (
        '{"bare":true,"commits":3,"format":1,"kind":"backup","last":"' + OTHER + '","of":"m",'
        '"packs":[{"bytes":813,"first_line":0,"latest":"2026-11-23T13:04:27.200512Z","lines":5,'
        '"name":"' + OTHER + '"}],"repository":"' + OTHER + '","state":"' + OTHER + '",'
        '"time":"2026-11-23T13:04:31.449075Z"}\n'
    ).encode()
    found = decode_list(line)
    assert isinstance(found, BackupList)
    checksum = blake3(line.rstrip()).hexdigest().encode()
    written = line.replace(b'"commits"', b'"checksum":"' + checksum + b'","commits"')
    assert encode_list(found) == written
    assert checksum.startswith(b"b2a638f4dd3")
    assert msgspec.structs.replace(decode_list(written), checksum="") == found
    assert encode_list(decode_list(written)) == written
    assert found.lines == 5
    with pytest.raises(UnsupportedFormat):
        decode_list(line.replace(b'"format":1', b'"format":2'))


def test_a_shallow_repository_comes_back_shallow(source: Repository, tmp_path: Path) -> None:
    source.append(events(70, 90, streams=5))
    address = str(source.layout.directory)
    copy, _ = clone(address, tmp_path / "shallow", using=USING, bare=True, depth=1)
    with copy:
        state = copy.builtin_states.at(copy.log("main")).root
        copy.append(events(95, 97))
        copy.back_up(tmp_path / "b")
        with restore(tmp_path / "b", tmp_path / "copy")[0] as again:
            assert again.boundaries == copy.boundaries != []
            assert ids(again) == ids(copy)
            assert again.builtin_states.at(again.log("main~1")).root == state
            assert again.fsck().problems == []
        with pytest.raises(BehindBoundary, match="shallow"):
            publish(copy.store, tmp_path / "web")
        for place in (tmp_path / "whole", tmp_path / "whole.tar"):
            source.back_up(place)
            with pytest.raises(Conflict, match="shallow"):
                copy.back_up(place)
            source.back_up(place)  # it is still that of the whole one
            copy.back_up(place, force=True)
            copy.append(events(97 + len(place.name), 98 + len(place.name)))
            copy.back_up(place)
        with pytest.raises(BehindBoundary, match="shallow"):
            bundled(copy, tmp_path / "x.evpack")
        boundary = copy.boundaries[0].id
        bundled(copy, tmp_path / "x.evpack", None, [boundary])
        fetch_bundle(source, tmp_path / "x.evpack")
        assert tracked(source)["main"] == copy.resolve_commit()
