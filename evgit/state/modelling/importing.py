"""A model's modules: imported from its files in memory, each model a package of a name of its own,
so that several versions live beside each other.

It must not know what the modules declare. Importing runs the model's code: whoever asks for it has
made sure that it is trusted.
"""

from __future__ import annotations

import ast
import importlib
import linecache
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

from evgit.errors import InvalidModel
from evgit.state.modelling.code import Module
from evgit.state.modelling.failures import describe, file_name, place_of
from evgit.state.modelling.files import ModelFiles


def import_modules(files: ModelFiles, modules: Mapping[str, Module]) -> dict[str, ModuleType]:
    """Import a model's modules but for its tests, by name. Raises InvalidModel with file and line;
    nothing is left then."""
    package = _package_of(files.id)
    sys.meta_path.append(_Finder(package, modules, files))
    try:
        return {
            name: _imported(package, module, modules)
            for name, module in sorted(modules.items())
            if not module.is_test
        }
    except BaseException:
        forget_modules(files.id)
        raise


def forget_modules(model_id: str) -> None:
    """Drop a model's modules: the next import runs its code again."""
    package = _package_of(model_id)
    sys.meta_path[:] = [
        finder
        for finder in sys.meta_path
        if not (isinstance(finder, _Finder) and finder.package == package)
    ]
    for name in [n for n in sys.modules if n == package or n.startswith(package + ".")]:
        del sys.modules[name]


def modules_of(model_id: str) -> list[ModuleType]:
    """The modules of a model that is loaded."""
    package = _package_of(model_id)
    names = [name for name in sys.modules if name == package or name.startswith(package + ".")]
    return [sys.modules[name] for name in names]


def _package_of(model_id: str) -> str:
    return f"evgit_model_{model_id[:16]}"


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
