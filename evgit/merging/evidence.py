"""The events behind a document: which of a side's events have to do with it.

Asked only of documents that a conflict is about. It must not know what a conflict is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from evgit.history.log import Log
from evgit.state.modelling.adapters import KeyedAdapter
from evgit.state.modelling.events import decode_lines, set_position
from evgit.state.modelling.general_adapter import GeneralAdapter
from evgit.state.modelling.model_states import Part
from evgit.state.projection import Documents


def places_by_document(
    part: Part, log: Log, texts: Sequence[bytes], wanted: Collection[str]
) -> dict[str, list[int]]:
    """{path: places among the events of `texts`, which follow `log`, that have to do with it}.

    A general projection is folded once more, event by event. Raises ModelError.
    """
    adapter = part.adapter
    found: dict[str, list[int]] = defaultdict(list)
    place = 0
    if isinstance(adapter, KeyedAdapter):
        for text in texts:
            for event in adapter.decode(text, log.size + place):
                path = None if adapter.skips(event) else adapter.path_of(event)
                if path is not None and path in wanted:
                    found[path].append(place)
                place += 1
        return found
    assert isinstance(adapter, GeneralAdapter)
    state = part.states.at(log)
    changed: dict[str, bytes | None] = {}

    def load(path: str) -> bytes | None:
        return changed[path] if path in changed else state.document(path)

    def paths() -> list[str]:
        known = {path for path, _ in state.documents()} | changed.keys()
        return sorted(path for path in known if load(path) is not None)

    for text in texts:
        for event in decode_lines(text):
            set_position(event, log.size + place)
            documents = Documents(load, lambda: iter(paths()), adapter.encode)
            adapter.fold([event], documents)
            changed.update(documents.take_changes())
            for path in documents.written | documents.read:
                if path in wanted:
                    found[path].append(place)
            place += 1
    return found
