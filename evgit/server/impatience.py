"""HTTP/1.1 connections that end when no request comes in time.

uvicorn gives a connection that has had an answer some seconds to ask again. Any other one, and a
head that comes a letter at a time, have all the time in the world. It must not know what is asked.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def impatient(seconds: float) -> type[asyncio.Protocol]:
    """The protocol for uvicorn: the head of a request must be whole within `seconds` of when the
    connection was made, or of the answer before."""

    class Impatient(H11Protocol):
        _giving_up: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_watching()
            super().connection_lost(exc)

        def _watch(self) -> None:
            """Let the time run while a head is waited for; what has come of it changes nothing."""
            if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
                self._stop_watching()
            elif self._giving_up is None:
                self._giving_up = self.loop.call_later(seconds, self.transport.close)

        def _stop_watching(self) -> None:
            if self._giving_up is not None:
                self._giving_up.cancel()
                self._giving_up = None

    return Impatient
