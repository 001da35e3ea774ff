"""Plain web servers on loopback that give a directory's files: honest ones, and others."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Plain(SimpleHTTPRequestHandler):
    """What `python -m http.server` is: it knows no ranges."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        self.server.asked.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]


class Ranged(Plain):
    """One that gives parts of files, and may end before it should."""

    cut_after: int | None = None

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass  # it says more below

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.server.asked.append(f"{path.name} from {start}")  # type: ignore[attr-defined]
        end = len(data)
        if self.cut_after is not None and path.suffix == ".evpack":
            end = min(end, start + self.cut_after)
        self.wfile.write(data[start:end])
        if end < len(data):
            self.connection.close()


class Elsewhere(Plain):
    """One that sends everybody away."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://other.example/secret")
        self.end_headers()


class Packed(Plain):
    """One that compresses, though nobody asked."""

    def end_headers(self) -> None:
        self.send_header("Content-Encoding", "gzip")
        super().end_headers()


class Endless(Plain):
    """One whose files never end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"[" * 65_536)
        except OSError:
            pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[str]

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that went away, or a connection that a test cut


@contextmanager
def files_served(
    directory: Path, kind: Callable[..., SimpleHTTPRequestHandler] = Plain
) -> Iterator[tuple[str, list[str]]]:
    """(URL, what has been asked so far)."""
    server = _Server(("127.0.0.1", 0), partial(kind, directory=str(directory)))
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
