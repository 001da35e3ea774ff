"""New versions of a model's files for a merge, from the working tree.

What was edited since HEAD counts as decided, and so does every file that is in conflict: recording
the model says that the working tree has it right. Files that only theirs changed stay theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

from evgit.formats.event import Event, batch_from_events
from evgit.formats.times import to_text
from evgit.history import stamps
from evgit.merging.conflicts import MODEL_FILES
from evgit.merging.differences import difference, lines_of_events
from evgit.merging.ground import Ground
from evgit.merging.merged import Waiting
from evgit.merging.merged_model import files_at, merged_files
from evgit.merging.overlaps import model_conflicts, model_files_written
from evgit.merging.proposal import Proposal
from evgit.state.modelling.model_stream import STREAM, changed_paths, events_of_change


def new_versions(
    ground: Ground, there: Mapping[str, bytes], proposal: Proposal, state: Waiting
) -> tuple[list[str], list[str]]:
    """(events as canonical JSON lines, paths) of the files of `there` that the merge lacks. Raises
    NotFound (a blob), InvalidModel."""
    history, blobs = ground.history, ground.blobs()
    left_out = lines_of_events(history, proposal.left_out)
    found = difference(history, proposal.ours, proposal.theirs, left_out)
    written = model_files_written(line + b"\n" for line in proposal.own)
    open_still = {
        path
        for conflict in model_conflicts(history, found)
        if conflict.name not in state.accepted
        and (path := str(conflict.path).removeprefix(MODEL_FILES)) not in written
    }
    before: Mapping[str, bytes] = files_at(history, blobs, ground.row(state.old)) or {}
    merged = merged_files(history, blobs, proposal, found)
    edited = {path for path in changed_paths(before, there) if there.get(path) != merged.get(path)}
    paths = sorted(edited | open_still)
    changes = events_of_change(
        {path: b"" for path in paths if path not in there},
        {path: there[path] for path in paths if path in there},
        blobs.write,
    )
    now, origin = to_text(stamps.stamp(ground.actor.now())), stamps.origin()
    events = [
        Event(stream=STREAM, type=kind, data=data, time=now, origin=origin, blobs=named)
        for kind, data, named in changes
    ]
    batch = batch_from_events(events, reserved=True)
    return [line.decode() for line in batch.lines], paths
