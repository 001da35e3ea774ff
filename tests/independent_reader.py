"""A second reader of evgit repositories, written from docs/format.md alone.

It imports nothing of evgit, only blake3, zstandard and the standard library, and recomputes every
id, the order of every log, and every log root. Where it and evgit disagree, one of them or the
document is wrong.

    python tests/independent_reader.py REPOSITORY|PACK   prints a report; exits 1 if it has problems
"""

from __future__ import annotations

import json
import re
import sqlite3
import struct
import sys
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard
from blake3 import blake3

MAX_LINE = 1 << 24
MAX_FRAME = (1 << 14) + MAX_LINE + 1
SAFE = 2**53 - 1


class Wrong(Exception):
    """What is read is not what the document says."""


def need(condition: object, message: str) -> None:
    if not condition:
        raise Wrong(message)


def is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


# ---------------------------------------------------------------------------- 2. canonical JSON


def number_text(value: float) -> str:
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    p = len(whole) + int(exponent or "0")  # the value is 0.digits * 10**p
    while digits[0] == "0":
        digits, p = digits[1:], p - 1
    digits = digits.rstrip("0")
    n = len(digits)
    if n <= p <= 21:
        text = digits + "0" * (p - n)
    elif 0 < p <= 21:
        text = digits[:p] + "." + digits[p:]
    elif -6 < p <= 0:
        text = "0." + "0" * -p + digits
    else:
        tail = "." + digits[1:] if n > 1 else ""
        text = f"{digits[0]}{tail}e{'+' if p > 0 else '-'}{abs(p - 1)}"
    return sign + text


SHORT = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def string_text(value: str) -> str:
    escaped = (SHORT.get(ord(c)) or (f"\\u{ord(c):04x}" if c < " " else c) for c in value)
    return '"' + "".join(escaped) + '"'


def value_text(value: Any, depth: int = 0) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, int):
        need(abs(value) <= SAFE or number_text(float(value)) == str(value), "a huge integer")
        return str(value)
    if isinstance(value, float):
        return number_text(value)
    need(depth < 128, "nested too deep")
    if isinstance(value, list):
        return "[" + ",".join(value_text(item, depth + 1) for item in value) + "]"
    members = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be"))
    return "{" + ",".join(f"{string_text(k)}:{value_text(v, depth + 1)}" for k, v in members) + "}"


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    need(len(dict(pairs)) == len(pairs), "a key twice")
    return dict(pairs)


def refuse_constant(name: str) -> None:
    raise Wrong(f"{name} in JSON")


def parse(line: bytes) -> dict[str, Any]:
    """The object of a canonical line."""
    need(len(line) <= MAX_LINE, "an object of more than 16 MiB")
    try:
        value = json.loads(
            line.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse_constant
        )
        need(value_text(value).encode("utf-8") == line, "not canonical JSON")
    except (ValueError, RecursionError) as error:
        raise Wrong(f"not JSON: {error}") from None
    need(isinstance(value, dict), "not an object")
    return dict(value)


# ---------------------------------------------------------------------------- 3.-6. members


def check_time(text: object) -> None:
    need(
        isinstance(text, str)
        and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", text),
        f"{text!r} is not an instant",
    )
    try:
        datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        raise Wrong(f"{text!r} is not on the calendar") from None
    need(str(text)[17:19] < "60", f"{text!r} has a second 60")


def has_control(text: str) -> bool:
    return any(unicodedata.category(c) == "Cc" for c in text)


def check_stream(name: object) -> None:
    need(
        isinstance(name, str)
        and 1 <= len(name.encode()) <= 240
        and not has_control(name)
        and not {"", ".", ".."} & set(name.split("/"))
        and not re.search(r"@[0-9]+\Z", name),
        f"{name!r} is not a stream name",
    )


