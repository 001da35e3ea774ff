"""The present moment, which EVGIT_NOW may fix so that a run can be repeated exactly.

The library takes the time from its callers; only this module looks at the environment for it.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

from evgit.errors import InvalidTime
from evgit.formats.times import parse_instant, to_instant, to_text
from evgit.repository import parse_time

UNIX_EPOCH = to_instant("1970-01-01T00:00:00.000000Z")


def fixed_now() -> int | None:
    """The instant that EVGIT_NOW names; None where it is not set. Raises InvalidTime."""
    text = os.environ.get("EVGIT_NOW")
    if not text:
        return None
    try:
        return parse_instant(text)
    except InvalidTime as error:
        raise InvalidTime(
            f"the environment variable EVGIT_NOW: {error.message}", hint=error.hint
        ) from error


def now() -> int:
    """The present instant in microseconds since 0001-01-01T00:00:00Z, or EVGIT_NOW's."""
    fixed = fixed_now()
    return time.time_ns() // 1000 + UNIX_EPOCH if fixed is None else fixed


def moment() -> datetime:
    """The present instant as the standard library has it."""
    return datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=now())


def time_expression(text: str) -> str:
    """What people call a time (`yesterday`, `3 days ago`), in the one format of events."""
    return to_text(parse_time(text, now=moment()))
