"""What went wrong in a model's code, said for people: where in the code, on which event.

Model files are compiled under names of a form of their own, by which their frames are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

from evgit.errors import EvgitError, HandlerFailed
from evgit.state.modelling.events import Event

_READ_ONLY = re.compile("mappingproxy|immutable type: '(Stored)?Event'")
"""What Python says where somebody tries to change an event, or to keep its data as a document."""

SCHEME = "evgit-model:"
"""Model code is compiled as `evgit-model:<id>/<file>`."""


def file_name(package: str, file: str) -> str:
    """The name under which a file of a model is compiled."""
    return f"{SCHEME}{package}/{file}"


def file_of(compiled: str) -> str | None:
    """The model's file of such a name; None for other code."""
    return compiled.partition("/")[2] if compiled.startswith(SCHEME) else None


def place_of(error: BaseException) -> tuple[str | None, int | None]:
    """(file, line) of the innermost frame of model code."""
    found: tuple[str | None, int | None] = (None, None)
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = file_of(trace.tb_frame.f_code.co_filename)
        if file is not None:
            found = (file, trace.tb_lineno)
        trace = trace.tb_next
    return found


def place_of_function(function: Callable[..., Any]) -> tuple[str | None, int | None]:
    """(file, line) where a function of a model is written."""
    code = getattr(function, "__code__", None)
    if code is None:
        return None, None
    file = file_of(code.co_filename)
    return (None, None) if file is None else (file, code.co_firstlineno)


def describe(error: BaseException) -> str:
    """The error on one line, as Python says it."""
    text = str(error).strip().split("\n", 1)[0]
    name = type(error).__name__
    if isinstance(error, EvgitError):
        return text
    return f"{name}: {text}" if text else name


def at_place(file: str | None, line: int | None) -> str:
    return "" if file is None else f" at {file}, line {line}"


def event_text(event: Event) -> str:
    """An event as an error names it."""
    where = f" at position {event.position}" if event.position >= 0 else ""
    return f"event {event.id[:12]} ({event.type} in {event.stream}){where}"


def raise_failed(
    error: BaseException,
    what: str,
    *,
    event: Event | None = None,
    path: str | None = None,
    code: Callable[..., Any] | None = None,
) -> NoReturn:
    """Raise HandlerFailed for an error of model code while it did `what`.

    `code`: the function to name where the error comes from no line of the model, but from what a
    function left behind. What a person or the system wants (an interrupt) and what evgit says
    itself passes through.
    """
    if isinstance(error, KeyboardInterrupt | HandlerFailed):
        raise error
    file, line = place_of(error)
    if file is None and code is not None:
        file, line = place_of_function(code)
    on_event = "" if event is None else f" on {event_text(event)}"
    on_path = "" if path is None else f", document {path}"
    hint = "correct the model"
    if _READ_ONLY.search(str(error)):
        hint = f"events are read-only, and dict(event.data) is a copy: {hint}"
    if event is not None:
        hint += f", or see the state without the event: --skip {event.id[:12]}"
    raise HandlerFailed(
        f"{what} failed{on_event}{on_path}{at_place(file, line)}: {describe(error)}",
        event_id=None if event is None else event.id,
        position=None if event is None or event.position < 0 else event.position,
        path=path,
        file=file,
        line=line,
        hint=hint,
    ) from error