def check_event(event: dict[str, Any]) -> None:
    required = {"data", "kind", "stream", "time", "type", "version"}
    optional = {"blobs", "key", "meta", "origin"}
    need(required <= set(event) <= required | optional, "not the members of an event")
    need(event["kind"] == "event", "not an event")
    check_stream(event["stream"])
    check_time(event["time"])
    name = event["type"]
    need(
        isinstance(name, str)
        and 1 <= len(name.encode()) <= 240
        and not has_control(name)
        and not any(c.isspace() for c in name),
        f"{name!r} is not an event type",
    )
    need(is_integer(event["version"], 1, 2**31 - 1), "not a version")
    key, origin = event.get("key", "k"), event.get("origin", "o")
    need(
        isinstance(key, str) and 1 <= len(key.encode()) <= 1024 and not has_control(key),
        "not a key",
    )
    need(isinstance(origin, str) and re.fullmatch("[!-~]{1,64}", origin), "not an origin")
    for member in ("meta", "blobs"):
        if member in event:
            need(isinstance(event[member], dict) and event[member], f"{member} is no object")
    for blob, size in event.get("blobs", {}).items():
        need(is_id(blob) and is_integer(size, 0, SAFE), "not a blob's id and size")


def check_absent(line: dict[str, Any]) -> None:
    key = {"key", "said"} & set(line)
    need(set(line) == {"id", "kind", "stream"} | key and len(key) != 1, "not an absent line")
    need(is_id(line["id"]) and is_id(line.get("said", line["id"])), "not an absent line's ids")
    check_stream(line["stream"])


COMMIT = {"author", "events", "format", "kind", "log", "message", "parents", "time"}
COMMIT_OPTIONAL = {"crit", "guards", "merge", "meta", "recorded"}


def check_ids(ids: object, limit: int) -> None:
    need(
        isinstance(ids, list)
        and len(ids) <= limit
        and all(map(is_id, ids))
        and len(set(ids)) == len(ids),
        "not a list of distinct ids within its limit",
    )


def check_commit(commit: dict[str, Any]) -> None:
    need(commit.get("kind") == "commit", "not a commit")
    need(commit.get("format") == 1, "a commit of another format")
    for name in commit.get("crit", []):
        need(name in COMMIT | COMMIT_OPTIONAL, f"{name!r} must be understood")
    need(set(commit) >= COMMIT, "members of a commit are missing")
    for name in COMMIT_OPTIONAL & set(commit):
        need(commit[name], f"{name} is empty")
    need(is_integer(commit["events"], 0, 65_536), "not a number of events")
    check_ids(commit["parents"], 64)
    check_time(commit["time"])
    need(commit.get("recorded", "events") == "events", "recorded in an unknown way")
    log, guards, merge = commit["log"], commit.get("guards", {}), commit.get("merge", {})
    need(
        isinstance(log, dict) and is_id(log.get("root")) and is_integer(log.get("size"), 0, SAFE),
        "not a log",
    )
    need(isinstance(guards, dict) and len(guards) <= 65_536, "not guards")
    for stream, revision in guards.items():
        check_stream(stream)
        need(is_integer(revision, -1, SAFE), "a guard of unknown form")
    need(isinstance(merge, dict), "not a merge")
    check_ids(merge.get("left_out", []), 65_536)
    for name in ("author", "message"):
        need(isinstance(commit[name], str), f"{name} is no string")
    if not commit["parents"]:
        need(
            commit["events"] == 0
            and not {"guards", "merge", "recorded"} & set(commit)
            and commit["time"] == "0001-01-01T00:00:00.000000Z"
            and isinstance(commit.get("meta", {}).get("nonce"), str),
            "a commit without parents that is not a root",
        )


# ---------------------------------------------------------------------------- 8. the log


@dataclass
class Merkle:
    """Roots of complete subtrees, largest first, as (number of leaves, hash)."""

    peaks: list[tuple[int, bytes]] = field(default_factory=list)

    def append(self, event_id: str) -> None:
        size, node = 1, sha256(b"\0" + bytes.fromhex(event_id)).digest()
        while self.peaks and self.peaks[-1][0] == size:
            left = self.peaks.pop()[1]
            size, node = size * 2, sha256(b"\1" + left + node).digest()
        self.peaks.append((size, node))

    def root(self) -> str:
        if not self.peaks:
            return sha256(b"").hexdigest()
        node = self.peaks[-1][1]
        for _, left in reversed(self.peaks[:-1]):
            node = sha256(b"\1" + left + node).digest()
        return node.hex()


