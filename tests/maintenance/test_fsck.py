"""fsck finds every kind of wrongness that is planted, says which, and finds none where none is."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import pytest

from evgit.errors import Damage, InvalidObject
from evgit.formats.block import encode_block
from evgit.formats.canonical import object_id
from evgit.formats.commit import Commit, LogHead
from evgit.formats.event import again_line, batch_from_events, decode_event, is_again
from evgit.formats.tag import Tag
from evgit.formats.times import to_text
from evgit.history.commit_row import COLUMNS, CommitRow
from evgit.history.graph import ChainRow
from evgit.maintenance.block_check import check, packed, unpacked
from evgit.maintenance.fsck import FsckReport, Problem
from evgit.maintenance.reindex import reindex
from evgit.repository import Repository
from evgit.storage.block_reading import checksum
from evgit.storage.database import PAGE_SIZE, fetch_all
from evgit.storage.workers import Workers
from tests.history.making import NOW, SECOND, event, events, merge, new, row


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """Two branches, a merge, an event that stands elsewhere, keys, a tag, a blob, many events."""
    with new(tmp_path / "r") as repository:
        repository._connection.execute("PRAGMA synchronous=OFF")  # the disk is not what is tested
        blob, size = repository.write_blob(BytesIO(b"a small blob"))
        repository.append(events(0, 300, 7), expected={"s-0": "none"})
        repository.branches.create("side", row(repository).hex)
        repository.append([event(500, "t", key="k"), event(501, "t", blobs={blob: size})])
        repository.append([event(600, "u"), event(500, "t", key="k")], branch="side")
        for number in range(5):
            repository.append([event(700 + number, f"s-{number}")], branch="side")
        left_out = event(703, "s-3").id
        merge(repository, "main", [row(repository, "side").hex], left_out=[left_out])
        tag = Tag(
            message="", name="v1", tagger="Ada", target=row(repository).hex, time=to_text(NOW)
        )
        repository.branches.create_tag("v1", repository.branches.write_tag(tag))
        repository.append([event(900)])
        yield repository


def execute(repository: Repository, sql: str, parameters: Sequence[Any] = ()) -> None:
    repository._connection.execute(sql, parameters)
    repository.history.forget()


def kinds(report: FsckReport) -> set[str]:
    return {problem.kind for problem in report.problems}


def only(report: FsckReport, kind: str) -> Problem:
    (problem,) = report.problems
    assert problem.kind == kind, problem
    return problem


def test_a_sound_repository_is_clean(repository: Repository) -> None:
    seen: list[tuple[int, int]] = []
    report = repository.fsck(lambda done, total: seen.append((done, total)))
    assert report.problems == []
    assert report.clean
    assert (report.commits, report.events, report.blobs) == (11, 309, 1)
    assert seen[-1][0] == seen[-1][1] == repository.history.blocks.end()[0]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_an_empty_repository_is_clean(tmp_path: Path) -> None:
    with new(tmp_path / "empty") as repository:
        report = repository.fsck()
        assert (report.clean, report.commits, report.events) == (True, 1, 0)


# ---------------------------------------------------------------------------- blocks made by hand


def plant(repository: Repository, lines: Sequence[bytes], ref: str = "main", **changes: Any) -> str:
    """Store a block by hand, indexed from its bytes, and move the branch to it; its commit's id.

    The commit is right but for `changes`.
    """
    history = repository.history
    parent = row(repository, ref)
    frontier = history.log_of(parent).frontier()
    new_ids = [bytes.fromhex(object_id(line)) for line in lines]
    known = history.events.find(new_ids)
    frontier.extend([i for i in new_ids if i not in known])
    right = Commit(
        author="Eve",
        events=len(lines),
        log=LogHead(root=frontier.root().hex(), size=frontier.size),
        message="planted",
        parents=[parent.hex],
        time=to_text(NOW),
    )
    line = msgspec.structs.replace(right, **changes).canonical()
    first_line, latest = history.blocks.end()
    history.blocks.put(first_line, encode_block(lines, line), latest)
    repository.reindex()
    execute(
        repository, "UPDATE refs SET target=? WHERE name=?", (object_id(line), f"refs/heads/{ref}")
    )
    return object_id(line)


def lines_of(*numbers: int) -> list[bytes]:
    return batch_from_events([event(number) for number in numbers]).lines


def test_a_block_made_by_hand_can_be_right(repository: Repository) -> None:
    plant(repository, lines_of(1_000, 1_001))
    assert repository.fsck().problems == []
    assert repository.append([event(1_002)]).appended == 1


def test_a_wrong_log_root(repository: Repository) -> None:
    head = LogHead(root="ab" * 32, size=row(repository).size + 1)
    commit = plant(repository, lines_of(1_000), log=head)
    problem = only(repository.fsck(), "order")
    assert problem.ids == (commit,)
    assert "says log root abab" in problem.message
    with pytest.raises(Damage):
        repository.append([event(1_001)])  # a tip with a wrong root is not built upon


def test_a_wrong_log_size(repository: Repository) -> None:
    right = row(repository).size + 1
    head = LogHead(root="ab" * 32, size=right + 1)
    commit = plant(repository, lines_of(1_000), log=head)
    problem = only(repository.fsck(), "order")
    assert problem.ids == (commit,)
    assert f"says its log has {right + 1} events, it has {right}" in problem.message


def test_a_wrong_number_of_events(repository: Repository) -> None:
    commit = plant(repository, lines_of(1_000, 1_001), events=1)
    report = repository.fsck()
    assert [p.ids for p in report.problems if "says 1 events, its block has 2" in p.message] == [
        (commit,)
    ]


def test_a_time_that_decreases(repository: Repository) -> None:
    commit = plant(repository, lines_of(1_000), time=to_text(NOW - SECOND))
    problem = only(repository.fsck(), "order")
    assert problem.ids == (commit,)
    assert "before its first parent" in problem.message


NOT_CANONICAL = {
    "a space": (b'"type":"counted"', b'"type": "counted"'),
    "a number in another form": (b'{"n":1}', b'{"n":1.0}'),
    "members in another order": (b'"kind":"event","stream":"s"', b'"stream":"s","kind":"event"'),
    "a member twice": (b'{"n":1}', b'{"n":1,"n":1}'),
    "an empty stream name": (b'"stream":"s"', b'"stream":""'),
    "a time in another form": (b"000Z", b"Z"),
}


@pytest.mark.parametrize("what", NOT_CANONICAL)
def test_an_event_that_is_not_canonical(repository: Repository, what: str) -> None:
    right = event(1_000, "s", data={"n": 1}).canonical()
    line = right.replace(*NOT_CANONICAL[what])
    assert line != right
    plant(repository, [line])
    problems = {p.kind: p for p in repository.fsck().problems}
    assert problems["format"].ids == (object_id(line),)


def test_an_event_stored_twice(repository: Repository) -> None:
    """Its line stands in a second block, where an `again` line should be."""
    line = event(500, "t", key="k").canonical()
    plant(repository, [line], ref="side")
    report = repository.fsck()
    assert any(
        "stored twice" in p.message and object_id(line).startswith(p.ids[0])
        for p in report.problems
        if p.ids
    )


def test_an_event_named_twice_in_one_commit(repository: Repository) -> None:
    history = repository.history
    first_line, latest = history.blocks.end()
    parent = row(repository)
    line = Commit(
        author="Eve",
        events=2,
        log=LogHead(root="00" * 32, size=parent.size),
        message="",
        parents=[parent.hex],
        time=to_text(NOW),
    ).canonical()
    again = again_line(event(703, "s-3").id)
    history.blocks.put(first_line, encode_block([again, again], line), latest)
    report = repository.fsck()
    assert not report.clean
    assert object_id(line) in {i for p in report.problems for i in p.ids}


def test_a_missing_parent(repository: Repository) -> None:
    first_line, latest = repository.history.blocks.end()
    line = Commit(
        author="Eve",
        events=0,
        log=LogHead(root="00" * 32, size=1),
        message="",
        parents=["12" * 32],
        time=to_text(NOW),
    ).canonical()
    repository.history.blocks.put(first_line, encode_block([], line), latest)
    problem = only(repository.fsck(), "order")
    assert f"parent {'12' * 32} is not stored before it" in problem.message
    with pytest.raises(InvalidObject, match="12" * 32):
        repository.reindex()


def test_an_unknown_format_is_said_to_be_one(repository: Repository) -> None:
    first_line, latest = repository.history.blocks.end()
    line = repository.read_object(row(repository).hex)[1].replace(b'"format":1', b'"format":2')
    repository.history.blocks.put(first_line, encode_block([], line), latest)
    report = repository.fsck()
    assert kinds(report) == {"format"}
    assert any("format" in p.message for p in report.problems)


# ---------------------------------------------------------------------------- damaged bytes


def test_a_flipped_byte_names_what_it_hits(repository: Repository) -> None:
    rows = repository._connection.execute("SELECT first_line, data FROM blocks").fetchall()
    for first_line, data in rows:
        flipped = bytearray(data)
        flipped[len(data) // 2] ^= 4
        execute(
            repository, "UPDATE blocks SET data=? WHERE first_line=?", (bytes(flipped), first_line)
        )
        report = repository.fsck()
        damage = [p for p in report.problems if p.kind == "damage"]
        hit = {i for p in damage for i in p.ids}
        owner = repository.history.graph.owning(first_line)
        named = {
            i[:8]
            for i in repository.history.name_lines(
                range(owner.number, owner.number + owner.events + 1)
            )
        }
        assert hit, first_line
        assert {i[:8] for i in hit} <= named
        execute(repository, "UPDATE blocks SET data=? WHERE first_line=?", (data, first_line))
    assert repository.fsck().clean


def test_bytes_that_are_another_commit(repository: Repository) -> None:
    """A frame that is whole, but says something else than what was stored."""
    last = row(repository)
    line = repository.history.commit_line(last).replace(b"Ada <ada", b"Eve <eve")
    own = repository.history.blocks.lines(last.number, last.events)
    execute(
        repository,
        "UPDATE blocks SET data=?, frames=?, checksum=? WHERE first_line=?",
        (*_block(own, line, last.number), last.number),
    )
    report = repository.fsck()
    assert any(object_id(line) in p.ids for p in report.problems)
    assert not report.clean


def _block(lines: Sequence[bytes], commit_line: bytes, number: int) -> tuple[bytes, bytes, int]:
    """(data, directory, checksum) of a block that takes the place of the last one."""
    block = encode_block(lines, commit_line)
    directory = b"".join(n.to_bytes(4, "little") for frame in block.frames for n in frame)
    latest = NOW - 10**12 + 900 * SECOND
    return block.data, directory, checksum(number, latest, directory)


@pytest.mark.parametrize("which", ["first", "middle", "last"])
def test_a_missing_block_is_damage_with_ids(repository: Repository, which: str) -> None:
    tip = row(repository)
    gone = {
        "first": row(repository, "main~3"),
        "middle": row(repository, "side~2"),
        "last": tip,
    }[which]
    hit = set(repository._reader.own_ids(gone))
    execute(repository, "DELETE FROM blocks WHERE first_line=?", (gone.number,))
    report = repository.fsck()
    (problem, *_) = [p for p in report.problems if p.kind == "damage"]
    assert gone.hex in problem.ids
    assert {i[:8] for i in problem.ids} == {i[:8] for i in hit} | {gone.hex[:8]}


def test_an_empty_directory_is_damage(repository: Repository) -> None:
    execute(
        repository, "UPDATE blocks SET frames=x'' WHERE first_line=?", (row(repository).number,)
    )
    assert "damage" in kinds(repository.fsck())
    with pytest.raises(Damage):
        repository.reindex()


# ---------------------------------------------------------------------------- indexes

INDEX_DAMAGE = {
    "commit's size": "UPDATE commits SET size=size+1"
    " WHERE number=(SELECT max(number) FROM commits)",
    "commit's time": "UPDATE commits SET time=time+1 WHERE events=300",
    "commit's height": "UPDATE commits SET height=height+100 WHERE events=2 AND segment IS NULL",
    "commit's events": "UPDATE commits SET events=events+1 WHERE events=300",
    "commit's parent": "UPDATE commits SET parent=0 WHERE events=2 AND segment IS NULL",
    "commit's segment": "UPDATE commits SET segment=NULL WHERE segment IS NOT NULL",
    "commit's id": "UPDATE commits SET id=zeroblob(32) WHERE events=300",
    "commit missing": "DELETE FROM commits WHERE number=(SELECT max(number) FROM commits)",
    "commit too many": "INSERT INTO commits SELECT * FROM commits_copy",
    "held back": "DELETE FROM held_back",
    "held back, another line": "UPDATE held_back SET lines=x'0500000001000000'",
    "posting missing": "UPDATE commits SET postings=NULL WHERE postings IS NOT NULL",
    "posting changed": "UPDATE commits SET postings=x'0000000000000000' WHERE length(postings)=8",
    "run missing": "DELETE FROM runs WHERE family=1",
    "run page missing": "DELETE FROM run_pages WHERE run=(SELECT min(number) FROM runs)",
    "page damaged": "UPDATE run_pages SET data=zeroblob(length(data))",
    "page out of place": "UPDATE run_pages SET ordinal=ordinal+1",
    "run of another family": "UPDATE runs SET family=2 WHERE family=1",
    "covered too far": "UPDATE chains SET covered=size WHERE parent IS NOT NULL",
    "fingerprint missing": "UPDATE commits SET fingerprints=NULL WHERE fingerprints IS NOT NULL",
    "fingerprint changed": "UPDATE commits SET fingerprints=x'01020304' WHERE events=1",
    "key missing": "UPDATE commits SET keys=NULL",
    "stream missing": "DELETE FROM streams WHERE name='t'",
    "stream renamed": "UPDATE streams SET name='x' WHERE name='u'",
    "chain missing": "DELETE FROM chains WHERE parent IS NOT NULL",
    "chain too many": "INSERT INTO chains SELECT * FROM chains_copy",
    "chain's fork": "UPDATE chains SET fork_size=fork_size+1 WHERE parent IS NOT NULL",
    "chain's fork's height": "UPDATE chains SET fork_height=0 WHERE parent IS NOT NULL",
    "chain's height": "UPDATE chains SET height=height+1",
    "chain's size": "UPDATE chains SET size=size+1",
    "chain's frontier": "UPDATE chains SET frontier=zeroblob(length(frontier))",
    "chain's frontier's length": "UPDATE chains SET frontier=x'00'",
    "tree node changed": "UPDATE merkle_nodes SET hash=zeroblob(32)",
    "tree node missing": "DELETE FROM merkle_nodes",
    "merged lines missing": "DELETE FROM merged_lines",
    "merged lines changed": "UPDATE merged_lines SET place=place+1",
}


RESEALED = ("commits", "chains", "merkle_nodes")


def reseal(repository: Repository) -> None:
    """Give rows that were changed on purpose the checksums of what they say now."""
    for values in fetch_all(repository._connection, f"SELECT {COLUMNS} FROM commits"):
        try:
            check = CommitRow(*values[:-1]).checksum()
        except struct.error:
            continue
        execute(repository, "UPDATE commits SET checksum=? WHERE number=?", (check, values[0]))
    columns = ", ".join(ChainRow._fields)
    for values in fetch_all(repository._connection, f"SELECT {columns} FROM chains"):
        check = ChainRow(*values).checksum()
        execute(repository, "UPDATE chains SET checksum=? WHERE number=?", (check, values[0]))
    for chain, level, place, node in fetch_all(
        repository._connection, "SELECT chain, level, place, hash FROM merkle_nodes"
    ):
        execute(
            repository,
            "UPDATE merkle_nodes SET checksum=? WHERE (chain, level, place)=(?,?,?)",
            (crc32(node), chain, level, place),
        )


CHECKSUMMED = [what for what, sql in INDEX_DAMAGE.items() if sql.split()[1] in RESEALED]


@pytest.mark.parametrize(
    ("what", "resealed"),
    [*((what, False) for what in INDEX_DAMAGE), *((what, True) for what in CHECKSUMMED)],
)
def test_a_damaged_index_is_seen_and_made_again(
    repository: Repository, what: str, resealed: bool
) -> None:
    """Noticed by checksums, and where those fit, by working everything out again."""
    before = answers(repository)
    sql = INDEX_DAMAGE[what]
    for table in ("chains", "commits"):
        copy = f"CREATE TEMP TABLE {table}_copy AS SELECT * FROM {table} ORDER BY number LIMIT 1"
        execute(repository, copy)
        execute(repository, f"UPDATE {table}_copy SET number=99999, height=99999")
    execute(repository, sql)
    assert repository._connection.changes() > 0
    if resealed:
        reseal(repository)
    found = kinds(repository.fsck())
    assert ("damage" if what == "commit too many" else "index") in found
    assert found <= {"index", "order", "damage"}
    repository.reindex()
    assert repository.fsck().problems == []
    assert answers(repository) == before
    assert repository.append([event(5_000, "s-0")], expected={"s-0": 44}).appended == 1
    assert repository.fsck().clean


def answers(repository: Repository) -> list[Any]:
    """What the indexes are for: logs, streams, positions, roots, times, ids."""
    found: list[Any] = []
    for commit in [row(repository, r).hex for r in ("main", "side", "main~2")]:
        log = repository.log(commit)
        ids = [i.hex() for i in log.ids()]
        found += [ids, log.root(), log.root(log.size // 2)]
        found += [tuple(s) for s in repository.streams(commit)]
        found += [tuple(e) for e in repository.stream("s-3", commit)] if log.size else []
        found += [repository.locate(i, commit) for i in ids[:: max(1, len(ids) // 5)]]
        found += [repository.commit_adding(p, commit) for p in range(0, log.size, 50)]
        found.append(repository.history.indexer.held_back_lines(row(repository, commit)))
        found.append(repository.history.point_at(row(repository, commit), NOW - 1))
    found.append(repository.history.events.lines_with_key("t", "k"))
    return found


@pytest.mark.parametrize(("a", "b"), [("t", "u"), ("s-1", "s-2"), ("s-0", "t")])
def test_swapped_stream_numbers_are_seen(repository: Repository, a: str, b: str) -> None:
    """Also where both streams have as many events, so that counts and sums stay the same."""
    repository.append([event(2_000, "x"), event(2_001, "y"), event(2_002, "y"), event(2_003, "x")])
    for one, other in ((a, b), ("x", "y")):
        execute(repository, "UPDATE streams SET name='?' WHERE name=?", (one,))
        execute(repository, "UPDATE streams SET name=? WHERE name=?", (one, other))
        execute(repository, "UPDATE streams SET name=? WHERE name='?'", (other,))
        report = repository.fsck()
        assert kinds(report) == {"index"}
        assert any("streams" in p.message for p in report.problems)
        repository.reindex()
        assert repository.fsck().clean


# ---------------------------------------------------------------------------- refs, tags, blobs


SIDE = "refs/heads/side"
REF_DAMAGE = {
    "not stored": f"UPDATE refs SET target=printf('%064d', 0) WHERE name='{SIDE}'",
    "none: 'nonsense'": f"UPDATE refs SET target='nonsense' WHERE name='{SIDE}'",
    "none: ''": f"UPDATE refs SET target='' WHERE name='{SIDE}'",
    "refs/heads/x, not there": "UPDATE refs SET target='ref: refs/heads/x' WHERE name='HEAD'",
    "behind the end": "UPDATE refs SET target="
    f"(SELECT target FROM refs WHERE name='{SIDE}')||'#999' WHERE name='HEAD'",
    "no commit": "UPDATE refs SET target="
    f"(SELECT target FROM refs WHERE name='refs/tags/v1') WHERE name='{SIDE}'",
    "no HEAD": "DELETE FROM refs WHERE name='HEAD'",
    "which is not stored": "DELETE FROM objects",
}


@pytest.mark.parametrize("said", REF_DAMAGE)
def test_refs_that_lead_nowhere(repository: Repository, said: str) -> None:
    execute(repository, REF_DAMAGE[said])
    report = repository.fsck()
    assert kinds(report) == {"ref"}
    assert any(said in problem.message for problem in report.problems)


def test_bad_tags(repository: Repository) -> None:
    def put(line: bytes, name: str) -> str:
        tag_id = object_id(line)
        execute(
            repository, "INSERT INTO objects(id, data) VALUES(?,?)", (bytes.fromhex(tag_id), line)
        )
        execute(repository, "INSERT INTO refs VALUES(?,?)", (f"refs/tags/{name}", tag_id))
        return tag_id

    nowhere = Tag(message="", name="v2", tagger="A", target="0" * 64, time=to_text(NOW)).canonical()
    dangling = put(nowhere, "v2")
    other = put(b'{"kind":"tag","name":"v3"}', "v3")
    spaced = put(nowhere.replace(b'"kind"', b' "kind"'), "v4")
    report = repository.fsck()
    found = {p.ids[0]: p for p in report.problems if p.kind != "ref" or "tag" in p.message}
    assert found[dangling].kind == "ref"
    assert "not stored" in found[dangling].message
    assert found[other].kind == found[spaced].kind == "format"
    execute(
        repository,
        "UPDATE objects SET data=CAST(data||' ' AS BLOB) WHERE id=?",
        (bytes.fromhex(dangling),),
    )
    assert [p.ids for p in repository.fsck().problems if p.kind == "damage"] == [(dangling,)]


def test_blobs_that_are_wrong(repository: Repository) -> None:
    one = event(501, "t").id
    ((raw,),) = repository._connection.execute("SELECT id FROM blobs").fetchall()
    blob = raw.hex()
    listing = next(e for e in repository.events() if e.blobs)
    assert listing.blobs.keys() == {blob}
    assert one != listing.id
    execute(repository, "UPDATE blobs SET size=5")
    messages = {p.message for p in repository.fsck().problems}
    assert messages == {
        f"event {listing.id} says blob {blob} has 12 bytes, it has 5",
        f"blob {blob} has 12 bytes, not 5",
    }
    execute(repository, "UPDATE blobs SET size=12, data=CAST('a small bloB' AS BLOB)")
    assert blob in only(repository.fsck(), "blob").message
    execute(repository, "DELETE FROM blobs")
    problem = only(repository.fsck(), "blob")
    assert problem.ids == (listing.id,)
    assert blob in problem.message


def test_a_damaged_database_file(repository: Repository) -> None:
    """SQLite's own structure is checked as well; whatever it says is passed on."""
    ((page,),) = repository._connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name='commits_by_prefix'"
    ).fetchall()
    path = repository.layout.database
    repository.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_SIZE + 8)  # where the cells of a leaf are listed
        file.write(b"\xff" * 16)
    with Repository.open(path.parent) as damaged:
        report = damaged.fsck()
        assert "database" in kinds(report)
        assert not report.clean


