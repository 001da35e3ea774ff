"""Batches of stored lines say the same whether their lines were certified or decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, strategies as st

from evgit.errors import DamagedObject
from evgit.formats import event_facts
from evgit.formats.event import (
    EventBatch,
    batch_from_stored,
    decode_event,
    unpack_batch,
    verified_batch,
    verified_text,
    verify_event_lines,
)
from evgit.formats.native import native
from evgit.formats.times import to_instants
from tests.formats.native.test_certified_events import BLOBS, ORDINARY, TIME, UNUSUAL, line

AGAIN = b'{"id":"%b","kind":"again"}' % (b"0" * 64)
LINES = st.lists(
    st.one_of(
        st.sampled_from(ORDINARY),
        st.sampled_from(["a", "b", "a/b"]).map(lambda name: line(stream=name)),
        st.integers(0, 9).map(lambda day: line(time=TIME.replace("-23", f"-1{day}"))),
        st.sampled_from("xyz").map(lambda key: line(before=f'"key":"{key}",')),
        st.just(line('{"a\\"b":1}', stream="a")),
        st.just(line('{"a\\"b":1}', before='"key":"a\\"b",', time="0001" + TIME[4:])),
        st.just(b'{"blobs":{"%b":0},' % (b"0" * 64) + line('{"a\\"b":1}')[1:]),
        st.sampled_from(UNUSUAL),
    ),
    max_size=16,
)


@pytest.fixture(params=["python", "native"], scope="module", autouse=True)
def implementation(request: pytest.FixtureRequest) -> Iterator[str]:
    """With what lines are judged: with the native part where this installation has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_facts, "native", native if request.param == "native" else None)
        yield request.param


def from_lines(lines: list[bytes]) -> EventBatch | None:
    return verified_batch(lines)


def from_text(lines: list[bytes]) -> EventBatch | None:
    return verified_text(b"".join(each + b"\n" for each in lines))


def packed(lines: list[bytes]) -> EventBatch | None:
    batch = verified_batch(lines)
    return unpack_batch(batch.pack(7)) if batch else batch


@pytest.mark.parametrize("made", [from_lines, from_text, packed])
@given(lines=LINES)
def test_batches_say_what_their_events_say(
    made: Callable[[list[bytes]], EventBatch | None], lines: list[bytes]
) -> None:
    batch = made(lines)
    if batch is None:  # they are good, but have to be looked at one by one
        assert event_facts.native is None or set(lines) & set(UNUSUAL)
        assert verify_event_lines(lines) == [None] * len(lines)
        return
    events = [decode_event(each) for each in lines]
    assert len(batch) == len(events)
    assert batch.streams == [event.stream for event in events]
    keyed = [i for i, event in enumerate(events) if event.key is not None]
    assert batch.keyed == keyed
    assert batch.keys == [events[i].key for i in keyed]
    if events:
        times = [event.time for event in events]
        assert "\n".join(batch.streams) == batch.joined_streams
        assert (batch.first_time, batch.last_time) == (min(times), max(times))
        assert batch.instants.tolist() == to_instants(times)
    assert list(batch.ids) == [bytes.fromhex(event.id) for event in events]
    assert batch.lines == lines
    assert batch.listing_blobs == [i for i, event in enumerate(events) if event.blobs]
    assert batch.times == [event.time for event in events]
    assert repr(batch.events) == repr(events)
    assert batch.text == b"".join(each + b"\n" for each in lines)


@given(
    lines=LINES,
    wrong=st.sampled_from([b"", AGAIN, line() + b" ", line("1.0"), line(stream="a//b"), line("[")]),
    place=st.integers(0),
)
def test_one_wrong_line_is_found_among_any(lines: list[bytes], wrong: bytes, place: int) -> None:
    lines.insert(place % (len(lines) + 1), wrong)
    assert from_lines(lines) is None
    assert from_text(lines) is None
    assert [i for i, problem in enumerate(verify_event_lines(lines)) if problem] == [
        lines.index(wrong)
    ]


def test_a_text_must_end_with_a_newline() -> None:
    assert verified_text(line()) is None
    assert verified_text(line() + b"\n" + line()) is None
    assert verified_text(b"\n") is None


def test_sound_events_of_any_kind_are_taken_from_a_repository() -> None:
    told: list[bytes] = []
    lines = [*ORDINARY, *UNUSUAL]
    batch = batch_from_stored(lines, lambda each, problem: told.append(each))
    assert told == []
    assert [event.stream for event in batch.events] == batch.streams
    assert batch.lines == lines
    with pytest.raises(DamagedObject):
        batch_from_stored([line(), AGAIN], lambda each, problem: told.append(each))
    assert told == [AGAIN]
    blobs = [decode_event(lines[place]).blobs for place in batch.listing_blobs]
    assert blobs == [BLOBS]