@dataclass
class Commit:
    """`added`: what L(c) has beyond L(first parent), in order."""

    id: str
    members: dict[str, Any]
    parents: list[Commit]
    own: list[str]
    added: list[str] = field(default_factory=list)
    held_back: set[str] = field(default_factory=set)
    size: int = 0
    tree: Merkle = field(default_factory=Merkle)

    def log(self) -> list[str]:
        """L(c), put together from the first-parent chain."""
        parts = []
        commit: Commit | None = self
        while commit is not None:
            parts.append(commit.added)
            commit = commit.parents[0] if commit.parents else None
        return [event_id for part in reversed(parts) for event_id in part]


@dataclass
class Report:
    """What a repository holds, as recomputed, and everything that is not as it should be."""

    commits: dict[str, Commit] = field(default_factory=dict)
    streams: dict[str, str] = field(default_factory=dict)
    """Of every event id."""
    refs: dict[str, str] = field(default_factory=dict)
    boundaries: dict[str, tuple[int, list[int], int]] = field(default_factory=dict)
    """(own lines, places of those that are here, size of the log) of a shallow repository's."""
    problems: list[str] = field(default_factory=list)


class Reader:
    """Reads blocks in order; keeps the members of one log at hand, the last that was asked for."""

    def __init__(self) -> None:
        self.report = Report()
        self.commits = self.report.commits
        self._known: tuple[str, set[str], dict[str, int]] = ("", set(), {})

    def in_log(self, commit: Commit) -> tuple[set[str], dict[str, int]]:
        """(events of L(c), how many each stream has). Valid until it is asked for again."""
        if self._known[0] != commit.id:
            counts: dict[str, int] = {}
            log = commit.log()
            for event_id in log:
                stream = self.report.streams[event_id]
                counts[stream] = counts.get(stream, 0) + 1
            self._known = (commit.id, set(log), counts)
        return self._known[1], self._known[2]

    def block(self, lines: list[bytes]) -> None:
        if len(lines) > 1 and parse(lines[-2]).get("kind") == "boundary":
            self.boundary(lines)
            return
        own = []
        for line in lines[:-1]:
            members = parse(line)
            if set(members) == {"id", "kind"} and members["kind"] == "again":
                event_id = str(members["id"])
                need(event_id in self.report.streams, f"event {event_id} was not stored before")
            else:
                check_event(members)
                event_id = blake3(line).hexdigest()
                need(event_id not in self.report.streams, f"event {event_id} is stored twice")
                self.report.streams[event_id] = members["stream"]
            own.append(event_id)
        members = parse(lines[-1])
        check_commit(members)
        commit_id = blake3(lines[-1]).hexdigest()
        need(len(set(own)) == len(own) == members["events"], f"commit {commit_id}: own events")
        need(bool(members["parents"]) == bool(self.commits), "there must be one root, and first")
        for parent in members["parents"]:
            need(parent in self.commits, f"parent {parent} was not stored before")
        parents = [self.commits[parent] for parent in members["parents"]]
        commit = Commit(commit_id, members, parents, own)
        self.commits[commit_id] = commit
        self.order(commit)
        need(
            members["log"] == {"root": commit.tree.root(), "size": commit.size},
            f"commit {commit_id}: its log has root {commit.tree.root()} and size {commit.size}",
        )

    def boundary(self, lines: list[bytes]) -> None:
        """16. A commit whose log is known by ids."""
        said, members, commit_id = parse(lines[-2]), parse(lines[-1]), blake3(lines[-1]).hexdigest()
        check_commit(members)
        names = {"height", "held", "here", "kind", "latest", "log", "number"}
        need(set(said) == names and said["height"] >= 1, f"boundary {commit_id}: its members")
        own, here, latest = [], [], ""
        for place, line in enumerate(lines[:-2]):
            event = parse(line)
            if event.get("kind") == "absent":
                check_absent(event)
                event_id = event["id"]
            elif event.get("kind") == "again":
                event_id = event["id"]
                here.append(place)
            else:
                check_event(event)
                event_id = blake3(line).hexdigest()
                here.append(place)
                latest = max(latest, event["time"])
            known = event_id in self.report.streams
            need(known == (event.get("kind") == "again"), f"event {event_id} twice, or nowhere")
            self.report.streams.setdefault(event_id, event.get("stream", ""))
            own.append(event_id)
        need((said["number"], said["here"]) == (len(own), here), f"boundary {commit_id}: its lines")
        need(said["latest"] >= latest, f"boundary {commit_id}: an event is later than `latest`")
        commit = Commit(commit_id, members, [], own, held_back=set(said["held"]))
        for source, start, count in said["log"]:
            whole = own if source == "" else self.commits[source].log()
            need(0 <= start < start + count <= len(whole), f"boundary {commit_id}: a piece")
            commit.added += whole[start : start + count]
        need(set(own) <= {*commit.added, *said["held"]}, f"boundary {commit_id}: lines of no log")
        need(len(set(commit.added)) == len(commit.added), f"boundary {commit_id}: an event twice")
        for event_id in commit.added:
            commit.tree.append(event_id)
        commit.size = len(commit.added)
        need(
            members["log"] == {"root": commit.tree.root(), "size": commit.size},
            f"boundary {commit_id}: its log has root {commit.tree.root()} and size {commit.size}",
        )
        self.commits[commit_id] = commit
        self.report.boundaries[commit_id] = (len(own), here, commit.size)

    def order(self, commit: Commit) -> None:
        """L(c), X(c), guards and time."""
        if not commit.parents:
            return
        first = commit.parents[0]
        held = set(commit.members.get("merge", {}).get("left_out", []))
        for parent in commit.parents:
            held |= parent.held_back
        # Only a merge needs whole logs; they are asked for before `log` is taken in hand.
        further = [parent.log() for parent in commit.parents[1:]]
        log, counts = self.in_log(first)
        for stream, revision in commit.members.get("guards", {}).items():
            need(counts.get(stream, 0) - 1 == revision, f"commit {commit.id}: guard of {stream}")
        added: dict[str, None] = {}
        for other in further:
            added.update((e, None) for e in other if e not in log and e not in held)
        added.update((e, None) for e in commit.own if e not in log)
        commit.added = list(added)
        commit.size = first.size + len(added)
        commit.tree = Merkle(list(first.tree.peaks))
        for event_id in commit.added:
            commit.tree.append(event_id)
            stream = self.report.streams[event_id]
            counts[stream] = counts.get(stream, 0) + 1
        log.update(added)
        commit.held_back = held - log
        self._known = (commit.id, log, counts)
        need(
            commit.members["time"] >= first.members["time"],
            f"commit {commit.id}: earlier than its first parent",
        )

    def ref(self, name: str, target: str, objects: dict[str, bytes]) -> None:
        if name == "HEAD" and target.startswith("ref: "):
            self.report.refs[name] = target
            return
        target_id, _, size = target.partition("#")
        if size:
            need(name == "HEAD", f"{name} is inside a commit")
            need(int(size) <= self.commits[target_id].size, "HEAD is beyond its log")
        elif target_id in objects:
            tag = parse(objects[target_id])
            need(
                set(tag) == {"kind", "message", "name", "tagger", "target", "time"}
                and tag["kind"] == "tag",
                f"{name}: not a tag",
            )
            check_time(tag["time"])
        else:
            need(
                target_id in self.commits or target_id in self.report.streams,
                f"{name} leads to {target}, which is not there",
            )
        self.report.refs[name] = target


