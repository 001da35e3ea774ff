"""Cuts a conversation between two machines after so many bytes, in the middle of whatever it is.

    python cutting.py DIRECTION BYTES VICTIM COUNTS … -- HOST COMMAND

stands for ssh: it runs COMMAND here and passes on what the two say. `Proxy` does the same for TCP.
When BYTES have gone in DIRECTION ("up": to the server, "down": from it), the VICTIM dies: the
"line", the "server" or the "client", these two by SIGKILL. COUNTS is a file that tells how many
bytes went up and down.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

DIRECTIONS = ("up", "down")
PIECE = 1 << 14


class Cut(NamedTuple):
    """Where to cut, and what dies there."""

    direction: str = "down"
    after: int = 1 << 62
    victim: str = "line"


class Counter:
    """Bytes that went either way; says how many more may."""

    def __init__(self, cut: Cut, on_cut: Callable[[], None]) -> None:
        self._cut = cut
        self._on_cut = on_cut
        self._lock = threading.Lock()
        self.bytes = dict.fromkeys(DIRECTIONS, 0)
        self.was_cut = False

    def allowed(self, direction: str, piece: bytes) -> bytes:
        """What of a piece may still pass."""
        with self._lock:
            if self.was_cut:
                return b""
            if direction == self._cut.direction:
                piece = piece[: self._cut.after - self.bytes[direction]]
            self.bytes[direction] += len(piece)
            return piece

    def passed(self, direction: str) -> bool:
        """After a piece went on: is the line still whole? Cuts it where its time has come."""
        with self._lock:
            if self.was_cut:
                return False
            if direction != self._cut.direction or self.bytes[direction] < self._cut.after:
                return True
            self.was_cut = True
        self._on_cut()
        return False


# ---------------------------------------------------------------- TCP
class Proxy:
    """Listens on loopback and passes on to a port there, until the cut. Close it."""

    def __init__(self, ports: tuple[int, int], cut: Cut, kill: Callable[[], None] | None) -> None:
        """`ports`: from and to. `kill` is called at the cut."""
        port, self._port = ports
        self._sockets: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", port))
        self.counter = Counter(cut, self._broken)
        self._kill = kill
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _broken(self) -> None:
        if self._kill is not None:
            self._kill()
        for each in self._sockets:
            self._end(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._port), 10)
                server.settimeout(None)
            except OSError:
                return
            self._sockets += [client, server]
            for ends in (("up", client, server), ("down", server, client)):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, direction: str, source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(PIECE):
                target.sendall(self.counter.allowed(direction, piece))
                if not self.counter.passed(direction):
                    return
            target.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(source)
            self._end(target)

    def _end(self, end: socket.socket) -> None:
        try:
            end.shutdown(socket.SHUT_RDWR)  # what was passed on before still arrives
        except OSError:
            pass

    def close(self) -> None:
        """Stop listening, and break what is open."""
        self._listening.shutdown(socket.SHUT_RDWR)  # or the thread would hold it
        self._accepting.join()
        self._listening.close()
        for each in self._sockets:
            self._end(each)
            each.close()


# ---------------------------------------------------------------- standard input and output
def _relay(cut: Cut, counts: Path, command: str) -> int:
    parent = os.getppid()
    process = subprocess.Popen(
        ["sh", "-c", f"exec {command}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def note() -> None:
        counts.write_text(" ".join(str(counter.bytes[each]) for each in DIRECTIONS))

    def broken() -> None:
        note()
        if cut.victim == "server":
            process.kill()
        elif cut.victim == "client":
            os.kill(parent, signal.SIGKILL)
        elif cut.direction == "up":
            os.close(up[1])
        else:
            process.kill()  # nobody would read what it writes
        if cut.victim != "line" or cut.direction == "down":
            os._exit(1)

    counter = Counter(cut, broken)
    up = (0, process.stdin.fileno())
    down = (process.stdout.fileno(), 1)

    def pass_on(direction: str, source: int, target: int) -> None:
        try:
            while piece := os.read(source, PIECE):
                left = counter.allowed(direction, piece)
                while left:
                    left = left[os.write(target, left) :]
                if not counter.passed(direction):
                    return
            os.close(target)
        except OSError:
            pass

    threading.Thread(target=pass_on, args=("up", *up), daemon=True).start()
    pass_on("down", *down)
    note()
    return process.wait()


def main() -> int:
    direction, after, victim, counts, *rest = sys.argv[1:]
    command = rest[rest.index("--") + 2]
    command = command.replace("evgit ", f"{sys.executable} -m evgit ", 1)
    return _relay(Cut(direction, int(after), victim), Path(counts), command)


if __name__ == "__main__":
    sys.exit(main())
