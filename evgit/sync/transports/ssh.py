"""The transport through the system's ssh, which runs `evgit serve --stdio` on the other host.

It must not know what is carried.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from evgit.errors import TransferInterrupted, Unavailable
from evgit.sync.messages import printable
from evgit.sync.stdio import read_body, read_message, write_message
from evgit.sync.transport import Carried
from evgit.sync.transports.address import Address

_LAST_WORDS = 2000


class SshTransport:
    """A running ssh. What it writes to its standard error goes to the user's terminal."""

    def __init__(self, address: Address, ssh: tuple[str, ...]) -> None:
        words = [*ssh]
        if address.port is not None:
            words += ["-p", str(address.port)]
        # `--`: whatever the host is called, it is no option. The shell there gets a quoted path.
        words += ["--", address.host, f"evgit serve --stdio {_quoted(address.path)}"]
        self._host = address.host
        try:
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 16
            )
        except OSError as error:
            raise Unavailable(
                f"{ssh[0]} can't be run: {error.strerror}", hint="is ssh installed?"
            ) from None
        self._input = cast(BinaryIO, self._process.stdin)
        self._output = cast(BinaryIO, self._process.stdout)
        self._unread: Iterator[bytes] = iter(())
        self.round_trips = 0

    def carry(self, message: bytes, body: Iterable[bytes] = ()) -> Carried:
        """Write a message and read the answer's. Raises TransferInterrupted."""
        self.round_trips += 1
        for _ in self._unread:
            pass  # or it would be taken for the next answer
        try:
            write_message(self._input, message, body)
        except OSError:
            pass  # it may have said why
        try:
            answer = read_message(self._output)
        except OSError as error:
            raise self._silent(error.strerror) from None
        if answer is None:
            raise self._silent()
        self._unread = read_body(self._output)
        return Carried(answer, self._unread)

    def _silent(self, why: str | None = None) -> TransferInterrupted:
        code = self._process.poll()
        if code is None:
            code = self._process.wait(timeout=5) if why is None else None
        return TransferInterrupted(
            f"{printable(self._host)} did not answer"
            + (f" (ssh ended with {code})" if code else "")
            + (f": {why}" if why else ""),
            hint="can you log in there with ssh, is evgit installed there, is the path right?",
        )

    def close(self) -> None:
        """End the conversation, and ssh with it."""
        for stream in (self._input, self._output):
            try:
                stream.close()
            except OSError:
                pass
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _quoted(path: str) -> str:
    """A path for the shell there; `~` at its beginning keeps its meaning."""
    if path.startswith("~"):
        home, slash, rest = path.partition("/")
        if home[1:].replace("-", "").replace("_", "").isalnum() or home == "~":
            return home + slash + (shlex.quote(rest) if rest else "")
    return shlex.quote(path)
