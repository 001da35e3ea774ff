"""Packs: what is written comes back, to both readers and to zstd; and nothing else is believed."""

from __future__ import annotations

import io
import json
import random
import struct
import tracemalloc
from collections.abc import Callable
from zlib import crc32

import pytest
import zstandard
from blake3 import blake3
from hypothesis import given, strategies as st

from evgit.errors import DamagedObject, EvgitError, UnsupportedFormat
from evgit.formats import pack
from evgit.formats.pack import PackHead, WindowHeader, decode_page, encode_window
from evgit.formats.pack_lines import SHORT, restored, shortened
from evgit.formats.pack_reading import PackLimits, PackReader, Window
from evgit.formats.pack_writing import FAST, NORMAL, PackWriter, Written
from tests import independent_reader

ROOT = "5" * 64
Blocks = list[tuple[list[bytes], bytes]]


def event(stream: str, number: int, *, text: str = "") -> bytes:
    return (
        f'{{"data":"{text}","kind":"event","stream":"{stream}",'
        f'"time":"2026-01-01T00:00:00.{number:06d}Z","type":"t","version":1}}'
    ).encode()


def some_blocks(count: int, events: int = 3, seed: int = 0) -> Blocks:
    choose = random.Random(seed)
    return [
        (
            [event(f"s-{choose.randrange(5)}", number * events + n) for n in range(events)],
            b'{"author":"","kind":"commit","n":%d}' % number,
        )
        for number in range(count)
    ]


def packed(blocks: Blocks, objects: list[bytes] | None = None, **how: object) -> bytes:
    return written(blocks, objects, **how)[0]


def written(
    blocks: Blocks, objects: list[bytes] | None = None, head: PackHead | None = None, **how: object
) -> tuple[bytes, Written]:
    out = io.BytesIO()
    writer = PackWriter(out.write, head or PackHead(ROOT), **how)  # type: ignore[arg-type]
    for events, commit in blocks:
        writer.add_block(events, commit)
    for line in objects or []:
        writer.add_object(line)
    done = writer.finish()
    return out.getvalue(), done


def read(data: bytes, limits: PackLimits | None = None) -> tuple[PackReader, list[Window]]:
    reader = PackReader(io.BytesIO(data).read, limits)
    return reader, list(reader.windows())


def lines_of(blocks: Blocks) -> list[bytes]:
    return [line for events, commit in blocks for line in (*events, commit)]


def rejoined(windows: list[Window]) -> Blocks:
    """The blocks of windows, put together again where they were cut."""
    blocks: Blocks = []
    held: list[bytes] = []
    for window in windows:
        for events, commit in window.pieces():
            held += events
            if commit is not None:
                blocks.append((held, commit))
                held = []
    assert not held
    return blocks


@given(
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=6), max_size=30),
    objects=st.integers(0, 3),
    cluster=st.booleans(),
    window=st.integers(1, 9),
)
def test_what_goes_in_comes_out(
    shapes: list[list[int]], objects: int, cluster: bool, window: int
) -> None:
    number = iter(range(1000))
    blocks: Blocks = [
        (
            [event(f"s-{stream}", next(number)) for stream in streams],
            b'{"kind":"commit","n":%d}' % n,
        )
        for n, streams in enumerate(shapes)
    ]
    others = [b'{"kind":"tag","n":%d}' % n for n in range(objects)]
    data, done = written(blocks, others, cluster=cluster, window_lines=window, effort=FAST)
    reader, windows = read(data)
    assert rejoined(windows) == blocks
    assert [line for w in windows for line in w.objects] == others
    assert all(max(len(w.events), len(w.commits), len(w.objects)) <= window for w in windows)
    assert done == (
        blake3(data).hexdigest(),
        len(data),
        sum(map(len, shapes)),
        len(shapes),
        objects,
    )
    assert (reader.name, reader.size) == (done.name, done.bytes)
    second = independent_reader.read_pack(data)
    assert (second.name, second.lines, second.others) == (done.name, lines_of(blocks), others)
    text = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    assert sorted(text.splitlines()) == sorted([*lines_of(blocks), *others])


