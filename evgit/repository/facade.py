"""`Repository`: opens the parts of all layers where a program asks for them, and passes on.

It adds nothing of its own but the clock and the author. It must not know the terminal, the
environment, or any transport. It is long because it is one list: what can be asked of a repository,
a few lines each; what takes more than passing on has a module of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from evgit.errors import (
    AlreadyExists,
    EvgitError,
    ModelError,
    UnknownObject,
    UsageError,
)
from evgit.formats.canonical import id_bytes
from evgit.formats.event import Event, EventBatch, batch_from_events
from evgit.formats.names import check_branch_name
from evgit.formats.times import to_text
from evgit.history import stamps
from evgit.history.boundaries import BoundaryRow
from evgit.history.commit_row import CommitRow
from evgit.history.heads import HEADS, Head, Heads
from evgit.history.history import History
from evgit.history.history_source import HistorySource
from evgit.history.log import Log
from evgit.history.points import Point
from evgit.history.reading import (
    CommitEntry,
    LogEvent,
    Reader,
    StreamEvent,
    StreamSummary,
)
from evgit.history.resolve import Resolver
from evgit.history.revision_source import (
    FoundEvent,
    Resolved,
)
from evgit.repository.model_use import ModelUse
from evgit.storage import database, files
from evgit.storage.acknowledged import losses
from evgit.storage.layout import Layout
from evgit.storage.operations import Operation, OperationLog, RefChange
from evgit.storage.refs import Ref, RefStore

if TYPE_CHECKING:
    from evgit.formats.tag import Tag
    from evgit.history.ancestry import Ancestry
    from evgit.history.append import Appended, Appender
    from evgit.history.branches import Actor, Branches
    from evgit.history.expected import Expected
    from evgit.history.new_event import NewEvent
    from evgit.maintenance.backup import BackupReport
    from evgit.maintenance.fsck import FsckReport
    from evgit.maintenance.gc import GcReport
    from evgit.maintenance.upkeep import Upkeep
    from evgit.merging.merging import Merging
    from evgit.repository.appending import Appending
    from evgit.state.diff import (
        DocumentChange,
    )
    from evgit.state.modelling.files import ModelFiles
    from evgit.state.modelling.loaded import LoadedModel
    from evgit.state.modelling.model_states import ModelStates
    from evgit.state.modelling.models import ModelReport, Models
    from evgit.state.provenance.provenance import (
        Provenance,
    )
    from evgit.state.state import State
    from evgit.state.states import States
    from evgit.storage.blobs import BlobStore
    from evgit.storage.cache import Cache
    from evgit.storage.config import Config
    from evgit.storage.in_progress import Begun
    from evgit.sync.refusals import Refusal
    from evgit.sync.service import Service
    from evgit.sync.store import Store
    from evgit.sync.sync import Sync
    from evgit.sync.transports.connecting import Connecting
    from evgit.worktree.working_tree import (
        CheckoutResult,
        WorkingTree,
    )

Progress = Callable[[int, int], None]
"""Called now and then with (done, total)."""

ANONYMOUS = "unknown <unknown@localhost>"


class Repository:
    """An open repository. Use it from one thread, and close it (or use `with`)."""

    def __init__(
        self,
        layout: Layout,
        *,
        author: str | None = None,
        clock: Callable[[], int] = stamps.now,
        user_config: Path | None = None,
        busy_timeout: float = 30.0,
        model: ModelUse | None = None,
        at_operation: int | None = None,
    ) -> None:
        self.layout = layout
        self.model_use = model or ModelUse()
        self._user_config = user_config
        self.clock = clock
        self._author = author
        self._connection = database.open_existing(
            layout.database,
            busy_timeout_ms=round(busy_timeout * 1000),
            marker=layout.acknowledged,
        )
        self.lost = losses(self._connection, layout.acknowledged, layout.losses, clock())
        """Operations that were acknowledged here, and are gone with the end of the database."""
        self._writer = os.urandom(8).hex()
        self.history = History(self._connection)
        self._refs = RefStore(self._connection)
        self._operations = OperationLog(self._connection)
        if at_operation is not None:
            from evgit.history.past import look_back

            self._refs, self._operations = look_back(self._connection, at_operation)
        self._heads = Heads(self.history, self._refs)
        self._reader = Reader(self.history)

    # ------------------------------------------------------------------ opening
    @classmethod
    def init(
        cls,
        path: Path | str,
        *,
        bare: bool = False,
        branch: str = "main",
        author: str | None = None,
        clock: Callable[[], int] = stamps.now,
        user_config: Path | None = None,
        model: ModelUse | None = None,
        root_line: bytes | None = None,
    ) -> Self:
        """Make a repository at `path` with one branch. Raises AlreadyExists.

        `root_line`: the root commit of another repository, of which this is to be a clone.
        """
        from evgit.history.first_commit import write_first_commit

        check_branch_name(branch)
        layout = Layout.at(Path(path), bare=bare)
        inside = Layout.at(Path(path))
        for taken in (layout, inside):  # a bare one around it would never be found
            if taken.database.exists():
                raise AlreadyExists(f"{taken.directory} is an evgit repository already")
        with files.translate_errors(layout.directory):
            layout.directory.mkdir(parents=True, exist_ok=True)
            layout.remove_abandoned_databases()
            if (
                root_line is None
            ):  # whatever was begun here, this is no clone, and not to be removed
                layout.unfinished.unlink(missing_ok=True)
            partial = layout.new_database(os.urandom(4).hex())
            try:
                actor = author or ANONYMOUS
                write_first_commit(partial, branch, actor=actor, now=clock(), root_line=root_line)
                layout.publish_database(partial)
            finally:
                layout.remove_database(partial)
        return cls(layout, author=author, clock=clock, user_config=user_config, model=model)

    @classmethod
    def open(
        cls,
        path: Path | str = ".",
        *,
        author: str | None = None,
        clock: Callable[[], int] = stamps.now,
        user_config: Path | None = None,
        busy_timeout: float = 30.0,
        model: ModelUse | None = None,
        at_operation: int | None = None,
    ) -> Self:
        """Open the repository that `path` is in. Raises NotARepository and Unavailable.

        `busy_timeout`: seconds to wait for other writers before Locked is raised. `at_operation`:
        number of an operation; refs are as it left them, and nothing can be written.
        """
        return cls(
            Layout.find(Path(path)),
            author=author,
            clock=clock,
            user_config=user_config,
            busy_timeout=busy_timeout,
            model=model,
            at_operation=at_operation,
        )

    def close(self) -> None:
        """Close the databases. The repository is of no use afterwards."""
        if "cache" in self.__dict__:
            self.cache.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def id(self) -> str:
        """The root commit's id, which names the repository and all its clones."""
        return str(database.setting(self._connection, "repository"))

    @cached_property
    def config(self) -> Config:
        """The settings: the repository's over the user's."""
        from evgit.storage.config import Config

        return Config(self.layout.config, self._user_config)

    @property
    def author(self) -> str:
        """Who commits: as given when opening, or else from the configuration."""
        if self._author is None:
            name, email = self.config.get("user.name"), self.config.get("user.email")
            self._author = f"{name or 'unknown'} <{email or 'unknown@localhost'}>"
        return self._author

    @author.setter
    def author(self, author: str) -> None:
        """To be set before anything is changed."""
        self._author = author

    @property
    def boundaries(self) -> list[BoundaryRow]:
        """Behind which commits this repository has nothing; none unless it is shallow."""
        return self.history.graph.boundaries.all()

    # ------------------------------------------------------------------ other repositories
    def sync(self, using: Connecting | None = None) -> Sync:
        """Remotes, fetch and push. `using`: how to go to other repositories."""
        from msgspec.structs import replace

        from evgit.sync.sync import Sync
        from evgit.sync.transports.connecting import Connecting

        going = using or Connecting(self.author, self.clock)

        def opened(layout: Layout) -> tuple[Service, Callable[[], None]]:
            use = ModelUse(trust=self.model_use.trust)
            other = Repository(layout, author=going.author, clock=going.now, model=use)
            return other.service(going.user), other.close

        return Sync(self.store, self.config, replace(going, opened=opened))

    def service(
        self,
        name: str = "",
        *,
        write: bool = True,
        aside: Callable[[Iterator[bytes]], Iterator[bytes]] | None = None,
        refused: Callable[[Refusal], None] | None = None,
    ) -> Service:
        """What answers others who clone, fetch and push here, by the rules for their pushes.

        `name`: what the rules call whoever asks. `aside`: what large answers go through. `refused`:
        is told of pushes that are refused; without it, a file of the repository has them.
        """
        from evgit.storage.config import Config
        from evgit.sync.refusals import RefusalFile
        from evgit.sync.rules import Judge, Rules, read_rules
        from evgit.sync.service import Policy, Service

        def judge() -> Judge | None:
            if self.history.streams.number("$model") is None:
                return None  # most repositories have none, and all that models need takes its time
            from evgit.state.modelling.received import ReceivedEvents

            return ReceivedEvents(self.history, lambda: self.models)

        def rules() -> Rules:
            return read_rules(Config(self.layout.config))  # without the user's settings

        noted = refused or RefusalFile(self.layout.refusals, self.clock).note
        return Service(self.store, Policy(write, name, rules, judge, aside, refused=noted))

    @cached_property
    def store(self) -> Store:
        """This repository as sync and servers see it."""
        from evgit.sync.store import Store

        return Store(
            repository=self.id,
            layout=self.layout,
            history=self.history,
            refs=self._refs,
            operations=self._operations,
            blobs=self.blobs,
            branches=self.branches,
            actor=self._actor(),
            model_states=self._states_of_projections,
        )

    def _states_of_projections(self) -> list[States]:
        """Those of the model's projections; none where there is no model that is trusted."""
        try:
            found = self.models.states() if self._may_have_model() else None
        except ModelError:
            return []
        return [] if found is None else [part.states for part in found.parts]

    # ------------------------------------------------------------------ appending
    def append(
        self,
        events: Sequence[NewEvent | Event] | EventBatch,
        *,
        branch: str | None = None,
        message: str = "",
        author: str | None = None,
        expected: Mapping[str, Expected] | None = None,
        commit_time: int | None = None,
        recorded_at_event_times: bool = False,
        meta: dict[str, Any] | None = None,
        allow_empty: bool = False,
        verify: bool = True,
        operation: str = "commit",
        arguments: Mapping[str, Any] | None = None,
    ) -> Appended:
        """Append events to a branch (default: the current one) in one commit, durably.

        `expected`: {stream: last revision | "none" | "any"}, checked and recorded as guards.
        `commit_time`: instant, default now. Events that the branch has already are not appended
        again. `verify`: hold them to the model's versions and invariants. Raises Conflict where a
        merge waits that is going to move the branch, WrongExpectedRevision, KeyReused,
        InvalidEvent, InvariantViolated and others; nothing has changed then.
        """
        appending, who = self._appending, author or self._author or self.author
        batch = events if isinstance(events, EventBatch) else appending.batch(events, self.clock)
        request = appending.request(
            batch=batch,
            ref=None if branch is None else HEADS + branch,
            author=who,
            now=self.clock(),
            actor=who,
            writer=self._writer,
            message=message,
            expected=expected or {},
            commit_time=commit_time,
            recorded_at_event_time=recorded_at_event_times,
            meta=meta or {},
            allow_empty=allow_empty,
            command=operation,
            arguments=arguments or {},
        )
        return self._appending.append(request, verify=verify)

    def append_together(
        self,
        batches: Sequence[tuple[EventBatch, str]],
        *,
        branch: str | None = None,
        author: str | None = None,
        recorded_at_event_times: bool = False,
        operation: str = "commit",
        arguments: Mapping[str, Any] | None = None,
    ) -> Iterator[list[Appended]]:
        """Append batches, a commit each with its message, sharing one sync where that can be.

        Yields what was stored once it is durable, one or several commits at a time. Otherwise as
        `append`: the first batch that fails raises, and those before it are stored.
        """
        request = self._appending.request
        requests = [
            request(
                batch=batch,
                ref=None if branch is None else HEADS + branch,
                author=author or self.author,
                now=self.clock(),
                actor=author or self.author,
                writer=self._writer,
                message=message,
                recorded_at_event_time=recorded_at_event_times,
                command=operation,
                arguments=arguments or {},
            )
            for batch, message in batches
        ]
        return self._appending.append_together(requests)

    def _is_in(self, event: Event, ref: str) -> bool:
        """Is an event in the log of a branch already?"""
        found = self._refs.get(ref)
        return found is not None and self.locate(event.id, found) is not None

    @cached_property
    def _appender(self) -> Appender:
        from evgit.history.append import Appender

        return Appender(self.history, self._refs, self._operations)

    @cached_property
    def _appending(self) -> Appending:
        from evgit.repository.appending import Appending

        return Appending(
            self._connection,
            self.history,
            self._heads,
            self._appender,
            models=lambda: self.models,
            model_at_hand=self._model_at_hand,
            may_have_model=self._may_have_model,
            is_in=self._is_in,
        )

    def batch(self, events: Sequence[NewEvent | Event]) -> EventBatch:
        """Events, checked and stamped where they have no time. Raises InvalidEvent."""
        return self._appending.batch(events, self.clock)

    # ------------------------------------------------------------------ revisions
    def resolver(self) -> Resolver:
        """Resolves revision expressions as of now."""
        return Resolver(
            HistorySource(
                self.history,
                self._refs,
                self._operations,
                self._heads,
                lambda: self.blobs,
                self._upstream_of,
                self.clock,
            )
        )

    def _upstream_of(self, branch: str) -> str | None:
        """The full name of the remote-tracking ref that a branch follows, or None."""
        from evgit.storage.config_file import join_key

        remote = self.config.get(join_key("branch", branch, "remote"))
        followed = self.config.get(join_key("branch", branch, "merge"))
        if remote is None or followed is None:
            return None
        return f"refs/remotes/{remote}/{str(followed).removeprefix(HEADS)}"

    def resolve(self, revision: str | Point = "HEAD") -> Point:
        """The point that a revision expression stands for. Raises UnknownRevision."""
        if isinstance(revision, Point):
            return revision
        if revision == "HEAD":  # most reads ask for it, and what it says needs no parsing
            try:
                return self._heads.head().point
            except EvgitError:
                pass  # what is wrong with it, the resolver tells
        return self.resolver().point(revision)

    def resolve_commit(self, revision: str | Point = "HEAD") -> str:
        """The id of a whole commit. Raises UnknownRevision, UsageError inside a commit."""
        if isinstance(revision, Point):
            revision = self.resolver().spell(revision)
        return self.resolver().commit(revision)

    def resolve_any(self, expression: str) -> Resolved:
        """Whatever a revision expression names: a point, an event, a tag, a document."""
        return self.resolver().any(expression)

    # ------------------------------------------------------------------ reading
    def log(self, revision: str | Point = "HEAD") -> Log:
        """The log at a revision."""
        return self.history.log(self.resolve(revision))

    def events(
        self, revision: str | Point = "HEAD", start: int = 0, stop: int | None = None
    ) -> Iterator[Event]:
        """The events of the log at positions [start, stop), in order."""
        return self.log(revision).events(start, stop)

    def stream(
        self,
        name: str,
        revision: str | Point = "HEAD",
        *,
        start: int = 0,
        stop: int | None = None,
        backwards: bool = False,
    ) -> Iterator[StreamEvent]:
        """A stream's events at revisions [start, stop), where negative ones count from the end:
        `start=-10` gives the last ten. Raises NotFound where there is no such stream."""
        with database.reading(self._connection):
            point = self.resolve(revision)
            return self._reader.stream(name, point, start=start, stop=stop, backwards=backwards)

    def stream_revision(self, name: str, revision: str | Point = "HEAD") -> int:
        """A stream's last revision; -1 where there is no such stream."""
        with database.reading(self._connection):
            return self._reader.stream_revision(name, self.resolve(revision))

    def streams(self, revision: str | Point = "HEAD", prefix: str = "") -> Iterator[StreamSummary]:
        """All streams whose names start with `prefix`, by name."""
        return self._reader.streams(self.resolve(revision), prefix)

    def walk(
        self, tips: Sequence[str], exclude: Sequence[str] = (), *, first_parent: bool = False
    ) -> Iterator[CommitEntry]:
        """Commits reachable from ids `tips` and not from `exclude`, newest first."""
        for row in self._reader.walk(tips, exclude, first_parent=first_parent):
            yield self._reader.entry(row)

    def commit_ids(
        self, tips: Sequence[str], exclude: Sequence[str] = (), *, first_parent: bool = False
    ) -> Iterator[str]:
        """The same, ids only, without reading the commits."""
        return (row.hex for row in self._reader.walk(tips, exclude, first_parent=first_parent))

    def commit(self, commit_id: str) -> CommitEntry:
        """A commit by id. Raises UnknownObject."""
        return self._reader.entry(self._row(commit_id))

    def added_events(self, commit_id: str) -> Iterator[LogEvent]:
        """The events that a commit adds to its first parent's log."""
        return self._reader.added_events(self._row(commit_id))

    def event(self, event_id: str) -> Event:
        """An event by id. Raises UnknownObject."""
        return self._reader.event(event_id)

    def locate(self, event_id: str, revision: str | Point = "HEAD") -> int | None:
        """An event's position in the log at a revision, or None."""
        return self._reader.position(event_id, self.resolve(revision))

    def commit_adding(self, position: int, revision: str | Point = "HEAD") -> str:
        """Id of the commit that added the event at a position."""
        return self._reader.commit_adding(self.resolve(revision), position).hex

    def read_object(self, object_id: str) -> tuple[str, bytes]:
        """(kind, canonical bytes) of a commit, event or tag. Raises UnknownObject."""
        row = self.history.graph.find(id_bytes(object_id))
        if row is not None:
            return "commit", self.history.commit_line(row)
        line = self.history.line_of_event(object_id)
        if line is not None:
            return "event", self.history.blocks.line(line)
        tag = self._heads.tag_line(object_id)
        if tag is not None:
            return "tag", tag
        raise UnknownObject(f"there is no object {object_id}")

    def tag(self, tag_id: str) -> Tag | None:
        """A tag object, or None."""
        from evgit.formats.tag import decode_tag

        line = self._heads.tag_line(tag_id)
        return None if line is None else decode_tag(line)

    def _row(self, commit_id: str) -> CommitRow:
        return self.history.graph.get(commit_id)

    # ------------------------------------------------------------------ refs and operations
    @cached_property
    def branches(self) -> Branches:
        """Branches, tags, HEAD and undo."""
        from evgit.history.branches import Branches

        return Branches(self.history, self._refs, self._operations, self._actor())

    def _actor(self) -> Actor:
        from evgit.history.branches import Actor

        return Actor(self.author, self._writer, self.clock)

    @cached_property
    def merging(self) -> Merging:
        """Bringing events of one history behind those of another: merge, re-append, try out."""
        from evgit.merging.ground import Ground
        from evgit.merging.merging import Merging

        return Merging(
            Ground(
                self.history,
                self._refs,
                self._operations,
                self.branches,
                self._actor(),
                lambda: self.models.states() if self._may_have_model() else None,
                lambda: self.states,
                lambda: self.builtin_states,
                lambda: self.models if self._may_have_model() else None,
                lambda: self.blobs,
                lambda: self._appender,
            )
        )

    def in_progress(self) -> Begun | None:
        """What was begun and waits for a decision: a merge with conflicts, a stopped rebase."""
        from evgit.storage.in_progress import InProgress

        return InProgress(self._connection).get()

    @cached_property
    def ancestry(self) -> Ancestry:
        """The shape of history: who descends from whom, where two histories part."""
        from evgit.history.ancestry import Ancestry

        return Ancestry(self.history.graph)

    def head(self) -> Head:
        """Where HEAD is."""
        return self._heads.head()

    def refs(self, prefix: str = "refs/") -> list[Ref]:
        """Refs whose full names start with `prefix`."""
        return self._refs.under(prefix)

    def operations(self) -> Iterator[Operation]:
        """The op log, newest first."""
        return self._operations.newest_first()

    def operation(self, number: int) -> Operation:
        """One operation. Raises NotFound."""
        return self._operations.get(number)

    @property
    def operations_expire(self) -> int | None:
        """The instant before which operations have expired (`operations.expire`); None: never."""
        from evgit.storage.config import span

        length = span(self.config.get("operations.expire"))
        return None if length is None else self.clock() - length

    def reflog(self, ref: str) -> Iterator[tuple[Operation, RefChange]]:
        """The operations that moved a ref, newest first."""
        return self._operations.changes_of(ref)

    # ------------------------------------------------------------------ states
    @cached_property
    def cache(self) -> Cache:
        """States, snapshots and the working tree's index; losing it costs only time."""
        from evgit.storage.cache import Cache

        return Cache(self.layout.cache, max_bytes=int(str(self.config.get("cache.max_bytes"))))

    @cached_property
    def builtin_states(self) -> States:
        """States by the built-in projection, for which no model is needed."""
        from evgit.state.states import States

        return States(self.cache)

    @property
    def states(self) -> States | ModelStates:
        """States as the chosen model sees them; by the built-in projection where there is none, or
        none that is trusted. Raises ModelError."""
        found = self.models.states() if self._may_have_model() else None
        return self.builtin_states if found is None else found

    def _may_have_model(self) -> bool:
        """Could there be a model? Costs next to nothing, so that doing without one does too."""
        return self._model_at_hand() or self.history.streams.number("$model") is not None

    def _model_at_hand(self) -> bool:
        """Is a model asked for, or in the working tree?"""
        use = self.model_use
        if use.wanted or use.skip:
            return True
        for path in self._model_places:  # noqa: SIM110 - a generator takes as long as a look-up
            if os.access(path, os.F_OK, follow_symlinks=False):
                return True
        return False

    @cached_property
    def _model_places(self) -> list[str]:
        from evgit.state.modelling.files import model_places

        worktree = self.layout.worktree
        return [] if worktree is None else model_places(worktree)

    @cached_property
    def models(self) -> Models:
        """The repository's models, recorded and in the working tree."""
        from evgit.state.modelling.models import Models

        use = self.model_use
        jobs = self.config.get("model.jobs") if use.jobs is None else use.jobs
        return Models(
            self.history,
            self.blobs,
            directory=self.layout.directory,
            worktree=self.layout.worktree,
            repository=self.id,
            head=self._model_point,
            resolve=self.resolve,
            cache=lambda: self.cache,
            wanted=use.wanted,
            skip=[self._event_named(word) for word in use.skip],
            trust=use.trust,
            notify=use.notify,
            jobs=jobs if isinstance(jobs, int) else None,
        )

    def _model_point(self) -> Point:
        """Whose model is HEAD's: the current branch's. A bisection or a walk that has led HEAD away
        from its branch goes on with that branch's model."""
        head = self.head()
        origin = None if head.branch is not None else self.provenance.origin()
        if origin is not None and self._refs.get(origin) is not None:
            point = self.resolve(origin)
            if self.provenance.leads_through(point, head.point):
                return point
        return head.point

    def _event_named(self, word: str) -> str:
        found = self.resolve_any(word)
        if not isinstance(found, FoundEvent):
            raise UsageError(f"{word!r} is no event", hint="--skip takes the id of an event")
        return found.id

    @property
    def model(self) -> LoadedModel | None:
        """The model that states are seen with, None for none. Raises ModelError."""
        return self.models.chosen() if self._may_have_model() else None

    def check_model(
        self, revision: str | Point = "HEAD", progress: Progress | None = None
    ) -> ModelReport:
        """Hold the model to its promises on all of a log: that it is deterministic, and that its
        invariants hold after every commit. Raises ModelError for all but a broken invariant."""
        return self.models.check(self.resolve(revision), progress)

    def checkout_model(self, files: ModelFiles) -> list[str]:
        """Write a model's files into the working tree, and remove others of a model's; the paths
        that changed. Nothing is run."""
        from evgit.worktree.directory import Directory

        self._refuse_if_looking_back()
        root = self.working_tree.root
        before: Mapping[str, bytes] = self.models.in_worktree() or {}
        changed = sorted(p for p in before.keys() | files.keys() if before.get(p) != files.get(p))
        with Directory(root) as directory:
            for path in changed:
                if path in files:
                    directory.write(path, files[path])
                else:
                    directory.remove(path)
            directory.prune(path.rpartition("/")[0] for path in changed if path not in files)
        return changed

    def commit_model(
        self, *, message: str = "", author: str | None = None, verify: bool = True
    ) -> Appended | None:
        """Record the model of the working tree; None where it is recorded already. `verify`: raise
        InvalidModel for one that does not load."""
        if verify:
            self.models.try_out()
        changes = self.models.changes(self.write_blob)
        if not changes:
            return None
        now, origin = to_text(stamps.stamp(self.clock())), stamps.origin()
        events = [
            Event(stream="$model", type=kind, data=data, time=now, origin=origin, blobs=blobs)
            for kind, data, blobs in changes
        ]
        batch = batch_from_events(events, reserved=True)
        return self.append(
            batch, message=message, author=author, verify=False, operation="model commit"
        )

    @cached_property
    def provenance(self) -> Provenance:
        """Where states come from: blame, versions of documents, bisection."""
        from evgit.state.provenance.parts import parts_of
        from evgit.state.provenance.provenance import Provenance

        return Provenance(self.history, lambda: parts_of(self.states))

    def state(self, revision: str | Point = "HEAD") -> State:
        """All documents at a revision."""
        return self.states.at(self.log(revision))

    def diff(
        self, a: str | Point, b: str | Point = "HEAD", under: str | None = None
    ) -> Iterator[DocumentChange]:
        """The documents that differ between the states at two revisions."""
        from evgit.state.diff import diff_states
        from evgit.state.near import near_changes
        from evgit.state.states import States

        states, before, after = self.states, self.log(a), self.log(b)
        near = near_changes(states, before, after, under) if isinstance(states, States) else None
        return near or diff_states(states.at(before), states.at(after), under)

    @cached_property
    def working_tree(self) -> WorkingTree:
        """State written as files. Raises UsageError in a bare repository."""
        if self.layout.worktree is None:
            raise UsageError(
                "this repository is bare: it has no working tree",
                hint="`evgit show REV:PATH` prints a document, `evgit ls-tree REV` lists them",
            )
        from evgit.worktree.working_tree import WorkingTree

        return WorkingTree(
            self.layout,
            self.cache,
            states=self._state_or_none,
            before_writing=self._refuse_if_looking_back,
        )

    def _refuse_if_looking_back(self) -> None:
        """Raise UsageError where the repository is looked at as it was."""
        database.refuse_if_forbidden(self._connection)

    def _state_or_none(self, point: Point) -> State | None:
        """The state at a point that may be gone, or not be readable any more."""
        try:
            state = self.state(point)
            state.retrying(state.settle)  # today's model may fail at what another one showed
            return state
        except EvgitError:
            return None

    def checkout(
        self,
        revision: str | Point = "HEAD",
        *,
        force: bool = False,
        progress: Progress | None = None,
    ) -> CheckoutResult:
        """Write the state at a revision into the working tree. HEAD stays where it is."""
        point = self.resolve(revision)
        return self.working_tree.checkout(self.state(point), point, force=force, progress=progress)

    # ------------------------------------------------------------------ blobs, maintenance
    @cached_property
    def blobs(self) -> BlobStore:
        """Raw bytes named by their hash, which events may refer to."""
        from evgit.storage.blobs import BlobStore

        return BlobStore(self._connection, self.layout)

    def write_blob(self, source: BinaryIO) -> tuple[str, int]:
        """Store a blob; (id, size)."""
        self._refuse_if_looking_back()
        return self.blobs.write(source)

    def open_blob(self, blob_id: str) -> BinaryIO:
        """A stream of a blob's bytes. Raises UnknownObject."""
        return self.blobs.open(blob_id)

    def fsck(self, progress: Progress | None = None, *, jobs: int | None = None) -> FsckReport:
        """Check every stored byte against what it must be. `jobs`: processes that do it, 1 for this
        one alone; by default as many as are worth it."""
        from evgit.maintenance.fsck import Problem, fsck

        report = fsck(self.history, self._refs, self.blobs, progress, jobs)
        report.problems += [Problem("lost", loss.message) for loss in self.lost]
        return report

    @cached_property
    def upkeep(self) -> Upkeep:
        """Consolidating, with its settings."""
        from evgit.maintenance.upkeep import Upkeep

        return Upkeep(
            self.history,
            self.layout,
            self.branches,
            self.config,
            repository=self.id,
            clock=self.clock,
        )

    def gc(self, *, aggressive: bool = False, progress: Progress | None = None) -> GcReport:
        """Move hot blocks into packs (more of it: `upkeep`). `aggressive`: rewrite all packs as
        small as can be."""
        return self.upkeep.gc(aggressive=aggressive, progress=progress)

    def gc_is_due(self) -> bool:
        """Are so many objects not packed that a gc pays (`gc.auto`), and is none under way?"""
        from evgit.maintenance.due import is_due

        objects = self.config.get("gc.auto")
        count = objects if isinstance(objects, int) else 0
        return is_due(self.history, self.layout, count, self.clock())

    def back_up(
        self,
        target: Path | str,
        *,
        full: bool = False,
        force: bool = False,
        progress: Progress | None = None,
    ) -> BackupReport:
        """Back up all of the repository into a directory, or into a file that is called `.tar`.
        What an earlier backup there has is not written again, unless `full`. `force`: also over
        one that has commits which are not here."""
        from evgit.maintenance.backup import Subject, back_up

        subject = Subject(self.history, self.blobs, self.layout, self.id, self.clock())
        return back_up(subject, Path(target), full=full, force=force, progress=progress)

    def reindex(self, progress: Progress | None = None) -> int:
        """Make all indexes again from the blocks; returns the number of commits."""
        from evgit.maintenance.reindex import reindex

        return reindex(self.history, progress)
