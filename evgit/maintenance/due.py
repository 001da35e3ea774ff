"""When a repository is worth consolidating, and what is remembered of a gc that nobody watched.

It decides; what is then done, `gc` knows.
"""

from __future__ import annotations

from contextlib import suppress

from evgit.errors import EvgitError
from evgit.history.history import History
from evgit.storage.database import fetch_one
from evgit.storage.layout import Layout
from evgit.storage.pack_directory import PackDirectory

PAUSE_SECONDS = 86_400
"""So long no other is started by itself after one that failed."""


def is_due(history: History, layout: Layout, objects: int, now: int) -> bool:
    """Are at least so many objects not packed, and is nobody packing them? 0 objects: never.

    `now`: an instant. Asks for the ends of one table, so that it can be asked after each commit.
    """
    if not objects or _hot_lines(history) < objects or PackDirectory(layout).is_locked():
        return False
    with suppress(OSError):
        return now / 1_000_000 - _recorded(layout) > PAUSE_SECONDS
    return True


def note_failure(layout: Layout, error: EvgitError, now: int) -> None:
    """Remember why one failed that nobody watched, so that the next does not follow at once."""
    with suppress(OSError):
        layout.gc_failure.write_text(f"{now // 1_000_000}\n{error}\n", encoding="utf-8")


def last_failure(layout: Layout) -> str:
    """What `note_failure` left; "" where all went well since."""
    with suppress(OSError):
        return layout.gc_failure.read_text(encoding="utf-8").partition("\n")[2].strip()
    return ""


def forget_failure(layout: Layout) -> None:
    """One went well."""
    with suppress(OSError):
        layout.gc_failure.unlink(missing_ok=True)


def _hot_lines(history: History) -> int:
    first, last = fetch_one(
        history.connection,
        "SELECT (SELECT min(first_line) FROM blocks), (SELECT max(first_line) FROM blocks)",
    )
    return 0 if first is None else int(last - first + 1)


def _recorded(layout: Layout) -> int:
    first = layout.gc_failure.read_text(encoding="utf-8").partition("\n")[0]
    return int(first) if first.isdecimal() else 0