def test_events_of_a_stream_stand_together_in_the_order_of_their_blocks() -> None:
    blocks = some_blocks(50)
    text = zstandard.ZstdDecompressor().stream_reader(packed(blocks), read_across_frames=True)
    lines = text.read().splitlines()
    expected = sorted(
        (line for events, _ in blocks for line in events), key=lambda line: line[30:40]
    )
    assert lines == [*expected, *(commit for _, commit in blocks)]


def test_a_stream_is_told_by_its_own_member() -> None:
    tricky = r"\",\"stream\":\"s-9\",\"time\":\""
    blocks: Blocks = [
        ([event("s-2", 1, text=tricky), event("s-1", 2), event("s-2", 3)], b'{"kind":"commit"}')
    ]
    text = zstandard.ZstdDecompressor().stream_reader(packed(blocks), read_across_frames=True)
    one, two, three = blocks[0][0]
    assert text.read().splitlines() == [two, one, three, b'{"kind":"commit"}']


def test_places_beyond_16_bits() -> None:
    places = list(range(200_000))
    random.Random(1).shuffle(places)
    header = WindowHeader(200_000, 0, 0, [(9, 200_000)], pack.array("I"), False)
    frame, header_bytes = encode_window(header, places)
    decoded = pack.decode_window(frame[8 : 8 + header_bytes])
    assert decoded == header
    assert list(pack.decode_order(decoded, frame[8 + header_bytes :])) == places
    for number in (0, 1023, 1024, 131_072, 199_999):
        offset, size, count = pack.page_of(number, 200_000)
        start = 8 + header_bytes + offset
        page = decode_page(frame[start : start + size], count)
        assert page[number % pack.PAGE_EVENTS] == places[number]


def test_a_block_larger_than_a_window() -> None:
    big = "x" * 1_000_000
    blocks: Blocks = [([event("s", n, text=big) for n in range(70)], b'{"kind":"commit"}')]
    _, windows = read(packed(blocks, effort=FAST))
    assert [len(window.events) for window in windows] == [67, 3]
    assert rejoined(windows) == blocks


def test_refs_and_what_is_required_stand_in_the_head() -> None:
    head = PackHead(ROOT, {"refs/heads/main": "6" * 64, "HEAD": "ref: refs/heads/main"}, ["7" * 64])
    data, _ = written([], head=head)
    assert PackReader(io.BytesIO(data).read).head == head
    assert independent_reader.read_pack(data).head["refs"] == head.refs


def test_effort_changes_size_and_nothing_else() -> None:
    blocks = some_blocks(300, events=20)
    fast, normal = packed(blocks, effort=FAST), packed(blocks, effort=NORMAL)
    assert len(normal) < len(fast)
    assert read(fast)[1] == read(normal)[1]


# ---------------------------------------------------------------------------- it can say no

SOUND = packed(some_blocks(40, events=7), [b'{"kind":"tag"}'], window_lines=100)


def test_every_cut_is_noticed() -> None:
    for length in [
        *range(200),
        *range(200, len(SOUND), 37),
        *range(len(SOUND) - 60, len(SOUND)),
    ]:
        with pytest.raises(DamagedObject):
            read(SOUND[:length])
        with pytest.raises((independent_reader.Wrong, zstandard.ZstdError)):
            independent_reader.read_pack(SOUND[:length])


def test_every_flipped_bit_is_noticed() -> None:
    choose = random.Random(3)
    for place in range(len(SOUND)):
        data = bytearray(SOUND)
        data[place] ^= 1 << choose.randrange(8)
        with pytest.raises((DamagedObject, UnsupportedFormat)):
            read(bytes(data))


def test_what_follows_the_end_is_noticed() -> None:
    with pytest.raises(DamagedObject, match="follows"):
        read(SOUND + b"\n")


