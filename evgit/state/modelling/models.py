"""Which model a repository's state is seen with, and the states that it gives.

By default that is the uncommitted model of the working tree where it differs from HEAD's, else
the one at HEAD, which turns old events into today's state. Nothing is imported here before it is
trusted; what is not trusted gives way to the built-in projection, which is said to whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from evgit.errors import (
    HandlerFailed,
    InvalidModel,
    InvariantViolated,
    NotFound,
    UnknownVersion,
    UntrustedModel,
)
from evgit.formats.event import Event, EventBatch
from evgit.history.commit_row import CommitRow
from evgit.history.history import History
from evgit.history.points import Point
from evgit.history.reading import Reader
from evgit.state.modelling.adapters import NOTHING_SKIPPED, Skipped
from evgit.state.modelling.code import parse
from evgit.state.modelling.determinism import compare_replays
from evgit.state.modelling.files import ModelFiles, has_model, read_directory
from evgit.state.modelling.invariants import violations
from evgit.state.modelling.judging import Broken, first_broken
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.loader import load
from evgit.state.modelling.model_states import ModelStates
from evgit.state.modelling.model_stream import STREAM, events_of_change, files_from, recorded_ids
from evgit.state.modelling.new_events import ALL_THE_SAME, REFUSED, check_new_events
from evgit.state.modelling.schema_diff import TypeDiff, diff_schemas
from evgit.state.modelling.schema_review import (
    FailedEvent,
    ListedType,
    Progress,
    count_kinds,
    failed_events,
    list_types,
)
from evgit.state.modelling.schemas import Schemas
from evgit.state.modelling.settings import read_settings
from evgit.state.modelling.trust import Trust
from evgit.storage.blobs import BlobStore
from evgit.storage.cache import Cache

HEAD = "head"
WORKTREE = "worktree"


@dataclass(frozen=True, slots=True)
class Choice:
    """The model to see states with. `source`: "head", "worktree" or a revision."""

    files: ModelFiles
    source: str
    asked: bool
    """Did somebody ask for just this one?"""

    def __str__(self) -> str:
        """As errors and notes name it."""
        place = {HEAD: "recorded at HEAD", WORKTREE: "in the working tree"}
        where = place.get(self.source, f"recorded at {self.source}")
        return f"the model {where} ({self.files.id[:12]})"


class CheckedProjection(NamedTuple):
    """A projection that `check` went through: how many documents it has, and their root."""

    name: str
    prefix: str
    documents: int
    root: str


class ModelReport(NamedTuple):
    """What `check` found. `size`: of the log; `broken`: the first place where a rule does not
    hold."""

    model: str
    source: str
    size: int
    projections: list[CheckedProjection]
    broken: Broken | None


class Models:
    """The models of one repository."""

    def __init__(
        self,
        history: History,
        blobs: BlobStore,
        *,
        directory: Path,
        worktree: Path | None,
        repository: str,
        head: Callable[[], Point],
        resolve: Callable[[str], Point],
        cache: Callable[[], Cache],
        wanted: str | None = None,
        skip: Sequence[str] = (),
        trust: Trust | None = None,
        notify: Callable[[str], None] = lambda text: None,
        jobs: int | None = None,
    ) -> None:
        """`wanted`: "head", "worktree" or a revision, None for the default. `skip`: ids of events
        that states are to be without. Without `trust`, nothing is trusted. `jobs`: how many
        processes may share a long replay; None: as many as are of use here."""
        self._reader = Reader(history)
        self._history = history
        self._blobs = blobs
        self._directory = directory
        self._worktree = worktree
        self._repository = repository
        self._head = head
        self._resolve = resolve
        self._cache = cache
        self._wanted = wanted
        self._skip = tuple(skip)
        self._trust = trust
        self._notify = notify
        self._jobs = jobs
        self._said: set[str] = set()
        self._read: dict[tuple[int, str], ModelFiles] = {}
        self._states: dict[str, ModelStates] = {}

    # ------------------------------------------------------------------ reading models
    def at(self, point: Point) -> ModelFiles | None:
        """The model recorded at a point, None for none. Runs nothing."""
        last = self._reader.stream_event(STREAM, point, -1)
        if last is None:
            return None
        known = (last.revision, last.event.id)
        if known not in self._read:
            events = (entry.event for entry in self._reader.stream(STREAM, point))
            self._read[known] = files_from(events, self._blobs.chunks)
        return self._read[known] or None

    def is_recorded(self, model_id: str, point: Point) -> bool:
        """Was there such a model anywhere in the log at a point?"""
        if self._reader.stream_revision(STREAM, point) < 0:
            return False
        events = (entry.event for entry in self._reader.stream(STREAM, point))
        return model_id in recorded_ids(events)

    def in_worktree(self) -> ModelFiles | None:
        """The model in the working tree, None for none. Runs nothing."""
        if self._worktree is None or not has_model(self._worktree):
            return None
        return read_directory(self._worktree) or None

    def changes(
        self, write_blob: Callable[[BinaryIO], tuple[str, int]]
    ) -> list[tuple[str, dict[str, Any], dict[str, int]]]:
        """(type, data, blobs) of the events that record the model of the working tree."""
        there = self.in_worktree()
        if there is None:
            raise NotFound(
                "there is no model in the working tree",
                hint="write model/NAME.py: `from evgit.model import KeyedProjection, on`",
            )
        return events_of_change(self.at(self._head()) or {}, there, write_blob)

    def try_out(self) -> None:
        """Raise InvalidModel where the model of the working tree is none: its files don't parse,
        or, where it is trusted, don't load."""
        files = self.in_worktree()
        if files is None:
            return
        if self.is_trusted(Choice(files, WORKTREE, asked=True)):
            load(files)
        read_settings(files)
        parse(files)
        Schemas(files).compile()

    def choice(self) -> Choice | None:
        """The model to see states with, whether trusted or not; None where there is none."""
        wanted = self._wanted
        if wanted is None:
            there, recorded = self.in_worktree(), self._recorded_at_head()
            if there is not None and (recorded is None or there.id != recorded.id):
                return Choice(there, WORKTREE, asked=False)
            return None if recorded is None else Choice(recorded, HEAD, asked=False)
        if wanted == WORKTREE:
            files = self.in_worktree()
        else:
            files = self.at(self._head() if wanted == HEAD else self._resolve(wanted))
        if files is None:
            where = {HEAD: "at HEAD", WORKTREE: "in the working tree"}.get(wanted, f"at {wanted}")
            raise NotFound(
                f"there is no model {where}", hint="`evgit model log` shows what was recorded"
            )
        return Choice(files, wanted, asked=True)

    def _recorded_at_head(self) -> ModelFiles | None:
        """The model at HEAD. Events that make no model (anybody can send them) must not stand in
        the way of seeing the data: they count as none, which is said."""
        try:
            return self.at(self._head())
        except InvalidModel as error:
            self._say(f"note: what is recorded as the model at HEAD is none: {error}")
            return None

    # ------------------------------------------------------------------ running them
    def is_trusted(self, choice: Choice) -> bool:
        """May this model run here?"""
        trust = self._trust
        if trust is None:
            return False
        if trust.trusts(self._directory, choice.files.id):
            return True
        return choice.source == WORKTREE and trust.owns(self._directory, self._repository)

    def chosen(self) -> LoadedModel | None:
        """The model to see states with; None where there is none, or none that is trusted.

        Raises UntrustedModel where somebody asked for just that one, and InvalidModel.
        """
        return self._usable(self.choice())

    def _usable(self, choice: Choice | None) -> LoadedModel | None:
        if choice is None:
            return None
        if not choice.asked and not self.is_trusted(choice):
            self._say(
                f"note: {choice} is not trusted: the built-in projection is used instead\n"
                "hint: read it, then `evgit trust`"
            )
            return None
        model = self._load_trusted(choice)
        if choice.source == WORKTREE and not choice.asked:
            self._say("note: the model of the working tree is used; it is not committed")
        return model

    def _load_trusted(self, choice: Choice) -> LoadedModel:
        self._check_trusted(choice)
        return load(choice.files)

    def _check_trusted(self, choice: Choice) -> None:
        if not self.is_trusted(choice):
            raise UntrustedModel(
                f"{choice} is not trusted, so its code does not run",
                hint="read it (`evgit model checkout`, `evgit model diff`), then `evgit trust`",
            )

    def trusted_at(self, point: Point) -> LoadedModel | None:
        """The model recorded at a point; None where there is none. Raises UntrustedModel,
        InvalidModel."""
        files = self.at(point)
        if files is None:
            return None
        return self._load_trusted(Choice(files, point.commit[:12], asked=True))

    def states_by(self, model: LoadedModel) -> ModelStates:
        """The states that a model gives."""
        return self._states_of(model)

    def _choice_or_error(self) -> Choice:
        choice = self.choice()
        if choice is None:
            raise NotFound("there is no model here", hint="docs/models.md tells how to write one")
        return choice

    def to_be_tested(self) -> ModelFiles:
        """The files of the model whose tests are to run: of the working tree where nobody asked
        for another and it has one. Raises NotFound and UntrustedModel. Runs nothing."""
        files = self.in_worktree() if self._wanted is None else None
        choice = self._choice_or_error() if files is None else Choice(files, WORKTREE, asked=True)
        self._check_trusted(choice)
        return choice.files

    def states(self) -> ModelStates | None:
        """The states of the chosen model; None where the built-in projection has to do: without a
        model that is trusted, and with one that has no projections (only schemas, say)."""
        model = self.chosen()
        if model is None or not model.projections:
            return None
        return self._states_of(model)

    def _states_of(self, model: LoadedModel) -> ModelStates:
        if model.id not in self._states:
            self._states = {model.id: self._new_states(model)}
        return self._states[model.id]

    def _new_states(self, model: LoadedModel) -> ModelStates:
        return ModelStates(self._cache(), model, skipped=self._skipped(), jobs=self._jobs)

    def states_of(
        self, files: ModelFiles, called: str, made_of: Sequence[ModelFiles] = ()
    ) -> ModelStates | None:
        """The states of a model that is recorded nowhere yet, which errors name `called`; None
        where it is not trusted. It is trusted if all the models are that it is `made_of`."""
        trust = self._trust
        if trust is not None and not trust.trusts(self._directory, files.id):
            known = [self.is_trusted(Choice(each, HEAD, asked=False)) for each in made_of]
            trust = trust if known and all(known) else None
        if trust is None:
            self._say(
                f"note: the model {called} ({files.id[:12]}) is not trusted: no model is used\n"
                "hint: read it, then `evgit trust`"
            )
            return None
        if files.id not in self._states:
            self._states[files.id] = self._new_states(load(files))
        return self._states[files.id]

    def _skipped(self) -> Skipped:
        if not self._skip:
            return NOTHING_SKIPPED
        events = [self._reader.event(event_id) for event_id in self._skip]
        return Skipped(frozenset(self._skip), frozenset(event.time for event in events))

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._notify(text)

    # ------------------------------------------------------------------ checking all of history
    def check(self, point: Point, progress: Progress | None = None) -> ModelReport:
        """Hold the chosen model to its promises on the log at a point.

        Raises NotFound, UntrustedModel, InvalidModel, HandlerFailed, UnknownVersion and
        NotDeterministic. A broken invariant is part of the report.
        """
        choice = self._choice_or_error()
        model = self._load_trusted(choice)
        model.schemas.compile()
        log = self._history.log(point)
        names = {p.prefix: f"{p.name} ({p.file}, line {p.line})" for p in model.projections}
        compare_replays(self._directory, log, choice.files, names)
        broken = first_broken(model, self._history, log.row, log, progress)
        state = ModelStates(self._cache(), model).at(log)
        projections = [
            CheckedProjection(
                p.name, p.prefix, len(state.part(p.prefix)), state.part(p.prefix).root
            )
            for p in model.projections
        ]
        return ModelReport(model.id, choice.source, log.size, projections, broken)

    # ------------------------------------------------------------------ schemas
    def listed_types(self, point: Point, progress: Progress | None = None) -> list[ListedType]:
        """All types that the chosen model knows, or the log at a point has. Raises NotFound,
        UntrustedModel and InvalidModel."""
        model = self._load_trusted(self._choice_or_error())
        model.schemas.compile()
        return list_types(model, count_kinds(self._history.log(point), progress))

    def failed_events(
        self, point: Point, progress: Progress | None = None
    ) -> Iterator[FailedEvent]:
        """The events of the log at a point that the chosen model's schemas don't take, upcast.
        Raises NotFound, UntrustedModel and InvalidModel."""
        model = self._load_trusted(self._choice_or_error())
        return failed_events(model, self._history.log(point), progress)

    def schema_diff(self, old: Point, new: Point | None = None) -> list[TypeDiff]:
        """What differs between the schemas at two points; without `new`, up to those in the working
        tree. Runs nothing. Raises InvalidModel."""
        before: Mapping[str, bytes] = self.at(old) or {}
        after: Mapping[str, bytes] = (self.in_worktree() if new is None else self.at(new)) or {}
        return list(diff_schemas(Schemas(before), Schemas(after)))

    # ------------------------------------------------------------------ judging what is appended
    def check_events(
        self, events: Sequence[Event], known: Callable[[Event], bool] = lambda event: False
    ) -> None:
        """Raise UnknownVersion for events that the model can't read, and SchemaViolated for data
        that its schemas don't allow. Events that are `known`, in the log already, may be as they
        are."""
        try:
            choice = self.choice()
            model = self._usable(choice)
            if model is not None:
                check_new_events(model, events, known)
            elif choice is not None:
                self._say("note: what is appended is not held to that model's schemas and rules")
        except InvalidModel as error:
            error.message += REFUSED
            error.hint = error.hint or f"correct the model; {ALL_THE_SAME}"
            raise

    def judge(self) -> Callable[[CommitRow, EventBatch], None] | None:
        """What refuses new events that break an invariant, None where there are no invariants.

        It is called with the commit that they follow and with the new events alone.
        """
        model = self.chosen()
        if model is None or not model.invariants:
            return None
        states = self._states_of(model)

        def refuse(parent: CommitRow, batch: EventBatch) -> None:
            text = b"".join(line + b"\n" for line in batch.lines)
            try:
                log = self._history.log_of(parent)
                trial = states.after(log, [text], model.is_judged)
                broken = next(violations(model, trial.state, trial.touched), None)
            except (HandlerFailed, UnknownVersion) as error:
                error.message += "; nothing was appended"
                error.hint = "correct the event or the model; --no-verify appends all the same"
                raise
            if broken is not None:
                raise InvariantViolated(
                    f"{broken}; nothing was appended",
                    name=broken.name,
                    path=broken.path,
                    hint="decide again on the state as it is; --no-verify appends all the same",
                )

        return refuse
