"""Takes in what is sent of the history behind boundaries, checked as far as it can be.

That the ids of a boundary's log give the root that its commit states is checked here, and that all
that is sent after it fits. What only the history itself could prove (streams, keys, what is held
back, states) is kept with the address of the repository that said it, until `deepening` proves it
or finds the lie. It must not know who sent it, or move refs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeVar

import msgspec

from evgit.errors import EvgitError, InvalidObject, InvalidTime
from evgit.formats.again import again_line, is_again
from evgit.formats.block import encode_block
from evgit.formats.boundary import Boundary, decode_boundary, is_boundary, line_id
from evgit.formats.canonical import canonicalize, digest
from evgit.formats.commit import verified_commit
from evgit.formats.event import decode_event
from evgit.formats.times import to_instant
from evgit.history.boundaries import BoundaryRow
from evgit.history.boundary_index import unfold
from evgit.history.given_states import GivenState
from evgit.history.history import History
from evgit.history.recording import latest_received, refuse_received
from evgit.storage import schema

MAX_BOUNDARIES = 4096
_COMMIT = b'{"author":'
_END = b'{"boundaries":'
_STATE = b'{"boundary":'
_DOCUMENT = b'{"document":'
T = TypeVar("T")


class _State(msgspec.Struct, forbid_unknown_fields=True):
    boundary: str
    kind: str
    projection: str


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    document: msgspec.Raw
    kind: str
    path: str


class _End(msgspec.Struct, forbid_unknown_fields=True):
    boundaries: int
    kind: str


class BoundaryReceiver:
    """Receives boundaries within a write transaction of the caller's.

    `taken_from`: the address to be kept with them. `max_lines`: of all boundaries together.
    `now`: the receiver's clock. `blobs`: {id: size} of those that events list which came in full.
    """

    def __init__(
        self,
        history: History,
        taken_from: str,
        max_lines: int,
        now: int,
    ) -> None:
        self._history = history
        self._taken_from = taken_from
        self.blobs: dict[str, int] = {}
        self._left = max_lines
        self._last_time = latest_received(now)
        self._number, self._latest = history.end()
        self._lines: list[bytes] = []
        self._state: GivenState | None = None
        self._count = 0

    def take(self, frames: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
        """Check and store what comes first of a transfer; what is left of it, which is blocks.

        Raises InvalidObject; nothing may be kept then.
        """
        schema.become_shallow(self._history.connection)
        self._history.blocks.closed = self._history.graph.boundaries
        rest = iter(frames)
        for lines in rest:
            for place, line in enumerate(lines):
                if self._line(line):
                    return chain([lines[place + 1 :]], rest)
        raise InvalidObject("a transfer ends within what it says of boundaries")

    def _line(self, line: bytes) -> bool:
        """Take one line in; was it the last?"""
        if line.startswith(_DOCUMENT):
            self._document(line)
        elif line.startswith(_STATE):
            self._begin_state(line)
        elif line.startswith(_END):
            self._end(line)
            return True
        elif line.startswith(_COMMIT):
            self._block(line)
        else:
            self._left -= 1
            if self._left < 0:
                raise InvalidObject("boundaries of more events than are taken here")
            self._lines.append(line)
        return False

    # ------------------------------------------------------------------ boundaries
    def _block(self, commit_line: bytes) -> None:
        lines, self._lines = self._lines, []
        commit_id = digest(commit_line)
        self._count += 1
        try:
            if self._count > MAX_BOUNDARIES or not lines or not is_boundary(lines[-1]):
                raise InvalidObject("it is not sent as a boundary should be")
            commit = verified_commit(commit_line)
            if self._history.graph.find(commit_id) is not None:
                return  # here, with more than this or as a boundary already
            refuse_received(commit_id.hex(), commit.time, self._last_time)
            lines = self._without_repetitions(lines)
            found = unfold(self._history, self._number, lines, commit, commit_id)
        except InvalidTime:
            raise
        except EvgitError as error:
            raise InvalidObject(
                f"boundary {commit_id.hex()}: {error.message}",
                hint="nothing of what was sent has been kept",
            ) from None
        self._store(lines, commit_line, found.boundary)
        self._history.indexer.index(found.commit)
        said = found.boundary
        self._history.graph.boundaries.add(
            BoundaryRow(
                self._number,
                said.number,
                commit_id.hex(),
                commit.log.size,
                said.here,
                self._taken_from,
            )
        )
        self._number += len(lines) + 1

    def _store(self, lines: list[bytes], commit_line: bytes, said: Boundary) -> None:
        if said.latest:
            self._latest = max(self._latest, to_instant(said.latest))
        for place in said.here:
            if not is_again(lines[place]):
                event = decode_event(lines[place])
                self._latest = max(self._latest, to_instant(event.time))
                self.blobs.update(event.blobs)
        self._history.blocks.put(self._number, encode_block(lines, commit_line), self._latest)

    def _without_repetitions(self, lines: list[bytes]) -> list[bytes]:
        """The lines, with an `again` line for each event that is stored, or known of, already."""
        said = decode_boundary(lines[-1])
        own = lines[:-1]
        if any(is_again(line) for line in own):
            raise InvalidObject("it names events without saying anything of them")
        stored = self._history.events.find(map(line_id, own)) if self._number > 1 else {}
        if not stored:
            return lines
        here = {*said.here}
        for place, line in enumerate(own):
            event_id = line_id(line)
            if event_id in stored:
                own[place] = again_line(event_id.hex())
                here.add(place)
        return [*own, msgspec.structs.replace(said, here=sorted(here)).canonical()]

    # ------------------------------------------------------------------ states
    def _begin_state(self, line: bytes) -> None:
        self._finish_state()
        found = _decoded(line, _State)
        row = self._history.graph.find(bytes.fromhex(_hex(found.boundary)))
        if row is None or self._history.graph.boundaries.get(row.number) is None:
            raise InvalidObject(f"a state of {found.boundary[:12]}, which is no boundary")
        projection = bytes.fromhex(_hex(found.projection))
        self._state = GivenState(self._history.connection, row.number, projection)
        self._state.clear()

    def _document(self, line: bytes) -> None:
        if self._state is None:
            raise InvalidObject("a document of no state")
        found = _decoded(line, _Document)
        document = bytes(found.document)
        if canonicalize(document) != document:
            raise InvalidObject(f"document {found.path[:80]!r} is not in canonical form")
        self._state.add(found.path, document)

    def _finish_state(self) -> None:
        if self._state is not None:
            self._state.finish()
            self._state = None

    def _end(self, line: bytes) -> None:
        if self._lines:
            raise InvalidObject("a transfer has a boundary without a commit")
        if _decoded(line, _End).boundaries != self._count:
            raise InvalidObject("a transfer has another number of boundaries than it says")
        self._finish_state()


def _hex(text: str) -> str:
    if len(text) != 64 or not all(c in "0123456789abcdef" for c in text):
        raise InvalidObject(f"{text[:80]!r} is not an id")
    return text


def _decoded(line: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidObject(f"what is said of boundaries makes no sense: {error}") from None
