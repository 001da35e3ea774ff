"""The examples in docs/format.md are what they say they are."""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path

import zstandard
from blake3 import blake3

from evgit.formats import canonical
from evgit.formats.again import is_again
from evgit.formats.block import decode_frame
from evgit.formats.canonical import object_id
from evgit.formats.commit import decode_commit, verify_commit_line
from evgit.formats.event import verify_event_lines
from evgit.formats.merkle import leaf_hash
from evgit.formats.pack import PackHead
from evgit.formats.pack_lines import shortened
from evgit.formats.pack_reading import PackReader
from evgit.formats.pack_writing import PackWriter
from evgit.formats.tag import decode_tag
from tests import independent_reader

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "format.md").read_text("utf-8")
CODE = re.findall(r"^    (\S.*)$", DOCUMENT, re.MULTILINE)


def test_objects_are_followed_by_their_ids() -> None:
    found: dict[str, list[bytes]] = {}
    for text, following in itertools.pairwise(CODE):
        if text.startswith("{") and re.fullmatch("[0-9a-f]{64}", following):
            line = text.encode("utf-8")
            assert blake3(line).hexdigest() == following
            assert canonical.canonicalize(line) == line
            kind = re.search(rb'"kind":"(\w+)"', line)
            assert kind is not None
            found.setdefault(kind[1].decode(), []).append(line)
    assert {kind: len(lines) for kind, lines in found.items()} == {
        "event": 1,
        "commit": 2,
        "tag": 1,
    }
    assert verify_event_lines(found["event"]) == [None]
    assert [verify_commit_line(line) for line in found["commit"]] == [None, None]
    decode_tag(found["tag"][0])
    root, first = map(decode_commit, found["commit"])
    assert first.parents == [root.id]
    assert first.log.root == leaf_hash(blake3(found["event"][0]).digest()).hex()


def test_the_again_line_and_the_frame() -> None:
    again = [text.encode() for text in CODE if '"kind":"again"' in text]
    assert len(again) == 1
    assert is_again(again[0])
    frame = next(place for place, text in enumerate(CODE) if text.startswith("28b52ffd"))
    text = decode_frame(bytes.fromhex(CODE[frame])).decode()
    assert text.splitlines() == CODE[frame + 1 : frame + 5]


def test_the_pack() -> None:
    start = next(place for place, text in enumerate(CODE) if text.startswith("572a4d18"))
    texts = itertools.takewhile(re.compile("[0-9a-f]+").fullmatch, CODE[start:])
    data = bytes.fromhex("".join(texts))
    name = re.search("Its name is `([0-9a-f]{64})`", DOCUMENT)
    assert name is not None
    assert blake3(data).hexdigest() == name[1]
    following = [text.encode() for text in CODE[start:] if text.startswith("{")]
    lines = list(itertools.takewhile(lambda line: not line.startswith(b'{"blobs'), following))
    reader = PackReader(io.BytesIO(data).read)
    (window,) = reader.windows()
    assert reader.name == name[1]
    root, second = window.commits
    assert lines[:3] == [*window.events[::-1], root]
    assert lines[3] == shortened([root, second])[1] != second
    assert lines[4:] == window.objects
    assert list(window.ends) == [0, 2]
    plain = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    assert plain == b"".join(line + b"\n" for line in lines)
    assert reader.head == PackHead(object_id(root))
    again = PackWriter((written := io.BytesIO()).write, PackHead(object_id(root)))
    for events, commit in window.pieces():
        again.add_block(events, commit or b"")
    again.add_object(window.objects[0])
    again.finish()
    found = PackReader(io.BytesIO(written.getvalue()).read)
    assert list(found.windows()) == [window]


def test_the_bundle() -> None:
    page = DOCUMENT[DOCUMENT.index("For example, the bundle") :]
    code = re.findall(r"^    (\S.*)$", page, re.MULTILINE)
    data = bytes.fromhex("".join(itertools.takewhile(re.compile("[0-9a-f]+").fullmatch, code)))
    name = re.search("The bundle is called `([0-9a-f]{64})`", page)
    assert name is not None
    reader = PackReader(io.BytesIO(data).read)
    (window,) = reader.windows()
    assert reader.name == name[1]
    line = next(text for text in code if text.startswith("{")).encode()
    assert canonical.canonicalize(line) == line
    assert data.startswith(b"W*M\x18" + (len(line) + 8).to_bytes(4, "little") + b"head" + line)
    assert reader.head.blobs == {blake3(b"hi").hexdigest(): 2}
    assert reader.head.refs["refs/heads/main"] == blake3(window.commits[0]).hexdigest()
    assert independent_reader.read_pack(data).blobs == {blake3(b"hi").hexdigest(): b"hi"}
