"""Resolving expressions, against a repository of plain lists.

    root - c1 - c2 - c3 - c4    main (c3 merges side)
             \\- s1 -/           side

c1 brings events 0..9, c2 10..14, s1 and with it c3 15..16, c4 nothing. Times are days of 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from evgit.errors import (
    AmbiguousRevision,
    Damage,
    InvalidName,
    InvalidTime,
    UnknownRevision,
    UsageError,
)
from evgit.formats.times import to_instant
from evgit.history.points import Point, split_target
from evgit.history.resolve import Resolver
from evgit.history.revision_source import (
    FoundBlob,
    FoundDocument,
    FoundEvent,
    FoundTag,
    Kind,
    Selection,
    StreamEntry,
)


def an_id(start: str, letter: str = "0") -> str:
    return start.ljust(64, letter)


ROOT, C1, C2, S1, C3, C4 = (an_id(f"c0{n}") for n in range(6))
EVENTS = [an_id(f"e{n:03}") for n in range(17)]
TAG, TAG_OF_TAG, EVENT_TAG = an_id("7a9a"), an_id("7a9b"), an_id("7a9c")
BLOB = an_id("b10b")
ELSEWHERE = an_id("e999")  # an event that is on no branch


@dataclass
class FakeCommit:
    parents: list[str]
    log: list[str]
    day: int


@dataclass
class FakeSource:
    """A RevisionSource of plain lists and dicts."""

    commits: dict[str, FakeCommit] = field(
        default_factory=lambda: {
            ROOT: FakeCommit([], [], 0),
            C1: FakeCommit([ROOT], EVENTS[:10], 1),
            C2: FakeCommit([C1], EVENTS[:15], 2),
            S1: FakeCommit([C1], EVENTS[:10] + EVENTS[15:], 2),
            C3: FakeCommit([C2, S1], EVENTS, 3),
            C4: FakeCommit([C3], EVENTS, 4),
        }
    )
    refs: dict[str, str] = field(
        default_factory=lambda: {
            "HEAD": "ref: refs/heads/main",
            "refs/heads/main": C4,
            "refs/heads/side": S1,
            "refs/heads/feature/x": C2,
            "refs/heads/both": C1,
            "refs/tags/both": C2,
            "refs/tags/light": C1,
            "refs/tags/v1": TAG,
            "refs/tags/v1-again": TAG_OF_TAG,
            "refs/tags/the-event": EVENT_TAG,
            "refs/tags/bare-event": EVENTS[3],
            "refs/tags/lost": an_id("dead"),
            "refs/remotes/origin/main": C3,
            "refs/remotes/origin/HEAD": "ref: refs/remotes/origin/main",
            "refs/remotes/origin/only-there": C1,
            "refs/heads/c01": S1,  # also reads as the first digits of an id
            "FETCH_HEAD": C3,
        }
    )
    tags: dict[str, str] = field(
        default_factory=lambda: {TAG: C2, TAG_OF_TAG: TAG, EVENT_TAG: EVENTS[4]}
    )
    # stream -> positions in the log of main
    streams: dict[str, list[int]] = field(
        default_factory=lambda: {
            "account-1": [0, 3, 12],
            "account-2": [15, 16],
            "ada@example.org": [5],
            "odd ~ name": [6],
        }
    )
    extra: list[tuple[str, Kind]] = field(default_factory=lambda: [(BLOB, "blob")])
    previous: list[str] = field(
        default_factory=lambda: ["ref: refs/heads/side", C1, "ref: refs/heads/gone", f"{C1}#4"]
    )
    before: dict[str, list[str]] = field(
        default_factory=lambda: {"refs/heads/main": [C3, C2], "HEAD": [C3, S1, f"{C1}#4"]}
    )

    def now(self) -> datetime:
        return datetime(2026, 1, 5, 12, tzinfo=UTC)

    def read_ref(self, name: str) -> str | None:
        return self.refs.get(name)

    def list_ref_names(self) -> Iterable[str]:
        return self.refs

    def ref_before(self, name: str, operations: int) -> str | None:
        assert operations >= 1
        return dict(enumerate(self.before.get(name, []), start=1)).get(operations)

    def previous_branch(self, number: int) -> str | None:
        return dict(enumerate(self.previous, start=1)).get(number)

    def upstream(self, branch: str) -> str | None:
        return {
            "refs/heads/main": "refs/remotes/origin/main",
            "refs/heads/side": "refs/remotes/origin/side",
        }.get(branch)

    def find_ids(self, prefix: str, limit: int) -> Sequence[tuple[str, Kind]]:
        assert 4 <= len(prefix) <= 64
        assert set(prefix) <= set("0123456789abcdef")
        known: list[tuple[str, Kind]] = [(name, "commit") for name in self.commits]
        known += [(name, "tag") for name in self.tags]
        known += [(name, "event") for name in [*EVENTS, ELSEWHERE]]
        known += self.extra
        return [pair for pair in known if pair[0].startswith(prefix)][:limit]

    def tag_target(self, tag: str) -> str:
        return self.tags[tag]

    def parents(self, commit: str) -> Sequence[str]:
        return self.commits[commit].parents

    def first_parent(self, commit: str, generations: int) -> str | None:
        chain = self.chain(commit)
        return chain[generations] if generations < len(chain) else None

    def size(self, commit: str) -> int:
        return len(self.commits[commit].log)

    def point_at_time(self, commit: str, instant: int) -> Point:
        for name in self.chain(commit):
            text = f"2026-01-{self.commits[name].day:02}T00:00:00.000000Z"
            if name == ROOT or to_instant(text) <= instant:
                return Point(name, self.size(name))
        raise AssertionError

    def point_at_size(self, commit: str, size: int) -> Point:
        assert 0 <= size <= self.size(commit)
        oldest = [name for name in self.chain(commit) if self.size(name) >= size][-1]
        return Point(oldest, size)

    def event_id(self, commit: str, position: int) -> str:
        assert position >= 0
        return self.commits[commit].log[position]

    def locate(self, event: str, commit: str) -> int | None:
        log = self.commits[commit].log
        return log.index(event) if event in log else None

    def stream_event(self, point: Point, stream: str, revision: int | None) -> StreamEntry | None:
        ids = {EVENTS[position] for position in self.streams.get(stream, [])}
        log = self.commits[point.commit].log[: point.size]
        found = [position for position, name in enumerate(log) if name in ids]
        if revision is None:
            revision = len(found) - 1
        assert revision < 2**63
        if not 0 <= revision < len(found):
            return None
        return StreamEntry(revision, found[revision], log[found[revision]])

    def chain(self, commit: str) -> list[str]:
        found = [commit]
        while self.commits[found[-1]].parents:
            found.append(self.commits[found[-1]].parents[0])
        return found


ROOT_POINT, P1, P2, PS, P3, P4 = (
    Point(ROOT, 0),
    Point(C1, 10),
    Point(C2, 15),
    Point(S1, 12),
    Point(C3, 17),
    Point(C4, 17),
)

ANYTHING: dict[str, Any] = {
    # refs
    "HEAD": P4,
    "@": P4,
    "main": P4,
    "heads/main": P4,
    "refs/heads/main": P4,
    "feature/x": P2,
    "light": P1,
    "both": P2,
    "refs/heads/both": P1,
    "origin/main": P3,
    "origin": P3,
    "origin/only-there": P1,
    "FETCH_HEAD": P3,
    "c01": PS,
    # ids
    C2: P2,
    C2.upper(): P2,
    "c020": P2,
    "C02000": P2,
    "e003": FoundEvent(EVENTS[3]),
    ELSEWHERE: FoundEvent(ELSEWHERE),
    "7a9a": FoundTag(TAG, C2),
    "b10b": FoundBlob(BLOB),
    # tags
    "v1": FoundTag(TAG, C2),
    "v1^{}": P2,
    "v1^{tag}": FoundTag(TAG, C2),
    "v1^{object}": FoundTag(TAG, C2),
    "v1^{commit}": P2,
    "v1^0": P2,
    "v1~1": P1,
    "v1-again": FoundTag(TAG_OF_TAG, TAG),
    "v1-again^{}": P2,
    "v1-again^": P1,
    "the-event^{}": FoundEvent(EVENTS[4]),
    "the-event^{event}": FoundEvent(EVENTS[4]),
    "bare-event": FoundEvent(EVENTS[3]),
    # ancestry
    "main~": P3,
    "main~2": P2,
    "main~0": P4,
    "main~4": ROOT_POINT,
    "main~^2": PS,
    "main^^2~1": P1,
    "main~^0": P3,
    # positions: the commit is the one of the first-parent chain that brought the event
    "main#0": Point(C1, 1),
    "main#9": P1,
    "main#10": Point(C2, 11),
    "main#14": P2,
    "main#16": P3,
    "side#10": Point(S1, 11),
    "main~2#3": Point(C1, 4),
    "main#12#3": Point(C1, 4),
    "main#12~0": P2,
    "main#12~1": P1,
    "main#12^": P1,
    "main#12^{commit}": P2,
    "main#12^{event}": FoundEvent(EVENTS[12], 12, Point(C2, 13)),
    "main#12^{}": Point(C2, 13),
    "main^{event}": FoundEvent(EVENTS[16], 16, P4),
    # time
    "main@{2026-01-03}": P3,
    "main@{2026-01-02T23:59Z}": P2,
    "main@{2 days ago}": P3,
    "main@{yesterday}": P4,
    "main@{yesterday}~2": P2,
    "main@{1999-01-01}": ROOT_POINT,
    "main@{2099-01-01}": P4,
    "main~2@{now}": P2,
    "main#3@{now}": Point(C1, 4),
    "@{2026-01-01}": P1,
    "v1@{now}": P2,
    # operations
    "main@{0}": P4,
    "main@{1}": P3,
    "main@{2}~1": P1,
    "@{1}": P3,
    "HEAD@{0}": P4,
    "HEAD@{2}": PS,
    "HEAD@{3}": Point(C1, 4),
    "@{-1}": PS,
    "@{-1}~1": P1,
    "@{-2}": P1,
    "@{-4}": Point(C1, 4),
    # upstream
    "main@{u}": P3,
    "@{upstream}": P3,
    "HEAD@{u}": P3,
    "@{u}~1": P2,
    # streams
    "account-1@0": FoundEvent(EVENTS[0], 0, Point(C1, 1)),
    "account-1@2": FoundEvent(EVENTS[12], 12, Point(C2, 13)),
    "account-2@1": FoundEvent(EVENTS[16], 16, P3),
    "ada@example.org@0": FoundEvent(EVENTS[5], 5, Point(C1, 6)),
    "odd ~ name@0": FoundEvent(EVENTS[6], 6, Point(C1, 7)),
    "account-1@2~1": P1,
    "account-1@2^{commit}": P2,
    "account-1@2#1": Point(C1, 2),
    "refs/streams/main/account-1": FoundEvent(EVENTS[12], 12, Point(C2, 13)),
    "streams/main/account-1": FoundEvent(EVENTS[12], 12, Point(C2, 13)),
    "refs/streams/side/account-1": FoundEvent(EVENTS[3], 3, Point(C1, 4)),
    "refs/streams/side/account-2": FoundEvent(EVENTS[16], 11, PS),
    "refs/streams/side/account-2@0": FoundEvent(EVENTS[15], 10, Point(S1, 11)),
    "refs/streams/feature/x/account-1@0": FoundEvent(EVENTS[0], 0, Point(C1, 1)),
    "refs/streams/origin/main/odd%20%7E%20name": FoundEvent(EVENTS[6], 6, Point(C1, 7)),
    "refs/streams/main/account-1@{2026-01-01}": FoundEvent(EVENTS[3], 3, Point(C1, 4)),
    "refs/streams/main/account-1~1": P1,
    # documents
    "main:a/b.json": FoundDocument(P4, "a/b.json"),
    "main#12:": FoundDocument(Point(C2, 13), ""),
    "v1:a:b": FoundDocument(P2, "a:b"),
    "account-1@1:a.json": FoundDocument(Point(C1, 4), "a.json"),
    "e012:a.json": FoundDocument(Point(C2, 13), "a.json"),
    "main@{2026-01-02T15:00Z}:a.json": FoundDocument(P2, "a.json"),
}


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def resolver(source: FakeSource) -> Resolver:
    return Resolver(source)


@pytest.mark.parametrize(("text", "found"), ANYTHING.items(), ids=[text[:40] for text in ANYTHING])
def test_any(resolver: Resolver, text: str, found: object) -> None:
    assert resolver.any(text) == found


def test_an_event_or_tag_stands_for_a_point(resolver: Resolver) -> None:
    assert resolver.point("account-1@2") == Point(C2, 13)
    assert resolver.point("e012") == Point(C2, 13)
    assert resolver.point("v1") == P2
    assert resolver.point("the-event") == Point(C1, 5)
    assert resolver.point("bare-event~1") == ROOT_POINT


def test_detached_heads(source: FakeSource, resolver: Resolver) -> None:
    source.refs["HEAD"] = f"{C2}#12"
    assert resolver.point("HEAD") == Point(C2, 12)
    assert resolver.point("@~1") == P1
    assert resolver.any("account-1@1") == FoundEvent(EVENTS[3], 3, Point(C1, 4))
    with pytest.raises(UnknownRevision, match="it up to 1"):
        resolver.any("account-1@2")  # stands at position 12, behind the point
    with pytest.raises(UnknownRevision, match="not in the log of HEAD"):
        resolver.point("e012")
    assert resolver.ref_name("HEAD") == "HEAD"
    assert resolver.any("@{3}") == Point(C1, 4)  # HEAD's own operations
    with pytest.raises(UnknownRevision, match="HEAD is not a local branch"):
        resolver.any("@{u}")
    source.refs["HEAD"] = C2
    assert resolver.point("HEAD") == P2


def test_whole_commits(resolver: Resolver) -> None:
    assert resolver.commit("main~2") == C2
    assert resolver.commit("main#14") == C2
    with pytest.raises(UsageError, match="'main#12' is a point inside commit c02") as caught:
        resolver.commit("main#12")
    assert "'main#12^{commit}' is that commit" in caught.value.hint
    assert resolver.commit("main#12^{commit}") == C2


def test_events(resolver: Resolver) -> None:
    assert resolver.event("e003") == FoundEvent(EVENTS[3])
    assert resolver.event("account-1@1").position == 3
    assert resolver.event("main#12") == FoundEvent(EVENTS[12], 12, Point(C2, 13))
    assert resolver.event("the-event") == FoundEvent(EVENTS[4])
    for text, kind in (
        ("main", "a commit's log"),
        ("b10b", "blob"),
        ("main:x", "the document 'x'"),
    ):
        with pytest.raises(UsageError, match=f"names {kind}.*an event is wanted here"):
            resolver.event(text)


def test_locating_an_event(resolver: Resolver) -> None:
    found = FoundEvent(EVENTS[12], 12, Point(C2, 13))
    assert resolver.located(FoundEvent(EVENTS[12])) == found
    assert resolver.located(found) is found
    with pytest.raises(UnknownRevision, match="event e99900000000 is stored, but not in the log"):
        resolver.located(FoundEvent(ELSEWHERE))


def test_prefixes_prefer_what_is_wanted(source: FakeSource, resolver: Resolver) -> None:
    twin = an_id("e003", "f")
    source.commits[twin] = FakeCommit([ROOT], [], 1)
    with pytest.raises(AmbiguousRevision, match="'e003' fits several objects") as caught:
        resolver.any("e003")
    assert "commit e003ffffffff, event e00300000000" in caught.value.hint
    assert resolver.point("e003") == Point(twin, 0)
    assert resolver.event("e003") == FoundEvent(EVENTS[3])
    assert resolver.any("e003^{event}") == FoundEvent(EVENTS[3])
    assert resolver.any("e003~1") == ROOT_POINT
    assert resolver.any("e0030") == FoundEvent(EVENTS[3])


def test_ambiguous_candidates_can_be_told_apart(source: FakeSource, resolver: Resolver) -> None:
    for number in range(25):
        source.commits[an_id(f"abcd{'0' * 20}{number:02}")] = FakeCommit([ROOT], [], 1)
    with pytest.raises(AmbiguousRevision) as caught:
        resolver.point("abcd")
    assert caught.value.hint.count("commit abcd") == 20
    assert caught.value.hint.endswith("and others")
    assert "commit abcd0000000000000000000012" in caught.value.hint


def test_one_id_may_be_blob_and_object(source: FakeSource, resolver: Resolver) -> None:
    source.extra.append((EVENTS[3], "blob"))
    assert resolver.any(EVENTS[3]) == FoundEvent(EVENTS[3])
    assert resolver.any("e003") == FoundEvent(EVENTS[3])


def test_a_name_that_is_tag_and_branch_is_noted(resolver: Resolver) -> None:
    assert resolver.point("light") == P1
    assert resolver.notes == []
    assert resolver.point("both") == P2
    assert resolver.notes == [
        "'both' is a tag and a branch, and the tag is meant; the branch is 'refs/heads/both'"
    ]


def test_selections(resolver: Resolver) -> None:
    assert resolver.select([]) == Selection()
    assert resolver.select(["main", "^side", "v1"]) == Selection((P4, P2), (PS,))
    assert resolver.select(["side..main", "@{-2}.."]) == Selection((P4, P4), (PS, P1))
    assert resolver.select(["side...main~1", "^light"]) == Selection((), (P1,), ((PS, P3),))
    assert resolver.select(["account-1@0..account-1@2"]) == Selection(
        (Point(C2, 13),), (Point(C1, 1),)
    )
    with pytest.raises(UsageError, match="'main:a' names the document 'a', and a commit"):
        resolver.select(["main:a"])
    with pytest.raises(UsageError, match="is a range, and one revision is wanted"):
        resolver.any("side..main")


@pytest.mark.parametrize(
    ("text", "name"),
    {
        "main": "refs/heads/main",
        "HEAD": "refs/heads/main",
        "@": "refs/heads/main",
        "both": "refs/tags/both",
        "origin": "refs/remotes/origin/HEAD",
        "@{-1}": "refs/heads/side",
        "@{-2}": None,
        "main@{u}": "refs/remotes/origin/main",
        "main~1": None,
        "main@{1}": None,
        C1: None,
        "nothing": None,
    }.items(),
)
def test_full_ref_names(resolver: Resolver, text: str, name: str | None) -> None:
    assert resolver.ref_name(text) == name


UNKNOWN = {
    "mian": ("unknown revision 'mian'", "did you mean 'main'?"),
    "orign/main": ("unknown revision", "did you mean 'origin/main'"),
    "zzz": ("unknown revision", "`evgit branch` and `evgit tag` list"),
    "account-1": ("unknown revision", "'account-1' is a stream; account-1@2 is its last event"),
    "2015-06-01": ("unknown revision", "say HEAD@{2015-06-01}"),
    "yesterday": ("unknown revision", "say HEAD@{yesterday}"),
    "500": ("unknown revision", "say HEAD#500"),
    "abc": ("unknown revision", "must be at least 4"),
    "dddd": ("unknown revision", "list the names"),
    an_id("dddd"): ("unknown revision", "list the names"),
    "lost": ("refs/tags/lost names dead00000000, which is not stored here", "fsck"),
    "account-1@3": ("stream 'account-1' has no revision 3", "account-1@2 is the last one"),
    "account-1@" + "9" * 5000: ("has no revision 99999999999999999999:", "account-1@2"),
    "account-9@3": ("the log of HEAD has no stream 'account-9'", "`evgit streams`"),
    "@7": ("unknown revision '@7'", ""),
    "refs/streams/main/nope": ("branch 'main' has no stream 'nope'", ""),
    "refs/streams/main/account-1@9": ("branch 'main' has it up to 2", ""),
    "refs/streams/nope/account-1": ("there is no branch 'nope'", ""),
    "refs/streams/side/account-2@{2026-01-01}": ("had no event yet at '2026-01-01'", ""),
    "streams/main/a b": ("unknown revision", ""),
    "main~5": ("main~5 lies before the root commit", "rev-list"),
    "main~^3": ("main~^3 does not exist: commit c04000000000 has 2 parents", ""),
    "main^2": ("main^2 does not exist: commit c05000000000 has 1 parent", ""),
    "main~4^": ("has no parent", ""),
    "main#17": ("no position 17: the log of main has 17 events", "main#16 is the last one"),
    "main~4#0": ("no position 0: the log of main~4 has 0 events", "empty"),
    "main#3#4": ("the log of main#3 has 4 events", "main#3#3"),
    "main~4^{event}": ("the log of main~4 has no events", ""),
    "main@{3}": ("refs/heads/main has no value 3 operations ago", "reflog refs/heads/main"),
    "main@{2015}": ("no value 2015 operations ago", "a date is written 2015-06-01"),
    "mian@{1}": ("there is no branch, tag or other ref 'mian'", "did you mean 'main'?"),
    "mian@{u}": ("there is no branch, tag or other ref 'mian'", "did you mean 'main'?"),
    "account-1@2@{1}": ("there is no branch, tag or other ref 'account-1@2'", ""),
    "@{-9}": ("there is no @{-9}", "reflog HEAD"),
    "@{-3}": ("refs/heads/gone does not exist", "`evgit branch`"),
    "feature/x@{u}": (
        "branch 'feature/x' has no upstream",
        "evgit branch -u REMOTE/BRANCH feature/x",
    ),
    "side@{u}": ("refs/remotes/origin/side, which does not exist yet", "fetch"),
    "light@{u}": ("refs/tags/light is not a local branch", ""),
    "e999:x": ("event e99900000000 is stored, but not in the log of HEAD", "switch"),
}


@pytest.mark.parametrize(
    ("text", "words"), UNKNOWN.items(), ids=[f"{text[:40]}-" for text in UNKNOWN]
)
def test_unknown(resolver: Resolver, text: str, words: tuple[str, str]) -> None:
    with pytest.raises(UnknownRevision) as caught:
        resolver.any(text)
    assert words[0] in caught.value.message
    assert words[1] in caught.value.hint


def test_wrong_kinds(resolver: Resolver) -> None:
    for text, words in {
        "light^{tag}": r"'light\^\{tag\}' does not exist: light is a commit's log",
        "b10b^{event}": "b10b is blob b10b00000000",
        "b10b~1": "'b10b' names blob b10b00000000, and a commit or another point",
    }.items():
        with pytest.raises(UsageError, match=words):
            resolver.any(text)


def test_other_errors_keep_their_kind(resolver: Resolver) -> None:
    with pytest.raises(InvalidTime, match="'fooday' is not understood"):
        resolver.any("main@{fooday}")
    with pytest.raises(InvalidName, match="is not the ref of a stream"):
        resolver.any("refs/streams/main/a b")


def test_mistakes_in_refs_end(source: FakeSource, resolver: Resolver) -> None:
    source.refs["HEAD"] = "ref: refs/heads/loop"
    source.refs["refs/heads/loop"] = "ref: HEAD"
    with pytest.raises(UnknownRevision, match="names itself"):
        resolver.any("HEAD")
    source.tags[TAG] = TAG_OF_TAG
    with pytest.raises(UnknownRevision, match="too many tags of tags"):
        resolver.point("v1")
    source.refs["HEAD"] = "ref: refs/heads/unborn"
    with pytest.raises(UnknownRevision, match="refs/heads/unborn does not exist, and HEAD names"):
        resolver.any("HEAD")
    with pytest.raises(UnknownRevision, match="unknown revision 'nope'"):
        resolver.any("nope")


def test_spelling_points(resolver: Resolver) -> None:
    assert resolver.spell(P2) == C2
    assert resolver.spell(Point(C2, 13)) == f"{C2}#12"
    assert resolver.spell(Point(C2, 0)) == ROOT
    for text in ("main", "main#12", "main#0", "side#10", "main~4", "account-1@2"):
        point = resolver.point(text)
        assert resolver.point(resolver.spell(point)) == point


@given(
    st.lists(
        st.sampled_from(["main", "HEAD", "@", "c020", "v1", "account-1@1", "e003", "x", "lost"])
        | st.sampled_from(["~", "~2", "^", "^2", "^{}", "^{commit}", "^{event}", "^{tag}", "#3"])
        | st.sampled_from(["@{1}", "@{u}", "@{-1}", "@{yesterday}", "..", ":a", "#99", "@9", "0"]),
        max_size=5,
    ).map("".join)
)
def test_any_text_gives_something_or_a_clear_error(text: str) -> None:
    resolver = Resolver(FakeSource())
    found = point = None
    with suppress(UnknownRevision, UsageError, InvalidTime):
        resolver.event(text)
    with suppress(UnknownRevision, UsageError, InvalidTime):
        found = resolver.any(text)
    with suppress(UnknownRevision, UsageError, InvalidTime):
        point = resolver.point(text)
        assert resolver.point(resolver.spell(point)) == point
        assert resolver.select([text]) == Selection((point,))
        assert resolver.commit(f"{text}^{{commit}}") == point.commit
    if isinstance(found, Point):
        assert found == point


@pytest.mark.parametrize("size", ["", "x", "-1", "1e3", "³"])
def test_a_target_with_a_size_that_is_no_number_is_damage(size: str) -> None:
    with pytest.raises(Damage, match="no point"):
        split_target("ab" * 32 + "#" + size)
    assert split_target("ab" * 32) == ("ab" * 32, None)
    assert split_target("ab" * 32 + "#7") == ("ab" * 32, 7)
