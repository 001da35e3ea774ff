"""What if: a history told anew, against the same told naively, and the documents that differ."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings, strategies as st

from evgit.errors import AlreadyExists, NotFound, UsageError
from evgit.formats.event import batch_from_events
from evgit.repository import ModelUse, NewEvent, Repository
from evgit.state.modelling.trust import TrustEverything
from tests.history.making import SECOND, Clock, event, events, ids, merge, new
from tests.state.oracle import naive

MODEL = """\
from evgit.model import KeyedProjection, Projection, invariant, on


class Accounts(KeyedProjection):
    prefix = "accounts/"
    categories = "account"

    def initial(self, key):
        return {"balance": 0}

    @on("paid_in", "paid_out")
    def paid(self, account, event):
        sign = 1 if event.type == "paid_in" else -1
        account["balance"] += sign * event.data["amount"]


class Rich(Projection):
    prefix = "rich/"

    @on("paid_in")
    def paid(self, documents, event):
        if event.data["amount"] > 90:
            documents[f"rich/{event.stream}.json"] = event.data["amount"]


@invariant("never below zero", Accounts)
def solvent(path, account):
    return account["balance"] >= 0
"""


def folded(log: list[Any]) -> dict[str, Any]:
    """The documents of MODEL, folded apart."""
    documents: dict[str, Any] = {}
    for each in log:
        path = f"accounts/{each.stream.partition('-')[2]}.json"
        balance = documents.get(path, {"balance": 0})["balance"]
        sign = 1 if each.type == "paid_in" else -1
        documents[path] = {"balance": balance + sign * each.data["amount"]}
        if each.type == "paid_in" and each.data["amount"] > 90:
            documents[f"rich/{each.stream}.json"] = each.data["amount"]
    return documents


def refs(repository: Repository) -> dict[str, str]:
    return {ref.name: ref.target for ref in repository.refs("")}


def test_an_event_left_out_is_as_if_it_had_not_been(repository: Repository, clock: Clock) -> None:
    for number in range(0, 30, 3):
        clock.now += SECOND
        repository.append(events(number, number + 3, streams=4), message=f"m{number}")
    log, tip, before = ids(repository), repository.resolve_commit("HEAD"), refs(repository)
    found = repository.merging.what_if(tip, without=[log[10]], branch="calm")
    assert ids(repository, "calm") == log[:10] + log[11:]
    assert found.base == repository.resolve_commit("HEAD~7")
    assert found.torn == [repository.resolve_commit("HEAD~6")]
    assert found.commits == 7
    assert refs(repository) == before | {"refs/heads/calm": found.head}
    paths = [change.path for change in repository.diff("main", "calm")]
    assert paths == ["streams/s-2.json"]
    for back in range(10):
        real, told = (
            repository.commit(repository.resolve_commit(f"{b}~{back}")).commit
            for b in ("main", "calm")
        )
        assert (real.time, real.message) == (told.time, told.message)
    assert repository.fsck().clean
    repository.reindex()
    assert repository.fsck().clean
    again = repository.merging.what_if(tip, without=[log[10]])
    assert (again.branch, again.head) == ("what-if-1", found.head)
    assert repository.merging.what_if(tip, without=[log[1]]).branch == "what-if-2"
    assert next(repository.operations()).command == "what-if"
    repository.branches.undo()
    assert "refs/heads/what-if-2" not in refs(repository)


def test_whole_commits_and_the_end(repository: Repository) -> None:
    for number in range(3):
        repository.append([event(number)])
    log, tip = ids(repository), repository.resolve_commit("HEAD")
    last = repository.merging.what_if(tip, without=[log[2]])
    assert (last.head, last.torn) == (repository.resolve_commit("HEAD~1"), [])
    more = repository.merging.what_if(tip, insert=batch_from_events([event(50)]))
    assert ids(repository, more.branch) == [*log, event(50).id]
    first = repository.merging.what_if(
        tip, without=log, insert=batch_from_events([event(60)]), at=0
    )
    assert ids(repository, first.branch) == [event(60).id]
    assert not first.problems


def test_guards_tell_what_was_decided_on_what_is_gone(repository: Repository) -> None:
    repository.append([event(0, "a-1"), event(1, "b-1")])
    repository.append([event(2, "a-1")], expected={"a-1": 0})
    hit = repository.append([event(3, "c-1")], expected={"a-1": 1, "b-1": 0}).head
    repository.append([event(4, "a-1")], expected={"a-1": 1})
    tip, log = repository.resolve_commit("HEAD"), ids(repository)
    found = repository.merging.what_if(tip, without=[log[2]])
    (problem,) = found.problems
    assert (problem.kind, problem.stream, problem.commit) == ("guard", "a-1", hit)
    assert problem.missing == [log[2]]
    told = repository.commit(repository.resolve_commit(f"{found.branch}~1")).commit
    assert told.guards == {"a-1": 0, "b-1": 0}
    inserted = repository.merging.what_if(tip, insert=batch_from_events([event(9, "b-1")]), at=1)
    assert inserted.torn == [repository.resolve_commit("HEAD~3")]
    assert [p.events for p in inserted.problems] == [[event(9, "b-1").id]]
    assert ids(repository, inserted.branch) == [log[0], event(9, "b-1").id, *log[1:]]


def test_bad_input(repository: Repository) -> None:
    repository.append([event(0)])
    repository.branches.create("side", repository.resolve_commit("HEAD"))
    other = repository.append([event(1)], branch="side").ids[0]
    tip = repository.resolve_commit("HEAD")
    attempt = repository.merging.what_if
    with pytest.raises(NotFound, match="is not in this log"):
        attempt(tip, without=[other])
    with pytest.raises(NotFound, match="there is no event"):
        attempt(tip, without=["ab" * 32])
    with pytest.raises(UsageError, match="nothing is left out and nothing inserted"):
        attempt(tip)
    with pytest.raises(UsageError, match="no place 2"):
        attempt(tip, insert=batch_from_events([event(5)]), at=2)
    with pytest.raises(UsageError, match="is stored already"):
        attempt(tip, insert=batch_from_events([event(1)]))
    with pytest.raises(UsageError, match="inserted twice"):
        attempt(tip, insert=batch_from_events([event(5), event(5)]))
    with pytest.raises(AlreadyExists):
        attempt(tip, without=ids(repository), branch="side")
    assert sorted(refs(repository)) == ["HEAD", "refs/heads/main", "refs/heads/side"]


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_history_told_anew(data: st.DataObject) -> None:
    """Merges among it: the log is the real one without, and with, what was asked for."""
    with tempfile.TemporaryDirectory(prefix="evgit-test-") as directory:
        repository = new(Path(directory) / "r")
        count = 0
        repository.branches.create("side", repository.resolve_commit("HEAD"))
        for _ in range(data.draw(st.integers(2, 8))):
            kind = data.draw(st.sampled_from(["main", "side", "merge", "merge back"]))
            own = events(count, count + data.draw(st.integers(1, 3)), streams=3)
            count += len(own)
            if kind in ("main", "side"):
                repository.append(own, branch=kind)
            else:
                one, other = ("main", "side") if kind == "merge" else ("side", "main")
                theirs = repository.resolve_commit(other)
                if theirs != repository.resolve_commit(one):
                    merge(repository, one, [theirs], own)
        log = ids(repository)
        if not log:
            return
        out = data.draw(st.lists(st.sampled_from(log), unique=True, max_size=3))
        at = data.draw(st.none() | st.integers(0, len(log)))
        insert = None if at is None else batch_from_events(events(500, 502))
        if not out and insert is None:
            return
        found = repository.merging.what_if(
            repository.resolve_commit("HEAD"), without=out, insert=insert, at=at
        )
        expected = [*log[:at], *[e.hex() for e in insert.ids], *log[at:]] if insert else log
        assert ids(repository, found.branch) == [each for each in expected if each not in out]
        assert ids(repository) == log
        assert repository.fsck().clean
        repository.close()


@settings(max_examples=6, deadline=None)
@given(
    amounts=st.lists(st.tuples(st.integers(0, 4), st.integers(-99, 99)), min_size=4, max_size=40),
    data=st.data(),
)
def test_the_documents_that_differ_are_those_that_an_event_influenced(
    amounts: list[tuple[int, int]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory(prefix="evgit-test-") as directory:
        root = Path(directory) / "bank"
        (root / "model").mkdir(parents=True)
        (root / "model" / "bank.py").write_text(MODEL)
        use = ModelUse(trust=TrustEverything())
        with Repository.init(root, author="Ada", model=use) as repository:
            for start in range(0, len(amounts), 3):
                repository.append(
                    [
                        NewEvent(
                            f"account-{account}",
                            "paid_in" if amount >= 0 else "paid_out",
                            {"amount": abs(amount)},
                        )
                        for account, amount in amounts[start : start + 3]
                    ],
                    verify=False,
                )
            log = list(repository.events())
            gone = data.draw(st.integers(0, len(log) - 1))
            found = repository.merging.what_if(
                repository.resolve_commit("HEAD"), without=[log[gone].id], branch="calm"
            )
            real, calm = folded(log), folded(log[:gone] + log[gone + 1 :])
            differing = {p for p in real.keys() | calm.keys() if real.get(p) != calm.get(p)}
            assert {change.path for change in repository.diff("main", "calm")} == differing
            base = gone - gone % 3
            ends = [*range(base + 3, len(log), 3), len(log)]
            was = below([log[:base]])
            fell = below([log[:gone] + log[gone + 1 : end] for end in ends])
            fell -= below([log[:end] for end in ends])
            assert fell - was <= {problem.path for problem in found.problems} <= fell


def below(logs: list[list[Any]]) -> set[str]:
    """The accounts that are below zero after any of these logs."""
    return {
        path
        for log in logs
        for path, account in folded(log).items()
        if path.startswith("accounts/") and account["balance"] < 0
    }


def test_a_model_that_fails_is_part_of_the_report(tmp_path: Path) -> None:
    root = tmp_path / "bank"
    (root / "model").mkdir(parents=True)
    (root / "model" / "m.py").write_text(
        "from evgit.model import KeyedProjection, invariant, on\n\n\n"
        "class Things(KeyedProjection):\n"
        '    prefix = "things/"\n\n'
        '    @on("made")\n    def made(self, thing, event):\n        thing["n"] = 0\n\n'
        '    @on("used")\n    def used(self, thing, event):\n        thing["n"] += 1\n\n\n'
        '@invariant("few", Things)\ndef few(path, thing):\n    return thing["n"] < 9\n'
    )
    with Repository.init(root, author="Ada", model=ModelUse(trust=TrustEverything())) as repository:
        made = repository.append([NewEvent("t-1", "made")]).ids[0]
        used = repository.append([NewEvent("t-1", "used")]).head
        found = repository.merging.what_if(used, without=[made])
        (problem,) = found.problems
        assert (problem.kind, problem.commit) == ("model", used)
        assert "KeyError" in str(problem)
        assert len(ids(repository, found.branch)) == 1


def test_the_documents_that_differ_in_a_real_history(shared_data: Path, tmp_path: Path) -> None:
    """8,719 events of 3,646 streams: what an event has to do with is its stream's document."""
    packed = (shared_data / "click-history.jsonl.zst").read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
        lines = reader.read().splitlines()
    with new(tmp_path / "r") as repository:
        given = [NewEvent(**json.loads(line)) for line in lines]
        for start in range(0, len(given), 500):
            repository.append(given[start : start + 500])
        tip, log = repository.resolve_commit("HEAD"), list(repository.events())
        real = naive(log)
        for gone in (0, 4321, 8000, len(log) - 1):
            found = repository.merging.what_if(tip, without=[log[gone].id])
            stream = log[gone].stream
            rest = [e for n, e in enumerate(log) if n != gone and e.stream == stream]
            (path,) = naive([log[gone]])
            assert naive(rest).get(path) != real[path]
            assert [change.path for change in repository.diff(tip, found.head)] == [path]
            assert not found.problems
            assert repository.resolve_commit("HEAD") == tip
