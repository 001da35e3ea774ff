"""The transport within one machine: the other repository is opened in this process.

It must not know what is carried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from evgit.sync.service import Service
from evgit.sync.transport import Carried


class LocalTransport:
    """Asks a service directly. `close` is called when it is not needed any more."""

    def __init__(self, service: Service, close: Callable[[], None]) -> None:
        self._service = service
        self._close = close
        self.round_trips = 0

    def carry(self, message: bytes, body: Iterable[bytes] = ()) -> Carried:
        """The service's answer."""
        self.round_trips += 1
        return Carried(*self._service.answer(message, body))

    def close(self) -> None:
        """Close the other repository."""
        self._close()
