"""Commits and tags: golden bytes, every limit, and what a newer evgit may and may not add."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from evgit.errors import InvalidObject, UnsupportedFormat
from evgit.formats import canonical
from evgit.formats.commit import (
    MAX_EVENTS,
    MAX_GUARDS,
    MAX_LEFT_OUT,
    MAX_PARENTS,
    Commit,
    LogHead,
    MergeRecord,
    decode_commit,
    root_commit,
    verify_commit_line,
)
from evgit.formats.tag import Tag, decode_tag

TIME = "2026-11-23T03:36:00.123456Z"
IDS = [f"{number:064x}" for number in range(70_000)]

ROOT_LINE = (
    b'{"author":"evgit","events":0,"format":1,"kind":"commit","log":{"root":'
    b'"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},'
    b'"message":"root","meta":{"nonce":"abc"},"parents":[],'
    b'"time":"0001-01-01T00:00:00.000000Z"}'
)
ROOT_ID = "e0be6097d06ac175045bc5eab381b9da3c4964256477848fade1d8e323f6acf9"

FULL = Commit(
    author="Ada <ada@example.org>",
    events=2,
    guards={"account-42": 3, "account-7": -1, "\uffff": 0, "\U00010000": 0},
    log=LogHead(root=IDS[5], size=1042),
    merge=MergeRecord(left_out=[IDS[6], IDS[7]], model=IDS[8], resolved=[{"order": "accepted"}]),
    message="Zwei Kassen\n\nzusammengeführt",
    meta={"ticket": 17, "ratio": 0.5},
    parents=[IDS[1], IDS[2]],
    recorded="events",
    time=TIME,
)
FULL_LINE = (
    '{"author":"Ada <ada@example.org>","events":2,"format":1,'
    '"guards":{"account-42":3,"account-7":-1,"\U00010000":0,"\uffff":0},"kind":"commit",'
    f'"log":{{"root":"{IDS[5]}","size":1042}},'
    f'"merge":{{"left_out":["{IDS[6]}","{IDS[7]}"],"model":"{IDS[8]}",'
    '"resolved":[{"order":"accepted"}]},'
    '"message":"Zwei Kassen\\n\\nzusammengeführt","meta":{"ratio":0.5,"ticket":17},'
    f'"parents":["{IDS[1]}","{IDS[2]}"],"recorded":"events","time":"2026-11-23T03:36:00.123456Z"}}'
).encode()
FULL_ID = "947ef8643ea035e1e865a6154a2e27aed21c5951ac8b514af978d69e361c6a2d"

SMALL = Commit(
    author="", events=1, log=LogHead(IDS[5], 1), message="", parents=[ROOT_ID], time=TIME
)


def members(**changes: Any) -> dict[str, Any]:
    """Of a commit that is accepted, but for what `changes` says (... leaves a member out)."""
    given = {**json.loads(SMALL.canonical()), **changes}
    return {name: value for name, value in given.items() if value is not ...}


def line(**changes: Any) -> bytes:
    return canonical.encode(members(**changes))


# ---------------------------------------------------------------------------- golden


@pytest.mark.parametrize(
    ("commit", "expected", "commit_id"),
    [(root_commit("abc"), ROOT_LINE, ROOT_ID), (FULL, FULL_LINE, FULL_ID)],
    ids=["root", "all members"],
)
def test_golden(commit: Commit, expected: bytes, commit_id: str) -> None:
    assert commit.canonical() == expected
    assert commit.id == commit_id
    assert decode_commit(expected) == commit
    assert verify_commit_line(expected) is None


def test_roots_differ_by_their_nonce() -> None:
    assert root_commit("abd").id != ROOT_ID
    with pytest.raises(InvalidObject):
        root_commit("").canonical()


# ---------------------------------------------------------------------------- limits


def test_at_the_limits() -> None:
    at_limit = line(
        events=MAX_EVENTS,
        parents=IDS[:MAX_PARENTS],
        guards={f"s-{number}": -1 for number in range(MAX_GUARDS)},
        merge={"left_out": IDS[:MAX_LEFT_OUT]},
    )
    commit = decode_commit(at_limit)
    assert (MAX_PARENTS, MAX_EVENTS, MAX_GUARDS, MAX_LEFT_OUT) == (64, 65_536, 65_536, 65_536)
    assert len(commit.parents) == 64
    assert commit.canonical() == at_limit


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"events": MAX_EVENTS + 1}, "65,537 events"),
        ({"events": -1}, "-1 events"),
        ({"events": 1.5}, "events"),
        ({"events": True}, "events"),
        ({"parents": IDS[: MAX_PARENTS + 1]}, "65 parents"),
        ({"parents": [IDS[1], IDS[1]]}, "names one thing twice"),
        ({"parents": ["main"]}, "'parents' holds 'main'"),
        ({"parents": [IDS[1].upper() + "F"]}, "not 64 hex digits"),
        ({"parents": IDS[1]}, "parents"),
        ({"parents": []}, "not a root commit"),
        ({"parents": ...}, "parents"),
        ({"guards": {f"s{n}": 0 for n in range(MAX_GUARDS + 1)}}, "65,537 guards"),
        ({"guards": {"a//b": 0}}, "a commit's guard: stream name 'a//b'"),
        ({"guards": {"a": -2}}, "is -2, not a revision"),
        ({"guards": []}, "guards"),
        ({"log": {"root": "x", "size": 1}}, "'log.root' holds 'x'"),
        ({"log": {"root": IDS[0], "size": -1}}, "-1 events in its log"),
        ({"log": {"root": IDS[0]}}, "size"),
        ({"log": None}, "log"),
        ({"merge": {"left_out": IDS[: MAX_LEFT_OUT + 1]}}, "65,537 left-out events"),
        ({"merge": {"left_out": ["x"]}}, "'merge.left_out' holds 'x'"),
        ({"merge": {"left_out": [IDS[1], IDS[1]]}}, "names one thing twice"),
        ({"merge": {"model": "x"}}, "'merge.model' holds 'x'"),
        ({"merge": {"resolved": {}}}, "resolved"),
        ({"time": "2026-11-23T03:36:00Z"}, "a commit's time"),
        ({"time": "2026-02-30T03:36:00.000000Z"}, "a commit's time"),
        ({"author": 7}, "author"),
        ({"message": None}, "message"),
        ({"meta": []}, "meta"),
        ({"kind": "event"}, "not a commit"),
        ({"kind": ...}, "not a commit"),
        ({"format": "1"}, "format"),
        ({"recorded": 1}, "recorded"),
        ({"crit": "x"}, "'crit' must be a list of names"),
        ({"crit": [1]}, "'crit' must be a list of names"),
        ({"crit": ["author", "author"]}, "'crit' names a member twice"),
    ],
    ids=count(),
)
def test_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidObject) as error:
        decode_commit(line(**changes))
    assert said in error.value.message
    assert said in (verify_commit_line(line(**changes)) or "")


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"\xff", b'{"kind":"commit"}', b'{"id":"x","kind":"again"}']
)
def test_what_is_no_commit(text: bytes) -> None:
    with pytest.raises(InvalidObject, match="not a commit"):
        decode_commit(text)


def test_a_commit_that_breaks_the_rules_is_not_made() -> None:
    for changes in ({"events": -1}, {"meta": {"a": {1}}}, {"message": b"x"}, {"time": "now"}):
        parts = {name: getattr(SMALL, name) for name in SMALL.__struct_fields__}
        with pytest.raises(InvalidObject):
            Commit(**{**parts, **changes}).canonical()


@pytest.mark.parametrize(
    "changes",
    [
        {"events": 1},
        {"guards": {"a": -1}},
        {"log": {"root": IDS[0], "size": 0}},
        {"time": TIME},
        {"meta": {"nonce": 1}},
        {"meta": ...},
        {"recorded": "events"},
        {"merge": {"resolved": [1]}},
    ],
)
def test_only_a_root_has_no_parents(changes: dict[str, Any]) -> None:
    given = {**json.loads(ROOT_LINE), **changes}
    text = canonical.encode({name: value for name, value in given.items() if value is not ...})
    with pytest.raises(InvalidObject, match="not a root commit"):
        decode_commit(text)


# ---------------------------------------------------------------------------- newer formats


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "commit of format 2"),
        ({"format": 0}, "commit of format 0"),
        ({"format": 2, "parents": "elsewhere", "log": None}, "commit of format 2"),
        ({"crit": ["sealed"], "sealed": True}, "commit with 'sealed'"),
        ({"crit": ["guards", "sealed"]}, "commit with 'sealed'"),
        ({"guards": {"a": {"revision": 3, "below": True}}}, "form of guard"),
        ({"guards": {"a": "3"}}, "form of guard"),
        ({"guards": {"a": None}}, "form of guard"),
        ({"recorded": "batches"}, "recorded as 'batches'"),
    ],
)
def test_what_must_be_understood_and_is_not(changes: dict[str, Any], said: str) -> None:
    for take in (decode_commit, verify_commit_line):
        with pytest.raises(UnsupportedFormat) as error:
            take(line(**changes))
        assert said in error.value.message
        assert error.value.hint


def test_other_unknown_members_are_tolerated_and_stay_in_the_bytes() -> None:
    newer = line(sealed={"by": "x"})
    commit = decode_commit(newer)
    assert commit.author == SMALL.author
    assert verify_commit_line(newer) is None
    assert canonical.object_id(newer) != SMALL.id
    assert decode_commit(line(merge={"left_out": [IDS[1]], "proof": 1})).merge is not None


def test_known_names_may_be_critical() -> None:
    commit = decode_commit(line(crit=["guards", "recorded"], guards={"a": 0}))
    assert commit.crit == ["guards", "recorded"]


# ---------------------------------------------------------------------------- canonical form


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((b'{"author"', b'{ "author"'), "not in canonical form"),
        ((b'"events":2', b'"events":2,"events":2'), "duplicate key 'events'"),
        ((b"Ada", b"\\u0041da"), "not in canonical form"),
        ((b"0.5", b"5e-1"), "not in canonical form"),
        ((b'"kind":"commit",', b'"kind":"commit","kind":"commit",'), "duplicate key"),
        ((b'"recorded":"events",', b'"recorded":null,'), "'recorded' is empty"),
        ((b'"meta":{"ratio":0.5,"ticket":17}', b'"meta":{}'), "'meta' is empty"),
        ((b'"resolved":[{"order":"accepted"}]', b'"resolved":[]'), "'resolved' is empty"),
    ],
)
def test_a_stored_commit_must_be_canonical(change: tuple[bytes, bytes], said: str) -> None:
    changed = FULL_LINE.replace(*change)
    assert changed != FULL_LINE
    assert said in (verify_commit_line(changed) or "")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
HEX = st.sampled_from(IDS[:50])


@given(
    st.builds(
        Commit,
        author=TEXTS,
        events=st.integers(0, 65_536),
        guards=st.dictionaries(
            st.sampled_from(["a", "b-1", "$model", "é", "\U00010000"]),
            st.integers(-1, 2**53 - 1),
        ),
        log=st.builds(LogHead, root=HEX, size=st.integers(0, 2**53 - 1)),
        merge=st.none()
        | st.builds(
            MergeRecord,
            left_out=st.lists(HEX, unique=True, max_size=3),
            model=st.none() | HEX,
            resolved=st.lists(TEXTS | st.integers(0, 9), max_size=2),
        ).filter(lambda record: record != MergeRecord()),
        message=TEXTS,
        meta=st.dictionaries(TEXTS, st.floats(-1e15, 1e15) | TEXTS),
        parents=st.lists(HEX, unique=True, min_size=1, max_size=3),
        recorded=st.sampled_from([None, "events"]),
        time=st.just(TIME),
        crit=st.sampled_from([[], ["guards"], ["merge", "recorded"]]),
    )
)
def test_what_is_written_is_read_back(commit: Commit) -> None:
    text = commit.canonical()
    assert canonical.canonicalize(text) == text
    assert decode_commit(text) == commit
    assert verify_commit_line(text) is None


# ---------------------------------------------------------------------------- tags

TAG = Tag(message="First\n", name="v1.0", tagger="Ada <ada@example.org>", target=ROOT_ID, time=TIME)
TAG_LINE = (
    b'{"kind":"tag","message":"First\\n","name":"v1.0","tagger":"Ada <ada@example.org>",'
    b'"target":"e0be6097d06ac175045bc5eab381b9da3c4964256477848fade1d8e323f6acf9",'
    b'"time":"2026-11-23T03:36:00.123456Z"}'
)
TAG_ID = "49ec50c9b1ea4ad07e49d538fa1cc9b5aa52dbb5c939e788a0d27d58f010104c"


def test_golden_tag() -> None:
    assert TAG.canonical() == TAG_LINE
    assert TAG.id == canonical.object_id(TAG_LINE) == TAG_ID
    assert decode_tag(TAG_LINE) == TAG


def test_a_tag_that_breaks_the_rules_is_not_made() -> None:
    for changes in ({"message": b"x"}, {"name": "a b"}, {"target": "main"}, {"time": "now"}):
        with pytest.raises(InvalidObject):
            Tag(**{**msgspec.structs.asdict(TAG), **changes}).canonical()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((b"v1.0", b"v1..0"), "branch name 'v1..0'"),
        ((b'"v1.0"', b"7"), "name"),
        ((b"e0be", b"main"), "not an id"),
        ((b".123456Z", b"Z"), "is not a time"),
        ((b'{"kind"', b'{ "kind"'), "not in canonical form"),
        ((b'"tag",', b'"tag","extra":1,'), "extra"),
        ((b'"tag"', b'"commit"'), "not a tag"),
        ((b'"message":"First\\n",', b""), "message"),
        ((b'"name"', b'"name":"v1.0","name"'), "duplicate key"),
        ((b'"kind":"tag",', b""), "kind"),
        ((b"}", b""), "not a tag"),
    ],
)
def test_refused_tags(change: tuple[bytes, bytes], said: str) -> None:
    changed = TAG_LINE.replace(*change)
    assert changed != TAG_LINE
    with pytest.raises(InvalidObject) as error:
        decode_tag(changed)
    assert said in error.value.message


@pytest.mark.parametrize("message", ["", 'é \u2028 \x01 " \\ / \U0001f600', "deposit_made"])
def test_the_quick_way_writes_what_the_slow_way_writes(message: str) -> None:
    for recorded in (None, "events"):
        commit = Commit(
            author=f"Ada {message}",
            events=2,
            log=LogHead(root="ab" * 32, size=1042),
            message=message,
            parents=["cd" * 32],
            recorded=recorded,
            time="2026-11-23T03:36:00.123456Z",
        )
        assert commit.canonical() == canonical.canonicalize(commit.canonical())
        meta = msgspec.structs.replace(commit, meta={"a": 1}).canonical()
        assert commit.canonical() == meta.replace(b'"meta":{"a":1},', b"")
