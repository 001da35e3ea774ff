"""Lines that users give, made canonical in one pass: as Python makes them, or not at all."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, strategies as st

from evgit.errors import EvgitError
from evgit.formats import event_facts
from evgit.formats.event import EventBatch, batch_from_lines, batch_from_text
from evgit.formats.native import native
from tests.formats.native.test_certified_events import (
    BYTES,
    EVENTS,
    ORDINARY,
    UNUSUAL,
    WRONG,
    encoded,
    line,
)
from tests.formats.test_events import REFUSED, lines as any_lines, told_apart

TIME = "2026-11-23T03:36:00Z"
GIVEN = (
    b' { "time": "2026-11-23T03:36:00.5Z",\t"stream":"a-1" , "type":"made", "meta":{}, "blobs":{},'
    b'"data": {"b" : [1.50, {"z":1,"y":[ ],"x":{ }}, 2.0], "a":-0.10}, "kind":"event"} \r\n'
)


def text_of(lines: list[bytes]) -> bytes:
    return b"".join(each.rstrip(b"\n") + b"\n" for each in lines)


def by_python(text: bytes) -> EventBatch | None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_facts, "native", None)
        try:
            return batch_from_lines(text.removesuffix(b"\n").split(b"\n"))
        except EvgitError:
            return None


def is_made(text: bytes) -> bool:
    """Does the native part make a text canonical? It must say what Python says; where there is no
    native part, Python says it."""
    found = by_python(text)
    if native is None:
        return found is not None
    made = native.canonical_text(text)
    if made is None:
        return False
    assert found is not None
    assert made[0] == found.text
    assert made[1] == native.certified_lines(found.lines)
    assert told_apart(batch_from_text(text).events) == told_apart(found.events)
    return True


def shuffled(members: Any, choose: random.Random) -> Any:
    """The same value with members in another order."""
    if isinstance(members, list):
        return [shuffled(item, choose) for item in members]
    if not isinstance(members, dict):
        return members
    items = [(name, shuffled(value, choose)) for name, value in members.items()]
    choose.shuffle(items)
    return dict(items)


def test_an_ordinary_line_is_made() -> None:
    assert is_made(GIVEN)
    assert batch_from_text(GIVEN).text == (
        b'{"data":{"a":-0.1,"b":[1.5,{"x":{},"y":[],"z":1},2]},"kind":"event","stream":"a-1",'
        b'"time":"2026-11-23T03:36:00.500000Z","type":"made","version":1}\n'
    )


@pytest.mark.parametrize("fraction", ["", ".1", ".12", ".123", ".1234", ".12345", ".123456"])
def test_times_are_written_in_full(fraction: str) -> None:
    assert is_made(line(time=TIME.replace("Z", f"{fraction}Z")) + b"\n")


@given(
    events=st.lists(EVENTS, min_size=1, max_size=2),
    choose=st.randoms(use_true_random=False),
    spaces=st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]),
)
def test_events_are_made_whatever_order_they_are_in(
    events: list[Any], choose: random.Random, spaces: tuple[str, str]
) -> None:
    text = b""
    for event in events:
        members = json.loads(encoded(event))
        members["stream"] = "account-42"  # others may be refused when they are new
        if choose.random() < 0.5:
            members.pop("kind")
        if members["version"] == 1:
            members.pop("version")
        given = json.dumps(shuffled(members, choose), ensure_ascii=False, separators=spaces)
        text += given.encode() + b"\n"
    assert is_made(text)


@given(st.lists(any_lines(), min_size=1, max_size=3))
def test_any_lines_are_made_rightly_or_not_at_all(given: list[bytes]) -> None:
    is_made(text_of(given))


def test_changed_bytes_are_made_rightly_or_not_at_all() -> None:
    made = 0
    text = GIVEN.strip()
    for place in range(len(text)):
        for value in BYTES:
            made += is_made(text[:place] + bytes([value]) + text[place + 1 :] + b"\n")
            made += is_made(text[:place] + bytes([value]) + text[place:] + b"\n")
        is_made(text[:place] + b"\n")
        is_made(text[:place] + text[place + 1 :] + b"\n")
    assert made > 100


def test_what_is_wrong_is_not_made(shared_data: Path) -> None:
    wrong = [each for each in WRONG if b"\n" not in each]
    wrong += [given for given, _ in REFUSED if b"\n" not in given]
    wrong += [line(data) for data in ("0.1.0", "1.0.0", "1.-0", "1-0.0", "1.", "-.0", "1.0e0.0")]
    for each in [*wrong, *UNUSUAL]:
        is_made(each + b"\n")
    if native is not None:
        for text in (
            b"",
            b"\n",
            GIVEN[:-1],
            GIVEN + b"\n",
            GIVEN + b"x\n",
            GIVEN + UNUSUAL[0] + b"\n",
        ):
            assert native.canonical_text(text) is None
    suite = sorted((shared_data / "jsontestsuite").glob("n_*.json"))
    for path in suite:
        assert not is_made(line("@").replace(b"@", path.read_bytes()) + b"\n")


def test_what_is_canonical_already_is_made() -> None:
    names = (b'"stream":"$', b'"stream":"a/b.c')  # are refused, and doubted for what is not ASCII
    ordinary = [each for each in ORDINARY if not any(name in each for name in names)]
    assert is_made(text_of(ordinary))
    many = {f"k{number:03}": number for number in range(1000, 0, -1)}
    assert is_made(line(json.dumps(many)) + b"\n")
    is_made(line(json.dumps({str(number): number for number in range(5000)})) + b"\n")
    is_made(line("[" * 64 + "]" * 64) + b"\n" + line("[" * 127 + "]" * 127) + b"\n")


def test_real_events_are_made(shared_data: Path) -> None:
    packed = (shared_data / "click-history.jsonl.zst").read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
        text = reader.read(500_000)
    lines = text[: text.rindex(b"\n") + 1].splitlines()
    made = sum(is_made(each + b"\n") for each in lines)
    assert made > len(lines) * 0.8
