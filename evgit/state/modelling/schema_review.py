"""Looking at stored events through a model's schemas: how many there are of each version, and which
of them today's schemas would not take.

Counting runs nothing of a model; checking runs its upcasters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from evgit.errors import HandlerFailed, UnknownVersion
from evgit.history.log import Log
from evgit.state.modelling.events import Event, decode_lines, fresh_data, set_position
from evgit.state.modelling.loaded import LoadedModel
from evgit.state.modelling.upcasting import upcast_data

Progress = Callable[[int, int], None]


class ListedVersion(NamedTuple):
    """A version of a type. `file`: its schema; `upcaster`: place of what leads on from it, "file,
    line N"; `events`: how many are stored."""

    version: int
    file: str | None
    upcaster: str | None
    events: int


class ListedType(NamedTuple):
    """A type of events. `newest`: the newest version that the model knows, None where it does not
    know the type."""

    type: str
    newest: int | None
    versions: list[ListedVersion]


class FailedEvent(NamedTuple):
    """A stored event that today's schemas don't take. `version`: as stored; `as_version`: of the
    schema. `pointer`, `rule` and `file` are empty where it did not come to a schema at all."""

    position: int
    event: str
    stream: str
    type: str
    version: int
    as_version: int
    pointer: str
    reason: str
    file: str
    rule: str


class _Kind(msgspec.Struct, gc=False):
    """What counting needs of an event."""

    stream: str
    type: str
    version: int


_kinds = msgspec.json.Decoder(_Kind).decode_lines


def count_kinds(log: Log, progress: Progress | None = None) -> Counter[tuple[str, int]]:
    """(type, version) -> number of events in a log, the model's own left out."""
    found: Counter[tuple[str, int]] = Counter()
    done = 0
    for text in log.texts():
        kinds = _kinds(text)
        found.update((kind.type, kind.version) for kind in kinds if kind.stream[0] != "$")
        done += len(kinds)
        if progress is not None:
            progress(done, log.size)
    return found


def list_types(model: LoadedModel, stored: Counter[tuple[str, int]]) -> list[ListedType]:
    """All types that a model knows or a log has, by name."""
    steps = {(u.type, u.from_version): u for u in model.upcasting.upcasters}
    versions: dict[str, set[int]] = {name: {1} for name in model.types}
    for name, version in [*stored, *steps]:
        versions.setdefault(name, set()).add(version)
    for name, of_type in model.schemas.by_type.items():
        versions[name] |= of_type.keys()
    found = []
    for name in sorted(versions):
        newest = model.upcasting.newest.get(name)
        all_versions = versions[name] | ({newest} if newest else set())
        listed = []
        for version in sorted(all_versions):
            step = steps.get((name, version))
            listed.append(
                ListedVersion(
                    version,
                    model.schemas.file(name, version),
                    None if step is None else f"{step.file}, line {step.line}",
                    stored[name, version],
                )
            )
        kept = [each for each in listed if each.events or each.version != 1 or each.file
                or each.upcaster or newest == 1]  # fmt: skip
        found.append(ListedType(name, newest, kept))
    return found


def failed_events(
    model: LoadedModel, log: Log, progress: Progress | None = None
) -> Iterator[FailedEvent]:
    """The events of a log that, upcast, don't keep the newest schema of their type, in order.

    Those that the model's upcasters can't bring there are among them. Raises InvalidModel.
    """
    model.schemas.compile()
    wanted: dict[tuple[str, int], tuple[int, str] | None] = {}
    position = 0
    for text in log.texts():
        for event in decode_lines(text):
            kind = (event.type, event.version)
            if kind not in wanted:
                wanted[kind] = _schema_of(model, event)
            target = wanted[kind]
            if target is not None and event.stream[0] != "$":
                set_position(event, position)
                failed = _failed(model, event, *target)
                if failed is not None:
                    yield failed
            position += 1
        if progress is not None:
            progress(position, log.size)


def _schema_of(model: LoadedModel, event: Event) -> tuple[int, str] | None:
    """(version, path) of the schema that events like this one are held to; path "": there is none,
    but their version must be one that the model can read. None: nothing to check."""
    newest = model.upcasting.newest.get(event.type)
    if newest is None:
        return None
    if model.upcasting.chain(event.type, event.version) is None:
        return newest, ""
    return model.schemas.last_file(event.type, event.version, newest)


def _failed(model: LoadedModel, event: Event, version: int, path: str) -> FailedEvent | None:
    schemas = model.schemas
    try:
        data = fresh_data(event)
        if event.version != version or not path:
            data = upcast_data(model.upcasting, event, data, version)
    except (HandlerFailed, UnknownVersion) as error:
        return _described(event, version, reason=error.message)
    if schemas.accepts(path)(data):
        return None
    breach = schemas.breach(path, event.type, version, data)
    if breach is None:
        return None
    return _described(
        event,
        version,
        pointer=breach.pointer,
        reason=breach.reason,
        file=breach.file,
        rule=breach.rule,
    )


def _described(
    event: Event,
    version: int,
    *,
    pointer: str = "",
    reason: str,
    file: str = "",
    rule: str = "",
) -> FailedEvent:
    return FailedEvent(
        event.position,
        event.id,
        event.stream,
        event.type,
        event.version,
        version,
        pointer,
        reason,
        file,
        rule,
    )
