"""What is kept of a refused push: one line of JSON, which says who wanted what, and why not.

Nothing else of such a push stays, so the line is all that the owner of a repository can look at
afterwards. It must not know transports, nor what a rule means.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from evgit.formats.times import to_text
from evgit.sync.messages import printable

MAX_FILE_BYTES = 1 << 20  # of each of two files
MAX_REFS = 50  # named in one line
_MODE = 0o666


class Refusal(NamedTuple):
    """A push that was refused. `name`: what the rules call whoever asked, never what they showed.

    `what`: "push", "blob", or "request", where it made no sense. `refs`: full names, as they were
    asked for; `error`: name of the exception's class.
    """

    name: str
    what: str
    refs: Sequence[str]
    error: str
    message: str


def refusal_line(refusal: Refusal, now: int, repository: str = "") -> str:
    """A refusal as a line of JSON, without the newline. `now`: instant; `repository`: its name,
    where the line will not stand in it. What strangers wrote is made printable, and shortened."""
    line: dict[str, object] = {"time": to_text(now), "refused": refusal.what, "who": refusal.name}
    if repository:
        line["repository"] = printable(repository)
    line["refs"] = [printable(ref)[:300] for ref in refusal.refs[:MAX_REFS]]
    if len(refusal.refs) > MAX_REFS:
        line["more_refs"] = len(refusal.refs) - MAX_REFS
    line |= {"error": refusal.error, "message": printable(refusal.message)}
    return msgspec.json.encode(line).decode()


class RefusalFile:
    """A repository's own file of refusals: the newest stand in it, older ones in a second file, and
    the oldest are forgotten. Many processes may write to it."""

    def __init__(self, path: Path, now: Callable[[], int]) -> None:
        self._path = path
        self._now = now

    def note(self, refusal: Refusal) -> None:
        """Add a line. Where that is impossible (a full disk, say), the push is refused as well, and
        whoever pushed is told all the same."""
        line = (refusal_line(refusal, self._now()) + "\n").encode()
        with suppress(OSError):
            descriptor = self._locked()
            try:
                os.write(descriptor, line)
                if os.fstat(descriptor).st_size > MAX_FILE_BYTES:
                    self._path.replace(self._path.with_name(self._path.name + ".1"))
            finally:
                os.close(descriptor)

    def _locked(self) -> int:
        """The file, locked: until it is closed nobody else writes to it or moves it away."""
        while True:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, _MODE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                    return descriptor
            except FileNotFoundError:
                pass  # moved away while this waited for the lock
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
