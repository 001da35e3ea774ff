"""Blocks in the database: every line is found by its number, however it was stored."""

from __future__ import annotations

import random
from collections.abc import Iterator

import apsw
import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import DamagedObject
from evgit.formats.block import encode_block
from evgit.storage import blocks as blocks_module, schema
from evgit.storage.block_reading import READ_AHEAD_BYTES, ReadAhead
from evgit.storage.blocks import BlockStore


def new_store() -> BlockStore:
    connection = apsw.Connection(":memory:")
    connection.execute(schema.TRUTH)
    return BlockStore(connection)


@pytest.fixture
def store() -> BlockStore:
    return new_store()


def fill(store: BlockStore, given_blocks: list[list[bytes]]) -> list[bytes]:
    """Store blocks whose last line closes them; all lines by number."""
    lines: list[bytes] = []
    for number, block in enumerate(given_blocks):
        assert store.end()[0] == len(lines)
        store.put(len(lines), encode_block(block[:-1], block[-1]), number)
        lines += block
    return lines


def line_of(rng: random.Random, size: int) -> bytes:
    return rng.randbytes(size // 2).hex().encode()


line_texts = st.binary(min_size=0, max_size=30).map(lambda b: b.replace(b"\n", b" "))
some_blocks = st.lists(st.lists(line_texts, min_size=1, max_size=6), min_size=1, max_size=40)


@settings(max_examples=60)
@given(given_blocks=some_blocks, data=st.data())
def test_lines_come_back_by_number(given_blocks: list[list[bytes]], data: st.DataObject) -> None:
    store = new_store()
    lines = fill(store, given_blocks)
    assert store.end() == (len(lines), len(given_blocks) - 1)
    starts, first = [], 0
    for block in given_blocks:
        starts.append((first, len(block)))
        first += len(block)
    for number in data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=10)):
        assert store.line(number) == lines[number]
        entry = store.entry(number)
        assert (entry.first_line, entry.line_count) in starts
        assert entry.first_line <= number < entry.first_line + entry.line_count
    ranges = []
    for start, length in data.draw(st.lists(st.sampled_from(starts), max_size=12)):
        skip = data.draw(st.integers(0, length - 1))
        ranges.append((start + skip, data.draw(st.integers(1, length - skip))))
    expected = [line for start, count in ranges for line in lines[start : start + count]]
    text = b"".join(store.texts(ranges))
    assert text == b"".join(line + b"\n" for line in expected)
    assert [line for start, count in ranges for line in store.lines(start, count)] == expected
    stored = [
        line
        for entry, raw in store.blocks()
        for _, part in store.decode(entry, raw)
        for line in part
    ]
    assert stored == lines


def test_blocks_of_many_frames(store: BlockStore) -> None:
    """Single lines of a block over 64 KiB are read in part, with the same result."""
    rng = random.Random(3)
    many = [line_of(rng, 200 + i % 900) for i in range(2_000)]
    huge = [line_of(rng, 100), line_of(rng, 300_000), line_of(rng, 100)]
    lines = fill(store, [[b"root"], [*many, b"commit 1"], [*huge, b"commit 2"], [b"commit 3"]])
    sizes = [entry.frames[-1][0] + entry.frames[-1][1] for entry, _ in store.blocks()]
    assert sizes[1] > blocks_module.WHOLE_READ_BYTES > sizes[0]
    assert len(store.entry(5).frames) > 50
    for number in [*rng.sample(range(len(lines)), 300), *range(len(lines) - 6, len(lines))]:
        assert store.line(number) == lines[number]
    assert store.lines(10, 1_500) == lines[10:1_510]
    assert b"".join(store.texts([(10, 1_500)])).splitlines() == lines[10:1_510]
    assert b"".join(store.texts([(2_001, 1), (2_003, 3)])).splitlines() == [
        lines[2_001],
        *lines[2_003:2_006],
    ]


def test_the_cache_is_bounded_in_bytes(store: BlockStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "CACHED_ENTRIES", 256)
    store._frames.limit = 20_000
    rng = random.Random(4)
    blocks = [[line_of(rng, 2_000), b"commit"] for _ in range(6)]
    blocks += [[line_of(rng, 100), b"commit"] for _ in range(400)]
    lines = fill(store, blocks)
    for _ in range(2):
        for number, line in enumerate(lines):
            assert store.line(number) == line
            assert store.line(len(lines) - 1) == lines[-1]
        held = [frame.text for frame in store._frames._frames.values()]
        assert lines[-1] + b"\n" in held[-1]  # asked for all the time, so it stays
        assert 10_000 < sum(map(len, held)) == store._frames.held <= 20_000
        assert max(map(len, held)) < 200
        assert len(store._entries) <= 256


def test_reading_on_fetches_more_at_once_but_never_much(store: BlockStore) -> None:
    rng = random.Random(5)
    small = [[line_of(rng, 60), b"c"] for _ in range(700)]
    large = [[*(line_of(rng, 2_000) for _ in range(200)), b"c"] for _ in range(40)]
    lines = fill(store, [*small, *large])
    fetched: list[int] = []
    original = ReadAhead._fetch

    def watched(self: ReadAhead, line: int, *, in_order: bool) -> None:
        original(self, line, in_order=in_order)
        fetched.append(sum(len(row[2]) for row in self._rows))

    ranges = []
    first = 0
    for block in [*small, *large]:
        ranges.append((first, len(block) - 1))
        first += len(block)
    ReadAhead._fetch = watched  # type: ignore[method-assign]
    try:
        text = b"".join(store.texts(ranges))
    finally:
        ReadAhead._fetch = original  # type: ignore[method-assign]
    assert text.splitlines() == [line for start, n in ranges for line in lines[start : start + n]]
    assert len(fetched) < 30
    one_large_block = 300_000
    assert max(fetched) < READ_AHEAD_BYTES + one_large_block


