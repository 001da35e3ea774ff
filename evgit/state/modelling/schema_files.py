"""The schema files of a model as documents: which there are, what they refer to, and where in them
a line is. Nothing is compiled here, and no package is needed.

    schemas/<type>/<version>.json       what the data of a version of a type must be
    schemas/definitions/<name>.json     what several of them share, by `$ref`
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urldefrag, urljoin

from evgit.errors import InvalidModel, InvalidName
from evgit.formats.names import check_event_type
from evgit.state.modelling.files import SCHEMAS

DEFINITIONS = SCHEMAS + "definitions/"
BASE = "https://model.invalid/"
"""What a file's path is put after to make its URI: a name that can't exist (RFC 2606)."""
DIALECT = "https://json-schema.org/draft/2020-12/"
MAX_DEPTH = 128

_VERSION = re.compile(r"[1-9][0-9]{0,15}")
_NO_SCHEMAS = ("const", "enum", "default", "examples")
_SPACE = re.compile(r"[ \t\r\n]*")


def schema_versions(files: Mapping[str, bytes]) -> dict[str, dict[int, str]]:
    """Type -> version -> path of its schema. Raises InvalidModel for a file that is none."""
    found: dict[str, dict[int, str]] = {}
    for path in files:
        if not path.startswith(SCHEMAS) or path.startswith(DEFINITIONS):
            continue
        name, _, last = path.removeprefix(SCHEMAS).removesuffix(".json").rpartition("/")
        try:
            check_event_type(name)
        except InvalidName as error:
            _refuse_name(path, error)
        if not _VERSION.fullmatch(last):
            _refuse_name(path, None)
        found.setdefault(name, {})[int(last)] = path
    return found


def _refuse_name(path: str, cause: Exception | None) -> None:
    raise InvalidModel(
        "this is no place for a schema",
        file=path,
        hint="version 2 of deposit_made has its schema in schemas/deposit_made/2.json; what "
        "several share belongs in schemas/definitions/NAME.json",
    ) from cause


def uri_of(path: str) -> str:
    """The URI by which a schema file is known to others."""
    return BASE + quote(path)


def parse_schema(path: str, data: bytes) -> Any:
    """The document of a schema file. Raises InvalidModel with a line."""
    try:
        text = data.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise InvalidModel("not UTF-8", file=path) from error
    except json.JSONDecodeError as error:
        raise InvalidModel(f"not JSON: {error.msg}", file=path, line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise InvalidModel(f"not JSON: {error}", file=path) from error
    if not isinstance(document, dict | bool):
        raise InvalidModel("a JSON Schema is an object, or true or false", file=path, line=1)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice!r} stands there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


# ---------------------------------------------------------------------------- references


def check_references(files: Mapping[str, bytes], documents: Mapping[str, Any]) -> None:
    """Raise InvalidModel for a schema that refers to anything but schemas of the same model, and
    for one of another dialect. So whatever compiles them never has to look elsewhere."""
    known = {uri_of(path) for path in documents}
    found = []
    for path, document in documents.items():
        for keyword, value, uri in _walk(document, uri_of(path), 0, path):
            if keyword == "$id":
                known.add(urldefrag(uri)[0])
            else:
                found.append((path, keyword, value, urldefrag(uri)[0]))
    for path, keyword, value, uri in found:
        if keyword == "$schema":
            if value.rstrip("#") != DIALECT + "schema":
                raise InvalidModel(
                    f"its dialect is {value}, and evgit reads draft 2020-12",
                    file=path,
                    line=line_with(files[path], value),
                    hint=f'"$schema": "{DIALECT}schema", or leave $schema out',
                )
        elif uri not in known and not uri.startswith(DIALECT):
            raise InvalidModel(
                f"{keyword} {value!r} leads out of the model's schemas",
                file=path,
                line=line_with(files[path], value),
                hint="nothing is fetched: put what it refers to below schemas/definitions/",
            )


def _walk(node: Any, base: str, depth: int, path: str) -> Iterator[tuple[str, str, str]]:
    """(keyword, value, URI) of all that names a schema."""
    if depth > MAX_DEPTH:
        raise InvalidModel(f"nested deeper than {MAX_DEPTH}", file=path)
    if isinstance(node, list):
        for each in node:
            yield from _walk(each, base, depth + 1, path)
    if not isinstance(node, dict):
        return
    own = node.get("$id")
    if isinstance(own, str):
        base = _joined(base, own, path)
        yield "$id", own, base
    for keyword in ("$ref", "$dynamicRef", "$schema"):
        value = node.get(keyword)
        if isinstance(value, str):
            yield keyword, value, _joined(base, value, path)
    for name, each in node.items():
        if name not in _NO_SCHEMAS:
            yield from _walk(each, base, depth + 1, path)


def _joined(base: str, reference: str, path: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError as error:
        raise InvalidModel(f"{reference!r} is no reference: {error}", file=path) from error


# ---------------------------------------------------------------------------- places


def pointer(steps: Sequence[str | int]) -> str:
    """The JSON pointer (RFC 6901) of steps; "" for the whole document."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def at(document: Any, steps: Sequence[str | int]) -> Any:
    """What stands at the end of some steps, None where there is no such place."""
    for step in steps:
        try:
            document = document[int(step) if isinstance(document, list) else step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return document


def line_with(data: bytes, value: str) -> int | None:
    """The first line (from 1) of a JSON file that has a certain text."""
    place = data.find(json.dumps(value, ensure_ascii=False).encode())
    return None if place < 0 else data.count(b"\n", 0, place) + 1


def line_at(data: bytes, steps: Sequence[str | int]) -> int:
    """The line (from 1) of a JSON file, known to be well-formed, where steps lead to: of the
    member's name, or of the element."""
    text = data.decode("utf-8")
    place = _skip(text, 0)
    found = place
    for step in steps:
        entered = _entered(text, place, str(step))
        if entered is None:
            break
        found, place = entered
    return text.count("\n", 0, found) + 1


def _entered(text: str, place: int, step: str) -> tuple[int, int] | None:
    """Where a member or element begins, and where its value does."""
    decode = json.JSONDecoder().raw_decode
    opening = text[place]
    if opening not in "{[":
        return None
    place = _skip(text, place + 1)
    index = 0
    while text[place] not in "}]":
        start = place
        name: Any = str(index)
        if opening == "{":
            name, place = decode(text, place)
            place = _skip(text, _skip(text, place) + 1)
        if name == step:
            return start, place
        _, place = decode(text, place)
        place = _skip(text, place)
        if text[place] == ",":
            place = _skip(text, place + 1)
        index += 1
    return None


def _skip(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return place if match is None else match.end()
