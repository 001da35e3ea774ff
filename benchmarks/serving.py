"""python -m benchmarks.serving: what memory a server needs while many clone at once.

    python -m benchmarks.serving --quick                      does it work?
    python -m benchmarks.serving --events 1000000 --clients 8

A real `evgit serve` on loopback. The clients take in all of a clone's transfer and throw it away,
so that the server is what is measured; with --slow they take it in little pieces. Linux only: the
peak is VmHWM of /proc. Writes Markdown to standard output.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from time import perf_counter

from benchmarks.events import generated
from benchmarks.sync import made

MIB = 1 << 20
ASKED = b'{"do":"fetch","refs":["refs/heads/"],"settled":true}\n\0\0\0\0'


def memory(process: int, field: str) -> int:
    """A figure of /proc/PID/status, in bytes."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise SystemExit("there is no /proc here")


def take(port: int, name: str, taken: list[int], pause: float) -> None:
    """Ask for everything, and count what comes."""
    head = f"POST /{name}/evgit HTTP/1.1\r\nHost: x\r\nContent-Length: {len(ASKED)}\r\n"
    size = 0
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(head.encode() + b"Connection: close\r\n\r\n" + ASKED)
        while piece := server.recv(1 << 16):
            size += len(piece)
            if pause:
                time.sleep(pause)
    taken.append(size)


def measured(root: Path, name: str, clients: int, pause: float) -> tuple[int, int, float, int]:
    """(bytes before, peak bytes, seconds, bytes to each client) of a server."""
    process = subprocess.Popen(
        [sys.executable, "-m", "evgit", "serve", str(root), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        port = int(process.stderr.readline().rsplit(":", 1)[1])
        before = memory(process.pid, "VmRSS")
        taken: list[int] = []
        threads = [
            threading.Thread(target=take, args=(port, name, taken, pause)) for _ in range(clients)
        ]
        start = perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = perf_counter() - start
        assert len(set(taken)) == 1, taken
        return before, memory(process.pid, "VmHWM"), seconds, taken[0]
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--commit", type=int, default=1000, help="events a commit")
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--gc", action="store_true", help="from packs")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    count = 5000 if given.quick else given.events
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "srv"
        root.mkdir()
        events = generated(Path(directory), count)
        with made(root / "ledger", events.path, given.commit) as repository:
            if given.gc:
                repository.gc()
        pause = 0.002 if given.slow else 0.0
        before, peak, seconds, size = measured(root, "ledger", given.clients, pause)
    print(f"{given.clients} clients at once, {count:,} events, {size / MIB:.0f} MiB each:\n")
    print("| server's memory | MiB |\n|---|---|")
    print(f"| before | {before / MIB:.0f} |\n| at most | {peak / MIB:.0f} |")
    print(f"\n{seconds:.1f} s, {given.clients * count / seconds:,.0f} events/s in all")


if __name__ == "__main__":
    main()
