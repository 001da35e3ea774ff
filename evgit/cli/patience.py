"""Waiting for another process that holds the database, and saying so.

SQLite waits in silence; this waits as long, but tells the person why nothing happens.
"""

from __future__ import annotations

import time

from evgit.cli.invocation import say
from evgit.repository import Repository

SILENT = 2.0  # seconds: short waits are nobody's business
LONGEST = 30.0
LONGEST_PAUSE = 0.1


class Patience:
    """A busy handler as SQLite takes it: called with the number of times that it was before."""

    def __init__(self) -> None:
        self._started = 0.0
        self._said = False

    def __call__(self, times: int) -> bool:
        """Wait a little; False when that was long enough."""
        now = time.monotonic()
        if times == 0:
            self._started = now
        waited = now - self._started
        if waited >= LONGEST:
            return False
        if waited >= SILENT and not self._said:
            self._said = True
            say("waiting for another process, which is writing to this repository…")
        time.sleep(min(0.001 * 2 ** min(times, 10), LONGEST_PAUSE))
        return True


def be_patient(repository: Repository) -> None:
    """Let every wait for the repository's database be said."""
    repository.history.connection.set_busy_handler(Patience())
