"""The tables of `evgit.db`, and how an older file gets those that it lacks.

Truth is in `blocks`, `objects`, `blobs`, `refs`, `operations` and `settings`. The other tables are
indexes of the blocks, which `evgit reindex` can make again. This module must not know what a
commit or an event is.
"""

from __future__ import annotations

import apsw

SCHEMA_VERSION = 5  # a row of `blocks` may hold several: 3 could not
SHALLOW_VERSION = 6  # with the tables of boundaries besides, as 4 had them
_SHALLOW_VERSIONS = (4, SHALLOW_VERSION)

PACKS = """
CREATE TABLE packs(
    first_line INTEGER PRIMARY KEY,
    lines INTEGER NOT NULL,
    name BLOB NOT NULL,
    place INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE replaced_packs(name BLOB PRIMARY KEY, replaced INTEGER NOT NULL) WITHOUT ROWID;
"""

SHALLOW = """
CREATE TABLE boundaries(
    number INTEGER PRIMARY KEY,
    lines INTEGER NOT NULL,
    id BLOB NOT NULL,
    size INTEGER NOT NULL,
    here TEXT NOT NULL,
    taken_from TEXT NOT NULL
);
CREATE TABLE boundary_states(
    number INTEGER, projection BLOB, part INTEGER, data BLOB NOT NULL,
    PRIMARY KEY(number, projection, part)
) WITHOUT ROWID;
"""

TRUTH = """
CREATE TABLE settings(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE blocks(
    first_line INTEGER PRIMARY KEY,
    latest INTEGER NOT NULL,
    frames BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE objects(id BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE blobs(id BLOB PRIMARY KEY, size INTEGER NOT NULL, data BLOB);
CREATE TABLE refs(name TEXT PRIMARY KEY, target TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE operations(
    number INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    actor TEXT NOT NULL,
    writer TEXT NOT NULL,
    command TEXT NOT NULL,
    arguments TEXT NOT NULL,
    changes TEXT NOT NULL
);
"""

INDEXES = """
CREATE TABLE commits(
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    events INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    height INTEGER NOT NULL,
    size INTEGER NOT NULL,
    time INTEGER NOT NULL,
    parent INTEGER,
    further_parents BLOB,
    segment BLOB,
    held_back INTEGER,
    checksum INTEGER NOT NULL,
    postings BLOB,
    fingerprints BLOB,
    keys BLOB
);
CREATE INDEX commits_by_prefix ON commits(substr(id, 1, 4));
CREATE UNIQUE INDEX commits_by_chain ON commits(chain, size, height);
CREATE TABLE chains(
    number INTEGER PRIMARY KEY,
    parent INTEGER,
    fork_height INTEGER NOT NULL,
    fork_size INTEGER NOT NULL,
    height INTEGER NOT NULL,
    size INTEGER NOT NULL,
    covered INTEGER NOT NULL,
    frontier BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE merkle_nodes(
    chain INTEGER, level INTEGER, place INTEGER, hash BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY(chain, level, place)
) WITHOUT ROWID;
CREATE TABLE streams(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE runs(
    number INTEGER PRIMARY KEY,
    family INTEGER NOT NULL,
    level INTEGER NOT NULL,
    last INTEGER NOT NULL,
    entries INTEGER NOT NULL
);
CREATE INDEX runs_by_family ON runs(family, number);
CREATE TABLE run_pages(
    run INTEGER, first BLOB, ordinal INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY(run, first)
) WITHOUT ROWID;
CREATE TABLE merged_lines(
    block INTEGER, number INTEGER, place INTEGER,
    first_line INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY(block, number, place)
) WITHOUT ROWID;
CREATE TABLE held_back(number INTEGER PRIMARY KEY, lines BLOB NOT NULL);
"""

COMMIT_PAGES = """
CREATE TABLE commit_pages(
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    size INTEGER NOT NULL,
    height INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX commit_pages_by_chain ON commit_pages(chain, size, height);
"""

RUN_PAGE_DATA = """
CREATE TABLE IF NOT EXISTS run_page_data(number INTEGER PRIMARY KEY, data BLOB NOT NULL);
"""

CREATE = (
    TRUTH
    + PACKS
    + INDEXES
    + COMMIT_PAGES
    + RUN_PAGE_DATA
    + f"PRAGMA user_version={SCHEMA_VERSION};"
)
"""All tables of a new file."""

INDEX_TABLES = (
    "commits",
    "chains",
    "merkle_nodes",
    "streams",
    "runs",
    "run_pages",
    "merged_lines",
    "held_back",
    "commit_pages",
    "run_page_data",
)


def upgrade(connection: apsw.Connection) -> None:
    """Give a database made by an earlier evgit the tables that it lacks, inside a transaction."""
    version = connection.pragma("user_version")
    if version < 2:
        connection.execute(PACKS)
    if version < 3:
        connection.execute(COMMIT_PAGES)
    if version < SCHEMA_VERSION:
        raised = SHALLOW_VERSION if version in _SHALLOW_VERSIONS else SCHEMA_VERSION
        connection.execute(f"{RUN_PAGE_DATA}PRAGMA user_version={raised};")


def is_shallow(connection: apsw.Connection) -> bool:
    """Are there tables of boundaries?"""
    return connection.pragma("user_version") in _SHALLOW_VERSIONS


def become_shallow(connection: apsw.Connection) -> None:
    """Make the tables of boundaries, inside a transaction."""
    upgrade(connection)
    if not is_shallow(connection):
        connection.execute(SHALLOW + f"PRAGMA user_version={SHALLOW_VERSION};")


def become_whole(connection: apsw.Connection) -> None:
    """Drop the tables of boundaries, inside a transaction."""
    if is_shallow(connection):
        connection.execute(
            "DROP TABLE boundaries; DROP TABLE boundary_states;"
            f"PRAGMA user_version={SCHEMA_VERSION};"
        )
