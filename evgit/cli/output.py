"""Where a command's answer goes: standard output, in colour or plain, as text or JSON.

Text is always UTF-8, whatever the locale says, since names and data may hold any character. This
module must not know what it prints.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import msgspec

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


class Output:
    """Writes lines of text, JSON or raw bytes to one binary stream."""

    def __init__(self, stream: IO[bytes], *, colour: bool) -> None:
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

    @property
    def stream(self) -> IO[bytes]:
        """The stream itself, for a writer that takes one."""
        return self._stream

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


@contextmanager
def standard_output(colour_choice: str) -> Iterator[Output]:
    """Standard output, flushed at the end."""
    stream = sys.stdout.buffer
    try:
        yield Output(stream, colour=colour_wanted(colour_choice))
    finally:
        stream.flush()
