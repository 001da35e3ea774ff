"""What `gc --publish` does after packing: write a directory that others can fetch from."""

from __future__ import annotations

from pathlib import Path

from evgit.cli.commit_text import plural
from evgit.cli.progress import ProgressBar
from evgit.repository import Published, Repository, publish


def publish_into(repository: Repository, directory: Path, *, anew: bool, force: bool) -> Published:
    """Publish, with progress on a terminal."""
    with ProgressBar("publishing", "events") as bar:
        return publish(repository.store, directory, anew=anew, force=force, progress=bar.update)


def published_text(directory: Path, done: Published) -> str:
    """What it did, in words."""
    if not done.packs_written:
        return f"Published into {directory}: no new commits, {plural(done.packs, 'pack')}"
    words = [plural(done.commits, "commit"), plural(done.events, "event")]
    if done.blobs:
        words.append(plural(done.blobs, "blob"))
    written = f"{plural(done.packs_written, 'pack')} written, {done.packs} in all"
    return f"Published {', '.join(words)} into {directory}: {written}"
