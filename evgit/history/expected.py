"""Expected revisions: what an appender believes of streams, held against the log as it is.

What holds is recorded in the commit as a guard, so that it can be held against other logs later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from evgit.errors import InvalidInput, UsageError, WrongExpectedRevision
from evgit.formats.commit import MAX_GUARDS
from evgit.formats.names import check_stream_name
from evgit.history.history import History
from evgit.history.tips import Tip

Expected = int | Literal["none", "any"]


def check_expected(expected: Mapping[str, Expected]) -> None:
    """Raises InvalidInput, InvalidName or UsageError where `expected` makes no sense."""
    if len(expected) > MAX_GUARDS:
        raise InvalidInput(f"more than {MAX_GUARDS} expected revisions in one commit")
    for stream, wanted in expected.items():
        check_stream_name(stream, reserved=True)
        if not _is_expected(wanted):
            raise UsageError(
                f"expected revision {wanted!r} of stream {stream!r} is not understood",
                hint="give a revision number, `none` or `any`",
            )


def guards(history: History, expected: Mapping[str, Expected], tip: Tip) -> dict[str, int]:
    """{stream: revision} to be recorded. Raises WrongExpectedRevision where one is not so."""
    found: dict[str, int] = {}
    for stream, wanted in expected.items():
        if wanted == "any":
            continue
        revision = -1 if wanted == "none" else int(wanted)
        actual = tip.revisions.get(stream)
        if actual is None:
            actual = history.streams.revision(tip.row, tip.row.size, stream)
            tip.revisions[stream] = actual
        if actual != revision:
            raise WrongExpectedRevision(stream, revision, actual)
        found[stream] = revision
    return found


def _is_expected(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return value >= -1
    return value in ("none", "any")
