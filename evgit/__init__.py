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

from evgit import errors
from evgit.errors import *  # noqa: F403 - a module of nothing but errors

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all of this
if TYPE_CHECKING:
    from typing import Any

    from evgit.formats.commit import Commit as Commit
    from evgit.formats.event import (
        Event as Event,
        EventBatch as EventBatch,
        batch_from_lines as batch_from_lines,
    )
    from evgit.history.append import Appended as Appended
    from evgit.history.log import Log as Log
    from evgit.history.new_event import NewEvent as NewEvent
    from evgit.history.points import Point as Point
    from evgit.history.reading import (
        CommitEntry as CommitEntry,
        LogEvent as LogEvent,
        StreamEvent as StreamEvent,
        StreamSummary as StreamSummary,
    )
    from evgit.repository import Repository as Repository, init as init, open as open  # noqa: A004
    from evgit.state.diff import DocumentChange as DocumentChange, FieldChange as FieldChange
    from evgit.state.state import State as State

__version__ = "0.1.0"

_HOMES = {
    "Appended": "evgit.history.append",
    "Commit": "evgit.formats.commit",
    "CommitEntry": "evgit.history.reading",
    "DocumentChange": "evgit.state.diff",
    "Event": "evgit.formats.event",
    "EventBatch": "evgit.formats.event",
    "FieldChange": "evgit.state.diff",
    "Log": "evgit.history.log",
    "LogEvent": "evgit.history.reading",
    "NewEvent": "evgit.history.new_event",
    "Point": "evgit.history.points",
    "Repository": "evgit.repository",
    "State": "evgit.state.state",
    "StreamEvent": "evgit.history.reading",
    "StreamSummary": "evgit.history.reading",
    "batch_from_lines": "evgit.formats.event",
    "init": "evgit.repository",
    "open": "evgit.repository",
}

_ERRORS = [name for name, value in vars(errors).items() if isinstance(value, type)]
_NAMES = ["__version__", *_ERRORS, *_HOMES]
if not TYPE_CHECKING:  # type checkers go by the imports above
    __all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'evgit' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return _NAMES
