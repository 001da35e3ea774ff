"""Consolidating: all reads as before, for everybody, and a kill at any step loses nothing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from evgit.errors import Damage, DamagedObject, EvgitError, Locked
from evgit.maintenance import gc as gc_module, index_folding
from evgit.maintenance.gc import GcReport, gc
from evgit.repository import NewEvent, Repository
from evgit.storage import database, schema
from evgit.storage.blocks import WHOLE_READ_BYTES
from tests import independent_reader
from tests.faults.making import ids, numbered, small_history
from tests.test_independent_reader import NOW, Weaver, agrees

HOUR = 3600 * 1_000_000


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc_module, "WINDOW_LINES", 50)
    monkeypatch.setattr(index_folding, "PAGE_COMMITS", 5)
    monkeypatch.setattr(index_folding, "LEAST_COMMITS", 2)


def consolidate(
    repository: Repository,
    step: Callable[[str], None] = lambda name: None,
    *,
    later: int = 0,
    aggressive: bool = False,
) -> GcReport:
    return gc(
        repository.history,
        repository.layout,
        repository=repository.id,
        now=repository.clock() + later,
        aggressive=aggressive,
        step=step,
    )


def everything(repository: Repository) -> dict[str, object]:
    """All that there is to read, in every way."""
    found: dict[str, object] = {}
    store = repository.history.blocks
    end, _ = store.end()
    found["end"] = end
    found["lines"] = [store.line(number) for number in range(end)]
    found["entries"] = [store.entry(number)[:2] for number in range(0, end, 7)]
    found["blocks"] = [
        (entry.first_line, [line for _, some in store.decode(entry, data) for line in some])
        for entry, data in store.blocks()
    ]
    for ref in repository.refs("refs/heads/"):
        log = repository.log(ref.target)
        found[ref.name] = list(log.lines())
        found[ref.name, "part"] = list(log.lines(log.size // 3, log.size // 2))
        found[ref.name, "streams"] = [
            (s.name, [(e.revision, e.position, e.event) for e in repository.stream(s.name)])
            for s in repository.streams()
        ]
        found[ref.name, "ids"] = [repository.event(i.hex()) for i in log.ids()]
    return found


def packs_of(repository: Repository) -> list[Path]:
    return sorted(repository.layout.packs.glob("*.evpack"))


def hot_rows(repository: Repository) -> int:
    return int(
        repository.history.connection.execute("SELECT count(*) FROM blocks").fetchall()[0][0]
    )


def test_everything_reads_as_before(tmp_path: Path) -> None:
    small_history(tmp_path)
    with Repository.open(tmp_path) as repository:
        before = everything(repository)
        report = consolidate(repository)
        assert report.packs_written == len(packs_of(repository)) == 1
        assert report.packed_lines == before["end"]
        assert hot_rows(repository) == 0
        assert everything(repository) == before
        assert repository.fsck().problems == []
        repository.append(numbered(1000, 9))
        repository.append(numbered(0, 5))  # all known: found in the pack
        again = everything(repository)
        assert repository.reindex() == 7
        assert everything(repository) == again
        assert repository.fsck().problems == []
    with Repository.open(tmp_path) as repository:
        assert everything(repository) == again


def test_any_zstd_reads_a_pack(tmp_path: Path) -> None:
    small_history(tmp_path)
    with Repository.open(tmp_path) as repository:
        lines = [repository.history.blocks.line(n) for n in range(repository.history.end()[0])]
        consolidate(repository)
        (pack,) = packs_of(repository)
    with zstandard.ZstdDecompressor().stream_reader(
        pack.read_bytes(), read_across_frames=True
    ) as text:
        found = [json.loads(line) for line in text.read().splitlines()]
    expected = [json.loads(line) for line in lines]
    for each in (*found, *expected):
        each.pop("parents", None)  # said shortly where it is the line before
    assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, expected))


@pytest.mark.parametrize("seed", range(3))
def test_random_histories_with_gc_between_appends(tmp_path: Path, seed: int) -> None:
    weaver = Weaver(tmp_path, seed)
    with weaver.repository as repository, Repository.open(tmp_path) as other:
        for number in range(30):
            weaver.step()
            if weaver.random.random() < 0.3:
                before = everything(other)
                consolidate(repository, aggressive=number % 4 == 0)
                assert everything(other) == before
                assert everything(repository) == before
        agrees(repository, tmp_path)
        assert repository.fsck().problems == []
        assert packs_of(repository)


def test_small_packs_are_merged_and_large_ones_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc_module, "FULL_LINES", 200)
    with Repository.init(tmp_path, bare=True, clock=lambda: NOW) as repository:
        sizes: list[list[int]] = []
        for number in range(30):
            repository.append(numbered(20 * number, 19))
            consolidate(repository)
            sizes.append([row.lines for row in repository.history.blocks.packs.rows()])
        assert max(map(len, sizes)) < 9
        full = [lines for lines in sizes[-1] if lines >= 200]
        assert len(full) >= 2
        assert all(lines < 220 for lines in full)
        assert sum(sizes[-1]) == 30 * 20 + 1
        assert ids(repository) == [i.hex() for i in repository.log("main").ids()]
        assert repository.fsck().problems == []
        consolidate(repository, aggressive=True)
        assert [r.lines for r in repository.history.blocks.packs.rows()] == [201, 200, 200]
        assert repository.fsck().problems == []


def test_a_reader_that_was_there_before_goes_on(tmp_path: Path) -> None:
    """Whatever it remembers, whatever it is in the middle of."""
    small_history(tmp_path)
    with Repository.open(tmp_path) as writer, Repository.open(tmp_path) as reader:
        expected = everything(writer)
        reader.history.blocks.line(5)  # its block's directory is remembered now
        texts = reader.log("main").texts()
        begun = next(texts)
        batches = reader.log("main").batches()
        first = next(batches)
        consolidate(writer)
        assert begun + b"".join(texts) == b"".join(writer.log("main").texts())
        assert len(first) + sum(map(len, batches)) == writer.log("main").size
        assert reader.history.blocks.line(6) == writer.history.blocks.line(6)
        assert everything(reader) == expected


@pytest.mark.parametrize("one", [True, False])
def test_a_large_block_moves_while_its_directory_is_remembered(tmp_path: Path, one: bool) -> None:
    with Repository.init(tmp_path) as writer, Repository.open(tmp_path) as reader:
        noise = random.Random(1)
        writer.append(
            [NewEvent(f"s-{n}", "noted", {"noise": noise.randbytes(400).hex()}) for n in range(500)]
        )
        store = reader.history.blocks
        end, _ = store.end()
        expected = [writer.history.blocks.line(n) for n in range(1, end)]
        assert store.line(1) == expected[0]
        entry = store.entry(1)
        assert len(entry.frames) > 2
        assert entry.frames[-1][0] > WHOLE_READ_BYTES  # so that it is read in parts
        consolidate(writer)
        last = end - 2
        found = store.line(last) if one else store.lines(last, 1)[0]
        assert found == expected[last - 1]
        assert store.lines(1, end - 1) == expected


def test_a_large_block_that_is_lost_is_said_to_be_missing(tmp_path: Path) -> None:
    with Repository.init(tmp_path) as repository:
        noise = random.Random(1)
        repository.append(
            [NewEvent(f"s-{n}", "noted", {"noise": noise.randbytes(400).hex()}) for n in range(500)]
        )
        store = repository.history.blocks
        store.line(1)
        repository.history.connection.execute("DELETE FROM blocks WHERE first_line=1")
        with pytest.raises(DamagedObject, match="missing"):
            store.line(400)


def test_replaced_packs_live_on_for_an_hour_and_until_the_next_gc(tmp_path: Path) -> None:
    small_history(tmp_path)
    with Repository.open(tmp_path) as writer, Repository.open(tmp_path) as reader:
        consolidate(writer)
        (old,) = packs_of(writer)
        rows = reader.history.blocks.packs.rows()
        writer.append(numbered(2000, 500))
        consolidate(writer)
        assert old in packs_of(writer)
        assert len(packs_of(writer)) == 2
        consolidate(writer, later=HOUR - 1_000_000)
        assert old in packs_of(writer)
        expected = everything(writer)
        report = consolidate(writer, later=HOUR + 60_000_000)
        assert report.packs_removed == 1
        assert old not in packs_of(writer)
        assert reader.history.blocks.packs.rows() == rows  # it has not looked since
        assert everything(reader) == expected


def test_one_at_a_time(tmp_path: Path) -> None:
    small_history(tmp_path)
    with Repository.open(tmp_path) as one, Repository.open(tmp_path) as two:

        def try_another(name: str) -> None:
            with pytest.raises(Locked, match="another gc"):
                consolidate(two)

        consolidate(one, try_another)
        consolidate(two)


def test_appends_go_on_meanwhile(tmp_path: Path) -> None:
    small_history(tmp_path)
    with Repository.open(tmp_path) as one, Repository.open(tmp_path) as two:
        count = iter(range(100))
        consolidate(one, lambda name: two.append(numbered(5000 + 10 * next(count), 10)) and None)
        assert everything(one) == everything(two)
        assert hot_rows(one) > 0
        assert one.fsck().problems == []


def test_a_repository_made_before_there_were_packs(tmp_path: Path) -> None:
    history = small_history(tmp_path)
    with Repository.open(tmp_path) as repository:
        repository.history.connection.execute(
            "DROP TABLE packs; DROP TABLE commit_pages; DROP TABLE replaced_packs;"
            "PRAGMA user_version=1"
        )
    with Repository.open(tmp_path) as repository:
        assert ids(repository) == history
        repository.append(numbered(900, 3))
        assert repository.fsck().problems == []
        consolidate(repository)
        assert ids(repository)[: len(history)] == history
        assert repository.history.connection.pragma("user_version") == schema.SCHEMA_VERSION
        assert repository.fsck().problems == []


# ---------------------------------------------------------------------------- being killed

KILLED = """
import os, sys
from evgit.maintenance import gc as gc_module, index_folding
from evgit.repository import Repository
gc_module.WINDOW_LINES = 50
index_folding.PAGE_COMMITS, index_folding.LEAST_COMMITS = 5, 2
with Repository.open(sys.argv[1]) as repository:
    gc_module.gc(
        repository.history, repository.layout, repository=repository.id, now=repository.clock(),
        step=lambda name: os._exit(9) if name == sys.argv[2] else None,
    )
