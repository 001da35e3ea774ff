"""What worker processes do in tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def begin(setup: bytes) -> Callable[[bytes], bytes]:
    """Answers with the setup, the length of the request and its end; to some words otherwise."""

    def answer(request: bytes) -> bytes:
        if request == b"fail":
            raise ValueError(request)
        if request == b"die":
            os._exit(1)
        if request == b"pid":
            return str(os.getpid()).encode()
        if request == b"print":
            sys.stdout.write("in the way")
            sys.stdout.flush()
        return b"%b %d %b" % (setup, len(request), request[-8:])

    return answer


def repeat(setup: bytes) -> Callable[[bytes], bytes]:
    """Answers with what was asked."""
    return lambda request: request
