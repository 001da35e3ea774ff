"""Again lines: what stands in a block for an own event of its commit that is stored elsewhere.

Such a line is the canonical JSON of {"id": event id, "kind": "again"}, and no object: nothing is
named by its hash.
"""

from __future__ import annotations

import re

from evgit.errors import DamagedObject

_ID = re.compile(r"[0-9a-f]{64}")
AGAIN_START, _AGAIN_END = b'{"id":"', b'","kind":"again"}'
AGAIN_BYTES = len(AGAIN_START) + 64 + len(_AGAIN_END)


def again_line(event_id: str) -> bytes:
    """Stands in a block for an own event of the commit that is stored elsewhere."""
    return AGAIN_START + event_id.encode("ascii") + _AGAIN_END


def is_again(line: bytes) -> bool:
    """Is it an again line? No event is: an event's canonical bytes begin otherwise."""
    return len(line) == AGAIN_BYTES and line.startswith(AGAIN_START) and line.endswith(_AGAIN_END)


def again_id(line: bytes) -> str:
    """The event id that an again line names. Raises DamagedObject if it is none."""
    event_id = line[len(AGAIN_START) : len(AGAIN_START) + 64].decode("ascii", "replace")
    if not is_again(line) or not _ID.fullmatch(event_id):
        raise DamagedObject("stored bytes are not an again line")
    return event_id
