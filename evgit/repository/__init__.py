"""The repository: one façade over all layers, which the command line, bridges and servers share.

What goes in and out of the façade is found here as well, so that those above it need nothing from
the layers below. It must not know the terminal, the environment, or any transport.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from evgit.history.boundaries import BoundaryRow as BoundaryRow
from evgit.history.heads import Head as Head
from evgit.history.log import Log as Log
from evgit.history.points import Point as Point
from evgit.history.reading import (
    CommitEntry as CommitEntry,
    LogEvent as LogEvent,
    StreamEvent as StreamEvent,
    StreamSummary as StreamSummary,
)
from evgit.history.revision_source import (
    FoundBlob as FoundBlob,
    FoundDocument as FoundDocument,
    FoundEvent as FoundEvent,
    FoundTag as FoundTag,
    Resolved as Resolved,
    Selection as Selection,
)
from evgit.history.time_expression import parse_time as parse_time
from evgit.repository.facade import Repository as Repository
from evgit.repository.model_use import ModelUse as ModelUse
from evgit.storage.layout import Layout as Layout
from evgit.storage.operations import Operation as Operation, RefChange as RefChange
from evgit.storage.refs import Ref as Ref

if TYPE_CHECKING:
    from evgit.history.append import Appended as Appended
    from evgit.history.expected import Expected as Expected
    from evgit.history.new_event import NewEvent as NewEvent
    from evgit.maintenance.backup import BackupReport as BackupReport
    from evgit.maintenance.backup_source import is_backup as is_backup
    from evgit.maintenance.fsck import FsckReport as FsckReport
    from evgit.merging.conflicts import MergeConflict as MergeConflict
    from evgit.merging.details import Detail as Detail, Details as Details, Seen as Seen
    from evgit.merging.merged import Merged as Merged
    from evgit.merging.problems import Problem as Problem
    from evgit.merging.reappend import Reappended as Reappended
    from evgit.merging.what_if import Tried as Tried
    from evgit.repository.making import (
        clone as clone,
        init as init,
        open as open,  # noqa: A004 - evgit.open reads as gzip.open
        restore as restore,
    )
    from evgit.repository.repairing import repair as repair
    from evgit.state.diff import (
        MISSING as MISSING,
        DocumentChange as DocumentChange,
        FieldChange as FieldChange,
        field_changes as field_changes,
    )
    from evgit.state.modelling.files import ModelFiles as ModelFiles
    from evgit.state.modelling.schema_diff import TypeDiff as TypeDiff
    from evgit.state.modelling.schema_review import (
        FailedEvent as FailedEvent,
        ListedType as ListedType,
    )
    from evgit.state.modelling.trust import TrustedModel as TrustedModel, TrustFile as TrustFile
    from evgit.state.provenance.attribution import Attribution as Attribution
    from evgit.state.provenance.bisection import (
        Bisection as Bisection,
        Mark as Mark,
        Verdict as Verdict,
        search as search,
    )
    from evgit.state.provenance.provenance import (
        BlamedField as BlamedField,
        BlamedLine as BlamedLine,
        Provenance as Provenance,
    )
    from evgit.state.provenance.stepping import EventChanges as EventChanges
    from evgit.state.state import State as State
    from evgit.storage.config import Config as Config, Setting as Setting
    from evgit.storage.jobs import MAX_JOBS as MAX_JOBS
    from evgit.sync.bundles import (
        Bundle as Bundle,
        create_bundle as create_bundle,
        read_bundle as read_bundle,
        verify_bundle as verify_bundle,
    )
    from evgit.sync.cloning import directory_of as directory_of, refs_at as refs_at
    from evgit.sync.fetching import Fetch as Fetch, Fetched as Fetched, RefMove as RefMove
    from evgit.sync.mending import Mended as Mended
    from evgit.sync.messages import RefsReply as RefsReply, Update as Update
    from evgit.sync.publishing import Published as Published, publish as publish
    from evgit.sync.pushing import Pushed as Pushed, PushedRef as PushedRef
    from evgit.sync.remotes import Remote as Remote, Upstream as Upstream
    from evgit.sync.service import Policy as Policy, Service as Service
    from evgit.sync.stdio import refuse as refuse, serve as serve
    from evgit.sync.sync import Sync as Sync
    from evgit.sync.transports.address import masked as masked
    from evgit.sync.transports.connecting import Connecting as Connecting
    from evgit.worktree.working_tree import (
        CheckoutResult as CheckoutResult,
        Status as Status,
        WorkingTree as WorkingTree,
        content_of as content_of,
    )

# Appending, states, models, files and checks are most of what there is to import, and many
# commands, `log` above all, need none of it: these are imported when somebody asks for them.
_IMPORTED_LATER = {
    "evgit.history.append": "Appended",
    "evgit.history.expected": "Expected",
    "evgit.history.new_event": "NewEvent",
    "evgit.maintenance.backup": "BackupReport",
    "evgit.maintenance.fsck": "FsckReport",
    "evgit.maintenance.backup_source": "is_backup",
    "evgit.merging.conflicts": "MergeConflict",
    "evgit.merging.details": "Detail Details Seen",
    "evgit.merging.merged": "Merged",
    "evgit.merging.problems": "Problem",
    "evgit.merging.reappend": "Reappended",
    "evgit.merging.what_if": "Tried",
    "evgit.repository.making": "clone init open restore",
    "evgit.repository.repairing": "repair",
    "evgit.state.diff": "MISSING DocumentChange FieldChange field_changes",
    "evgit.state.modelling.files": "ModelFiles",
    "evgit.state.modelling.schema_diff": "TypeDiff",
    "evgit.state.modelling.schema_review": "FailedEvent ListedType",
    "evgit.state.modelling.trust": "TrustedModel TrustFile",
    "evgit.state.provenance.attribution": "Attribution",
    "evgit.state.provenance.bisection": "Bisection Mark Verdict search",
    "evgit.state.provenance.provenance": "BlamedField BlamedLine Provenance",
    "evgit.state.provenance.stepping": "EventChanges",
    "evgit.state.state": "State",
    "evgit.storage.config": "Config Setting",
    "evgit.storage.jobs": "MAX_JOBS",
    "evgit.sync.bundles": "Bundle create_bundle read_bundle verify_bundle",
    "evgit.sync.cloning": "directory_of refs_at",
    "evgit.sync.mending": "Mended",
    "evgit.sync.messages": "RefsReply Update",
    "evgit.sync.fetching": "Fetch Fetched RefMove",
    "evgit.sync.publishing": "Published publish",
    "evgit.sync.pushing": "Pushed PushedRef",
    "evgit.sync.remotes": "Remote Upstream",
    "evgit.sync.service": "Policy Service",
    "evgit.sync.stdio": "refuse serve",
    "evgit.sync.sync": "Sync",
    "evgit.sync.transports.address": "masked",
    "evgit.sync.transports.connecting": "Connecting",
    "evgit.worktree.working_tree": "CheckoutResult Status WorkingTree content_of",
}


def __getattr__(name: str) -> Any:
    for module, names in _IMPORTED_LATER.items():
        if name in names.split():
            value = globals()[name] = getattr(import_module(module), name)
            return value
    raise AttributeError(f"module 'evgit.repository' has no attribute {name!r}")
