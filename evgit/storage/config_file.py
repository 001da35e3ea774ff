"""One `config.toml`: read, changed in place, replaced as a whole.

Read with the standard library; written with tomlkit, so that comments and order survive, and
checked before it replaces the old file, so that a change never changes anything else. This module
must not know which settings there are.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

from evgit.errors import InvalidInput, Locked, ReadOnly, StorageFull, Unavailable

Value: TypeAlias = bool | int | float | str
Key: TypeAlias = tuple[str, ...]

LOCK_TIMEOUT_SECONDS = 10.0

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TOML_PLACE = r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$"


def join_key(*parts: str) -> str:
    """The dotted spelling of a key, its parts quoted where need be: `branch."a.b".merge`."""
    return ".".join(p if _BARE.fullmatch(p) else msgspec.json.encode(p).decode() for p in parts)


class Stored(NamedTuple):
    """A value, and where in the file it stands: its key may be spelled differently there."""

    path: Key
    value: Any


class SettingsFile:
    """One file, read when it is first needed, and then kept.

    spell: gives the key by which the one in the file, part by part, is asked for.
    Raises InvalidInput for what is not TOML, with its line, and Unavailable, ReadOnly, StorageFull
    or Locked for what can't be read or written.
    """

    def __init__(self, path: Path, spell: Callable[[Key], Key]) -> None:
        self.path = path
        self._spell = spell
        self._values: dict[Key, Stored] | None = None

    @property
    def values(self) -> dict[Key, Stored]:
        """All values that are no tables, by key."""
        if self._values is None:
            self._values = self._parse(self._read())
        return self._values

    def change(self, key: Key, value: Value | None) -> bool:
        """Write a value, or with None take it out; was the key there before?"""
        try:
            real = Path(os.path.realpath(self.path))  # a link to a file kept elsewhere stays one
            if value is None and not real.exists():
                return False
            real.parent.mkdir(parents=True, exist_ok=True)
            with _locked(real.parent) as directory:
                text = self._read()  # anew: another process may have changed it
                self._values = self._parse(text)
                was_there = key in self._values
                if was_there or value is not None:
                    text = self._changed(text, self._values, key, value)
                    _replace(real, text.encode(), directory)
                    self._values = self._parse(text)
            return was_there
        except OSError as error:
            raise _translated(error, self.path, "written") from error

    def _changed(
        self, text: str, values: Mapping[Key, Stored], key: Key, value: Value | None
    ) -> str:
        """The text with one value changed. Raises InvalidInput unless that, and no more, can be."""
        path = values[key].path if key in values else key
        after = _edited(text, path, value)
        wanted = {name: repr(stored.value) for name, stored in values.items() if name != key}
        if value is not None:
            wanted[key] = repr(value)
        if after is not None:
            found = self._parse(after)
            if {name: repr(stored.value) for name, stored in found.items()} == wanted:
                return after
        raise InvalidInput(
            f"can't change {join_key(*path)} in {self.path} without changing something else",
            hint="edit the file by hand",
        )

    def _parse(self, text: str) -> dict[Key, Stored]:
        found = {}
        for path, value in _leaves(_parse(text, self.path)):
            scalar = value if isinstance(value, bool | int | float | str) else str(value)
            found[self._spell(path)] = Stored(path, scalar)
        return found

    def _read(self) -> str:
        try:
            return self.path.read_bytes().decode()
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{self.path} is not UTF-8: byte {error.start} is wrong") from None
        except OSError as error:
            raise _translated(error, self.path, "read") from error


def _parse(text: str, path: Path) -> dict[str, Any]:
    if not text:
        return {}
    import tomllib  # noqa: PLC0415 - 3 ms that most repositories, having no settings, can do without

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = ""
        if match := re.search(_TOML_PLACE, message):
            message = message[: match.start()]
            place = f", line {match[1]}, column {match[2]}" if match[1] else ", at its end"
        raise InvalidInput(
            f"{path}{place}: {message}", hint="correct the file by hand; it is TOML (toml.io)"
        ) from None
    except RecursionError:
        raise InvalidInput(f"{path} is nested too deeply") from None


def _leaves(table: Mapping[str, Any], above: Key = ()) -> Iterator[tuple[Key, Any]]:
    """All values that are no tables, and where they stand."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _edited(text: str, path: Key, value: Value | None) -> str | None:
    """The text with one value changed, or with None taken out; None if it can't be done."""
    # Few commands write settings, and importing tomlkit would cost all of them 10 ms.
    import tomlkit  # noqa: PLC0415
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    try:
        document = tomlkit.parse(text)
        table: Any = document
        for depth, name in enumerate(path[:-1], start=1):
            if name not in table:
                table[name] = tomlkit.table(is_super_table=depth < len(path) - 1)
            table = table[name]
        if value is None:
            del table[path[-1]]
        else:
            table[path[-1]] = value
        return tomlkit.dumps(document)
    except (TOMLKitError, TypeError, KeyError, ValueError, AttributeError):
        return None  # a value where a table should be, and the like


@contextmanager
def _locked(directory: Path) -> Iterator[int]:
    """Holds the directory's lock, which the system gives back if the process dies.

    Gives the directory's descriptor. Raises Locked.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Locked(
                        f"another process is changing settings in {directory}",
                        hint="try again when it is done",
                    ) from None
                time.sleep(0.01)
        yield descriptor
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes, directory: int) -> None:
    """Put a whole new file in the place of the old one, durably. The caller holds the lock."""
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            if path.exists():
                os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    os.fsync(directory)


def _translated(error: OSError, path: Path, doing: str) -> Unavailable:
    message = f"{path} can't be {doing}: {error.strerror or error}"
    if error.errno == errno.ENOSPC:
        return StorageFull(message, hint="make room and try again")
    if doing == "written" and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ReadOnly(message, hint="look at the permissions of the file and its directory")
    return Unavailable(message)