def test_texts_in_any_order(store: BlockStore) -> None:
    lines = fill(store, [[b"%d-%d" % (b, i) for i in range(5)] for b in range(60)])
    rng = random.Random(6)
    ranges = [(5 * rng.randrange(60) + 1, 3) for _ in range(200)]
    expected = [line for start, count in ranges for line in lines[start : start + count]]
    assert b"".join(store.texts(ranges)).splitlines() == expected


@pytest.mark.parametrize("size", [10, 700, 40_000])
def test_pieces_are_the_same_lines_and_say_how_many(store: BlockStore, size: int) -> None:
    rng = random.Random(size)
    lines = fill(store, [[line_of(rng, size) for _ in range(n)] for n in (1, 3, 40, 2, 90, 1)])
    for _ in range(20):
        ranges = [(first, rng.randrange(len(lines) - first)) for first in rng.sample(range(137), 3)]
        expected = [line for first, count in ranges for line in lines[first : first + count]]
        pieces = list(store.pieces(ranges))
        found = [bytes(text).splitlines() for text, _ in pieces]
        assert [line for part in found for line in part] == expected
        assert [len(part) for part in found] == [piece.lines for piece in pieces]


def test_a_flipped_byte_names_its_lines_and_no_others(store: BlockStore) -> None:
    rng = random.Random(7)
    lines = fill(store, [[b"root"], [*(line_of(rng, 400) for _ in range(200)), b"commit"]])
    store.name_lines = lambda lines: [f"line {n}" for n in lines]
    entry = store.entry(100)
    offset, size, first, count = entry.frames[1]
    ((data,),) = store._connection.execute("SELECT data FROM blocks WHERE first_line=1").fetchall()
    flipped = bytearray(data)
    flipped[offset + size // 2] ^= 1
    store._connection.execute("UPDATE blocks SET data=? WHERE first_line=1", (bytes(flipped),))
    hit = range(first, first + count)
    for number, line in enumerate(lines):
        if number in hit:
            with pytest.raises(DamagedObject) as caught:
                store.line(number)
            assert caught.value.ids == [f"line {n}" for n in hit]
            assert f"line {first}" in caught.value.message
        else:
            assert store.line(number) == line
    with pytest.raises(DamagedObject):
        list(store.texts([(1, 200)]))


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM blocks WHERE first_line=3",
        "UPDATE blocks SET data=x'' WHERE first_line=3",
        "UPDATE blocks SET data=substr(data, 1, 9) WHERE first_line=3",
        "UPDATE blocks SET frames=x'' WHERE first_line=3",
        "UPDATE blocks SET data=(SELECT data FROM blocks WHERE first_line=0) WHERE first_line=3",
    ],
)
def test_what_is_gone_is_damage(store: BlockStore, damage: str) -> None:
    fill(store, [[b"a", b"b", b"c"], [b"d", b"e"], [b"f"]])
    store._connection.execute(damage)
    for attempt in (lambda: store.line(3), lambda: list(store.texts([(3, 1)]))):
        with pytest.raises(DamagedObject):
            attempt()
    assert store.line(1) == b"b"
    assert store.line(5) == b"f"


def test_an_empty_store(store: BlockStore) -> None:
    assert store.end() == (0, -1)
    assert list(store.blocks()) == []
    with pytest.raises(DamagedObject):
        store.line(0)


def test_damage_to_a_large_block_and_to_a_directory(store: BlockStore) -> None:
    rng = random.Random(8)
    fill(store, [[b"root"], [*(line_of(rng, 2_000) for _ in range(200)), b"commit"]])
    store._connection.execute("UPDATE blocks SET data=substr(data, 1, 90000) WHERE first_line=1")
    assert store.line(1)
    with pytest.raises(DamagedObject):
        store.line(200)
    store.forget()
    store._connection.execute("UPDATE blocks SET frames=substr(frames, 1, 13)")
    with pytest.raises(DamagedObject, match="directory"):
        store.line(1)


@pytest.mark.parametrize("damage", ["no frame", "a line less"])
@pytest.mark.parametrize("bad", [0, 1, 3, 40, 240, 299])
def test_all_lines_before_a_damaged_block_are_read(
    store: BlockStore, bad: int, damage: str
) -> None:
    """However far ahead another thread has come meanwhile."""
    rng = random.Random(8)
    blocks = [[*(line_of(rng, 300) for _ in range(20)), b"commit"] for _ in range(300)]
    lines = fill(store, blocks)
    (data,) = store._connection.execute(
        "SELECT data FROM blocks WHERE first_line=?", (bad * 21,)
    ).fetchone()
    other = encode_block(blocks[bad][:-2], b"commit").data
    store._connection.execute(
        "UPDATE blocks SET data=? WHERE first_line=?",
        (bytes(len(data)) if damage == "no frame" else other, bad * 21),
    )
    found: list[bytes] = []
    with pytest.raises(DamagedObject):
        found.extend(_lines(store.texts((start * 21, 21) for start in range(300))))
    assert found == lines[: bad * 21]


def test_lines_are_missing_behind_those_that_are_there(store: BlockStore) -> None:
    lines = fill(store, [[b"%d" % number, b"commit"] for number in range(50)])
    found: list[bytes] = []
    with pytest.raises(DamagedObject, match="line 100 "):
        found.extend(_lines(store.texts((start * 2, 2) for start in range(60))))
    assert found == lines


def _lines(texts: Iterator[bytes]) -> Iterator[bytes]:
    for text in texts:
        yield from text.splitlines()
