"""What every transport can do: carry one message there and bring its answer back.

It must not know any transport, nor what messages mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from evgit.sync.messages import R, Request, decode_reply, encode


class Carried(NamedTuple):
    """An answer: one message, and its body as chunks of any size, to be read to the end.

    The body raises TransferInterrupted where it stops short.
    """

    message: bytes
    body: Iterator[bytes]


class Transport(Protocol):
    """A way to one other repository. Use it from one thread, for one request at a time."""

    def carry(self, message: bytes, body: Iterable[bytes] = ()) -> Carried:
        """Send a request, and bring the answer. Raises AccessDenied and TransferInterrupted."""

    def close(self) -> None:
        """End the connection."""


def ask(
    transport: Transport, request: Request, kind: type[R], body: Iterable[bytes] = ()
) -> tuple[R, Iterator[bytes]]:
    """(the reply to a request, its body). Raises what the other side says that it raised."""
    carried = transport.carry(encode(request), body)
    return decode_reply(carried.message, kind), carried.body