def resealed(data: bytes, change: Callable[[bytearray], object]) -> bytes:
    """A pack changed and then signed anew, as an enemy would: checksums and hash are right."""
    body = bytearray(data[: -pack.TAIL_BYTES])
    change(body)
    index_offset, _ = pack.decode_tail(data[-pack.TAIL_BYTES :])
    return bytes(body) + pack.encode_tail(index_offset, blake3(body).digest())


FIRST_WINDOW = 8 + struct.unpack_from("<I", SOUND, 4)[0]


def recount(data: bytearray, place: int, number: int) -> None:
    """Put a number into the first window's header, checksum made right."""
    struct.pack_into("<I", data, FIRST_WINDOW + 12 + 4 * place, number)
    index_offset, _ = pack.decode_tail(SOUND[-pack.TAIL_BYTES :])
    entry = pack.decode_index(SOUND[index_offset + 12 : -pack.TAIL_BYTES])[0]
    start, end = FIRST_WINDOW + 8, FIRST_WINDOW + 8 + entry.header_bytes - 4
    struct.pack_into("<I", data, end, crc32(data[start:end]))


@pytest.mark.parametrize("place", range(9))
@pytest.mark.parametrize(
    "number", [0, 1, 2, 3, 99, 101, 1 << 18, (1 << 18) + 1, 1 << 31, 0xFFFFFFFF]
)
def test_counts_that_lie(place: int, number: int) -> None:
    if struct.unpack_from("<I", SOUND, FIRST_WINDOW + 12 + 4 * place)[0] == number:
        return
    data = resealed(SOUND, lambda body: recount(body, place, number))
    tracemalloc.start()
    with pytest.raises(DamagedObject):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_an_order_that_is_no_permutation() -> None:
    frame, header_bytes = encode_window(
        WindowHeader(2, 0, 0, [(1, 2)], pack.array("I"), False), [1, 1]
    )
    header = pack.decode_window(frame[8 : 8 + header_bytes])
    with pytest.raises(DamagedObject, match="permutation"):
        pack.decode_order(header, frame[8 + header_bytes :])


def hand_made(frames: list[tuple[bytes, int]], **counts: int) -> bytes:
    """A pack of one window with frames of one's own, everything else right."""
    events, commits = counts.get("events", 0), counts.get("commits", 0)
    directory = [(len(data), lines) for data, lines in frames]
    ends = pack.array("I", [0] * commits)
    header = WindowHeader(events, commits, 0, directory, ends, True)
    data = pack.encode_head(PackHead(ROOT))
    window, header_bytes = encode_window(header, [])
    entry = pack.WindowEntry(len(data), header_bytes, events, commits, 0)
    data += window + b"".join(frame for frame, _ in frames)
    offset = len(data)
    data += pack.encode_index([entry])
    return data + pack.encode_tail(offset, blake3(data).digest())


