"""`evgit.toml`: what a model says about itself.

    [model]
    strict = false              # true: an event of a type that no projection handles is an error
    ignore = ["till_opened"]    # types that are known and mean nothing here

    [model.versions]
    deposit_made = 2            # the newest version, where no upcaster and no schema says it

Unknown members of `model` are refused: a misspelled setting must not be one that does nothing.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from evgit.errors import InvalidModel
from evgit.state.modelling.files import SETTINGS, ModelFiles

_PLACE = re.compile(r" \(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What `evgit.toml` says; `versions`: type -> newest version."""

    strict: bool = False
    ignore: frozenset[str] = frozenset()
    versions: dict[str, int] = field(default_factory=dict)


def read_settings(files: ModelFiles) -> ModelSettings:
    """The settings of a model. Raises InvalidModel."""
    data = files.get(SETTINGS)
    if data is None:
        return ModelSettings()
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidModel("not UTF-8", file=SETTINGS) from error
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place else None
        raise InvalidModel(_PLACE.sub("", str(error)), file=SETTINGS, line=line) from error
    return _checked(document.get("model", {}))


def _checked(table: Any) -> ModelSettings:
    if not isinstance(table, dict):
        raise InvalidModel("`model` must be a table", file=SETTINGS)
    unknown = table.keys() - {"strict", "ignore", "versions"}
    if unknown:
        raise InvalidModel(
            f"there is no setting {min(unknown)!r} in [model]",
            file=SETTINGS,
            hint="there are strict, ignore and versions",
        )
    strict, ignore = table.get("strict", False), table.get("ignore", [])
    versions = table.get("versions", {})
    if not isinstance(strict, bool):
        raise InvalidModel("model.strict must be true or false", file=SETTINGS)
    if not isinstance(ignore, list) or not all(isinstance(name, str) for name in ignore):
        raise InvalidModel("model.ignore must be a list of types of events", file=SETTINGS)
    if not isinstance(versions, dict) or not all(
        type(version) is int and version >= 1 for version in versions.values()
    ):
        raise InvalidModel("model.versions must give numbers from 1 on", file=SETTINGS)
    return ModelSettings(strict, frozenset(ignore), versions)
