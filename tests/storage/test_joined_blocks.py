"""Small blocks that share a row are found, taken out and checked as if each had its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from evgit.errors import DamagedObject
from evgit.formats.block import (
    FRAME_BYTES,
    EncodedBlock,
    count_lines,
    directory_of,
    encode_block,
    encode_together,
    iter_frames,
    split_blocks,
)
from evgit.storage import database, schema
from evgit.storage.blocks import BlockStore
from tests.storage.test_blocks import new_store

Block = list[bytes]


def block(number: int, sizes: list[int]) -> Block:
    """A block with event lines of these sizes."""
    events = [b'{"data":%d,"x":"%s"}' % (number, b"y" * size) for size in sizes]
    return [*events, b'{"author":"a","events":%d,"n":%d}' % (len(sizes), number)]


def fill(store: BlockStore, blocks: list[Block]) -> list[int]:
    """Store blocks, small ones together; the first line of each, and the line behind the last."""
    starts = list(accumulate(map(len, blocks), initial=0))
    rows, place = [], 0
    for count, encoded in together(blocks):
        latest = place + count - 1
        rows.append((starts[place], latest, directory_of(encoded.frames), encoded.data))
        place += count
    assert place == len(blocks)
    store.put_together(rows)
    return starts


def together(blocks: list[Block]) -> Iterator[tuple[int, EncodedBlock]]:
    """The blocks in frames, small ones together."""
    texts = [b"\n".join([*each, b""]) for each in blocks]
    return encode_together(
        b"".join(texts), list(accumulate(map(len, texts))), list(map(len, blocks))
    )


def found_in(store: BlockStore) -> dict[int, Block]:
    """{first line: lines} of every block."""
    return {
        entry.first_line: [line for _, some in store.decode(entry, data) for line in some]
        for entry, data in store.blocks()
    }


sizes = st.lists(st.sampled_from([0, 10, 300, 3_000, FRAME_BYTES]), max_size=3)
many_blocks = st.lists(sizes, min_size=1, max_size=60).map(
    lambda found: [block(number, each) for number, each in enumerate(found)]
)


@settings(max_examples=80)
@given(blocks=many_blocks, data=st.data())
def test_each_is_found_and_can_be_taken_out(blocks: list[Block], data: st.DataObject) -> None:
    store = new_store()
    starts = fill(store, blocks)
    expected = dict(zip(starts, blocks, strict=False))
    lines = [line for block in blocks for line in block]
    assert found_in(store) == expected
    assert store.end() == (len(lines), len(blocks) - 1)
    assert b"".join(store.texts([(0, len(lines))])).splitlines() == lines
    for number in data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=5)):
        assert store.line(number) == lines[number]
    for _ in range(data.draw(st.integers(0, 3))):
        first, end = sorted(data.draw(st.tuples(*[st.sampled_from(starts)] * 2)))
        store.drop(first, end)
        expected = {at: lines for at, lines in expected.items() if not first <= at < end}
        assert found_in(store) == expected
        for at, kept in expected.items():
            assert store.lines(at, len(kept)) == kept


@given(blocks=many_blocks)
def test_rows_are_small(blocks: list[Block]) -> None:
    """What has no frame of its own is in one of less than twice the usual size, and large blocks
    are as they are alone."""
    place = 0
    for count, encoded in together(blocks):
        joined = blocks[place : place + count]
        place += count
        texts = [text for _, _, text in iter_frames(encoded.data)]
        assert b"".join(texts) == b"".join(line + b"\n" for each in joined for line in each)
        assert [lines for _, lines in encoded.frames] == list(map(count_lines, texts))
        if count > 1:
            assert len(texts) == 1
            assert len(texts[0]) < 2 * FRAME_BYTES
            assert split_blocks(texts[0].splitlines()) == joined
            assert sum(map(len, joined)) > 2
        else:
            assert encoded == encode_block(joined[0][:-1], joined[0][-1])


def test_damage_hits_what_shares_the_frame() -> None:
    store = new_store()
    blocks = [block(number, [100]) for number in range(400)]
    fill(store, blocks)
    rows = [first for (first,) in store._connection.execute("SELECT first_line FROM blocks")]
    assert 2 < len(rows) < 20
    store._connection.execute(
        "UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line=?", (rows[1],)
    )
    entries = {entry.first_line: (entry, data) for entry, data in store.blocks()}
    entry, data = entries[rows[1]]
    assert entry.line_count == rows[2] - rows[1]
    with pytest.raises(DamagedObject):
        list(store.decode(entry, data))
    assert [first for first in entries if rows[1] < first < rows[2]] == []
    assert len(entries) == 400 - (rows[2] - rows[1]) // 2 + 1
    with pytest.raises(DamagedObject):
        store.line(rows[1] + 2)
    with pytest.raises(DamagedObject):
        store.drop(rows[1] + 2, rows[2])
    store.drop(rows[1], rows[2])  # all of it needs no reading
    assert rows[1] not in found_in(store)


def test_a_reader_notices_that_a_row_was_parted(tmp_path: Path) -> None:
    with closing(database.create(tmp_path / "evgit.db")) as connection:
        writer = BlockStore(connection)
        blocks = [block(number, [100]) for number in range(100)]
        starts = fill(writer, blocks)
        with closing(database.open_existing(tmp_path / "evgit.db")) as other:
            for way in ("line", "lines"):
                reader = BlockStore(other)
                assert reader.lines(starts[3], 2) == blocks[3]
                reader._frames.clear()
                first = 10 if way == "line" else 20
                writer.drop(starts[first], starts[first + 5])
                if way == "line":
                    assert reader.line(starts[3]) == blocks[3][0]
                else:
                    assert reader.lines(starts[30], 2) == blocks[30]
        assert [b for a, b in pairwise(found_in(writer)) if b - a > 2] == [starts[15], starts[25]]


def test_an_older_repository_is_made_fit_for_it(tmp_path: Path) -> None:
    for version, after in ((3, schema.SCHEMA_VERSION), (4, schema.SHALLOW_VERSION)):
        with closing(database.create(tmp_path / f"{version}.db")) as connection:
            connection.execute(f"PRAGMA user_version={version}")
            fill(BlockStore(connection), [block(number, [100]) for number in range(3)])
            assert connection.pragma("user_version") == after
            assert schema.is_shallow(connection) == (version == 4)