def damaged_page(directory: Path, below: bool) -> tuple[Path, list[str]]:
    """100 commits, and a page of table `blocks` overwritten: the root, or one in the middle."""
    with new(directory) as made:
        made._connection.execute("PRAGMA synchronous=OFF")
        commits = [made.append([event(number)]).commit or "" for number in range(100)]
        ((page,),) = made._connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name='blocks'"
        ).fetchall()
        path = made.layout.database
    data = bytearray(path.read_bytes())
    start = (page - 1) * PAGE_SIZE
    assert data[start] == 5, "an interior page of a table"
    if below:
        (cells,) = struct.unpack_from(">H", data, start + 3)
        (cell,) = struct.unpack_from(">H", data, start + 12 + cells // 2 * 2)
        (page,) = struct.unpack_from(">I", data, start + cell)
        start = (page - 1) * PAGE_SIZE
    data[start : start + PAGE_SIZE] = b"\xff" * PAGE_SIZE
    path.write_bytes(data)
    return path, commits


def test_blocks_around_a_damaged_page_are_checked(tmp_path: Path) -> None:
    path, commits = damaged_page(tmp_path / "d", below=True)
    with Repository.open(path.parent) as damaged:
        report = damaged.fsck()
        missing = {problem.ids[-1] for problem in report.problems if "missing" in problem.message}
        assert missing < set(commits)
        assert 1 <= len(missing) < 10
        assert report.commits == 101 - len(missing)
        assert any("can't be read" in problem.message for problem in report.problems)
        assert not any("fsck" in problem.message for problem in report.problems)
        lost = [number for number, commit in enumerate(commits) if commit in missing]
        assert lost == list(range(lost[0], lost[0] + len(lost)))
        assert damaged.log().event(99) == event(99)
        with pytest.raises(Damage, match="left as they are"):
            damaged.reindex()
        assert damaged.log().event(0) == event(0)


def test_no_block_can_be_read(tmp_path: Path) -> None:
    path, commits = damaged_page(tmp_path / "d", below=False)
    with Repository.open(path.parent) as damaged:
        report = damaged.fsck()
        assert report.commits == 0
        named = {problem.ids[-1] for problem in report.problems if "missing" in problem.message}
        assert set(commits) < named
        with pytest.raises(Damage, match="database itself is damaged") as told:
            damaged.reindex()
        assert "backup" in (told.value.hint or "")


def test_a_damaged_schema_sends_nobody_in_a_circle(tmp_path: Path) -> None:
    path, _ = damaged_page(tmp_path / "d", below=False)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"CREATE TABLE refs", b"CREATE TABLE r\xff\xff\xff"))
    with pytest.raises(Damage, match="can't be opened") as told:
        Repository.open(path.parent)
    assert "fsck" not in (told.value.hint or "")
    assert "backup" in (told.value.hint or "")


