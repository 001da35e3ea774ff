"""Upcasting: data of an old version of a type brought to the newest, step by step, at read time.

Chains are put together once for each model. Stored events never change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from evgit.errors import HandlerFailed, InvalidModel, UnknownVersion
from evgit.state.modelling.events import Event, read_only, set_data
from evgit.state.modelling.failures import event_text, raise_failed

Step = Callable[[Any, Event], Any]


@dataclass(frozen=True, slots=True)
class Upcaster:
    """One step, from `from_version` to the next; where it is declared."""

    type: str
    from_version: int
    step: Step
    file: str
    line: int


class Upcasting:
    """All steps of a model, and the newest version of every type that it knows."""

    def __init__(
        self,
        upcasters: Iterable[Upcaster] = (),
        *,
        versions: Mapping[str, int] | None = None,
        known: Iterable[str] = (),
    ) -> None:
        """`versions`: newest versions that settings or schemas give; `known`: further types, of
        version 1. Raises InvalidModel for gaps and for two steps from one version."""
        self.upcasters = sorted(upcasters, key=lambda u: (u.type, u.from_version))
        steps: dict[str, dict[int, Upcaster]] = {}
        for upcaster in self.upcasters:
            of_type = steps.setdefault(upcaster.type, {})
            other = of_type.setdefault(upcaster.from_version, upcaster)
            if other is not upcaster:
                raise InvalidModel(
                    f"{upcaster.type} {upcaster.from_version} is upcast already in {other.file}, "
                    f"line {other.line}",
                    file=upcaster.file,
                    line=upcaster.line,
                )
        self.newest: dict[str, int] = dict.fromkeys(known, 1)
        self.newest |= versions or {}
        self.oldest: dict[str, int] = {}
        for name, of_type in steps.items():
            last = of_type[max(of_type)]
            newest = max(last.from_version + 1, self.newest.get(name, 1))
            for version in range(min(of_type), newest):
                if version not in of_type:
                    raise InvalidModel(
                        f"the upcasters of {name!r} have a gap: nothing brings version {version} "
                        f"to {version + 1}",
                        file=last.file,
                        line=last.line,
                        hint=f'write an @upcast("{name}", from_version={version})',
                    )
            self.newest[name] = newest
            self.oldest[name] = min(of_type)
        self._chains = {
            (name, version): [of_type[v] for v in range(version, self.newest[name])]
            for name, of_type in steps.items()
            for version in of_type
        }

    def chain(self, event_type: str, version: int) -> list[Upcaster] | None:
        """The steps from a version to the newest, in order: none for the newest itself and for
        types that the model does not know. None: there is no way."""
        newest = self.newest.get(event_type)
        if newest is None or version == newest:
            return []
        return self._chains.get((event_type, version))

    def is_newer(self, event_type: str, version: int) -> bool:
        """Is this a version newer than the model knows?"""
        newest = self.newest.get(event_type)
        return newest is not None and version > newest


def upcast_data(upcasting: Upcasting, event: Event, data: Any, version: int | None = None) -> Any:
    """Data of an event brought to the newest version, or only to `version`; `data` may be changed
    in place.

    Raises UnknownVersion, and HandlerFailed where an upcaster fails.
    """
    chain = upcasting.chain(event.type, event.version)
    if chain is None:
        _refuse_version(upcasting, event)
    for upcaster in chain:
        if upcaster.from_version == version:
            break
        data = step_data(upcaster, event, data)
    return data


def step_data(upcaster: Upcaster, event: Event, data: Any) -> Any:
    """Data of an event one version on; it may be changed in place. Raises HandlerFailed."""
    try:
        set_data(event, read_only(data))
        data = upcaster.step(data, event)
    except BaseException as error:
        version = upcaster.from_version
        raise_failed(error, f"upcasting {event.type} from version {version}", event=event)
    if data is None:
        raise HandlerFailed(
            f"the upcaster of {event.type} from version {upcaster.from_version} returned "
            f"nothing on {event_text(event)} ({upcaster.file}, line {upcaster.line})",
            event_id=event.id,
            position=event.position if event.position >= 0 else None,
            file=upcaster.file,
            line=upcaster.line,
            hint="end it with `return data`",
        )
    return data


def _refuse_version(upcasting: Upcasting, event: Event) -> NoReturn:
    newest = upcasting.newest.get(event.type, event.version)
    if event.version > newest:
        reason = f"the model knows {event.type} only up to version {newest}"
    else:
        reason = f"the model has no upcaster from version {event.version} of {event.type}"
    raise UnknownVersion(
        f"{reason}, and {event_text(event)} is of version {event.version}",
        hint="extend the model, or see the state without the event: --skip " + event.id[:12],
    )
