"""Starting one worker process, with a pipe to it and one back, and ending it.

There are two ways. A **fork** is there at once, with all that is loaded, and costs a few
milliseconds. A **fresh interpreter** takes a tenth of a second of a core until it is of use. A fork
is taken where it is safe: on Linux, and where this process has no other thread, which might hold
a lock that the child would wait for for ever. The child closes what it inherited, SQLite's files
among them, without using it: POSIX locks stay with the process that took them.

This module must not know what a worker is asked.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, Protocol

import evgit
from evgit.storage.worker import serve

if sys.platform == "linux":
    from fcntl import F_SETPIPE_SZ, fcntl

_PIPE_BYTES = 1 << 20  # requests and answers find room, so that neither side waits for the other
# -I and -S: neither the environment nor `site` is needed, since all paths are given.
_FLAGS = ("-I", "-S", "-B") if sys.dont_write_bytecode else ("-I", "-S")
_START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]);"
    "from evgit.storage.worker import serve; serve(sys.argv[2])"
)
_ANY_FILE = 1 << 20  # above every descriptor, where the system does not say how many there may be


class WorkerProcess(Protocol):
    """A process that serves. Its pipes don't block; `end` closes them. `at_once`: it is ready."""

    pid: int
    requests_fd: int
    answers_fd: int
    at_once: bool

    def kill(self) -> None:
        """Ends it at once, whatever it is at."""

    def end(self) -> None:
        """The same, and leaves nothing of it behind."""


def start(begin: str) -> WorkerProcess:
    """A process that serves with what is at `begin` (`module:name`). Raises OSError."""
    return Forked(begin) if may_fork() else Spawned(begin)


def may_fork() -> bool:
    """Is it safe to go on in a child without a fresh interpreter?"""
    if not sys.platform.startswith("linux"):
        return False  # elsewhere libraries of the system don't survive it
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


class Forked:
    """A worker that is a fork of this process."""

    def __init__(self, begin: str) -> None:
        requests, self.requests_fd = os.pipe()
        self.answers_fd, answers = os.pipe()
        self.at_once = True
        try:
            self.pid = os.fork()
        except OSError:
            for pipe in (requests, self.requests_fd, self.answers_fd, answers):
                os.close(pipe)
            raise
        if not self.pid:
            _be_worker(begin, requests, answers)
        os.close(requests)
        os.close(answers)
        for pipe in (self.requests_fd, self.answers_fd):
            _enlarge(pipe)
            os.set_blocking(pipe, False)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        self.kill()
        for pipe in (self.requests_fd, self.answers_fd):
            with suppress(OSError):
                os.close(pipe)
        with suppress(ChildProcessError):  # whoever runs us waits for all children, or for none
            os.waitpid(self.pid, 0)


def _be_worker(begin: str, requests: int, answers: int) -> NoReturn:
    """What a forked child does, and nothing else: it never returns."""
    try:
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)  # Ctrl-C is for whoever started it
        os.dup2(requests, 0)
        os.dup2(answers, 1)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 2)
        # What is open belongs to the parent. A pipe whose other end is kept here has no end.
        os.closerange(3, _ANY_FILE)
        inherited = sys.stdout, sys.stderr  # may hold text that is the parent's to write
        sys.stdout = sys.stderr = os.fdopen(2, "w")
        serve(begin)
        del inherited
    finally:
        os._exit(1)


def _enlarge(pipe: int) -> None:
    with suppress(OSError):  # not allowed so much: it works with less
        fcntl(pipe, F_SETPIPE_SZ, _PIPE_BYTES)


class Spawned:
    """A worker that is a fresh interpreter."""

    def __init__(self, begin: str) -> None:
        import json
        import subprocess

        home = str(Path(evgit.__file__).parents[1])  # for installations that use import hooks
        paths = [path for path in sys.path if isinstance(path, str)]
        self._process = subprocess.Popen(
            [sys.executable, *_FLAGS, "-c", _START, json.dumps([*paths, home]), begin],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pipesize=_PIPE_BYTES,
            process_group=0,  # Ctrl-C is for whoever started it
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.requests_fd = self._process.stdin.fileno()
        self.answers_fd = self._process.stdout.fileno()
        self.at_once = False
        os.set_blocking(self.requests_fd, False)
        os.set_blocking(self.answers_fd, False)

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()
