"""Which models a person has decided to run: kept outside of every repository.

A decision names a repository by its real path and a model by the hash of all its files, so any
change to either needs a new one. A repository that was made here is marked as the person's own:
what is in its working tree is their own writing.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from evgit.errors import ReadOnly


class TrustedModel(NamedTuple):
    """One decision. `time` as events have it."""

    path: str
    model: str
    time: str


class Trust(Protocol):
    """What is asked before any code of a model runs."""

    def trusts(self, directory: Path, model: str) -> bool:
        """May this model run for the repository in `directory`?"""

    def owns(self, directory: Path, repository: str) -> bool:
        """Is the repository the person's own?"""


class TrustEverything:
    """For programs whose models come with themselves."""

    def trusts(self, directory: Path, model: str) -> bool:
        """Yes."""
        return True

    def owns(self, directory: Path, repository: str) -> bool:
        """Yes."""
        return True


class TrustFile:
    """The decisions of one person, in a JSON file. A file that can't be read trusts nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def trusts(self, directory: Path, model: str) -> bool:
        """Was it decided that this model may run for the repository in `directory`?"""
        place = _place(directory)
        return any(t.path == place and t.model == model for t in self.models())

    def owns(self, directory: Path, repository: str) -> bool:
        """Was the repository in `directory` made here?"""
        return {"path": _place(directory), "repository": repository} in self._read()["own"]

    def models(self) -> list[TrustedModel]:
        """All decisions, oldest first."""
        return [TrustedModel(**entry) for entry in self._read()["trusted"]]

    def add(self, directory: Path, model: str, time: str) -> None:
        """Let a model run for the repository in `directory`."""
        entry = {"path": _place(directory), "model": model, "time": time}

        def change(document: dict[str, Any]) -> None:
            kept = [
                t
                for t in document["trusted"]
                if (t["path"], t["model"]) != (_place(directory), model)
            ]
            document["trusted"] = [*kept, entry]

        self._change(change)

    def own(self, directory: Path, repository: str) -> None:
        """Mark the repository in `directory` as the person's own."""
        entry = {"path": _place(directory), "repository": repository}

        def change(document: dict[str, Any]) -> None:
            # Repositories that are gone are forgotten, or the file would grow for ever.
            others = [t for t in document["own"] if t["path"] != entry["path"]]
            kept = [t for t in others if Path(t["path"]).is_dir()]
            document["own"] = [*kept, entry]

        self._change(change)

    def disown(self, directory: Path) -> None:
        """Take the mark away: what is in the working tree came from somewhere else."""
        place = _place(directory)

        def change(document: dict[str, Any]) -> None:
            document["own"] = [t for t in document["own"] if t["path"] != place]

        self._change(change)

    def revoke(self, directory: Path, model: str | None = None) -> int:
        """Take back decisions on the repository in `directory`: on one model, or on all, with the
        mark of an own one. How many there were."""
        place = _place(directory)
        taken = 0

        def change(document: dict[str, Any]) -> None:
            nonlocal taken
            kept = [
                t
                for t in document["trusted"]
                if t["path"] != place or (model is not None and t["model"] != model)
            ]
            taken = len(document["trusted"]) - len(kept)
            document["trusted"] = kept
            if model is None:
                own = [t for t in document["own"] if t["path"] != place]
                taken += len(document["own"]) - len(own)
                document["own"] = own

        self._change(change)
        return taken

    # ------------------------------------------------------------------ the file
    def _read(self) -> dict[str, Any]:
        empty: dict[str, Any] = {"own": [], "trusted": []}
        try:
            document = msgspec.json.decode(self._path.read_bytes(), type=_Document)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return empty
        return {
            "own": [t for t in document.own if t.keys() == {"path", "repository"}],
            "trusted": [t for t in document.trusted if t.keys() == {"path", "model", "time"}],
        }

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self._path.with_name(self._path.name + ".lock")):
                document = self._read()
                change(document)
                partial = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}.new")
                partial.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
                partial.replace(self._path)
        except OSError as error:
            raise ReadOnly(
                f"can't record trust in {self._path}: {error.strerror}",
                hint="make that directory writable, or name another with EVGIT_TRUST_FILE",
            ) from error


class _Document(msgspec.Struct):
    own: list[dict[str, str]] = []
    trusted: list[dict[str, str]] = []


def _place(directory: Path) -> str:
    return os.path.realpath(directory)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
