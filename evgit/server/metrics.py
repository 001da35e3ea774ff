"""What the server counts, in the text format of Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

from collections import Counter
from threading import Lock

_HELP = {
    "evgit_requests_total": "Requests, by what was asked and the status of the answer.",
    "evgit_received_bytes_total": "Bytes of request bodies.",
    "evgit_sent_bytes_total": "Bytes of response bodies.",
}
_NOW = {
    "active": "Requests being answered now.",
    "arriving": "Requests whose bodies are coming in.",
}


class Metrics:
    """Counters that several threads add to."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()
        self._now: Counter[str] = Counter()

    def add(self, name: str, labels: str = "", amount: int = 1) -> None:
        """Count. `labels` as the format writes them, without braces."""
        with self._lock:
            self._counts[name, labels] += amount

    def enter(self, what: str, most: int) -> bool:
        """One more is at it, unless `most` are already. `leave` when it is done."""
        with self._lock:
            if self._now[what] >= most:
                return False
            self._now[what] += 1
            return True

    def leave(self, what: str) -> None:
        """One fewer is at it."""
        with self._lock:
            self._now[what] -= 1

    def text(self) -> str:
        """All counters."""
        lines = []
        for name, meaning in _NOW.items():
            gauge = f"evgit_{name}_requests"
            lines += [f"# HELP {gauge} {meaning}", f"# TYPE {gauge} gauge"]
            lines.append(f"{gauge} {self._now[name]}")
        with self._lock:
            counts = sorted(self._counts.items())
        for name, meaning in _HELP.items():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} counter"]
            for (counted, labels), value in counts:
                if counted == name:
                    lines.append(f"{name}{{{labels}}} {value}" if labels else f"{name} {value}")
        return "\n".join(lines) + "\n"
