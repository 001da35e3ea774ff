"""The commit of a few events behind a log: their ids, the log's new frontier and root, its line.

All of it in one call of the native part, where there is one and nothing is out of the ordinary. It
knows bytes; where the events go, and whether they may, is decided above.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from evgit.formats.canonical import digest
from evgit.formats.commit import Commit, LogHead
from evgit.formats.hashing import JoinedIds, hashed
from evgit.formats.merkle import Frontier
from evgit.formats.native import native
from evgit.formats.times import to_text


class Closed(msgspec.Struct, frozen=True, gc=False):
    """`ids`: of the events. `id`: the commit's. `peaks`: the new frontier's, one after another.
    `text`: the lines of the events and the commit's, each with its newline."""

    ids: Sequence[bytes]
    id: bytes
    peaks: bytes
    text: bytes


def close(
    lines: list[bytes],
    size: int,
    peaks: bytes,
    *,
    parent: str,
    author: str,
    message: str,
    meta: dict[str, Any],
    guards: dict[str, int],
    instant: int,
) -> Closed:
    """The commit of events with these lines, at `instant`, behind `parent`, whose log has this
    `size` and frontier. Raises InvalidObject where author, message or meta can't be written."""
    if native is not None and not meta and not guards:
        found = native.close_block(lines, size, peaks, parent, author, message, instant)
        if found is not None:
            ids, commit_id, peaks, text = found
            return Closed([ids] if len(lines) == 1 else JoinedIds(ids), commit_id, peaks, text)
    event_ids = hashed(lines)
    frontier = Frontier.from_bytes(size, peaks)
    frontier.extend(event_ids)
    line = Commit(
        author=author,
        events=len(lines),
        guards=guards,
        log=LogHead(root=frontier.root().hex(), size=frontier.size),
        message=message,
        meta=meta,
        parents=[parent],
        time=to_text(instant),
    ).canonical()
    text = b"\n".join([*lines, line]) + b"\n"
    return Closed(event_ids, digest(line), frontier.to_bytes(), text)
