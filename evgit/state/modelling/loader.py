"""Finding what a model declares.

Nothing is registered anywhere: what counts is what the modules' names hold after the import. This
runs the model's code: whoever calls it has made sure that it is trusted.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import msgspec

from evgit.errors import InvalidModel
from evgit.state.modelling.adapters import Handler
from evgit.state.modelling.code import Fingerprints, Module, parse
from evgit.state.modelling.declarations import (
    MARK,
    AnyProjection,
    Compensates,
    Handles,
    Holds,
    KeyedProjection,
    Projection,
    Upcasts,
)
from evgit.state.modelling.declared_rules import (
    check_declared,
    refuse_collisions,
    refuse_dead_ends,
    refuse_ignored_versions,
)
from evgit.state.modelling.failures import describe, file_of
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.importing import forget_modules, import_modules
from evgit.state.modelling.loaded import LoadedInvariant, LoadedModel, LoadedProjection
from evgit.state.modelling.schemas import Schemas
from evgit.state.modelling.settings import ModelSettings, read_settings
from evgit.state.modelling.upcasting import Upcaster, Upcasting

_REMEMBERED_MODELS = 8
_loaded: dict[str, LoadedModel] = {}


def load(files: ModelFiles) -> LoadedModel:
    """Import a model. Raises InvalidModel with file and line. Runs its code."""
    known = _loaded.get(files.id)
    if known is None:
        known = _load(files)
        while len(_loaded) >= _REMEMBERED_MODELS:
            forget(next(iter(_loaded)))
        _loaded[files.id] = known
    return known


def forget(model_id: str) -> None:
    """Drop a model from memory: the next `load` runs its code again."""
    forget_modules(model_id)
    _loaded.pop(model_id, None)


def _load(files: ModelFiles) -> LoadedModel:
    settings = read_settings(files)
    modules = parse(files)
    imported = import_modules(files, modules)
    try:
        return _Collector(files, settings, modules, imported).model()
    except BaseException:
        forget_modules(files.id)
        raise


class _Collector:
    """Looks through the modules' names for declarations."""

    def __init__(
        self,
        files: ModelFiles,
        settings: ModelSettings,
        modules: Mapping[str, Module],
        imported: Mapping[str, ModuleType],
    ) -> None:
        self._files = files
        self._settings = settings
        self._schemas = Schemas(files)
        self._modules = modules
        self._classes: list[tuple[str, type[AnyProjection]]] = []
        self._marked: list[tuple[str, Callable[..., Any], object]] = []
        for name, module in imported.items():
            self._look_through(name, module)

    def _look_through(self, name: str, module: ModuleType) -> None:
        for value in dict.fromkeys(v for v in vars(module).values() if callable(v)):
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if isinstance(value, type) and issubclass(value, AnyProjection):
                if issubclass(value, KeyedProjection | Projection):
                    self._classes.append((name, value))
            elif not isinstance(value, type):
                for mark in getattr(value, MARK, ()):
                    self._marked.append((name, value, mark))

    def model(self) -> LoadedModel:
        """Everything that was found, checked."""
        upcasters = [self._upcaster(f, m) for _, f, m in self._marked if isinstance(m, Upcasts)]
        classes = [(n, c) for n, c in self._classes if not self._is_base(c)]
        handled = {c: self._handles(c) for _, c in classes}
        upcasting = Upcasting(
            upcasters,
            versions=_versions(self._settings, self._schemas),
            known={name for found in handled.values() for name in found},
        )
        refuse_dead_ends(self._schemas, upcasting)
        refuse_ignored_versions(self._settings, upcasting)
        for _, function, mark in self._marked:
            if isinstance(mark, Handles):
                file, line = _place(function)
                raise InvalidModel("@on belongs on a method of a projection", file=file, line=line)
        invariants = [self._invariant(f, m) for _, f, m in self._marked if isinstance(m, Holds)]
        declared = [(n, c.__name__) for n, c in classes]
        declared += [(n, f.__name__) for n, f, m in self._marked if isinstance(m, Holds)]
        hashes = Fingerprints(self._modules, declared)
        shared = [(n, f.__name__) for n, f, m in self._marked if isinstance(m, Upcasts)]
        projections = [
            self._projection(n, c, handled[c], upcasting, hashes, shared) for n, c in classes
        ]
        projections.sort(key=lambda projection: projection.prefix)
        refuse_collisions(projections)
        return LoadedModel(
            self._files.id,
            self._files,
            self._settings,
            upcasting,
            self._schemas,
            projections,
            invariants,
            {m.type: f for _, f, m in self._marked if isinstance(m, Compensates)},
        )

    def _is_base(self, found: type[AnyProjection]) -> bool:
        """Is a class only there for others to derive from?"""
        if found.prefix:
            return False
        if any(issubclass(c, found) and c is not found for _, c in self._classes):
            return True
        file, line = self._place_of_class(found)
        raise InvalidModel(
            f"projection {found.__name__} has no prefix",
            file=file,
            line=line,
            hint=f'say which paths are its: prefix = "{found.__name__.lower()}/"',
        )

    def _handles(self, found: type[AnyProjection]) -> dict[str, tuple[str, Handles]]:
        """Type of event -> (method's name, mark)."""
        handlers: dict[str, tuple[str, Handles]] = {}
        for name in dir(found):
            method = inspect.getattr_static(found, name)
            for mark in getattr(method, MARK, ()):
                if not isinstance(mark, Handles):
                    continue
                for event_type in mark.types:
                    other = handlers.setdefault(event_type, (name, mark))[0]
                    if other != name:
                        file, line = _place(method)
                        raise InvalidModel(
                            f"{found.__name__} handles {event_type!r} twice: {other} and {name}",
                            file=file,
                            line=line,
                        )
        return handlers

    def _projection(
        self,
        module: str,
        found: type[AnyProjection],
        handles: Mapping[str, tuple[str, Handles]],
        upcasting: Upcasting,
        hashes: Fingerprints,
        shared: list[tuple[str, str]],
    ) -> LoadedProjection:
        file, line = self._place_of_class(found)
        check_declared(found, file, line)
        try:
            declared = found()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise InvalidModel(
                f"{found.__name__}() failed: {describe(error)}", file=file, line=line
            ) from error
        handlers = {
            name: Handler(
                getattr(declared, method),
                upcasting.newest[name],
                None if mark.data is None else functools.partial(msgspec.convert, type=mark.data),
            )
            for name, (method, mark) in handles.items()
        }
        settings = {
            "strict": sorted(self._known(handles, upcasting)) if self._settings.strict else None,
            "versions": {name: upcasting.newest[name] for name in handlers},
            "name": found.__qualname__,
        }
        key = hashes.of([(module, found.__name__), *shared], settings)
        name = f"{module}.{found.__name__}" if module else found.__name__
        return LoadedProjection(name, declared, handlers, key, file, line)

    def _known(self, handles: Mapping[str, Any], upcasting: Upcasting) -> set[str]:
        return {*handles, *upcasting.newest, *self._settings.ignore}

    def _upcaster(self, function: Callable[..., Any], mark: Upcasts) -> Upcaster:
        file, line = _place(function)
        takes = _parameters(function)
        if takes == 1:

            def step(data: Any, event: Any) -> Any:
                return function(data)

        elif takes == 2:
            step = function
        else:
            raise InvalidModel("an upcaster takes (data) or (data, event)", file=file, line=line)
        return Upcaster(mark.type, mark.from_version, step, file, line)

    def _invariant(self, function: Callable[..., Any], mark: Holds) -> LoadedInvariant:
        file, line = _place(function)
        documents = mark.documents
        if isinstance(documents, type) and issubclass(documents, AnyProjection):
            documents = documents.prefix
        if documents is not None and not isinstance(documents, str):
            raise InvalidModel(
                f"invariant {mark.name!r} is of neither a projection nor a path prefix",
                file=file,
                line=line,
            )
        wanted = 1 if documents is None else 2
        if _parameters(function) != wanted:
            form = "(documents)" if documents is None else "(path, document)"
            raise InvalidModel(f"invariant {mark.name!r} must take {form}", file=file, line=line)
        return LoadedInvariant(mark.name, documents, function, file, line)

    def _place_of_class(self, found: type) -> tuple[str, int]:
        for module in self._modules.values():
            if found.__module__.endswith(f".{module.name}") or not module.name:
                for node in module.tree.body:
                    if isinstance(node, ast.ClassDef) and node.name == found.__name__:
                        return module.file, node.lineno
        return found.__module__, 1


def _versions(settings: ModelSettings, schemas: Schemas) -> dict[str, int]:
    """The newest versions that schemas and settings give."""
    return {name: max(versions) for name, versions in schemas.by_type.items()} | settings.versions


def _place(function: Any) -> tuple[str, int]:
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return "model", 1
    return file_of(code.co_filename) or code.co_filename, code.co_firstlineno


def _parameters(function: Callable[..., Any]) -> int:
    try:
        return len(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return -1
