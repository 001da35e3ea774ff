"""What a checkout did and how the files differ from a state: plain data for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from evgit.history.points import Point


class Skipped(NamedTuple):
    """A document that is not written as a file, and why."""

    path: str
    reason: str


class Renamed(NamedTuple):
    """A document whose file has another name, since its own is taken on this file system."""

    path: str
    file: str


@dataclass(slots=True)
class CheckoutResult:
    """What a checkout or restore did.

    written, removed: how many files. renamed: of the documents that it had to look at. skipped:
    documents that must not become files, and those that something in the way kept out (blocked).
    kept: files left as a person made them, whose documents they no longer show.
    """

    written: int = 0
    removed: int = 0
    renamed: list[Renamed] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    blocked: bool = False


@dataclass(slots=True)
class Status:
    """How the files differ from a state. Lists are of file names, in order.

    shown: the point of the last whole checkout, None if that is not known. modified: edited by
    hand. deleted: removed by hand. outdated: not what the state says, yet not touched by hand
    either, so a checkout changes, writes or removes them. in_the_way: not evgit's, where a document
    belongs. untracked: not evgit's, in directories of documents. skipped, renamed: documents that
    have no file, or one of another name.
    """

    shown: Point | None = None
    modified: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    in_the_way: list[str] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    renamed: list[Renamed] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Do the files show the state, but for documents that have no file?"""
        return not (self.modified or self.deleted or self.outdated or self.in_the_way)