# ---------------------------------------------------------------------------- many processes


def _spoil(repository: Repository, how: str) -> None:
    """Plant something that is wrong, or nothing."""
    last = "(SELECT max(first_line) FROM blocks)"
    if how == "frames":
        execute(
            repository,
            "UPDATE blocks SET data=zeroblob(length(data)) WHERE first_line % 5 = 1",
        )
    elif how == "gap":
        execute(repository, "DELETE FROM blocks WHERE first_line BETWEEN 310 AND 320")
    elif how == "types":
        execute(repository, f"UPDATE blocks SET data='text' WHERE first_line={last}")
    elif how == "directory":
        execute(repository, f"UPDATE blocks SET latest=latest+1 WHERE first_line={last}")
    elif how == "index":
        execute(repository, "UPDATE run_pages SET ordinal=ordinal+1")
    elif how == "form":
        number, latest = repository.history.blocks.end()
        tip = row(repository)
        strange = event(950).canonical().replace(b'"data":{"n":950}', b'"data":{"n": 950}')
        frontier = repository.history.log_of(tip).frontier()
        frontier.extend([bytes.fromhex(object_id(strange))])
        log = LogHead(root=frontier.root().hex(), size=frontier.size)
        commit = Commit(
            author="a", events=1, log=log, message="", parents=[tip.hex], time=to_text(NOW)
        )
        block = encode_block([strange], commit.canonical())
        repository.history.blocks.put(number, block, latest)


