"""Transfers and messages that nobody honest would send, each with a name: what makes them and why.

Every transfer is to be taken by a copy of the repository that `honest` makes, and to be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec
import zstandard

from evgit.formats.canonical import encode, object_id
from evgit.formats.commit import Commit, LogHead, decode_commit
from evgit.formats.merkle import Frontier
from evgit.formats.times import to_text
from evgit.history.recording import CLOCK_TOLERANCE
from evgit.repository import Repository
from tests.history.making import NOW, event, events, new

Lines = list[bytes]
FEW, MANY = 5, 300
"""Events in a commit: so few that it is judged by itself, and enough to be judged in bulk."""


def frame(text: bytes, *, checksum: bool = True, level: int = 3) -> bytes:
    return zstandard.ZstdCompressor(level=level, write_checksum=checksum).compress(text)


def packed(*lines: bytes) -> bytes:
    """An honest frame of these lines."""
    return frame(b"".join(line + b"\n" for line in lines))


def commit_line(parent: str, ids: Lines, **changes: Any) -> bytes:
    """The commit after `parent`, the root, that brings events with these digests; then lie."""
    frontier = Frontier()
    frontier.extend(ids, None)
    members: dict[str, Any] = {
        "author": "Mallory <m@example.org>",
        "events": len(ids),
        "format": 1,
        "kind": "commit",
        "log": {"root": frontier.root().hex(), "size": frontier.size},
        "message": "",
        "parents": [parent],
        "time": to_text(NOW + CLOCK_TOLERANCE),
    }
    members.update(changes)
    return encode({k: v for k, v in members.items() if v is not None})


class Workshop:
    """What hostile transfers are made of: an honest one, to be spoilt."""

    def __init__(self, root: str, count: int = FEW) -> None:
        self.root = root
        self.lines = [event(n, f"t-{n % 3}").canonical() for n in range(count)]
        self.ids = [bytes.fromhex(object_id(line)) for line in self.lines]
        self.commit = commit_line(root, self.ids)

    def honest(self) -> bytes:
        return packed(*self.lines, self.commit)

    def lying(self, **changes: Any) -> bytes:
        return packed(*self.lines, commit_line(self.root, self.ids, **changes))

    def first_as(self, line: bytes) -> bytes:
        """The first event's line is another; the commit is honest about what comes."""
        ids = [bytes.fromhex(object_id(line)), *self.ids[1:]]
        return packed(line, *self.lines[1:], commit_line(self.root, ids))

    def member(self, **changes: Any) -> bytes:
        members = msgspec.json.decode(self.lines[0])
        members.update(changes)
        return self.first_as(encode({k: v for k, v in members.items() if v is not None}))


def honest(path: Any) -> Repository:
    """A repository with some history of its own."""
    repository = new(path)
    repository.append(events(100, 120, streams=2))
    return repository


OTHER_ID = "ab" * 32
BOMB = bytes(1 << 20)


@cache
def bomb(size: int) -> bytes:
    """A small frame of very much."""
    compressor = zstandard.ZstdCompressor(level=19, write_checksum=True).compressobj()
    parts = [compressor.compress(BOMB) for _ in range(size >> 20)]
    return b"".join(parts) + compressor.flush()


def lying_size(frame_: bytes) -> bytes:
    """A frame that declares 2^60 bytes, and holds a line."""
    content = frame_[zstandard.frame_header_size(frame_) :]
    header = b"\x28\xb5\x2f\xfd" + bytes([0b11100100]) + (1 << 60).to_bytes(8, "little")
    return header + content


def wide_window() -> bytes:
    """A frame that asks for a window of 2 GiB."""
    parameters = zstandard.ZstdCompressionParameters(window_log=31, write_checksum=1)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(b"x" * 1000 + b"\n") + compressor.flush()


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def commit_with(line: bytes, old: bytes, new_: bytes) -> bytes:
    assert old in line
    return line.replace(old, new_)


