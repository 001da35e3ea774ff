"""A model's general projections as this layer folds them: any documents below their prefix."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from evgit.errors import InvalidJSON, UnknownVersion
from evgit.formats import canonical
from evgit.state.modelling import declarations
from evgit.state.modelling.adapters import MEMO_SIZE, Adapter
from evgit.state.modelling.events import Event
from evgit.state.modelling.failures import raise_failed


class GeneralAdapter(Adapter):
    """A `Projection` of a model as evgit.state.projection.Projection."""

    def __init__(self, name: str, declared: declarations.Projection, *rest: Any, **more: Any):
        super().__init__(name, declared, *rest, **more)
        self._touched: dict[str, Event] = {}

    def fold(self, events: Sequence[Event], documents: MutableMapping[str, Any]) -> None:
        """Take in events, in order."""
        if len(self._touched) > MEMO_SIZE:
            self._touched.clear()  # only for naming an event in an error
        scoped = Scoped(documents, self.prefix, self._touched)
        for event in events:
            handler = self.handlers.get(event.type)
            if self._skipped.ids and self.skips(event):
                continue
            if handler is None:
                if self._strict is not None or self._particular:
                    self.check_known(event)
                continue
            if not self.concerns(event.stream):
                continue
            scoped.event = event
            try:
                self.prepare(event)
                handler.method(scoped, event)
                if self.watched:
                    self.check_untouched(event)
            except UnknownVersion:
                raise
            except BaseException as error:
                raise_failed(error, self.name, event=event)

    def encode(self, path: str, value: Any) -> bytes:
        """Canonical bytes of a document. Raises HandlerFailed naming the last event that had it."""
        try:
            return canonical.encode(value)
        except (InvalidJSON, TypeError, ValueError, RecursionError) as error:
            what, event = f"storing the document of {self.name}", self._touched.get(path)
            code = None if event is None else self.handlers[event.type].method
            raise_failed(error, what, event=event, path=path, code=code)


class Scoped(MutableMapping[str, Any]):
    """The documents of one projection: whole paths, and none but its own can be written."""

    def __init__(
        self, documents: MutableMapping[str, Any], prefix: str, touched: dict[str, Event]
    ) -> None:
        self._documents = documents
        self._prefix = prefix
        self._touched = touched
        self.event: Event | None = None

    def __getitem__(self, path: str) -> Any:
        self._note(path)
        return self._documents[path]

    def __setitem__(self, path: str, value: Any) -> None:
        if type(path) is not str or not path.startswith(self._prefix):
            raise KeyError(f"{path!r} is not below the projection's prefix {self._prefix!r}")
        self._note(path)
        self._documents[path] = value

    def __delitem__(self, path: str) -> None:
        self._note(path)
        del self._documents[path]

    def __contains__(self, path: object) -> bool:
        return path in self._documents

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents)

    def __len__(self) -> int:
        return len(self._documents)

    def _note(self, path: str) -> None:
        if self.event is not None:
            self._touched[path] = self.event