def block_lines(data: bytes, directory: bytes) -> list[bytes]:
    """The lines of a hot block."""
    lines: list[bytes] = []
    for text, number in frames_of(data, directory):
        *whole, rest = text.split(b"\n")
        need(not rest and len(whole) == number, "not as many lines as `frames` says")
        lines += whole
    return lines


def frames_of(data: bytes, directory: bytes) -> list[tuple[bytes, int]]:
    """(text, number of lines) of every frame of a block."""
    found, offset = [], 0
    numbers = struct.unpack(f"<{len(directory) // 4}I", directory)
    for size, lines in zip(numbers[::2], numbers[1::2], strict=True):
        frame = data[offset : offset + size]
        offset += size
        parameters = zstandard.get_frame_parameters(frame)
        need(parameters.has_checksum and parameters.content_size <= MAX_FRAME, "not a frame")
        text = zstandard.ZstdDecompressor().decompress(
            frame, max_output_size=MAX_FRAME, allow_extra_data=False
        )
        found.append((text, lines))
    need(offset == len(data), "bytes after the last frame")
    return found


# ---------------------------------------------------------------------------- 11. packs


@dataclass
class Pack:
    """What a pack holds. `lines`: of its blocks, in order; `others`: of other objects; `blobs`: by
    id."""

    name: str = ""
    head: dict[str, Any] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    windows: list[tuple[int, int, int, int, int]] = field(default_factory=list)


