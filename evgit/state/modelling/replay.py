"""One replay of a log by a model, in a process of its own: what `determinism` compares.

    python -P -m evgit.state.modelling.replay DIRECTORY COMMIT CLOCK_SHIFT < request

The request is a JSON document {"files": {path: base64}, "sizes": [...], "documents": bool,
"watch": bool, "forgetful": bool}; the answer, on standard output, is {"roots": {prefix: [root after
each size]}, "documents": {path: hash}} or {"error": [class, message, hint]}. What a model prints is
thrown away.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from base64 import b64decode
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

import evgit.errors
from evgit.errors import EvgitError
from evgit.formats import canonical
from evgit.history.history import History
from evgit.history.points import Point
from evgit.state.modelling.declarations import AnyProjection
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.importing import modules_of
from evgit.state.modelling.loader import load
from evgit.state.modelling.model_states import ModelStates
from evgit.storage import database
from evgit.storage.cache import Cache
from evgit.storage.layout import Layout

_NEVER = 1 << 62
_PLAIN = (bool, int, float, str, bytes, tuple, frozenset, type(None))
_HOLDING = (dict, list, set)


class Request(msgspec.Struct):
    """What to replay, and what to tell of it."""

    files: dict[str, str]
    sizes: list[int]
    documents: bool = False
    watch: bool = False
    forgetful: bool = False
    """Shall projections forget, at each of the sizes, what they keep on themselves? Who goes on
    from a snapshot has never known it."""


class Answer(msgspec.Struct):
    """What came out."""

    roots: dict[str, list[str]] = {}
    documents: dict[str, str] = {}
    error: tuple[str, str, str] | None = None


def replay(directory: Path, commit: str, request: Request) -> Answer:
    """Fold the log up to each of the sizes. Raises ModelError."""
    files = ModelFiles({path: b64decode(data) for path, data in request.files.items()})
    connection = database.open_existing(Layout(directory).database)
    try:
        log = History(connection).log(Point(commit, request.sizes[-1]))
        model = load(files)
        memories = {each.prefix: _Memory(each.declared) for each in model.projections}
        modules = [_Globals(module) for module in modules_of(model.id)]
        states = ModelStates(Cache(None), model, interval=_NEVER, remembered=1)
        answer = Answer(roots={part.adapter.prefix: [] for part in states.parts})
        for part in states.parts:
            part.adapter.watched = request.watch
            for size in request.sizes:
                if request.forgetful:
                    memories[part.adapter.prefix].restore()
                    for module in modules:
                        module.restore()
                answer.roots[part.adapter.prefix].append(part.states.at(log, size).root)
        if request.documents:
            for path, document in states.at(log).documents():
                answer.documents[path] = canonical.object_id(document)
        return answer
    finally:
        connection.close()


class _Memory:
    """What a projection keeps on itself, as it was at the beginning."""

    def __init__(self, projection: AnyProjection) -> None:
        self._own = vars(projection)
        # What all of a class share is changed as easily as what is its own.
        self._first = {
            name: value
            for each in reversed(type(projection).__mro__)
            for name, value in vars(each).items()
            if type(value) in (list, dict, set)
        } | self._own
        self._first = self._copy()

    def _copy(self) -> dict[str, Any]:
        try:
            return deepcopy(self._first)
        except Exception:  # an open file, a lock: it stays what it is
            return self._first.copy()

    def restore(self) -> None:
        """Make the projection forget what came since."""
        self._own.clear()
        self._own.update(self._copy())


class _Globals:
    """What a module keeps at its top, as it was at the beginning."""

    def __init__(self, module: ModuleType) -> None:
        self._names = vars(module)
        own = {n: value for n, value in self._names.items() if not n.startswith("__")}
        self._first = {n: value for n, value in own.items() if type(value) in _PLAIN}
        self._held = {n: value for n, value in own.items() if type(value) in _HOLDING}
        self._contents = self._copied()

    def _copied(self) -> dict[str, Any]:
        found = {}
        for name, value in self._held.items():
            with suppress(Exception):  # it holds an open file, a lock: it stays what it is
                found[name] = deepcopy(value)
        return found

    def restore(self) -> None:
        """Make the module forget what came since. Others may hold what it holds, so lists, sets
        and dictionaries are filled anew, not replaced."""
        self._names.update(self._first)
        for name, value in deepcopy(self._contents).items():
            held = self._held[name]
            held.clear()
            held.extend(value) if type(held) is list else held.update(value)
            self._names[name] = held


def shift_clock(seconds: float) -> None:
    """Make the clock that models can see run ahead, so that reading it shows."""
    for name in ("time", "monotonic", "perf_counter", "process_time"):
        _shift(name, seconds)
        _shift(name + "_ns", int(seconds * 1_000_000_000))
    for name in ("localtime", "gmtime", "ctime"):
        _shift_default(name)
    real, ahead = dt.datetime, dt.timedelta(seconds=seconds)

    class Ahead(real):  # type: ignore[valid-type, misc]
        """datetime.datetime with another now."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real.now(tz) + ahead

        @classmethod
        def utcnow(cls) -> Any:
            return real.now(dt.UTC).replace(tzinfo=None) + ahead

        @classmethod
        def today(cls) -> Any:
            return real.now() + ahead

    class AheadDate(dt.date):
        """datetime.date with another today."""

        @classmethod
        def today(cls) -> Any:
            return (real.now() + ahead).date()

    dt.datetime = Ahead  # type: ignore[misc]
    dt.date = AheadDate  # type: ignore[misc]


def _shift(name: str, by: float) -> None:
    real = getattr(time, name)
    setattr(time, name, lambda: real() + by)


def _shift_default(name: str) -> None:
    real = getattr(time, name)
    setattr(time, name, lambda seconds=None: real(time.time() if seconds is None else seconds))


def main() -> int:
    """Answer one request."""
    directory, commit, shift = sys.argv[1:4]
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    # Only the answer goes to standard output, whatever the model prints.
    out = os.dup(sys.stdout.fileno())
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if float(shift):
        shift_clock(float(shift))
    try:
        answer = replay(Path(directory), commit, request)
    except EvgitError as error:
        answer = Answer(error=(type(error).__name__, error.message, error.hint))
    except KeyboardInterrupt:
        return 130
    with os.fdopen(out, "wb") as stream:
        stream.write(msgspec.json.encode(answer))
    return 0


def error_of(answer: Answer) -> EvgitError | None:
    """The error of an answer, made again; None where there is none."""
    if answer.error is None:
        return None
    name, message, hint = answer.error
    found = getattr(evgit.errors, name, EvgitError)
    error: EvgitError = found.__new__(found)
    EvgitError.__init__(error, message, hint=hint)
    return error


if __name__ == "__main__":
    sys.exit(main())
