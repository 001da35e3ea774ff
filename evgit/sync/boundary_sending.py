"""What is sent of the history behind boundaries: ids, streams, keys, and states.

It comes before the blocks of a transfer: the block of each boundary, then the documents of states,
then a line that ends it (docs/protocol.md). This module must not know how it is transported, nor
where history is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

import msgspec

from evgit.errors import BehindBoundary, ModelError
from evgit.formats.again import again_id, is_again
from evgit.formats.boundary import OWN, Boundary, Piece, absent_for, is_absent
from evgit.formats.canonical import id_bytes
from evgit.formats.event import decode_event
from evgit.history.boundary_index import told_of
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.line_ranges import LineRange, LineSet, Places, joined
from evgit.history.standing import standing_on
from evgit.sync.depth import Cut

MODEL_STREAM = "$model"
Documents = Callable[[CommitRow], Iterable[tuple[str, bytes]]]
"""Gives (path, canonical JSON) of all documents at a commit."""


def boundary_lines(
    history: History,
    cut: Cut,
    there: Sequence[CommitRow],
    states: Sequence[tuple[str, Documents]],
) -> Iterator[bytes]:
    """All lines, each with its newline. `there`: boundaries that the receiver keeps.

    `states`: keys of projections, and what makes their documents.
    """
    full = _sent_lines(history, cut)
    sources: list[tuple[str, Places]] = []
    before = list(there)
    for row in cut.boundaries:
        sources += [(b.hex, Places(history.graph.log_ranges(b, 0, b.size))) for b in before]
        yield from _block(history, row, sources, full)
        before = [row]
    for row, (projection, documents) in product(cut.states, states):
        try:
            known = documents(row)
        except (BehindBoundary, ModelError):
            continue  # nor was this repository told what the state is there, or its model fails
        yield _line({"boundary": row.hex, "kind": "state", "projection": projection})
        for path, document in known:
            yield b"".join(
                (b'{"document":', document, b',"kind":"document","path":', _encode(path), b"}\n")
            )
    yield _line({"boundaries": len(cut.boundaries), "kind": "end"})


def _block(
    history: History,
    row: CommitRow,
    sources: Sequence[tuple[str, Places]],
    full: LineSet,
) -> Iterator[bytes]:
    """The block of one boundary."""
    own: list[int] = []
    pieces: list[Piece] = []
    for first, count in history.graph.log_ranges(row, 0, row.size):
        if not sources:
            _add(pieces, OWN, len(own), count)
            own.extend(range(first, first + count))
            continue
        for line in range(first, first + count):
            source, place = _found(line, sources)
            if source == OWN:
                place = len(own)
                own.append(line)
            _add(pieces, source, place, 1)
    held = history.indexer.held_back_lines(row)
    had = set(own)
    own += [line for line in held if line not in had and _found(line, sources)[0] == OWN]
    lines = _OwnLines(history, own, full)
    yield from lines.texts()
    boundary = Boundary(
        height=row.height,
        held=[one.id.hex() for one in standing_on(history.blocks, _ranges(held))],
        here=lines.here,
        latest=max(lines.latest, _latest_told(history)),
        log=pieces,
        number=len(own),
    )
    yield boundary.canonical() + b"\n"
    yield history.commit_line(row) + b"\n"


class _OwnLines:
    """The own lines of a boundary, as they are sent. `here` and `latest` are known at the end."""

    def __init__(self, history: History, own: Sequence[int], full: LineSet) -> None:
        self._history = history
        self._own = own
        self._full = full
        self.here: list[int] = []
        self.latest = ""

    def texts(self) -> Iterator[bytes]:
        """Them, several to a text."""
        place = 0
        ranges = _ranges(self._own)
        for text in self._history.blocks.texts(ranges, closed=True):
            lines = text.splitlines()
            sent = [self._sent(line, number) for number, line in enumerate(lines, place)]
            place += len(lines)
            yield b"\n".join(sent) + b"\n"

    def _sent(self, line: bytes, place: int) -> bytes:
        if is_absent(line):
            return line
        event = decode_event(line)
        self.latest = max(self.latest, event.time)
        if self._own[place] in self._full or event.stream == MODEL_STREAM:
            self.here.append(place)
            return line
        return absent_for(line, event)


def _found(line: int, sources: Sequence[tuple[str, Places]]) -> tuple[str, int]:
    for commit, places in sources:
        place = places.of(line)
        if place is not None:
            return commit, place
    return OWN, 0


def _add(pieces: list[Piece], source: str, start: int, count: int) -> None:
    if pieces and pieces[-1][0] == source and sum(pieces[-1][1:]) == start:
        pieces[-1] = (source, pieces[-1][1], pieces[-1][2] + count)
    else:
        pieces.append((source, start, count))


def _ranges(lines: Iterable[int]) -> list[LineRange]:
    return joined((line, 1) for line in lines)


def _sent_lines(history: History, cut: Cut) -> LineSet:
    """Lines of events that the receiver gets in full with the commits that are sent."""
    named = [
        id_bytes(again_id(line))
        for first, count in cut.sent.ranges
        if first in cut.sent.special
        for line in history.blocks.lines(first, count)[:-1]
        if is_again(line)
    ]
    ranges = [*cut.sent.ranges, *((line, 1) for line in history.events.find(named).values())]
    return LineSet(ranges)


def _latest_told(history: History) -> str:
    """What this repository was told of the times of events that it does not have itself."""
    return max((told_of(history, b).latest for b in history.graph.boundaries.all()), default="")


def _line(value: dict[str, object]) -> bytes:
    return _encode(value) + b"\n"


_encode = msgspec.json.Encoder().encode
