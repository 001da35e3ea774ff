"""Importing a model from its files in memory, and finding what it declares.

Every model is a package of a name of its own, so that several versions live beside each other.
Nothing is registered anywhere: what counts is what the modules' names hold after the import. This
runs the model's code: whoever calls it has made sure that it is trusted.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import linecache
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from itertools import pairwise
from types import CodeType, ModuleType
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
from evgit.state.modelling.failures import describe, file_name, file_of, place_of
from evgit.state.modelling.files import SETTINGS, ModelFiles
from evgit.state.modelling.loaded import LoadedInvariant, LoadedModel, LoadedProjection
from evgit.state.modelling.schemas import Schemas
from evgit.state.modelling.settings import ModelSettings, read_settings
from evgit.state.modelling.upcasting import Upcaster, Upcasting

SUFFIXES = (".json", ".md", ".csv", ".txt")
RESERVED = ("evgit.toml", "model/", "schemas/", ".evgit")
"""Paths in a working tree that no document may have where there is a model."""

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
    _forget(_package_of(model_id))
    _loaded.pop(model_id, None)


def modules_of(model_id: str) -> list[ModuleType]:
    """The modules of a model that is loaded."""
    package = _package_of(model_id)
    names = [name for name in sys.modules if name == package or name.startswith(package + ".")]
    return [sys.modules[name] for name in names]


def _package_of(model_id: str) -> str:
    return f"evgit_model_{model_id[:16]}"


def _load(files: ModelFiles) -> LoadedModel:
    settings = read_settings(files)
    modules = parse(files)
    package = _package_of(files.id)
    finder = _Finder(package, modules, files)
    sys.meta_path.append(finder)
    try:
        imported = {
            name: _imported(package, module, modules)
            for name, module in sorted(modules.items())
            if not module.is_test
        }
        return _Collector(files, settings, modules, imported).model()
    except BaseException:
        _forget(package)
        raise


def _forget(package: str) -> None:
    sys.meta_path[:] = [
        finder
        for finder in sys.meta_path
        if not (isinstance(finder, _Finder) and finder.package == package)
    ]
    for name in [n for n in sys.modules if n == package or n.startswith(package + ".")]:
        del sys.modules[name]


def _imported(package: str, module: Module, modules: Mapping[str, Module]) -> ModuleType:
    try:
        return importlib.import_module(f"{package}.{module.name}" if module.name else package)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        file, line = place_of(error)
        hint = ""
        if isinstance(error, ModuleNotFoundError):
            hint = (
                f"install it where evgit runs: pip install {(error.name or '').partition('.')[0]}"
            )
            if error.name in modules:
                hint = f"a module of the model is imported as `from model import {error.name}`"
        raise InvalidModel(
            f"importing failed: {describe(error)}", file=file or module.file, line=line, hint=hint
        ) from error


class _Finder(MetaPathFinder, InspectLoader):
    """Finds and loads the modules of one model, from memory."""

    def __init__(self, package: str, modules: Mapping[str, Module], files: ModelFiles) -> None:
        self.package = package
        self._modules = modules
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for modules of this model."""
        if fullname != self.package and not fullname.startswith(self.package + "."):
            return None
        name = fullname[len(self.package) + 1 :]
        module = self._modules.get(name)
        if module is None and not self._is_directory(name):
            return None
        is_package = module is None or module.is_package
        return ModuleSpec(
            fullname, self, is_package=is_package, origin=None if module is None else module.file
        )

    def _is_directory(self, name: str) -> bool:
        return not name or any(each.startswith(name + ".") for each in self._modules)

    def get_source(self, fullname: str) -> str | None:
        """The text of a module."""
        module = self._modules.get(fullname[len(self.package) + 1 :])
        return None if module is None else self._files[module.file].decode("utf-8", "replace")

    def get_code(self, fullname: str) -> CodeType | None:
        """A module, compiled, with the model's imports of itself led to this package."""
        module = self._modules.get(fullname[len(self.package) + 1 :])
        if module is None:
            return compile("", fullname, "exec")
        name = file_name(self.package, module.file)
        text = self.get_source(fullname) or ""
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        tree = ast.parse(self._files[module.file], name)
        tree = ast.fix_missing_locations(_Redirect(self.package).visit(tree))
        return compile(tree, name, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        """Run a module. What it prints goes where remarks go: output is for data alone."""
        vars(module)["print"] = _print_aside
        super().exec_module(module)

    def is_package(self, fullname: str) -> bool:
        """Does it have modules below it?"""
        module = self._modules.get(fullname[len(self.package) + 1 :])
        return module is None or module.is_package


def _print_aside(*values: object, **options: Any) -> None:
    if options.get("file") is None:
        options["file"] = sys.stderr
    print(*values, **options)  # noqa: T201 - it is what a model asked for


class _Redirect(ast.NodeTransformer):
    """Turns `from model.x import y` into an import from the package that the model really is."""

    def __init__(self, package: str) -> None:
        self._package = package

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.level == 0 and node.module is not None:
            node.module = self._renamed(node.module)
        return node

    def visit_Import(self, node: ast.Import) -> Any:
        extra = False
        for alias in node.names:
            renamed = self._renamed(alias.name)
            if renamed != alias.name:
                extra = extra or alias.asname is None
                alias.name = renamed
        if not extra:
            return node
        whole = ast.Import(names=[ast.alias(name=self._package, asname="model")])
        return [node, ast.copy_location(whole, node)]

    def _renamed(self, name: str) -> str:
        top, dot, rest = name.partition(".")
        return f"{self._package}{dot}{rest}" if top == "model" else name


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
        _refuse_dead_ends(self._schemas, upcasting)
        _refuse_ignored_versions(self._settings, upcasting)
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
        _refuse_collisions(projections)
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
        _check_declared(found, file, line)
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


def _refuse_dead_ends(schemas: Schemas, upcasting: Upcasting) -> None:
    """A version that has a schema has events, and they must lead to the newest."""
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


def _refuse_ignored_versions(settings: ModelSettings, upcasting: Upcasting) -> None:
    """A setting must not be one that does nothing."""
    for name, version in sorted(settings.versions.items()):
        newest = upcasting.newest[name]
        if version != newest:
            raise InvalidModel(
                f"model.versions calls {version} the newest version of {name!r}, and an upcaster "
                f"leads to {newest}",
                file=SETTINGS,
                hint=f"write {name} = {newest}, leave the line out, or take the upcaster away",
            )


def _check_declared(found: type[AnyProjection], file: str, line: int) -> None:
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


def _refuse_collisions(projections: Sequence[LoadedProjection]) -> None:
    """`projections` in order of prefixes, so one that begins another comes just before it."""
    for one, other in pairwise(projections):
        if other.prefix.startswith(one.prefix):
            raise InvalidModel(
                f"{other.name} owns {other.prefix!r}, which {one.name} ({one.file}, line "
                f"{one.line}) owns too with {one.prefix!r}",
                file=other.file,
                line=other.line,
                hint="give each projection a prefix of its own",
            )


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
