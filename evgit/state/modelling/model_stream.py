"""How a model travels: its files as events of the reserved stream `$model`.

    model_file_written  {"path", "blob", "size"}, with the blob among the event's blobs
    model_file_removed  {"path"}

The newest event of each path counts. Nothing here runs what it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Any, BinaryIO

from evgit.errors import InvalidModel
from evgit.formats import canonical
from evgit.formats.event import Event
from evgit.state.modelling.files import MAX_FILE_BYTES, ModelFiles, is_model_path

STREAM = "$model"
WRITTEN = "model_file_written"
REMOVED = "model_file_removed"


def changed_paths(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[str]:
    """Paths of files that differ, in order."""
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def events_of_change(
    old: Mapping[str, bytes],
    new: Mapping[str, bytes],
    write_blob: Callable[[BinaryIO], tuple[str, int]],
) -> list[tuple[str, dict[str, Any], dict[str, int]]]:
    """(type, data, blobs) of the events that turn one model into another."""
    found: list[tuple[str, dict[str, Any], dict[str, int]]] = []
    for path in changed_paths(old, new):
        if path not in new:
            found.append((REMOVED, {"path": path}, {}))
            continue
        blob, size = write_blob(BytesIO(new[path]))
        found.append((WRITTEN, {"blob": blob, "path": path, "size": size}, {blob: size}))
    return found


def recorded_ids(events: Iterable[Event]) -> set[str]:
    """Ids of all models that there were after one event or other of the stream."""
    found: set[str] = set()
    blobs: dict[str, str] = {}
    for event in events:
        data = event.data if isinstance(event.data, dict) else {}
        path, blob = str(data.get("path")), str(data.get("blob"))
        if event.type == REMOVED:
            blobs.pop(path, None)
        else:
            blobs[path] = blob  # which is the file's hash
        found.add(canonical.object_id(canonical.encode(blobs)))
    return found


def files_from(events: Iterable[Event], read_blob: Callable[[str], Iterable[bytes]]) -> ModelFiles:
    """The model that the events of the stream add up to. Raises InvalidModel for nonsense, and
    whatever `read_blob` raises."""
    blobs: dict[str, str] = {}
    for event in events:
        data = event.data if isinstance(event.data, dict) else {}
        path, blob = data.get("path"), data.get("blob")
        if not isinstance(path, str) or not is_model_path(path):
            raise InvalidModel(f"event {event.id[:12]} in {STREAM} names {path!r}, no model's file")
        if event.type == REMOVED:
            blobs.pop(path, None)
        elif event.type == WRITTEN and isinstance(blob, str) and blob in event.blobs:
            if event.blobs[blob] > MAX_FILE_BYTES:
                raise InvalidModel(f"larger than {MAX_FILE_BYTES:,} bytes", file=path)
            blobs[path] = blob
        else:
            raise InvalidModel(f"event {event.id[:12]} in {STREAM} is none of a model's")
    return ModelFiles({path: b"".join(read_blob(blob)) for path, blob in blobs.items()})