class Cursor:
    """Bytes taken from the front. Nothing is taken that is not there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, size: int) -> bytes:
        need(0 <= size <= len(self.data) - self.place, "a pack is cut short")
        self.place += size
        return self.data[self.place - size : self.place]

    def numbers(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self.take(4 * count))

    def checksum(self, start: int) -> None:
        expected = zlib.crc32(self.data[start : self.place])
        need(self.numbers(1) == (expected,), "a checksum of a pack is wrong")


def frame_text(frame: bytes, limit: int, *, checksum: bool = True) -> bytes:
    """The text of one zstd frame."""
    parameters = zstandard.get_frame_parameters(frame)
    need(parameters.content_size <= limit, "a frame is too big, or does not say how big it is")
    need(parameters.has_checksum or not checksum, "a frame without checksum")
    need(not parameters.dict_id, "a frame with a dictionary")
    return zstandard.ZstdDecompressor().decompress(
        frame, max_output_size=limit, allow_extra_data=False
    )


HEAD_MEMBERS = {"blobs", "format", "refs", "repository", "requires"}


def read_pack(data: bytes) -> Pack:
    """Everything that a pack says, checked."""
    pack, cursor = Pack(blake3(data).hexdigest()), Cursor(data)
    size, name = skippable(cursor)
    need(name == b"head" and size <= MAX_LINE + 8, "a pack without head")
    pack.head = parse(cursor.take(size - 8))
    cursor.checksum(8)
    need(
        {"format", "repository"} <= set(pack.head) <= HEAD_MEMBERS
        and pack.head["format"] in (1, 2)
        and is_id(pack.head["repository"])
        and isinstance(pack.head.get("refs", {"": ""}), dict)
        and pack.head.get("refs", {"": ""}) != {}
        and all(map(is_id, pack.head.get("requires", ["0" * 64])))
        and pack.head.get("requires", [""]) != []
        and all(map(is_id, pack.head.get("blobs", {"0" * 64: 0})))
        and pack.head.get("blobs", {"": 0}) != {},
        "not the head of a pack",
    )
    size, name = skippable(cursor)
    while name == b"wind":
        read_window(pack, cursor, size)
        size, name = skippable(cursor)
    for blob_id, length in sorted(pack.head.get("blobs", {}).items()):
        blob = b""
        while len(blob) < length:
            start, piece = cursor.place - 4, min(length - len(blob), 1 << 20)
            need(name == b"blob" and size == piece + 8, "a piece of a blob is not there")
            blob += cursor.take(piece)
            cursor.checksum(start)
            size, name = skippable(cursor)
        need(blake3(blob).hexdigest() == blob_id, "a blob has another hash")
        pack.blobs[blob_id] = blob
    index = cursor.place - 12
    need(name == b"indx", "a frame of unknown name")
    count = cursor.numbers(1)[0]
    windows = [struct.unpack("<Q4I", cursor.take(24)) for _ in range(count)]
    cursor.checksum(index + 8)
    need(windows == pack.windows, "the index is not that of the windows")
    need(cursor.place == index + 8 + size, "an index of another size")
    before = cursor.place
    size, name = skippable(cursor)
    need(name == b"tail" and size == 48, "a pack without tail")
    need(struct.unpack("<Q", cursor.take(8)) == (index,), "the tail does not know the index")
    need(cursor.take(32) == blake3(data[:before]).digest(), "a pack has another hash")
    cursor.checksum(before + 8)
    need(cursor.place == len(data), "something follows a pack")
    return pack


def skippable(cursor: Cursor) -> tuple[int, bytes]:
    """(size of all that follows the size, name)"""
    magic, size = cursor.numbers(2)
    need(magic == 0x184D2A57, "not a skippable frame of a pack")
    return size, cursor.take(4)


def read_window(pack: Pack, cursor: Cursor, size: int) -> None:
    start = cursor.place - 12
    events, commits, others, frames, ends_size, in_order = cursor.numbers(6)
    need(max(events, commits, others) <= 1 << 18, "a window of too many lines")
    directory = cursor.numbers(2 * frames)
    ends_text = frame_text(cursor.take(ends_size), 4 << 18, checksum=False)
    need(len(ends_text) == 4 * commits, "not as many ends as commits")
    ends = struct.unpack(f"<{commits}I", ends_text)
    cursor.checksum(start + 8)
    pack.windows.append((start, cursor.place - start - 8, events, commits, others))
    places: list[int] = list(range(events)) if in_order else []
    need(in_order in (0, 1), "an order of unknown form")
    while len(places) < events:
        page, count = cursor.place, min(1024, events - len(places))
        low = struct.unpack(f"<{count}H", cursor.take(2 * count))
        high = cursor.take((count + 3) // 4)
        places += [low[i] | (high[i // 4] >> i % 4 * 2 & 3) << 16 for i in range(count)]
        cursor.checksum(page)
    need(sorted(places) == list(range(events)), "an order that is no permutation")
    need(cursor.place == start + 8 + size, "a window's frame has another size")
    text = []
    for frame_size, count in zip(directory[::2], directory[1::2], strict=True):
        *whole, rest = frame_text(cursor.take(frame_size), MAX_FRAME).split(b"\n")
        need(not rest and len(whole) == count > 0, "a frame has another number of lines")
        first = len(text)
        for line in whole:
            if events <= len(text) < events + commits and line.startswith(WITHOUT_PARENT):
                need(len(text) > max(first, events), "a short line without one before it")
                line = in_full(line, blake3(text[-1]).hexdigest())
            text.append(line)
    need(len(text) == events + commits + others, "a window has another number of lines")
    need(sum(map(len, text)) + len(text) <= 1 << 26, "a window of too much text")
    own = iter([text[place] for place in places])
    for gap, commit in zip(ends, text[events : events + commits], strict=True):
        for _ in range(gap):
            line = next(own, None)
            need(line is not None, "more ends than events")
            pack.lines.append(line or b"")
        pack.lines.append(commit)
    pack.lines += own
    pack.others += text[events + commits :]


WITHOUT_PARENT = b'{ "parents":["^"],'


def in_full(line: bytes, parent: str) -> bytes:
    """A short commit line as it is named."""
    place = len(line) - 37
    if line[:place].endswith(b'"recorded":"events",'):
        place -= 20
    need(place >= len(WITHOUT_PARENT), "a short line is cut off")
    return b'{%b"parents":["%b"],%b' % (
        line[len(WITHOUT_PARENT) : place],
        parent.encode(),
        line[place:],
    )


def blocks_of(lines: list[bytes]) -> Iterator[list[bytes]]:
    """The lines of each block, its commit last."""
    block: list[bytes] = []
    for line in lines:
        block.append(line)
        if parse(line).get("kind") == "commit":
            yield block
            block = []
    need(not block, "the last block has no commit")


def check_pack(path: Path) -> Report:
    """Reads a pack that needs nothing else: its objects, and the refs that it brings."""
    reader = Reader()
    try:
        pack = read_pack(path.read_bytes())
        for block in blocks_of(pack.lines):
            reader.block(block)
        need(pack.head["repository"] in reader.commits, "the root commit is not there")
        objects = {blake3(line).hexdigest(): line for line in pack.others}
        for name, target in pack.head.get("refs", {}).items():
            reader.ref(name, target, objects)
    except (Wrong, zstandard.ZstdError, KeyError, TypeError) as error:
        reader.report.problems.append(f"{path.name}: {error}")
    return reader.report


# ---------------------------------------------------------------------------- 12. at rest

DROPPED = "dropped"


def read(repository: Path) -> Report:
    """Reads and checks a repository: its directory, or a working tree that has one."""
    directory = repository / ".evgit" if (repository / ".evgit").is_dir() else repository
    reader = Reader()
    problems = reader.report.problems
    database = sqlite3.connect(f"{(directory / 'evgit.db').absolute().as_uri()}?mode=ro", uri=True)
    try:
        stored: list[tuple[int, int, str, Any]] = []
        for first_line, frames, data in database.execute(
            "SELECT first_line, frames, data FROM blocks"
        ):
            lines = sum(struct.unpack(f"<{len(frames) // 4}I", frames)[1::2])
            stored.append((first_line, lines, "", (data, frames)))
        for first_line, lines, name, place in database.execute(
            "SELECT first_line, lines, name, place FROM packs"
        ):
            stored.append((first_line, lines, name.hex() or DROPPED, place))
        count = 0
        for first_line, lines, pack, where in sorted(stored, key=lambda found: found[0]):
            if first_line != count:
                problems.append(f"lines {count} to {first_line - 1} are missing")
            count = first_line + lines
            called = f"pack {pack}" if pack else f"block at line {first_line}"
            try:
                if pack == DROPPED:
                    blocks = iter(())
                elif pack:
                    found = read_pack((directory / "packs" / f"{pack}.evpack").read_bytes())
                    need(found.name == pack, "it has another name")
                    need(len(found.lines) >= where + lines, "it has fewer lines")
                    blocks = blocks_of(found.lines[where : where + lines])
                else:
                    blocks = blocks_of(block_lines(*where))
                for block in blocks:
                    reader.block(block)
            except (Wrong, zstandard.ZstdError, KeyError, TypeError, OSError) as error:
                problems.append(f"{called}: {error}")
        if table_of_boundaries(database) != reader.report.boundaries:
            problems.append("the table of boundaries does not say what their blocks say")
        objects = other_objects(database, problems)
        for name, target in database.execute("SELECT name, target FROM refs ORDER BY name"):
            try:
                reader.ref(name, target, objects)
            except (Wrong, KeyError, ValueError) as error:
                problems.append(f"ref {name}: {error}")
    finally:
        database.close()
    return reader.report


def table_of_boundaries(database: sqlite3.Connection) -> dict[str, tuple[int, list[int], int]]:
    """What the table of a shallow repository says, as `Report.boundaries` has it."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name='boundaries'").fetchone():
        return {}
    return {
        commit_id.hex(): (lines, json.loads(here), size)
        for commit_id, lines, here, size in database.execute(
            "SELECT id, lines, here, size FROM boundaries"
        )
    }


def other_objects(database: sqlite3.Connection, problems: list[str]) -> dict[str, bytes]:
    """{id: bytes} of the objects that are in no block."""
    objects = {}
    for object_id, data in database.execute("SELECT id, data FROM objects"):
        objects[object_id.hex()] = data
        if blake3(data).digest() != object_id:
            problems.append(f"object {object_id.hex()} has another hash")
    return objects


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)  # noqa: T201
        return 2
    path = Path(arguments[0])
    report = check_pack(path) if path.is_file() else read(path)
    refs = {}
    for name, target in report.refs.items():
        commit = report.commits.get(target)
        refs[name] = target if commit is None else [target, commit.size, commit.tree.root()]
    summary = {
        "commits": len(report.commits),
        "events": len(report.streams),
        "refs": refs,
        "problems": report.problems,
    }
    print(json.dumps(summary, indent=2, ensure_ascii=False))  # noqa: T201
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
