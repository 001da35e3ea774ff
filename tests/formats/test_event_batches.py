"""What is known of a batch: the same whether computed here or packed by another process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given, strategies as st

from evgit.errors import EvgitError, InvalidEvent
from evgit.formats.block import encode_frames
from evgit.formats.event import EventBatch, batch_from_lines, batch_from_text, unpack_batch
from evgit.formats.hashing import joined_ids
from evgit.formats.merkle import Frontier, subtrees

EVENT = st.fixed_dictionaries(
    {
        "stream": st.sampled_from(["a-1", "b/c", "é"]),
        "type": st.just("made"),
        "time": st.sampled_from(["2026-11-23T03:36:00Z", "2026-11-23T03:36:00.5+01:00"]),
        "data": st.one_of(st.integers(0, 9), st.text(max_size=3), st.text(min_size=500)),
    },
    optional={"key": st.sampled_from(["k", "l"]), "version": st.just(2)},
)


def batch_of(members: list[dict[str, Any]]) -> EventBatch:
    return batch_from_lines([json.dumps(each).encode() for each in members])


@given(st.lists(EVENT, min_size=1, max_size=60), st.integers(0, 5000))
def test_a_packed_batch_says_the_same(members: list[dict[str, Any]], start: int) -> None:
    batch = batch_of(members)
    unpacked = unpack_batch(batch.pack(start))
    for one in (batch, unpacked):
        assert len(one) == len(members)
        assert one.ids == [blake3(line).digest() for line in batch.lines]
        assert joined_ids(one.ids) == b"".join(one.ids)
        assert one.all_differ == (len(set(one.ids)) == len(one.ids))
        assert one.prints_differ == one.all_differ
        assert list(one.fingerprints()) == [int.from_bytes(i[:8], sys.byteorder) for i in one.ids]
        assert one.streams == [each["stream"] for each in members]
        assert one.keyed == [place for place, each in enumerate(members) if "key" in each]
        assert one.first_time == min(event.time for event in batch.events)
        assert one.last_time == max(event.time for event in batch.events)
        assert one.text_size == sum(map(len, batch.lines)) + len(members)
        assert one.frames == encode_frames(batch.lines)
        assert one.subtrees(start) == subtrees(one.ids, start)
        assert one.subtrees(start + 1) == subtrees(one.ids, start + 1)
        assert one.lines == batch.lines
        assert one.events == batch.events
        assert one.times == [event.time for event in batch.events]
        assert one.select([0]).lines == batch.lines[:1]
        assert one.select([0]).ids == batch.ids[:1]


def test_leaves_must_follow_those_before_them() -> None:
    leaves = batch_of([{"stream": "s", "type": "t", "time": "2026-11-23", "data": 1}]).subtrees(3)
    with pytest.raises(ValueError, match="can't follow 2 leaves"):
        Frontier(2, [bytes(32)]).add(leaves)


LINE = st.one_of(
    EVENT.map(lambda members: json.dumps(members).encode()),
    st.sampled_from(
        [b"", b" ", b'{"stream":"s",', b"1", b"{}", b"{}{}", b"\r", b'"a', b"\xff", b"{"]
    ),
)


@given(st.lists(LINE, max_size=12))
def test_lines_in_one_text_are_read_as_they_are_one_by_one(lines: list[bytes]) -> None:
    def outcome(read: Callable[[], EventBatch]) -> object:
        try:
            return read().lines
        except EvgitError as error:
            return str(error), error.hint

    text = b"".join(line + b"\n" for line in lines)
    assert outcome(lambda: batch_from_text(text)) == outcome(lambda: batch_from_lines(lines))


@pytest.mark.parametrize("first", [b"", b'{"stream":"s","type":"t","time":"2026-11-23","data":1}'])
def test_events_that_begin_and_end_within_lines_are_refused(first: bytes) -> None:
    event = b'{"stream":"s","type":"t","time":"2026-11-23","data":{}}'
    text = first + event + b"\n" + event[:-3] + b"\n{}}\n"
    with pytest.raises(InvalidEvent) as refused:
        batch_from_text(text)
    assert refused.value.line == (1 if first else 2)
