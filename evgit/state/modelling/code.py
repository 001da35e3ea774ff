"""A model's code as text: its modules, what they import, and a hash of all that a part depends on.

Nothing is run here. A fingerprint leaves out comments, line numbers and the declarations that the
part doesn't refer to, so that two projections in one file are still rebuilt apart.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata

from evgit.errors import InvalidModel
from evgit.formats import canonical
from evgit.state.modelling.files import CODE, ModelFiles

FORMAT = "evgit model 1"
"""Changes whenever the same code would give other states."""

_DYNAMIC = {"importlib", "__import__", "exec", "eval", "runpy", "pkgutil"}


@dataclass(slots=True)
class Module:
    """One file. `name`: within the model, dotted, "" for model/__init__.py."""

    name: str
    file: str
    tree: ast.Module
    is_package: bool
    imports: set[str] = field(default_factory=set)
    """Names of modules of the model."""
    outside: set[str] = field(default_factory=set)
    """Top-level names of others."""
    dynamic: bool = False

    @property
    def is_test(self) -> bool:
        """Tests travel with a model and are no part of it."""
        parts = self.name.split(".")
        return parts[-1].startswith("test_") or parts[-1] == "conftest" or "tests" in parts


def parse(files: ModelFiles) -> dict[str, Module]:
    """The modules of a model by name. Raises InvalidModel with file and line."""
    modules: dict[str, Module] = {}
    for file, data in files.items():
        if file.startswith(CODE):
            module = _parsed(file, data)
            if module.name not in modules or module.is_package:
                modules[module.name] = module
    for module in modules.values():
        _find_imports(module, modules)
    return modules


def _parsed(file: str, data: bytes) -> Module:
    name = file.removeprefix(CODE).removesuffix(".py").replace("/", ".")
    is_package = name == "__init__" or name.endswith(".__init__")
    if is_package:
        name = name.removesuffix("__init__").rstrip(".")
    try:
        tree = ast.parse(data, file)
    except SyntaxError as error:
        raise InvalidModel(
            f"{type(error).__name__}: {error.msg}", file=file, line=error.lineno
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidModel(f"not Python source: {error}", file=file) from error
    return Module(name, file, tree, is_package)


def base_of(module: Module, level: int) -> str | None:
    """The package that a relative import starts from; None where it leaves the model."""
    parts = module.name.split(".") if module.name else []
    up = level - 1 if module.is_package else level
    return None if up > len(parts) else ".".join(parts[: len(parts) - up])


def joined(base: str, name: str | None) -> str:
    """A dotted name below another; either may be empty."""
    return ".".join(part for part in (base, name or "") if part)


def _find_imports(module: Module, modules: Mapping[str, Module]) -> None:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                _note_import(module, modules, alias.name, ())
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            if node.level:
                base = base_of(module, node.level)
                if base is not None:
                    target = joined("model", joined(base, node.module))
                    _note_import(module, modules, target, names)
            else:
                _note_import(module, modules, node.module or "", names)
        elif isinstance(node, ast.Name) and node.id in _DYNAMIC:
            module.dynamic = True


def _note_import(
    module: Module, modules: Mapping[str, Module], target: str, names: tuple[str, ...]
) -> None:
    top, _, rest = target.partition(".")
    if top != "model":
        module.outside.add(top)
        module.dynamic = module.dynamic or top in _DYNAMIC
        return
    found = {rest, *(joined(rest, name) for name in names)}
    for name in tuple(found):  # importing a module runs the packages around it
        while name:
            name = name.rpartition(".")[0]
            found.add(name)
    module.imports |= found & modules.keys()
    if "*" in names:
        module.imports |= {rest} & modules.keys()


class Fingerprints:
    """Hashes of what parts of a model depend on. `declared`: (module, name) of declarations at the
    top of modules, which count only for those that refer to them."""

    def __init__(self, modules: Mapping[str, Module], declared: Iterable[tuple[str, str]]) -> None:
        self._modules = modules
        self._declared: dict[str, set[str]] = {}
        for home, name in declared:
            self._declared.setdefault(home, set()).add(name)

    def of(self, parts: Iterable[tuple[str, str]], settings: object) -> bytes:
        """32 bytes for (module, name) `parts`, with all that they need and `settings`."""
        wanted: dict[str, set[str]] = {}
        for home, name in parts:
            wanted.setdefault(home, set()).add(name)
        reached = self._reached(wanted)
        texts = {}
        outside: set[str] = set()
        for each in sorted(reached):
            module = self._modules[each]
            texts[each] = self._text(module, wanted.get(each, set()), entry=each in wanted)
            outside |= module.outside
        document = {
            "format": FORMAT,
            "python": list(sys.version_info[:2]),
            "modules": texts,
            "distributions": {name: _version_of(name) for name in sorted(outside)},
            "settings": settings,
        }
        return canonical.digest(canonical.encode(document))

    def _reached(self, wanted: Mapping[str, set[str]]) -> set[str]:
        reached: set[str] = set()
        waiting = [*wanted, *([""] if "" in self._modules else [])]
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            reached.add(name)
            module = self._modules[name]
            if module.dynamic:  # it may import whatever it likes
                return {n for n, m in self._modules.items() if not m.is_test}
            waiting += module.imports
            while name:
                name = name.rpartition(".")[0]
                if name in self._modules:
                    waiting.append(name)
        return reached

    def _text(self, module: Module, wanted: set[str], *, entry: bool) -> str:
        """The module's code, without the declarations that nothing wanted refers to.

        A module that others import may be asked for any of its names: it counts as a whole.
        """
        declared = self._declared.get(module.name, set()) if entry else set()
        imported = any(module.name in other.imports for other in self._modules.values())
        if not declared or imported:
            return _dump(module.tree.body)
        named: dict[str, ast.stmt] = {}
        kept: list[ast.stmt] = []
        for node in module.tree.body:
            name = getattr(node, "name", None)
            if name in declared - wanted:
                named[name] = node
            else:
                kept.append(node)
        waiting: list[ast.AST] = list(kept)
        while waiting:
            for inner in ast.walk(waiting.pop()):
                text = (
                    inner.id
                    if isinstance(inner, ast.Name)
                    else inner.value
                    if isinstance(inner, ast.Constant)
                    else None
                )
                if isinstance(text, str) and text in named:
                    found = named.pop(text)
                    kept.append(found)
                    waiting.append(found)
        return _dump(kept)


def _dump(nodes: list[ast.stmt]) -> str:
    """Code without comments and places; by hash, since it may be long."""
    text = "\n".join(ast.dump(node) for node in nodes)
    return canonical.object_id(text.encode("utf-8", "surrogatepass"))


def _version_of(name: str) -> str:
    """The version of the distribution that an imported name belongs to; "" for none."""
    if name in sys.stdlib_module_names or name == "evgit":
        return ""
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        pass
    found = metadata.packages_distributions().get(name, [])
    return ", ".join(f"{each} {metadata.version(each)}" for each in sorted(set(found)))
