"""Holding all of a history to a model's invariants, commit by commit, as appending does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from evgit.errors import HandlerFailed
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.log import Log
from evgit.state.modelling.adapters import Adapter, KeyedAdapter
from evgit.state.modelling.events import Event, decode_lines, set_position
from evgit.state.modelling.general_adapter import GeneralAdapter
from evgit.state.modelling.invariants import Asked, Violation, violations
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.model_states import ModelState
from evgit.state.projection import Documents, Groups
from evgit.state.state import State

_decode = msgspec.json.Decoder().decode


class Broken(NamedTuple):
    """A rule that history breaks: the commit after which it does not hold, and the position of the
    event in it that broke it."""

    violation: Violation
    commit: str
    position: int


def first_broken(
    model: LoadedModel,
    history: History,
    row: CommitRow,
    log: Log,
    progress: Callable[[int, int], None] | None = None,
) -> Broken | None:
    """The first place of a log where a rule does not hold after a commit. Raises ModelError."""
    if not model.invariants:
        return None
    walk = Walk(model)
    events = _events(log)
    done = 0
    for commit in history.boundaries(row, 0, log.size):
        size = min(commit.size, log.size)
        own = list(islice(events, size - done))
        done = size
        try:
            broken = walk.take(own)
        except HandlerFailed as error:
            if error.position is None:  # a rule failed, and it has the state, not an event
                error.position = size - 1
                error.message += f" (after commit {commit.hex[:12]}, at position {size - 1})"
                error.hint += f", or see what it judged: evgit show main#{size - 1}"
            raise
        if broken is not None:
            violation, position = broken
            return Broken(violation, commit.hex, position)
        if progress is not None:
            progress(done, log.size)
    return None


def _events(log: Log) -> Iterator[Event]:
    position = 0
    for text in log.texts():
        for event in decode_lines(text):
            set_position(event, position)
            position += 1
            yield event


@dataclass(slots=True)
class _Part:
    adapter: Adapter
    documents: MutableMapping[str, bytes]


class _Layered(MutableMapping[str, bytes]):
    """Documents of a state, and what changed since."""

    def __init__(self, below: State) -> None:
        self._below = below
        self._changed: dict[str, bytes | None] = {}

    def __getitem__(self, path: str) -> bytes:
        if path in self._changed:
            document = self._changed[path]
        else:
            document = self._below.document(path)
        if document is None:
            raise KeyError(path)
        return document

    def __setitem__(self, path: str, document: bytes) -> None:
        self._changed[path] = document

    def __delitem__(self, path: str) -> None:
        self[path]
        self._changed[path] = None

    def __iter__(self) -> Iterator[str]:
        for path, _ in self._below.documents():
            if path not in self._changed:
                yield path
        for path, document in self._changed.items():
            if document is not None:
                yield path

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Shown(Mapping[str, Any]):
    """All documents as rules see them."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = parts

    def __getitem__(self, path: str) -> Any:
        for part in self._parts:
            if path in part.documents:
                return _decode(part.adapter.present(part.documents[path]))
        raise KeyError(path)

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            yield from part.documents

    def __len__(self) -> int:
        return sum(len(part.documents) for part in self._parts)


class Walk:
    """The documents of the projections that rules look at, while history goes by."""

    def __init__(self, model: LoadedModel, start: ModelState | None = None) -> None:
        """`start`: the state from which it goes on; without it, from nothing."""
        self._model = model
        self._position = 0 if start is None else start.size
        self._parts = [
            _Part(adapter, {} if start is None else _Layered(start.part(adapter.prefix)))
            for adapter in model.adapters()
            if model.is_judged(adapter.prefix)
        ]
        self._shown = _Shown(self._parts)
        self._asked = Asked(model, self._shown)

    def after(self, lines: Sequence[bytes]) -> list[Violation]:
        """Take in a commit's events as canonical JSON lines; all that does not hold after it of
        what they may have changed, as `Asked` tells it. Raises ModelError."""
        events = decode_lines(b"\n".join(lines))
        for position, event in enumerate(events, self._position):
            set_position(event, position)
        self._position += len(events)
        return list(self._asked.after(self._touched(self._fold(events))))

    def broken(self, path: str | None) -> list[Violation]:
        """What does not hold now of a document, or of all together."""
        found = violations(self._model, self._shown, ["" if path is None else path])
        return [each for each in found if each.path == path]

    def take(self, events: Sequence[Event]) -> tuple[Violation, int] | None:
        """Take in a commit's events: what it breaks, and the position of the event that did."""
        before = self._fold(events)
        broken = next(self._asked.after(self._touched(before)), None)
        if broken is None:
            return None
        self._undo(before)
        for event in events:
            touched = self._fold([event])
            for found in violations(self._model, self._shown, _paths(touched)):
                if found.name == broken.name and found.path == broken.path:
                    return found, event.position
        return broken, events[-1].position

    def _fold(self, events: Sequence[Event]) -> list[dict[str, bytes | None]]:
        """Take in events; for each part, what the documents that they touched were before."""
        return [_fold_part(part, events) for part in self._parts]

    def _touched(self, before: list[dict[str, bytes | None]]) -> dict[str, bool]:
        """{path: did it come or go?} of the documents that were taken in."""
        return {
            path: (document is None) is (path in part.documents)
            for part, documents in zip(self._parts, before, strict=True)
            for path, document in documents.items()
        }

    def _undo(self, before: list[dict[str, bytes | None]]) -> None:
        for part, documents in zip(self._parts, before, strict=True):
            for path, document in documents.items():
                _put(part, path, document)


def _fold_part(part: _Part, events: Sequence[Event]) -> dict[str, bytes | None]:
    adapter, documents = part.adapter, part.documents
    changes: dict[str, bytes | None] = {}
    if isinstance(adapter, KeyedAdapter):
        groups: Groups = defaultdict(list)
        adapter.group(events, groups)
        for path, own in groups.items():
            changes[path] = adapter.fold_document(path, documents.get(path), own)
    elif isinstance(adapter, GeneralAdapter):
        live = Documents(documents.get, lambda: iter(list(documents)), adapter.encode)
        adapter.fold(events, live)
        changes = live.take_changes()
    before = {path: documents.get(path) for path in changes}
    for path, document in changes.items():
        _put(part, path, document)
    return before


def _put(part: _Part, path: str, document: bytes | None) -> None:
    if document is None:
        part.documents.pop(path, None)
    else:
        part.documents[path] = document


def _paths(before: list[dict[str, bytes | None]]) -> list[str]:
    return [path for documents in before for path in documents]
