"""Finds what a revision expression names: a point, an event, a tag, a blob or a document.

Names are looked for in this order, and the first that exists wins:

1. a full id (64 hex digits);
2. a ref: as it stands (`HEAD`, `refs/…`), then below refs/, refs/tags/, refs/heads/,
   refs/remotes/, and refs/remotes/NAME/HEAD, which is Git's order (gitrevisions(7));
3. a stream ref: refs/streams/BRANCH/STREAM, the stream's last event on that branch;
4. an id's first digits, at least 4: where a commit is wanted, commits and tags come before events;
5. STREAM@N, split at the last `@`: in HEAD's log, or on a branch if STREAM is a stream ref.

What is not a commit stands for one where a commit is wanted: a tag for what it names, an event
for the log up to and with it, a point inside a commit (`main#500`, a time) for that commit, so
`main@{yesterday}~2` is two commits before the one in which yesterday's point lies.

This module must not know where refs, objects and logs are kept: it asks a `RevisionSource`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, TypeAlias

from evgit.errors import AmbiguousRevision, InvalidName, UnknownRevision, UsageError
from evgit.formats.names import STREAM_REFS, parse_stream_ref
from evgit.history import revision_syntax as syntax
from evgit.history.points import Point, split_target
from evgit.history.ref_names import HEADS, MAX_LINKS, REMOTES, SYMBOLIC, RefNames
from evgit.history.revision_source import (
    FoundBlob,
    FoundDocument,
    FoundEvent,
    FoundTag,
    Kind,
    Resolved,
    RevisionSource,
    Selection,
)
from evgit.history.suggestions import describe, hint_for_name, list_candidates
from evgit.history.time_expression import parse_time

Wanted: TypeAlias = Literal["any", "commit", "event"]

BEYOND_ANY_LOG = 10**15  # and still small enough for every integer type
_SHOWN_CANDIDATES = 20
_ID_PREFIX = r"[0-9a-fA-F]{4,64}"
_STREAM_REVISION = r"(?s)(.+)@([0-9]+)"
# Which kinds are looked for together; a later group only where the earlier ones have nothing.
_PREFERENCES: dict[Wanted, tuple[frozenset[Kind], ...]] = {
    "any": (frozenset(("commit", "tag", "event", "blob")),),
    "commit": (frozenset(("commit", "tag")), frozenset(("event",)), frozenset(("blob",))),
    "event": (frozenset(("event",)), frozenset(("commit", "tag")), frozenset(("blob",))),
}
_KIND_ORDER: tuple[Kind, ...] = ("commit", "tag", "event", "blob")


class Resolver:
    """Resolves expressions against one repository.

    Every method raises UsageError for what can't be read or makes no sense, UnknownRevision for
    what does not exist, AmbiguousRevision for a prefix that fits several ids, InvalidTime for a
    time that can't be read, and InvalidName for a stream ref that breaks the rules.
    """

    def __init__(self, source: RevisionSource) -> None:
        self._source = source
        self._refs = RefNames(source)

    @property
    def notes(self) -> list[str]:
        """What a person should hear about expressions that were resolved all the same."""
        return self._refs.notes

    # ------------------------------------------------------------------ what callers want
    def any(self, text: str) -> Resolved:
        """Whatever one expression names."""
        return self._resolve(syntax.parse_revision(text), "any")

    def point(self, text: str) -> Point:
        """The point that an expression names or stands for."""
        return self._point(syntax.parse_revision(text))

    def commit(self, text: str) -> str:
        """The id of a whole commit. A point inside one is a UsageError."""
        point = self.point(text)
        if point.size != self._source.size(point.commit):
            raise UsageError(
                f"{text!r} is a point inside commit {point.commit[:12]}, and a whole commit is "
                "wanted here",
                hint=f"'{text}^{{commit}}' is that commit, '{text}~1' the one before it",
            )
        return point.commit

    def event(self, text: str) -> FoundEvent:
        """An event: by id, `STREAM@N`, stream ref, or `REV#POSITION`."""
        node = syntax.parse_revision(text)
        if isinstance(node, syntax.AtPosition):
            node = syntax.Peeled(node, "event")
        found = self._peel_tags(self._resolve(node, "event"))
        if not isinstance(found, FoundEvent):
            raise UsageError(
                f"{text!r} names {describe(found)}, and an event is wanted here",
                hint="name one by id, as STREAM@REVISION or as REV#POSITION",
            )
        return found

    def select(self, texts: Iterable[str]) -> Selection:
        """Several expressions, ranges and exclusions among them, taken together."""
        include: list[Point] = []
        exclude: list[Point] = []
        symmetric: list[tuple[Point, Point]] = []
        for text in texts:
            match syntax.parse(text):
                case syntax.Excluded(of):
                    exclude.append(self._point(of))
                case syntax.Range(left, right):
                    exclude.append(self._point(left))
                    include.append(self._point(right))
                case syntax.SymmetricRange(left, right):
                    symmetric.append((self._point(left), self._point(right)))
                case revision:
                    include.append(self._point(revision))
        return Selection(tuple(include), tuple(exclude), tuple(symmetric))

    def ref_name(self, text: str) -> str | None:
        """The full name of the ref that `main`, `HEAD`, `@{-1}` or `main@{u}` is; else None.

        HEAD on a branch is that branch, detached it is `HEAD`.
        """
        node = syntax.parse_revision(text)
        if not isinstance(node, syntax.Name | syntax.PreviousBranch | syntax.Upstream):
            return None
        name = self._refs.of(node)
        return self._refs.current() if name == syntax.HEAD else name

    def located(self, event: FoundEvent) -> FoundEvent:
        """The event with its position in HEAD's log, unless it has one already."""
        if event.point is not None:
            return event
        head = self._head()
        position = self._source.locate(event.id, head.commit)
        if position is None or position >= head.size:
            raise UnknownRevision(
                f"event {event.id[:12]} is stored, but not in the log of HEAD",
                hint="switch to a branch that has it, or name it as STREAM@REVISION",
            )
        return self._event_at(head, position, event.id)

    def spell(self, point: Point) -> str:
        """The expression that names a point everywhere: `<commit>`, or `<commit>#<position>`."""
        if point.size == self._source.size(point.commit):
            return point.commit
        if point.size == 0:
            return self._source.point_at_size(point.commit, 0).commit
        return f"{point.commit}#{point.size - 1}"

    # ------------------------------------------------------------------ nodes
    def _resolve(self, node: syntax.Revision | syntax.Document, wanted: Wanted) -> Resolved:
        match node:
            case syntax.Name(text):
                return self._name(text, wanted)
            case syntax.Document(of, path):
                return FoundDocument(self._point(of), path)
            case syntax.AtTime(of, when):
                return self._at_time(of, when)
            case syntax.AtPosition(of, position):
                return self._at_position(of, position)
            case syntax.Ancestor(of, generations):
                return self._ancestor(of, generations)
            case syntax.Parent(of, number):
                return self._parent(of, number)
            case syntax.Peeled(of, kind):
                return self._peeled(of, kind)
            case syntax.OperationsAgo(of, count):
                return self._target(self._refs.target_before(of, count), wanted)
            case syntax.PreviousBranch(number):
                return self._target(self._refs.previous_target(number), wanted)
            case syntax.Upstream() | syntax.CurrentBranch():
                return self._target(SYMBOLIC + self._refs.required(node), wanted)

    def _point(self, node: syntax.Revision | syntax.Document) -> Point:
        """What a node stands for where a point is wanted."""
        found = self._peel_tags(self._resolve(node, "commit"))
        if isinstance(found, FoundEvent):
            found = self.located(found).point or found
        if not isinstance(found, Point):
            raise UsageError(
                f"{syntax.render(node)!r} names {describe(found)}, and a commit or another point "
                "of a log is wanted here"
            )
        return found

    def _at_time(self, of: syntax.Revision, when: str) -> Resolved:
        instant = parse_time(when, now=self._source.now())
        if isinstance(of, syntax.Name) and (parsed := self._stream_ref(of.text)):
            branch, stream = parsed
            point = self._source.point_at_time(self._branch_point(branch).commit, instant)
            entry = self._source.stream_event(point, stream, None)
            if entry is None:
                raise UnknownRevision(f"{of.text} had no event yet at {when!r}")
            return self._event_at(point, entry.position, entry.id)
        base = self._point(of)
        point = self._source.point_at_time(base.commit, instant)
        return point if point.size <= base.size else base

    def _at_position(self, of: syntax.Revision, position: int) -> Point:
        base = self._point(of)
        if position >= base.size:
            last = base.size - 1
            raise UnknownRevision(
                f"there is no position {position}: the log of {syntax.render(of)} has "
                f"{base.size} event{'' if base.size == 1 else 's'}",
                hint=f"positions are counted from 0; {syntax.render(of)}#{last} is the last one"
                if base.size
                else "an empty log has no positions",
            )
        return self._source.point_at_size(base.commit, position + 1)

    def _whole(self, commit: str) -> Point:
        return Point(commit, self._source.size(commit))

    def _ancestor(self, of: syntax.Revision, generations: int) -> Point:
        commit = self._point(of).commit
        found = self._source.first_parent(commit, generations)
        if found is None:
            raise UnknownRevision(
                f"{syntax.render(of)}~{generations} lies before the root commit",
                hint=f"`evgit rev-list --first-parent --count {syntax.render(of)}` counts how far "
                "back it goes",
            )
        return self._whole(found)

    def _parent(self, of: syntax.Revision, number: int) -> Point:
        commit = self._point(of).commit
        if number == 0:
            return self._whole(commit)
        parents = self._source.parents(commit)
        if number > len(parents):
            raise UnknownRevision(
                f"{syntax.render(of)}^{number} does not exist: commit {commit[:12]} has "
                f"{len(parents) or 'no'} parent{'s' if len(parents) > 1 else ''}"
            )
        return self._whole(parents[number - 1])

    def _peeled(self, of: syntax.Revision, kind: syntax.PeelKind) -> Resolved:
        if kind == "commit":
            return self._whole(self._point(of).commit)
        found = self._resolve(of, "event" if kind == "event" else "any")
        if kind in ("", "event"):
            found = self._peel_tags(found)
        if kind == "event" and isinstance(found, Point):
            return self._last_event(found, syntax.render(of))
        if isinstance(found, {"tag": FoundTag, "event": FoundEvent}.get(kind, object)):
            return found
        raise UsageError(
            f"'{syntax.render(of)}^{{{kind}}}' does not exist: {syntax.render(of)} is "
            f"{describe(found)}"
        )

    def _peel_tags(self, found: Resolved) -> Resolved:
        for _ in range(MAX_LINKS):
            if not isinstance(found, FoundTag):
                return found
            found = self._target(found.target, "any")
        raise UnknownRevision("there are too many tags of tags")

    # ------------------------------------------------------------------ events
    def _event_at(self, point: Point, position: int, event: str) -> FoundEvent:
        return FoundEvent(event, position, self._source.point_at_size(point.commit, position + 1))

    def _last_event(self, point: Point, text: str) -> FoundEvent:
        if not point.size:
            raise UnknownRevision(f"the log of {text} has no events")
        last = point.size - 1
        return FoundEvent(self._source.event_id(point.commit, last), last, point)

    # ------------------------------------------------------------------ names
    def _name(self, text: str, wanted: Wanted) -> Resolved:
        if len(text) == 64 and re.fullmatch(_ID_PREFIX, text) and (found := self._id(text, wanted)):
            return found
        if ref := self._refs.find(text):
            return self._target(SYMBOLIC + ref, wanted)
        if parsed := self._stream_ref(text):
            return self._stream_event(*parsed, None)
        if re.fullmatch(_ID_PREFIX, text) and (found := self._id(text, wanted)):
            return found
        if match := re.fullmatch(_STREAM_REVISION, text):
            branch, stream = self._stream_ref(match[1]) or (None, match[1])
            return self._stream_event(branch, stream, match[2])
        raise UnknownRevision(f"unknown revision {text!r}", hint=self._hint(text))

    def _hint(self, text: str) -> str:
        try:
            stream = self._source.stream_event(self._head(), text, None)
        except UnknownRevision:  # HEAD's own trouble is not what was asked about
            stream = None
        return hint_for_name(text, self._source.list_ref_names(), stream)

    def _id(self, prefix: str, wanted: Wanted) -> Resolved | None:
        """The object of an id or prefix; None where there is none."""
        prefix = prefix.lower()
        found = self._source.find_ids(prefix, _SHOWN_CANDIDATES + 1)
        for kinds in _PREFERENCES[wanted]:
            fitting: dict[str, Kind] = {}
            for name, kind in sorted(found, key=lambda pair: _KIND_ORDER.index(pair[1])):
                if kind in kinds:
                    fitting.setdefault(name, kind)
            if len(fitting) > 1:
                raise AmbiguousRevision(
                    f"id prefix {prefix!r} fits several objects",
                    hint=list_candidates(fitting.items(), _SHOWN_CANDIDATES),
                )
            for name, kind in fitting.items():
                return self._object(name, kind)
        return None

    def _object(self, name: str, kind: Kind) -> Resolved:
        match kind:
            case "commit":
                return self._whole(name)
            case "event":
                return FoundEvent(name)
            case "tag":
                return FoundTag(name, self._source.tag_target(name))
            case "blob":
                return FoundBlob(name)

    def _stream_ref(self, text: str) -> tuple[str, str] | None:
        """(branch, stream) of `refs/streams/…` or, the way other refs are abbreviated, `streams/…`.

        Raises InvalidName for what begins as a full stream ref and is none.
        """
        if "@" in text:  # which stream refs escape: this is a revision of one
            return None
        if text.startswith(STREAM_REFS):
            return parse_stream_ref(text)
        if f"refs/{text}".startswith(STREAM_REFS):
            try:
                return parse_stream_ref(f"refs/{text}")
            except InvalidName:
                return None
        return None

    def _stream_event(self, branch: str | None, stream: str, digits: str | None) -> FoundEvent:
        """A stream's event by revision (None: the last one), on a branch or else in HEAD's log."""
        where = "the log of HEAD" if branch is None else f"branch {branch!r}"
        point = self._head() if branch is None else self._branch_point(branch)
        revision = None if digits is None else int(digits) if len(digits) < 16 else BEYOND_ANY_LOG
        entry = self._source.stream_event(point, stream, revision)
        if entry is not None:
            return self._event_at(point, entry.position, entry.id)
        last = None if revision is None else self._source.stream_event(point, stream, None)
        if last is None:
            raise UnknownRevision(
                f"{where} has no stream {stream!r}",
                hint="`evgit streams` lists the streams there are",
            )
        raise UnknownRevision(
            f"stream {stream!r} has no revision {str(digits)[:20]}: {where} has it up to "
            f"{last.revision}",
            hint=f"revisions are counted from 0; {stream}@{last.revision} is the last one",
        )

    def _branch_point(self, branch: str) -> Point:
        for prefix in (HEADS, REMOTES):
            if self._source.read_ref(prefix + branch) is not None:
                return self._point(syntax.Name(prefix + branch))
        raise UnknownRevision(f"there is no branch {branch!r} to look for a stream on")

    def _head(self) -> Point:
        if self._source.read_ref(syntax.HEAD) is None:
            raise UnknownRevision("there is no HEAD", hint="`evgit switch BRANCH` sets it")
        return self._point(syntax.Name(syntax.HEAD))

    def _target(self, target: str, wanted: Wanted) -> Resolved:
        """What a ref's target, or the ref that it names, stands for."""
        name, target = self._refs.follow(target)
        commit, size = split_target(target)
        if size is not None:
            return Point(commit, size)
        if name == syntax.HEAD or name.startswith((HEADS, REMOTES)):
            return self._whole(commit)
        found = self._id(target, wanted)
        if found is None:
            raise UnknownRevision(
                f"{name or 'the tag'} names {target[:12]}, which is not stored here",
                hint="`evgit fsck` finds out what else is missing",
            )
        return found
