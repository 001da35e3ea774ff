"""The JSON Schemas of a model (draft 2020-12), compiled, and what data breaks of them.

Compiling and judging are jsonschema-rs's, which is imported when the first schema is used. Patterns
run in linear time, and nothing outside of the model's own schemas is ever read.
docs/decisions/schemas.md has the reasons.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag

from evgit.errors import InvalidModel, SchemaViolated
from evgit.state.modelling.files import SCHEMAS
from evgit.state.modelling.schema_files import (
    BASE,
    at,
    check_references,
    line_at,
    parse_schema,
    pointer,
    schema_versions,
    uri_of,
)

_MAX_REASON = 300
_LINEAR = (
    "patterns run in linear time, so they have no look-around and no back-references: say it with "
    "allOf, not or several properties"
)


class Breach(NamedTuple):
    """Data that a schema does not allow. `type` and `version`: of the schema. `pointer`: into the
    data; `rule`: into the schema `file`, and `wanted`: what that says, as short JSON."""

    type: str
    version: int
    pointer: str
    reason: str
    file: str
    rule: str
    wanted: str

    def __str__(self) -> str:
        where = self.pointer or "the data"
        return f"{where}: {self.reason} ({self.file}: {self.rule or '/'} is {self.wanted})"

    def error(self, before: str, after: str = "", *, hint: str = "") -> SchemaViolated:
        """The error that says so."""
        return SchemaViolated(
            f"{before} breaks its schema: {self}{after}",
            type=self.type,
            version=self.version,
            file=self.file,
            pointer=self.pointer,
            rule=self.rule,
            hint=hint,
        )


class Schemas:
    """The schemas of one model. Compiled one by one, as they are asked for."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Raises InvalidModel for a schema of a name that none has. Reads none of them yet."""
        self._files = {path: data for path, data in files.items() if path.startswith(SCHEMAS)}
        self.by_type = schema_versions(self._files)
        self._compiled: dict[str, Any] = {}

    def __bool__(self) -> bool:
        return bool(self.by_type)

    def file(self, event_type: str, version: int) -> str | None:
        """The path of the schema of a version of a type; None where there is none."""
        return self.by_type.get(event_type, {}).get(version)

    def last_file(self, event_type: str, first: int, newest: int) -> tuple[int, str] | None:
        """(version, path) of the newest schema of a type between two versions."""
        of_type = self.by_type.get(event_type, {})
        fitting = [version for version in of_type if first <= version <= newest]
        return (max(fitting), of_type[max(fitting)]) if fitting else None

    def uri(self, path: str) -> str:
        """The URI that stands for a file."""
        return uri_of(path)

    @cached_property
    def documents(self) -> dict[str, Any]:
        """Path -> document, of schemas and definitions. Raises InvalidModel."""
        documents = {path: parse_schema(path, data) for path, data in self._files.items()}
        check_references(self._files, documents)
        return documents

    def compile(self) -> None:
        """Compile all. Raises InvalidModel for the first that is no schema."""
        for path in self._files:
            self._validator(path)

    def accepts(self, path: str) -> Callable[[Any], bool]:
        """What says quickly whether data keeps the schema in a file. Raises InvalidModel."""
        accepts: Callable[[Any], bool] = self._validator(path).is_valid
        return accepts

    def breach(self, path: str, event_type: str, version: int, data: Any) -> Breach | None:
        """The first thing in data that the schema in a file does not allow."""
        for error in self._validator(path).iter_errors(data):
            steps = list(error.instance_path)
            file, rule = self._place(path, error)
            reason = str(error.message)
            wanted = json.dumps(at(self.documents.get(file), rule), ensure_ascii=False)
            return Breach(
                event_type,
                version,
                pointer(steps),
                _short(reason),
                file,
                pointer(rule),
                _short(wanted),
            )
        return None

    def _place(self, path: str, error: Any) -> tuple[str, list[str]]:
        """(file, steps) of the rule that data broke: it can be in a file that others refer to."""
        uri, fragment = urldefrag(str(error.absolute_keyword_location or ""))
        file = unquote(uri.removeprefix(BASE))
        if file not in self._files:
            return path, [str(step) for step in error.schema_path]
        steps = [
            step.replace("~1", "/").replace("~0", "~") for step in unquote(fragment).split("/")[1:]
        ]
        return file, steps

    def _validator(self, path: str) -> Any:
        found = self._compiled.get(path)
        if found is None:
            found = self._compiled[path] = self._compile(path)
        return found

    @cached_property
    def registry(self) -> Any:
        """All of them by URI, as the library keeps them."""
        library = import_module("jsonschema_rs")
        resources = [(uri_of(path), document) for path, document in self.documents.items()]
        return library.Registry(resources, retriever=_fetch_nothing)

    def _compile(self, path: str) -> Any:
        library = import_module("jsonschema_rs")
        document = self.documents[path]
        try:
            return library.Draft202012Validator(
                document,
                registry=self.registry,
                base_uri=uri_of(path),
                retriever=_fetch_nothing,
                pattern_options=library.RegexOptions(),
                validate_formats=False,
            )
        except library.ValidationError as error:
            steps = [str(step) for step in error.instance_path]
            where = f"{pointer(steps)}: " if steps else ""
            raise InvalidModel(
                f"not a JSON Schema of draft 2020-12: {where}{_short(str(error.message))}",
                file=path,
                line=line_at(self._files[path], steps),
                hint=_LINEAR if "regex" in str(error.message) else "",
            ) from error
        except (library.ReferencingError, ValueError) as error:
            raise InvalidModel(f"not a JSON Schema: {_short(str(error))}", file=path) from error


def _fetch_nothing(uri: str) -> Any:
    raise LookupError(f"{uri} is none of the model's schemas, and nothing is fetched")


def _short(text: str) -> str:
    """Long data in the middle of a sentence, cut: what is wrong with it stands at the end."""
    half = _MAX_REASON // 2
    return text if len(text) <= _MAX_REASON else f"{text[:half]}…{text[-half:]}"
