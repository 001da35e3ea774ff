"""Repairing: what `fsck` found wrong, mended with what other repositories have whole.

It must not know how damage is found, nor how it is mended.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from evgit.repository.facade import Progress, Repository

if TYPE_CHECKING:
    from evgit.maintenance.fsck import FsckReport
    from evgit.sync.mending import Mended
    from evgit.sync.transports.connecting import Connecting


def repair(
    repository: Repository,
    sources: Sequence[str],
    report: FsckReport,
    *,
    using: Connecting | None = None,
    progress: Progress | None = None,
) -> Mended:
    """Mend what `report` found, with what the repositories at `sources` have: names of remotes, or
    addresses, also of bundles and published directories. They are believed nothing.

    `progress` is called with (commits, events) as they are stored. Refs and operations stay as
    they are. Raises UnknownObject where none of them has what is damaged, InvalidObject where
    they are no clones of this one, BehindBoundary, and what fetching raises; nothing has changed
    then.
    """
    from evgit.maintenance.salvage import last_line, readable_blocks
    from evgit.sync.mending import Mended, mend_blobs, mend_history
    from evgit.sync.transports.connecting import Connecting, connect

    kinds = {problem.kind for problem in report.problems}
    if kinds == {"index"}:
        return Mended(commits=repository.reindex())
    going = using or Connecting(repository.author, repository.clock)
    sync, store = repository.sync(going), repository.store
    stored = {blob_id for blob_id, _ in repository.blobs.all()}
    blobs = {
        blob_id: None
        for problem in report.problems
        if problem.kind == "blob"
        for blob_id in problem.ids
        if blob_id in stored
    }
    with ExitStack() as ending:
        there = []
        for name in sources:
            # As somebody who has nothing: what is known here may be what is damaged.
            transport = connect(sync.remote(name).url, going)
            ending.callback(transport.close)
            there.append(transport)
        done = Mended()
        if kinds != {"blob"} or len(blobs) < len(report.problems):
            end = last_line(repository.history)
            readable = readable_blocks(repository.history, end, lambda line, error: None)
            done = mend_history(store, there, readable, progress)
        blobs |= dict.fromkeys(done.blobs_missing)
        done.blobs = mend_blobs(store, there, list(blobs))
    return done