def transfers(root: str, count: int = FEW) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """(name, maker) of every hostile transfer for the repository with this root commit."""
    w = Workshop(root, count)
    counted = b'"events":%d' % count
    line, commit = w.lines[0], w.commit

    # What the commit says of itself.
    yield "the root of the log is wrong", lambda: w.lying(log={"root": OTHER_ID, "size": count})
    yield (
        "the log is said to be longer",
        lambda: w.lying(log={"root": decode_commit(commit).log.root, "size": count + 1}),
    )
    yield "the log has a negative size", lambda: w.lying(log={"root": OTHER_ID, "size": -5})
    yield "the log has a huge size", lambda: w.lying(log={"root": OTHER_ID, "size": 2**53 - 1})
    yield "the log has an impossible size", lambda: w.lying(log={"root": OTHER_ID, "size": 1e300})
    yield "more events are counted", lambda: w.lying(events=count + 1)
    yield "fewer events are counted", lambda: w.lying(events=count - 1)
    yield "events are counted below nothing", lambda: w.lying(events=-1)
    yield "too many events are counted", lambda: w.lying(events=65_537)
    yield "the parent is not there", lambda: w.lying(parents=[OTHER_ID])
    yield "the parent is no id", lambda: w.lying(parents=["../../etc/passwd"])
    yield "a parent twice", lambda: w.lying(parents=[root, root])
    yield "65 parents", lambda: w.lying(parents=[f"{n:064x}" for n in range(65)])
    yield "a commit is its own parent by name", lambda: w.lying(parents=[object_id(commit)])
    yield (
        "a second root commit",
        lambda: packed(
            encode(
                {
                    **msgspec.json.decode(_root_of_another()),
                }
            )
        ),
    )
    yield "no parents but events", lambda: w.lying(parents=[])
    yield "an unknown format", lambda: w.lying(format=2)
    yield "something critical and unknown", lambda: w.lying(crit=["teleport"], teleport=1)
    yield "recorded in an unknown way", lambda: w.lying(recorded="yesterday")
    yield "a guard that is no number", lambda: w.lying(guards={"s-0": "none"})
    yield "a guard below -1", lambda: w.lying(guards={"s-0": -2})
    yield "a guard of a stream with no name", lambda: w.lying(guards={"": 1})
    yield "a guard of a stream named ..", lambda: w.lying(guards={"../x": 1})
    yield "left out events that are not there", lambda: w.lying(merge={"left_out": [OTHER_ID]})
    yield "an empty merge record", lambda: w.lying(merge={})
    yield "a time that is none", lambda: w.lying(time="yesterday")
    yield "a time before the root's", lambda: w.lying(time="0000-01-01T00:00:00.000000Z")
    yield (
        "a time that is still to come",
        lambda: w.lying(time=to_text(NOW + CLOCK_TOLERANCE + 1)),
    )
    yield "an author that is a number", lambda: w.lying(author=1)
    yield (
        "members out of order",
        lambda: packed(
            *w.lines, commit_with(commit, counted + b',"format":1', b'"format":1,' + counted)
        ),
    )
    yield (
        "a member twice",
        lambda: packed(*w.lines, commit_with(commit, b'"format":1', b'"format":1,"format":1')),
    )
    yield (
        "a blank in the commit",
        lambda: packed(*w.lines, commit_with(commit, counted, counted.replace(b":", b": "))),
    )

    # What the events are.
    yield "an event of another history", lambda: packed(event(99).canonical(), *w.lines[1:], commit)
    yield "an event twice", lambda: packed(line, *w.lines, commit_line(root, [w.ids[0], *w.ids]))
    yield "events in another order", lambda: packed(*reversed(w.lines), commit)
    yield "an event is missing", lambda: packed(*w.lines[1:], commit)
    yield "an event is no JSON", lambda: w.first_as(b'{"data":')
    yield "an event is a list", lambda: w.first_as(b"[1]")
    yield "an event of an unknown kind", lambda: w.member(kind="virus")
    yield "an event with an unknown member", lambda: w.member(teleport=1)
    yield "an event without a stream", lambda: w.member(stream=None)
    yield "an event in a stream named ..", lambda: w.member(stream="..")
    yield "an event in a stream with a control character", lambda: w.member(stream="a\x1b[2J")
    yield "an event in a stream of 241 bytes", lambda: w.member(stream="x" * 241)
    yield "an event with version 0", lambda: w.member(version=0)
    yield "an event at no time", lambda: w.member(time="2026-02-30T00:00:00.000000Z")
    yield "an event in another form of time", lambda: w.member(time="2026-01-01T00:00:00Z")
    yield (
        "an event with a number that is not canonical",
        lambda: w.first_as(line.replace(b'"n":0', b'"n":0.0')),
    )
    yield (
        "an event with a huge integer",
        lambda: w.first_as(line.replace(b'"n":0', b'"n":123456789012345678901')),
    )
    yield "an event with a key twice", lambda: w.first_as(line.replace(b'"n":0', b'"n":0,"n":0'))
    yield (
        "an event with a lone surrogate",
        lambda: w.first_as(line.replace(b'"n":0', b'"n":"\\ud800"')),
    )
    yield "an event nested 129 deep", lambda: w.first_as(line.replace(b"0}", nested(128) + b"}"))
    yield (
        "an event nested a million deep",
        lambda: w.first_as(line.replace(b"0}", nested(1_000_000) + b"}")),
    )
    yield (
        "an event of 17 MiB",
        lambda: w.first_as(line.replace(b"0}", b'"' + b"x" * (17 << 20) + b'"}')),
    )
    yield "an event that is not UTF-8", lambda: w.first_as(line.replace(b'"n"', b'"\xff"'))
    yield "a blob that is no id", lambda: w.member(blobs={"../../x": 5})
    yield "a blob of negative size", lambda: w.member(blobs={OTHER_ID: -5})
    yield (
        "an event that stands elsewhere, and doesn't",
        lambda: packed(encode({"id": OTHER_ID, "kind": "again"}), *w.lines[1:], commit),
    )

    # What the bytes are.
    yield "nothing but noise", lambda: bytes(range(256)) * 4
    yield "text that is not compressed", lambda: line + b"\n" + commit + b"\n"
    yield "noise behind it", lambda: w.honest() + b"garbage!"
    yield "cut in the middle", lambda: w.honest()[:-7]
    yield "a flipped bit", lambda: bytes([*w.honest()[:-1], w.honest()[-1] ^ 1])
    yield (
        "no checksum",
        lambda: frame(b"".join(each + b"\n" for each in [*w.lines, commit]), checksum=False),
    )
    yield "a block that never ends", lambda: packed(*w.lines)
    yield "no newline at the end", lambda: frame(b"\n".join([*w.lines, commit]))
    yield "an empty line", lambda: packed(b"", *w.lines, commit)
    yield "a bomb of 2 GiB", lambda: bomb(2 << 30)
    yield "a frame that declares 2^60 bytes", lambda: lying_size(w.honest())
    yield "a window of 2 GiB", wide_window
    yield (
        "a skippable frame without an end",
        lambda: b"\x50\x2a\x4d\x18" + (0xFFFF_FFFF).to_bytes(4, "little") + bytes(1000),
    )
    yield "65,537 events in a block", lambda: packed(*([line] * 65_537), commit)
    yield "a tag inside a block", lambda: packed(line, _tag(), *w.lines[1:], commit)
    yield "a tag of an unknown shape", lambda: packed(encode({"kind": "tag", "name": "v1"}))
    yield "a tag that is not canonical", lambda: packed(_tag().replace(b":", b": ", 1))


