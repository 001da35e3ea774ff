"""A worker process: answers requests that come through a pipe, until the pipe ends.

It is started by `workers`, and knows neither what is asked nor who asks. It needs nothing but
what it is told: no repository, no database, no terminal. When whoever started it is gone, whatever
the way, its pipe has an end, and so has it.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import BinaryIO

LENGTH_BYTES = 8
READY = b"ready"

Answer = Callable[[bytes], bytes]
"""Answers a request. Whatever it raises, the request is given back."""


def serve(where: str) -> None:
    """Answers requests with what the function at `where` (`module:name`) makes of the setup."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever was interrupted ends the pipe
    gc.disable()  # what is made of a request holds no cycles, and is gone with the next one
    requests = os.fdopen(0, "rb")
    answers = os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # whatever prints does not get between the answers
    with suppress(BrokenPipeError, KeyboardInterrupt):
        module, _, name = where.partition(":")
        begin: Callable[[bytes], Answer] = getattr(import_module(module), name)
        setup = read_frame(requests)
        if setup is not None:
            _answer_all(begin(setup), requests, answers)
    os._exit(0)  # there is nothing to put in order, and doing so takes time


def _answer_all(answer: Answer, requests: BinaryIO, answers: BinaryIO) -> None:
    write_frame(answers, READY)
    while (request := read_frame(requests)) is not None:
        try:
            made = answer(request)
        except Exception:  # who asked does it again, and sees what is raised
            made = b""
        write_frame(answers, made)


def read_frame(file: BinaryIO) -> bytes | None:
    """The next bytes that `write_frame` wrote; None at the end, or for a part of them."""
    length = file.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    size = int.from_bytes(length, "little")
    data = file.read(size)
    return data if len(data) == size else None


def write_frame(file: BinaryIO, data: bytes) -> None:
    """Writes bytes and how many they are."""
    file.write(len(data).to_bytes(LENGTH_BYTES, "little") + data)
    file.flush()
