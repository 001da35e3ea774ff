"""What the declarations of a model must obey, each said with its file and line where it does not.

It must not know how declarations are found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from evgit.errors import InvalidModel
from evgit.state.modelling.declarations import AnyProjection, KeyedProjection
from evgit.state.modelling.files import SETTINGS
from evgit.state.modelling.loaded import LoadedProjection
from evgit.state.modelling.schemas import Schemas
from evgit.state.modelling.settings import ModelSettings
from evgit.state.modelling.upcasting import Upcasting

SUFFIXES = (".json", ".md", ".csv", ".txt")
RESERVED = ("evgit.toml", "model/", "schemas/", ".evgit")
"""Paths in a working tree that no document may have where there is a model."""


def refuse_dead_ends(schemas: Schemas, upcasting: Upcasting) -> None:
    """Raise InvalidModel for a version with a schema, from which nothing leads to the newest."""
    for name, versions in schemas.by_type.items():
        newest = upcasting.newest[name]
        for version, path in sorted(versions.items()):
            if version > newest:
                raise InvalidModel(
                    f"version {version} of {name!r} is newer than the newest, {newest}",
                    file=path,
                    hint="model.versions in evgit.toml says otherwise",
                )
            if upcasting.chain(name, version) is None:
                raise InvalidModel(
                    f"nothing brings version {version} of {name!r} to version {newest}",
                    file=path,
                    hint=f'write an @upcast("{name}", from_version={version})',
                )


def refuse_ignored_versions(settings: ModelSettings, upcasting: Upcasting) -> None:
    """A setting must not be one that does nothing. Raises InvalidModel."""
    for name, version in sorted(settings.versions.items()):
        newest = upcasting.newest[name]
        if version != newest:
            raise InvalidModel(
                f"model.versions calls {version} the newest version of {name!r}, and an upcaster "
                f"leads to {newest}",
                file=SETTINGS,
                hint=f"write {name} = {newest}, leave the line out, or take the upcaster away",
            )


def check_declared(found: type[AnyProjection], file: str, line: int) -> None:
    """Hold a projection's settings to what they may be. Raises InvalidModel with file and line."""

    def refuse(message: str, hint: str = "") -> None:
        raise InvalidModel(
            f"projection {found.__name__}: {message}", file=file, line=line, hint=hint
        )

    prefix = found.prefix
    if not isinstance(prefix, str):
        refuse("its prefix must be a text")
    if prefix.startswith("/") or any(part in (".", "..") for part in prefix.split("/")):
        refuse(f"{prefix!r} is no beginning of a document's path")
    for reserved in RESERVED:
        if prefix.startswith(reserved) or reserved.startswith(prefix):
            refuse(f"documents below {prefix!r} would take the place of the model's own files")
    if issubclass(found, KeyedProjection):
        if found.suffix not in SUFFIXES:
            refuse(f"the suffix {found.suffix!r} is not one of {', '.join(SUFFIXES)}")
        if found.suffix != ".json" and found.render is KeyedProjection.render:
            refuse("it needs `render(self, key, document)`, which writes the text")
    if found.unknown not in ("ignore", "error"):
        refuse('unknown must be "ignore" or "error"')
    if found.order not in ("strict", "any"):
        refuse('order must be "strict" or "any"')
    _check_merging(found, refuse)


def _check_merging(found: type[AnyProjection], refuse: Callable[[str], None]) -> None:
    for name in ("ignore", "sets"):
        pointers = getattr(found, name)
        if not _are_texts(pointers) or not all(each.startswith("/") for each in pointers):
            refuse(f'{name} lists JSON pointers: {name} = ["/updated"]')
    if not isinstance(found.commuting, str) and not _are_texts(found.commuting):
        refuse('commuting lists types of events: commuting = ["deposit_made"]')


def _are_texts(value: object) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(each, str) for each in value
    )


def refuse_collisions(projections: Sequence[LoadedProjection]) -> None:
    """Raise InvalidModel where two own the same paths.

    `projections` are in order of prefixes, so one that begins another comes just before it.
    """
    for one, other in pairwise(projections):
        if other.prefix.startswith(one.prefix):
            raise InvalidModel(
                f"{other.name} owns {other.prefix!r}, which {one.name} ({one.file}, line "
                f"{one.line}) owns too with {one.prefix!r}",
                file=other.file,
                line=other.line,
                hint="give each projection a prefix of its own",
            )
