"""The event table that the SQL contenders share: its columns, and rows made of lines of JSON."""

from __future__ import annotations

from benchmarks.events import Line, line_decoder

SCHEMA = """
create table events(
    id integer primary key, stream text not null, revision integer not null, type text not null,
    time text not null, version integer not null, data text not null, meta text not null
) strict
"""
STREAM_INDEX = "create unique index events_of_stream on events(stream, revision)"
INSERT = (
    "insert into events(stream, revision, type, time, version, data, meta) values (?,?,?,?,?,?,?)"
)
SELECT = "select stream, revision, type, time, version, data, meta from events"

Row = tuple[str, int, str, str, int, str, str]


def row(event: Line, revision: int) -> Row:
    """`data` and `meta` are stored as the text that came."""
    data, meta = bytes(event.data).decode(), bytes(event.meta).decode()
    return event.stream, revision, event.type, event.time, event.version, data, meta


def rows(lines: list[bytes], revisions: dict[str, int]) -> list[Row]:
    """Rows of lines; `revisions` holds every stream's next revision and is kept up."""
    made = []
    for line in lines:
        event = line_decoder.decode(line)
        revision = revisions.get(event.stream, 0)
        revisions[event.stream] = revision + 1
        made.append(row(event, revision))
    return made
