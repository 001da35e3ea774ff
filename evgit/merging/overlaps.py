"""What both sides have to do with that can be told without a model: streams, keys, model files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from evgit.formats.event import decode_event
from evgit.history.history import History
from evgit.history.line_ranges import LineAt, LineRange
from evgit.merging.conflicts import MODEL_FILES, MergeConflict
from evgit.merging.differences import Difference
from evgit.state.modelling.model_stream import STREAM


class _Named(msgspec.Struct, gc=False):
    """What of a stored event counts here."""

    stream: str
    key: str | None = None


class _Typed(msgspec.Struct, gc=False):
    """An event's type."""

    type: str


class _ModelEvent(msgspec.Struct, gc=False):
    """An event of `$model`."""

    stream: str
    type: str
    data: msgspec.Raw


_decode_named = msgspec.json.Decoder(_Named).decode_lines
_decode_typed = msgspec.json.Decoder(_Typed).decode_lines
_decode_model_events = msgspec.json.Decoder(_ModelEvent).decode_lines


def streams_of(texts: Iterable[bytes]) -> set[str]:
    """The streams of events, those that are evgit's own left aside."""
    found = {event.stream for text in texts for event in _decode_named(text)}
    return {stream for stream in found if stream[:1] != "$"}


def types_of(text: bytes) -> list[str]:
    """The types of the events of a text, in order."""
    return [event.type for event in _decode_typed(text)]


def key_conflicts(
    history: History, found: Difference, texts: Sequence[bytes]
) -> Iterator[tuple[MergeConflict, int, int]]:
    """Keys under which ours has one event, and theirs brings another: (conflict, line of ours, line
    of theirs). `texts`: the events of B."""
    if not any(b'"key":' in text for text in texts):
        return
    line_at = LineAt(found.b)
    keyed: dict[tuple[str, str], int] = {}
    place = 0
    for text in texts:
        for event in _decode_named(text):
            if event.key is not None:
                keyed.setdefault((event.stream, event.key), line_at(place))
            place += 1
    pairs = sorted(keyed)
    candidates = history.events.lines_with_keys(pairs)
    for pair, lines in zip(pairs, candidates, strict=True):
        for line in lines:
            if line == keyed[pair]:
                continue
            stored = decode_event(history.blocks.line(line))
            if (stored.stream, stored.key) != pair:
                continue
            if history.graph.position_of(found.ours, line) is not None:
                yield MergeConflict("key", stream=pair[0], key=pair[1]), line, keyed[pair]
                break


def model_conflicts(history: History, found: Difference) -> list[MergeConflict]:
    """Files of the model that both sides wrote or removed, and that come out differently in the
    two orders."""
    ours, theirs = (_model_files(history, side) for side in (found.a, found.b))
    return [
        MergeConflict("document", path=MODEL_FILES + path)
        for path in sorted(ours.keys() & theirs.keys())
        if ours[path] != theirs[path]
    ]


def model_files_written(texts: Iterable[bytes]) -> Mapping[str, str | None]:
    """{path: blob, or None where it was removed} of the model's files that events write."""
    written: dict[str, str | None] = {}
    for text in texts:
        if b'"$model"' not in text:
            continue
        for event in _decode_model_events(text):
            if event.stream == STREAM:
                data = msgspec.json.decode(event.data)
                if isinstance(data, dict) and isinstance(data.get("path"), str):
                    written[data["path"]] = data.get("blob")
    return written


def _model_files(history: History, ranges: Iterable[LineRange]) -> Mapping[str, str | None]:
    if history.streams.number(STREAM) is None:
        return {}
    return model_files_written(history.blocks.texts(ranges))