def bomb(size: int, *, content_size: bool = True) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(
        compression_level=1, write_checksum=True, write_content_size=content_size
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(b"\n" * size)


@pytest.mark.parametrize(
    ("frames", "events"),
    [
        ([(bomb(1 << 28), 1)], 1),
        ([(bomb(1 << 24, content_size=False), 1)], 1),
        ([(bomb(1 << 24), 1 << 18)], 1 << 18),
        ([(bomb(100), 99)], 99),
        ([(bomb(100) + b"\0", 100)], 100),
        ([(zstandard.ZstdCompressor().compress(b"\n"), 1)], 1),
        ([(zstandard.ZstdCompressor(write_checksum=True).compress(b"{}"), 1)], 1),
    ],
)
def test_frames_that_lie(frames: list[tuple[bytes, int]], events: int) -> None:
    tracemalloc.start()
    with pytest.raises(DamagedObject):
        read(hand_made(frames, events=events))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


def test_hand_made_packs_are_believed_where_they_are_right() -> None:
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(b"{}\n")
    assert read(hand_made([(frame, 1)], events=1))[1][0].events == [b"{}"]


def test_limits_on_text_and_lines() -> None:
    with pytest.raises(DamagedObject, match="bytes of text"):
        read(SOUND, PackLimits(text_bytes=10_000))
    with pytest.raises(DamagedObject, match="lines"):
        read(SOUND, PackLimits(lines=200))


@pytest.mark.parametrize(
    "members",
    [
        b'{"format":3,"repository":"' + ROOT.encode() + b'"}',
        b'{"format":2,"repository":"x"}',
        b'{"format":2,"repository":"' + ROOT.encode() + b'","more":1}',
        b'{"format":2, "repository":"' + ROOT.encode() + b'"}',
        b'{"format":2,"refs":{"a":1},"repository":"' + ROOT.encode() + b'"}',
        b'{"format":2,"repository":"' + ROOT.encode() + b'","requires":["x"]}',
        b"[]",
        b"",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_heads_that_are_none(members: bytes) -> None:
    with pytest.raises(EvgitError):
        read(pack.checked(pack.HEAD, members) + SOUND[FIRST_WINDOW:])


def test_a_head_that_is_too_large_is_not_read() -> None:
    start = struct.pack("<II4s", pack.SKIPPABLE_MAGIC, 1 << 31, b"head")
    asked: list[int] = []

    def give(size: int) -> bytes:
        asked.append(size)
        return start[:size] if len(asked) == 1 else b"\0" * size

    with pytest.raises(DamagedObject, match="head"):
        PackReader(give)
    assert len(asked) == 1


def chained(count: int, *, start: str = "6" * 64, recorded: bool = False) -> list[bytes]:
    """Commit lines each of which has the one before as its only parent."""
    found: list[bytes] = []
    parent = start
    for number in range(count):
        extra = '"recorded":"events",' if recorded else ""
        found.append(
            f'{{"author":"","kind":"commit","message":"{number}","parents":["{parent}"],{extra}'
            '"time":"2026-11-23T03:36:00.123456Z"}'.encode()
        )
        parent = blake3(found[-1]).hexdigest()
    return found


@pytest.mark.parametrize("recorded", [False, True])
def test_a_parent_that_is_the_line_before_is_not_named(recorded: bool) -> None:
    lines = chained(5, recorded=recorded)
    short = shortened(lines)
    assert short[0] == lines[0]
    assert all(line.startswith(SHORT) and len(line) < 160 for line in short[1:])
    assert [json.loads(line)["parents"] for line in short[1:]] == [["^"]] * 4
    assert restored(short) == lines
    data = packed([([], line) for line in lines])
    assert rejoined(read(data)[1]) == [([], line) for line in lines]
    assert independent_reader.read_pack(data).lines == lines
    assert len(data) < len(packed([([], line) for line in reversed(lines)])) - 4 * 30


def test_other_parents_are_named() -> None:
    lines = chained(3)
    (other,) = chained(1, start="7" * 64)
    tail = b'"time":"2026-11-23T03:36:00.123456Z"}'
    two = lines[0].replace(b'"],', b'","' + b"8" * 64 + b'"],')
    later = lines[1].replace(tail, b'"q":1,' + tail)
    same = b'{"a":{"parents":["%b"],' % blake3(lines[0]).hexdigest().encode() + tail + b"}"
    for pair in ([other, lines[1]], [lines[0], two], [lines[0], later], [lines[0], same]):
        assert shortened(pair) == pair


@given(st.lists(st.binary(max_size=80).filter(lambda line: not line.startswith(SHORT))))
def test_lines_that_are_no_commits_are_left_alone(lines: list[bytes]) -> None:
    assert restored(shortened(lines)) == lines


@pytest.mark.parametrize("lines", [[SHORT + b"x" * 80], [b"{}", SHORT], [b"{}", SHORT + b"x" * 36]])
def test_short_lines_that_are_not_sound(lines: list[bytes]) -> None:
    with pytest.raises(DamagedObject):
        restored(lines)
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(b"\n".join([*lines, b""]))
    with pytest.raises(DamagedObject):
        read(hand_made([(frame, len(lines))], commits=len(lines)))


def test_format_1_is_read() -> None:
    head = b'{"format":1,"repository":"' + ROOT.encode() + b'"}'
    assert pack.decode_head(pack.checked(pack.HEAD, head)[12:]) == PackHead(ROOT)