"""


@pytest.mark.parametrize(
    "step",
    ["cleared", "written", "verified", "swapped", "settled", "folded", "consolidated", "shrunk"],
)
def test_killed_after_a_step(tmp_path: Path, step: str) -> None:
    small_history(tmp_path)
    with Repository.open(tmp_path) as repository:
        consolidate(repository)
        repository.append(numbered(3000, 400))
        expected = everything(repository)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), step], check=False, cwd=Path.cwd()
    )
    assert done.returncode == 9
    with Repository.open(tmp_path) as repository:
        assert everything(repository) == expected
        assert repository.fsck().problems == []
        assert independent_reader.read(tmp_path).problems == []
        for pack in packs_of(repository):
            os.utime(pack, (1, 1))
        consolidate(repository)
        consolidate(repository, later=2 * HOUR)
        assert len(packs_of(repository)) == 1
        assert everything(repository) == expected


@pytest.mark.parametrize("fail_at", range(1, 9))
def test_a_write_of_the_pack_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    small_history(tmp_path)
    calls = iter(range(1, 1000))
    real = os.fsync

    def failing(descriptor: int) -> None:
        if next(calls) == fail_at:
            raise OSError(5, "Input/output error")
        real(descriptor)

    with Repository.open(tmp_path) as repository:
        expected = everything(repository)
        monkeypatch.setattr(os, "fsync", failing)
        try:
            consolidate(repository)
        except EvgitError:
            assert everything(repository) == expected
            assert repository.fsck().problems == []
        monkeypatch.setattr(os, "fsync", real)
        consolidate(repository)
        assert everything(repository) == expected
        assert not list(repository.layout.packs.glob("partial-*"))


def test_what_was_written_is_read_back_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_history(tmp_path)
    with Repository.open(tmp_path) as repository:
        expected = everything(repository)

        def spoil(name: str) -> None:
            if name == "written":
                (pack,) = packs_of(repository)
                data = bytearray(pack.read_bytes())
                data[len(data) // 2] ^= 1
                pack.write_bytes(data)

        with pytest.raises(Damage, match="not what was written"):
            consolidate(repository, spoil)
        assert everything(repository) == expected
        assert repository.fsck().problems == []


def test_a_damaged_block_is_not_moved(tmp_path: Path) -> None:
    small_history(tmp_path)
    with Repository.open(tmp_path) as repository:
        with database.writing(repository.history.connection):
            repository.history.connection.execute(
                "UPDATE blocks SET data=zeroblob(9) WHERE first_line=3"
            )
        with pytest.raises(Damage, match="can't be read"):
            consolidate(repository)
        assert packs_of(repository) == []
        assert hot_rows(repository) == 5


# ---------------------------------------------------------------------------- damage to a pack


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    small_history(tmp_path)
    with Repository.open(tmp_path) as repository:
        consolidate(repository)
        repository.append(numbered(7000, 3))
    return tmp_path


def flipped(path: Path, place: int, bit: int) -> Callable[[], int]:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)
    data[place] ^= 1 << bit
    return lambda: path.write_bytes(data)


def test_flipped_bits_are_right_answers_or_errors(packed: Path) -> None:
    with Repository.open(packed) as repository:
        (pack,) = packs_of(repository)
        expected = everything(repository)
    lines = expected["lines"]
    assert isinstance(lines, list)
    choose = random.Random(8)
    for place in sorted(choose.sample(range(pack.stat().st_size), 60)):
        restore = flipped(pack, place, choose.randrange(8))
        with Repository.open(packed) as repository:
            errors: list[DamagedObject] = []
            for number, line in enumerate(lines):
                try:
                    assert repository.history.blocks.line(number) == line
                except DamagedObject as error:
                    errors.append(error)
            try:
                assert list(repository.log("main").lines()) == expected["refs/heads/main"]
            except DamagedObject as error:
                errors.append(error)
            assert all(error.ids for error in errors)
            report = repository.fsck()
            assert not report.clean, place
        restore()
    with Repository.open(packed) as repository:
        assert everything(repository) == expected
        assert repository.fsck().problems == []


def test_a_damaged_frame_names_what_it_hits_and_no_more(packed: Path) -> None:
    with Repository.open(packed) as repository:
        (pack,) = packs_of(repository)
        store = repository.history.blocks
        lines = [store.line(n) for n in range(store.end()[0])]
        window = store.packs.file(store.packs.rows()[0]).window(3)
        hit = [n + 150 + 2 for n in window.lines_of_frame(0)]
        place = window._frame_offsets[0] + 30
    flipped(pack, place, 3)
    with Repository.open(packed) as repository:
        store = repository.history.blocks
        failed = []
        for number, line in enumerate(lines):
            try:
                assert store.line(number) == line
            except DamagedObject as error:
                failed.append(number)
                named = error.ids
        assert 0 < len(failed) <= 50
        assert len(named) == len(failed)
        report = repository.fsck()
        named_by_fsck = [i[:8] for p in report.problems for i in p.ids]
        assert {i[:8] for i in named} <= set(named_by_fsck)
        assert len(named_by_fsck) == len(set(named_by_fsck))  # not again for each block in it
        repository.append(numbered(9000, 2))
        with pytest.raises(Damage):
            repository.reindex()
    assert hit


def test_a_missing_pack_is_said_with_all_that_it_held(packed: Path) -> None:
    with Repository.open(packed) as repository:
        (pack,) = packs_of(repository)
        pack.unlink()
    with Repository.open(packed) as repository:
        with pytest.raises(DamagedObject, match="missing") as caught:
            list(repository.log("main").lines())
        assert len(caught.value.ids) == 336 + 5
        assert repository.event(ids_of_hot(repository)[0])
        assert not repository.fsck().clean


def ids_of_hot(repository: Repository) -> list[str]:
    log = repository.log("main")
    return [event_id.hex() for event_id in log.ids(log.size - 3)]