def _tag() -> bytes:
    return encode(
        {
            "kind": "tag",
            "message": "",
            "name": "v1",
            "tagger": "Mallory",
            "target": OTHER_ID,
            "time": "2026-01-01T00:00:00.000000Z",
        }
    )


def _root_of_another() -> bytes:
    root = Commit(
        author="evgit",
        events=0,
        log=LogHead(root=Frontier().root().hex(), size=0),
        message="root",
        meta={"nonce": "another"},
        parents=[],
        time="0001-01-01T00:00:00.000000Z",
    )
    return root.canonical()


def messages(target: str) -> Iterator[tuple[str, bytes]]:
    """(name, request line) of requests that must be refused, or answered with nothing."""
    push = {"do": "push", "updates": [{"ref": "refs/heads/x", "old": None, "new": target}]}

    def pushing(**changes: Any) -> bytes:
        return msgspec.json.encode({**push, "updates": [{**push["updates"][0], **changes}]})  # type: ignore[dict-item]

    yield "no JSON", b"{"
    yield "no object", b"[]"
    yield "an unknown request", b'{"do":"format-disk"}'
    yield "a request nested deep", b'{"do":"refs","ids":' + nested(100_000) + b"}"
    yield "a huge request", b'{"do":"refs","ids":["' + b"x" * (5 << 20) + b'"]}'
    yield "too many ids", msgspec.json.encode({"do": "refs", "ids": [target] * 5000})
    yield "an id that is none", b'{"do":"refs","ids":["../../etc/passwd"]}'
    yield "an id with capitals", msgspec.json.encode({"do": "refs", "ids": [target.upper()]})
    yield "a ref that leads out", pushing(ref="refs/heads/../../x")
    yield "a ref with a control character", pushing(ref="refs/heads/a\x1b")
    yield "a ref outside branches and tags", pushing(ref="refs/remotes/origin/x")
    yield "HEAD", pushing(ref="HEAD")
    yield "a stream's ref", pushing(ref="refs/streams/main/s-0")
    yield "a target that is none", pushing(new="HEAD")
    yield "a target that is not there", pushing(new=OTHER_ID)
    yield "a target that is an option", pushing(new="--upload-pack=x")
    yield (
        "an old value that was never so",
        pushing(ref="refs/heads/main", old=OTHER_ID, new="cd" * 32),
    )
    yield (
        "a blob of negative size",
        msgspec.json.encode({"do": "put-blob", "id": OTHER_ID, "size": -1}),
    )
    yield (
        "a blob from before its beginning",
        msgspec.json.encode({"do": "put-blob", "id": OTHER_ID, "size": 5, "offset": -3}),
    )
    yield "a blob that is a path", b'{"do":"put-blob","id":"../../../tmp/x","size":5}'
    yield (
        "a blob that is not sent",
        msgspec.json.encode({"do": "put-blob", "id": OTHER_ID, "size": 500}),
    )
    yield "a blob that is not there", msgspec.json.encode({"do": "get-blob", "id": OTHER_ID})
