"""Where a command's answer goes: standard output, in colour or plain, as text or JSON.

Text is always UTF-8, whatever the locale says, since names and data may hold any character. This
module must not know what it prints.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol

import msgspec

from evgit.errors import StorageFull, Unavailable

STYLES = {
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "red": "\x1b[31m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "blue": "\x1b[34m",
    "magenta": "\x1b[35m",
    "cyan": "\x1b[36m",
}
RESET = "\x1b[0m"

# Texts come from other people's repositories, and a terminal obeys control characters: all but
# tab and newline are shown as escapes.
UNSAFE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}
UNSAFE_IN_LINE = UNSAFE | {9: "\\t", 10: "\\n"}


def shown(text: str) -> str:
    """`text` with its control characters (not tabs and newlines) made visible and harmless."""
    return text.translate(UNSAFE)


def shown_in_line(text: str) -> str:
    """`text` on one line, its control characters made visible and harmless."""
    return text.translate(UNSAFE_IN_LINE)


def json_bytes(value: object) -> bytes:
    """One line of JSON without its newline, members in the order given."""
    return msgspec.json.encode(value)


class Writable(Protocol):
    """Something that takes bytes."""

    def write(self, data: bytes, /) -> object:
        """Take these."""


class Output:
    """Writes lines of text, JSON or raw bytes to one binary stream."""

    def __init__(self, stream: Writable, *, colour: bool) -> None:
        self._stream = stream
        self.colour = colour

    def line(self, text: str = "") -> None:
        """One line of text."""
        self._stream.write(text.encode("utf-8", "backslashreplace") + b"\n")

    def json(self, value: object) -> None:
        """One line of JSON."""
        self._stream.write(json_bytes(value) + b"\n")

    def raw(self, data: bytes) -> None:
        """Bytes exactly as they are."""
        self._stream.write(data)

    def style(self, text: str, *styles: str) -> str:
        """`text` in these styles where colour is on, unchanged where it is off."""
        if not self.colour or not text:
            return text
        return "".join(STYLES[style] for style in styles) + text + RESET


def colour_wanted(choice: str) -> bool:
    """Whether `auto`, `always` or `never` means colour, here and now.

    The variable NO_COLOR, set and not empty, turns `auto` off (no-color.org).
    """
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty()


class _StandardOutput:
    """Standard output, whose failures say that it was standard output that failed.

    A reader that went away is not among them: that is BrokenPipeError, as ever.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        try:
            return self._stream.write(data)
        except OSError as error:
            raise _failed(error) from error

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise _failed(error) from error


def _failed(error: OSError) -> Exception:
    if isinstance(error, BrokenPipeError):
        return error
    words = f"standard output can't be written: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(words, hint="make room where it goes, or send it elsewhere")
    return Unavailable(words, hint="send it elsewhere: > FILE, or a pipe")


@contextmanager
def standard_output(colour_choice: str) -> Iterator[Output]:
    """Standard output, flushed at the end. Raises Unavailable where it can't be written."""
    stream = _StandardOutput(sys.stdout.buffer)
    try:
        yield Output(stream, colour=colour_wanted(colour_choice))
    finally:
        stream.flush()
