"""Repositories made, opened, cloned and restored. It must not know what is done with them then."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evgit.errors import TransferInterrupted
from evgit.repository.facade import Progress, Repository
from evgit.repository.model_use import ModelUse
from evgit.storage import files
from evgit.storage.layout import Layout

if TYPE_CHECKING:
    from evgit.maintenance.fsck import FsckReport
    from evgit.sync.fetching import Fetched
    from evgit.sync.transports.connecting import Connecting


def init(path: Path | str, *, bare: bool = False, branch: str = "main") -> Repository:
    """Make a repository and open it. See `Repository.init`."""
    return Repository.init(path, bare=bare, branch=branch)


def clone(
    address: str,
    path: Path | str,
    *,
    using: Connecting,
    bare: bool = False,
    branch: str | None = None,
    user_config: Path | None = None,
    model: ModelUse | None = None,
    progress: Progress | None = None,
    jobs: int | None = None,
    depth: int = 0,
) -> tuple[Repository, Fetched]:
    """Make a clone of the repository at an address, and open it. No file is written.

    `jobs`: how many processes check what comes while this one stores, 1 for none; None: two, if
    there are as many cores and it is worth it. `depth`: bring only one branch, and of it only so
    many commits along first parents; what came before is known by ids and streams alone, and by a
    state that the other side vouches for. Of a shallow repository comes what it has. An interrupted
    clone stays, and cloning to the same place again goes on. Raises AlreadyExists, and what
    fetching raises; what was refused leaves nothing.
    """
    from evgit.sync.cloning import begin_clone, refuse_taken, remove_unfinished, whole_address

    address = whole_address(address)
    layout = Layout.at(Path(path), bare=bare)
    begun = refuse_taken(layout, address)
    there = begin_clone(address, using)
    if not begun:
        root_line = there.root.encode()
        with files.translate_errors(layout.directory):  # before the database: it may be killed
            layout.directory.mkdir(parents=True, exist_ok=True)
            layout.unfinished.touch()
        Repository.init(
            path, bare=bare, author=using.author, clock=using.now, root_line=root_line
        ).close()
        layout.remove_abandoned_databases(0)
    repository = Repository(
        layout, author=using.author, clock=using.now, user_config=user_config, model=model
    )
    try:
        repository.store.jobs = jobs
        sync = repository.sync(using)
        remote = sync.remotes.set_url("origin", address)
        wanted = sync.wanted_for_clone(there, branch, depth)
        fetched = sync.fetch(remote, wanted, progress)
        fetched.resumed = begun
        sync.begin_branch(fetched, remote, branch)
        layout.unfinished.unlink()
    except BaseException as error:
        repository.close()
        if not isinstance(error, TransferInterrupted | KeyboardInterrupt):
            remove_unfinished(layout)
        raise
    return repository, fetched


def restore(
    source: Path | str,
    path: Path | str,
    *,
    user_config: Path | None = None,
    model: ModelUse | None = None,
    progress: Progress | None = None,
) -> tuple[Repository, FsckReport]:
    """Make a repository at `path` of a backup, check all of it, and open it. No file is written.

    It is bare where the one that was backed up was. Raises AlreadyExists, NotFound, InvalidObject
    and Damage; nothing is left then.
    """
    from evgit.maintenance.backup_source import read_list
    from evgit.maintenance.restoring import restore

    layout = Layout.at(Path(path), bare=read_list(Path(source)).bare)
    report = restore(Path(source), layout, progress)
    return Repository(layout, user_config=user_config, model=model), report


def open(path: Path | str = ".") -> Repository:  # noqa: A001 - evgit.open reads as gzip.open
    """Open the repository that `path` is in. See `Repository.open`."""
    return Repository.open(path)
