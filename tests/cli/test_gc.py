"""The command `gc`: what it says, and that history is the same afterwards."""

from __future__ import annotations

import json


def test_gc(session) -> None:  # type: ignore[no-untyped-def]
    session.evgit("init", "-q")
    for stream in ("a", "b"):
        session.evgit("commit", "-q", "-s", stream, "-t", "happened")
    before = session.evgit("log").out
    result = session.evgit("gc")
    assert (result.code, result.out) == (0, "Packed 5 objects into 1 pack\n")
    assert session.evgit("log").out == before
    assert session.evgit("gc").out == "Nothing to pack\n"
    report = json.loads(session.evgit("gc", "--aggressive", "--json").out)
    assert (report["packed_lines"], report["packs_written"], report["packs_replaced"]) == (5, 1, 1)
    assert session.evgit("fsck", "-q").out == ""
    assert session.evgit("gc", "-q").out == ""
