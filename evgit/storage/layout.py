"""Where a repository keeps things: the only module that spells the paths under `.evgit`.

It knows names, not contents.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from evgit.errors import AlreadyExists, NotARepository
from evgit.storage.files import sync_directory

DIRECTORY_NAME = ".evgit"
ABANDONED_SECONDS = 3600


class Layout(msgspec.Struct, frozen=True):
    """Paths of one repository. `directory` holds `evgit.db`; a bare one has no working tree."""

    directory: Path

    @property
    def database(self) -> Path:
        return self.directory / "evgit.db"

    @property
    def cache(self) -> Path:
        return self.directory / "cache.db"

    @property
    def shown(self) -> Path:
        """What the working tree shows, apart from the cache, which may be lost."""
        return self.directory / "shown"

    @property
    def blobs(self) -> Path:
        return self.directory / "blobs"

    @property
    def packs(self) -> Path:
        return self.directory / "packs"

    def pack(self, name: str) -> Path:
        """The file of a pack."""
        return self.packs / f"{name}.evpack"

    def partial_pack(self, token: str) -> Path:
        """Where a pack is written, until it is whole and gets its name."""
        return self.packs / f"partial-{token}"

    @property
    def packs_lock(self) -> Path:
        """Locked by the one process that consolidates."""
        return self.packs / "lock"

    @property
    def gc_failure(self) -> Path:
        """Why the last gc that nobody waited for failed."""
        return self.packs / "failure"

    @property
    def incoming(self) -> Path:
        """What other repositories are sending, until it is checked and stored."""
        return self.directory / "incoming"

    @property
    def acknowledged(self) -> Path:
        """What was acknowledged at least."""
        return self.directory / "acknowledged"

    @property
    def losses(self) -> Path:
        """What was acknowledged and found to be gone, a line each."""
        return self.directory / "lost.jsonl"

    @property
    def refusals(self) -> Path:
        """Which pushes were refused here, a line each."""
        return self.directory / "refused.jsonl"

    @property
    def unfinished(self) -> Path:
        """Is there while this is a clone whose history is not all here yet."""
        return self.directory / "unfinished"

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def worktree(self) -> Path | None:
        """The directory that the working tree is written to; None in a bare repository."""
        return self.directory.parent if self.directory.name == DIRECTORY_NAME else None

    def is_remnant(self) -> bool:
        """Is this what a repository leaves that loses its database? An `init` that was killed, or
        a directory made for the configuration, left nothing to lose."""
        return any(path.exists() for path in (self.cache, self.shown, self.blobs, self.packs))

    def blob_file(self, blob_id: str) -> Path:
        """The file of a large blob, spread over 256 directories by its first two digits."""
        return self.blobs / blob_id[:2] / blob_id[2:]

    def new_database(self, token: str) -> Path:
        """Where `evgit.db` is made, until it is whole and gets its name."""
        return self.directory / f"evgit.db.{token}.new"

    def publish_database(self, path: Path) -> None:
        """Give a finished database its name, durably. Raises AlreadyExists where one has it."""
        try:
            self.database.hardlink_to(path)
        except FileExistsError as error:
            raise AlreadyExists(f"{self.directory} is an evgit repository already") from error
        except OSError:  # a file system without hard links
            path.rename(self.database)
        sync_directory(self.directory)
        sync_directory(self.directory.parent)

    def remove_database(self, path: Path) -> None:
        """Remove a database that is not wanted, with what SQLite keeps beside it."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def holds_only_a_beginning(self) -> bool:
        """Is nothing here but what making a repository leaves when it is killed at once?"""
        return self.directory.is_dir() and all(
            path == self.unfinished or path.match("evgit.db.*.new*")
            for path in self.directory.iterdir()
        )

    def remove_abandoned_databases(self, seconds: float = ABANDONED_SECONDS) -> None:
        """Remove what an `init` left that was killed: made some time ago, still new."""
        for path in self.directory.glob("evgit.db.*.new*"):
            try:
                if time.time() - path.stat().st_mtime > seconds:
                    path.unlink()
            except FileNotFoundError:
                pass  # another process removed it first

    @classmethod
    def at(cls, path: Path, *, bare: bool = False) -> Layout:
        """The layout of a repository made at `path`: `path/.evgit`, or `path` itself if bare."""
        return cls(path.absolute() if bare else path.absolute() / DIRECTORY_NAME)

    @classmethod
    def exactly(cls, path: Path) -> Layout | None:
        """The repository of this very directory, which holds `.evgit` or is bare; None if none."""
        for layout in (cls.at(path), cls.at(path, bare=True)):
            if layout.database.is_file():
                return layout
        return None

    @classmethod
    def find(cls, start: Path) -> Layout:
        """The repository of `start`, looked for in it and upwards.

        Raises NotARepository, also where a repository lost its database: none further up is it.
        """
        start = start.absolute()
        for directory in (start, *start.parents):
            for candidate in (cls(directory / DIRECTORY_NAME), cls(directory)):
                if candidate.database.is_file():
                    return candidate
            if cls(directory / DIRECTORY_NAME).is_remnant():
                raise NotARepository(
                    f"{directory / DIRECTORY_NAME} is there, but its evgit.db is missing",
                    hint="that file holds all events: restore it from a clone or a backup. "
                    "Where nothing was lost, `evgit init` makes a new one",
                )
        raise NotARepository(
            f"no evgit repository in {start} or any directory above it",
            hint="make one with: evgit init",
        )
