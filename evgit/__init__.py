"""evgit: Git for events.

The public library. What stands in `__all__` is promised; everything else may change.

    import evgit

    with evgit.init("shop") as repository:
        repository.append([evgit.NewEvent("account-42", "deposit_made", {"amount": 500})])
        for entry in repository.stream("account-42"):
            print(entry.revision, entry.event.type, entry.event.data)
        print(repository.state()["streams/account-42.json"])

Names are loaded when they are first used, so that `evgit --version` doesn't wait for what it
doesn't need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evgit.errors import (
        AlreadyExists,
        AmbiguousRevision,
        Conflict,
        Damage,
        DamagedObject,
        EvgitError,
        HandlerFailed,
        InvalidEvent,
        InvalidInput,
        InvalidJSON,
        InvalidModel,
        InvalidName,
        InvalidObject,
        InvalidPath,
        InvalidTime,
        InvariantViolated,
        KeyReused,
        LocalChanges,
        Locked,
        ModelError,
        NotADatabase,
        NotAFastForward,
        NotARepository,
        NotDeterministic,
        NotFound,
        ReadOnly,
        StorageFull,
        Unavailable,
        UnknownObject,
        UnknownRevision,
        UnknownVersion,
        UnsupportedFormat,
        UntrustedModel,
        UsageError,
        WrongExpectedRevision,
    )
    from evgit.formats.commit import Commit
    from evgit.formats.event import Event, EventBatch, batch_from_lines
    from evgit.history.append import Appended
    from evgit.history.log import Log
    from evgit.history.points import Point
    from evgit.history.reading import CommitEntry, LogEvent, StreamEvent, StreamSummary
    from evgit.repository import NewEvent, Repository, init, open  # noqa: A004
    from evgit.state.diff import DocumentChange, FieldChange
    from evgit.state.state import State

__version__ = "0.1.0"

_ERRORS = (
    "AlreadyExists",
    "AmbiguousRevision",
    "Conflict",
    "Damage",
    "DamagedObject",
    "EvgitError",
    "HandlerFailed",
    "InvalidEvent",
    "InvalidInput",
    "InvalidJSON",
    "InvalidModel",
    "InvalidName",
    "InvalidObject",
    "InvalidPath",
    "InvalidTime",
    "InvariantViolated",
    "KeyReused",
    "LocalChanges",
    "Locked",
    "ModelError",
    "NotADatabase",
    "NotAFastForward",
    "NotARepository",
    "NotDeterministic",
    "NotFound",
    "ReadOnly",
    "StorageFull",
    "Unavailable",
    "UnknownObject",
    "UnknownRevision",
    "UnknownVersion",
    "UnsupportedFormat",
    "UntrustedModel",
    "UsageError",
    "WrongExpectedRevision",
)
_HOMES = {
    **dict.fromkeys(_ERRORS, "evgit.errors"),
    "Commit": "evgit.formats.commit",
    "Event": "evgit.formats.event",
    "EventBatch": "evgit.formats.event",
    "batch_from_lines": "evgit.formats.event",
    "Appended": "evgit.history.append",
    "Log": "evgit.history.log",
    "Point": "evgit.history.points",
    "CommitEntry": "evgit.history.reading",
    "LogEvent": "evgit.history.reading",
    "StreamEvent": "evgit.history.reading",
    "StreamSummary": "evgit.history.reading",
    "NewEvent": "evgit.repository",
    "Repository": "evgit.repository",
    "init": "evgit.repository",
    "open": "evgit.repository",
    "DocumentChange": "evgit.state.diff",
    "FieldChange": "evgit.state.diff",
    "State": "evgit.state.state",
}

__all__ = [
    "AlreadyExists",
    "AmbiguousRevision",
    "Appended",
    "Commit",
    "CommitEntry",
    "Conflict",
    "Damage",
    "DamagedObject",
    "DocumentChange",
    "Event",
    "EventBatch",
    "EvgitError",
    "FieldChange",
    "HandlerFailed",
    "InvalidEvent",
    "InvalidInput",
    "InvalidJSON",
    "InvalidModel",
    "InvalidName",
    "InvalidObject",
    "InvalidPath",
    "InvalidTime",
    "InvariantViolated",
    "KeyReused",
    "LocalChanges",
    "Locked",
    "Log",
    "LogEvent",
    "ModelError",
    "NewEvent",
    "NotADatabase",
    "NotAFastForward",
    "NotARepository",
    "NotDeterministic",
    "NotFound",
    "Point",
    "ReadOnly",
    "Repository",
    "State",
    "StorageFull",
    "StreamEvent",
    "StreamSummary",
    "Unavailable",
    "UnknownObject",
    "UnknownRevision",
    "UnknownVersion",
    "UnsupportedFormat",
    "UntrustedModel",
    "UsageError",
    "WrongExpectedRevision",
    "__version__",
    "batch_from_lines",
    "init",
    "open",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'evgit' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