@pytest.mark.parametrize("how", ["nothing", "frames", "gap", "types", "directory", "index", "form"])
def test_what_is_found_does_not_depend_on_processes(repository: Repository, how: str) -> None:
    _spoil(repository, how)
    alone = repository.fsck(jobs=1)
    assert alone.clean == (how == "nothing")
    assert repository.fsck(jobs=2) == alone


@pytest.mark.parametrize("how", ["nothing", "frames"])
def test_a_check_goes_on_without_its_workers(
    repository: Repository, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.append(events(1000, 3000))
    _spoil(repository, how)
    alone = repository.fsck(jobs=1)
    submit = Workers.submit

    def submit_and_kill(self: Workers, request: bytes) -> bool:
        self.wait()
        taken = submit(self, request)
        for worker in self._workers:
            worker.process.kill()
        return taken

    monkeypatch.setattr(Workers, "submit", submit_and_kill)
    assert repository.fsck(jobs=2) == alone


def test_workers_answer_what_the_process_alone_finds(repository: Repository) -> None:
    """And they do answer: nothing here needs to be done twice."""
    repository.append([event(901, "t", key="k2"), event(902, "t")])
    blocks = list(repository.history.blocks.blocks())
    given = packed(blocks)
    with Workers("evgit.maintenance.block_check:begin", b"", 1) as workers:
        workers.wait()
        assert workers.submit(given)
        assert workers.next() == check(given)
    sound = list(unpacked(blocks, check(given)))
    keys: list[str] = []
    for (entry, data), found in zip(blocks, sound, strict=True):
        lines = [line for _, part in repository.history.blocks.decode(entry, data) for line in part]
        if found is None:  # an event stands elsewhere, or lists blobs
            assert any(is_again(line) or b'"blobs":' in line for line in lines)
            continue
        assert found.commit_line == lines.pop()
        batch, own = found.batch(), [decode_event(line) for line in lines]
        assert [bytes.fromhex(object_id(line)) for line in lines] == list(batch.ids)
        assert [e.stream for e in own] == batch.streams
        assert [place for place, e in enumerate(own) if e.key is not None] == batch.keyed
        assert [e.key for e in own if e.key is not None] == batch.keys
        keys += batch.keys
    assert sum(found is None for found in sound) == 2
    assert keys == ["k2"]


# ---------------------------------------------------------------------------- guards


@pytest.mark.parametrize(
    ("stream", "claimed", "said"),
    [("s-0", 2, "2, its first parent has it at"), ("new", 0, "0, .* at none"), ("t", -1, "none, ")],
)
def test_guards_that_did_not_hold(
    repository: Repository, stream: str, claimed: int, said: str
) -> None:
    first_line, latest = repository.history.blocks.end()
    tip = row(repository)
    log = repository.history.log_of(tip)
    head = LogHead(root=log.root().hex(), size=log.size)
    commit = Commit(
        author="a",
        events=0,
        guards={stream: claimed},
        log=head,
        message="",
        parents=[tip.hex],
        time=to_text(NOW),
    )
    repository.history.blocks.put(first_line, encode_block([], commit.canonical()), latest)
    reindex(repository.history)
    (problem,) = repository.fsck().problems
    assert problem.kind == "order"
    assert re.search(f"expected stream '{stream}' at revision {said}", problem.message)
    assert problem.ids == (commit.id,)


def test_guards_that_held_are_sound(repository: Repository) -> None:
    expected = {"s-0": repository.stream_revision("s-0"), "never": -1}
    repository.append([event(990, "s-0")], expected=expected)
    assert repository.fsck().clean
