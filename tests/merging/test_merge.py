"""Merging through the library: what waits survives, what is aborted leaves nothing, who is second
is told so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evgit.errors import (
    Conflict,
    HandlerFailed,
    InvalidModel,
    InvariantViolated,
    NotAFastForward,
    NotFound,
    UsageError,
)
from evgit.repository import ModelUse, NewEvent, Repository
from evgit.state.modelling.trust import TrustEverything

MODEL = """\
from evgit.model import KeyedProjection, invariant, on


class Accounts(KeyedProjection):
    prefix = "accounts/"
    categories = "account"
    commuting = ["deposit_made"]
    ignore = ["/last"]
    sets = ["/tags"]

    def initial(self, key):
        return {"balance": 0}

    @on("deposit_made")
    def deposited(self, account, event):
        account["balance"] += event.data["amount"]

    @on("money_withdrawn")
    def withdrawn(self, account, event):
        account["balance"] -= event.data["amount"]

    @on("named")
    def named(self, account, event):
        account["name"] = event.data["name"]

    @on("visited")
    def visited(self, account, event):
        account["last"] = event.data["where"]
        account.setdefault("tags", []).append(event.data["where"])


@invariant("never below zero", Accounts)
def solvent(path, account):
    return account["balance"] >= 0
"""


def opened(path: Path) -> Repository:
    return Repository.open(path, model=ModelUse(trust=TrustEverything()))


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Repository]:
    """300 in account-1, and a branch `side` from there on."""
    root = tmp_path / "bank"
    (root / "model").mkdir(parents=True)
    (root / "model" / "bank.py").write_text(MODEL)
    with Repository.init(root, model=ModelUse(trust=TrustEverything())) as repository:
        repository.commit_model()
        put(repository, "deposit_made", amount=300)
        repository.branches.create("side", repository.resolve_commit())
        yield repository


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Repository]:
    """A repository without a model, and a branch `side`."""
    with Repository.init(tmp_path / "plain") as repository:
        put(repository, "begun", stream="s-0")
        repository.branches.create("side", repository.resolve_commit())
        yield repository


def put(repository: Repository, kind: str, *, stream: str = "account-1", **data: Any) -> str:
    """Append one event to `branch`, or to the current one; its id."""
    branch, expect = data.pop("branch", None), data.pop("expect", None)
    key = data.pop("key", None)
    done = repository.append(
        [NewEvent(stream, kind, data, key=key)],
        branch=branch,
        expected=None if expect is None else {stream: expect},
    )
    return done.ids[0]


def start(repository: Repository, revision: str = "side", **more: Any) -> Any:
    return repository.merging.merge.start(repository.resolve_commit(revision), **more)


def refs(repository: Repository) -> list[tuple[str, str]]:
    return [(ref.name, ref.target) for ref in repository.refs()]


def log(repository: Repository, revision: str = "HEAD") -> list[str]:
    return [event_id.hex() for event_id in repository.log(revision).ids()]


def overdraw(bank: Repository) -> tuple[str, str]:
    ours = put(bank, "money_withdrawn", amount=200)
    return ours, put(bank, "money_withdrawn", amount=200, branch="side")


def test_what_fits_merges_at_once(bank: Repository) -> None:
    ours, theirs = (
        put(bank, "deposit_made", amount=5),
        put(bank, "deposit_made", amount=7, branch="side"),
    )
    before = log(bank)
    done = start(bank)
    assert done.kind == "merged"
    assert log(bank) == [*before, theirs]
    assert before[-1] == ours
    assert bank.state()["accounts/1.json"] == {"balance": 312}
    commit = bank.commit(done.head).commit
    assert commit.merge is not None
    assert commit.merge.model == bank.models.states().model.id  # type: ignore[union-attr]
    assert commit.merge.resolved == [
        {"count": 1, "documents": ["accounts/1.json"], "how": "order does not matter"}
    ]
    assert start(bank).kind == "current"
    assert next(iter(bank.operations())).command == "merge"
    bank.branches.undo()
    assert log(bank) == before


def test_a_merge_waits_across_restarts_and_moves_nothing(bank: Repository) -> None:
    overdraw(bank)
    before, was = refs(bank), log(bank)
    assert start(bank, dry_run=True).conflicts
    assert bank.merging.merge.state() is None
    found = start(bank)
    assert [c.name for c in found.conflicts] == ["invariant never below zero accounts/1.json"]
    with opened(bank.layout.directory.parent) as again:
        assert again.merging.merge.waiting().conflicts == found.conflicts
        with pytest.raises(Conflict, match="in progress"):
            start(again)
        assert again.merging.merge.go_on().kind == "waiting"
        assert again.merging.merge.abort() == found.judgement.found.theirs.hex[:12]
    assert bank.merging.merge.state() is None
    assert (refs(bank), log(bank)) == (before, was)
    with pytest.raises(NotFound, match="no merge"):
        bank.merging.merge.abort()


def test_compensating_events_settle_a_broken_rule(bank: Repository) -> None:
    overdraw(bank)
    start(bank)
    merge = bank.merging.merge
    with pytest.raises(InvariantViolated):
        merge.add([NewEvent("account-2", "money_withdrawn", {"amount": 1})])
    assert merge.add([NewEvent("account-1", "deposit_made", {"amount": 50})])[0].conflicts
    found, ids = merge.add([NewEvent("account-1", "deposit_made", {"amount": 50})])
    assert not found.conflicts
    done = merge.go_on(message="Settle")
    commit = bank.commit(done.head).commit
    assert commit.message == "Settle"
    assert commit.merge is not None
    assert {"conflict": "invariant never below zero accounts/1.json", "how": "compensated"} in (
        commit.merge.resolved
    )
    assert log(bank)[-1:] == ids
    assert bank.state()["accounts/1.json"] == {"balance": 0}
    assert bank.in_progress() is None


def test_an_event_settles_a_document_if_both_orders_come_out_alike(bank: Repository) -> None:
    put(bank, "named", name="Ada")
    put(bank, "named", name="Grace", branch="side")
    assert [c.kind for c in start(bank).conflicts] == ["document"]
    found, _ = bank.merging.merge.add([NewEvent("account-1", "named", {"name": "Edsger"})])
    assert not found.conflicts
    assert {"conflict": "document accounts/1.json", "how": "compensated"} in found.resolved


def test_details_have_values_and_events_of_both_sides(bank: Repository) -> None:
    ours = put(bank, "named", name="Ada")
    theirs = put(bank, "named", name="Grace", branch="side")
    found = start(bank)
    detail = bank.merging.merge.details(found.judgement).of(found.conflicts[0])
    assert [seen.id for seen in detail.ours] == [ours]
    assert [seen.id for seen in detail.theirs] == [theirs]
    names = {where: value.get("name") for where, value in detail.values.items()}
    assert names == {
        "base": None,
        "ours": "Ada",
        "theirs": "Grace",
        "ours_then_theirs": "Grace",
        "theirs_then_ours": "Ada",
    }


def test_fields_and_sets_may_be_left_out_of_the_comparison(bank: Repository) -> None:
    put(bank, "visited", where="Rome")
    put(bank, "visited", where="Oslo", branch="side")
    assert start(bank).kind == "merged"


def test_commuting_events_fail_no_guard(bank: Repository) -> None:
    put(bank, "deposit_made", amount=1)
    put(bank, "deposit_made", amount=2, branch="side", expect=0)
    assert start(bank).kind == "merged"
    bank.branches.undo()
    put(bank, "named", name="Ada", branch="side", expect=1)
    assert [c.name for c in start(bank).conflicts] == ["guard account-1"]


def test_what_was_left_out_stays_out_and_is_told(plain: Repository) -> None:
    put(plain, "sold", stream="seat-1", expect="none")
    theirs = put(plain, "sold", stream="seat-1", expect="none", branch="side", to="Ada")
    other = put(plain, "sold", stream="seat-2", branch="side")
    assert [c.name for c in start(plain).conflicts] == ["guard seat-1"]
    merge = plain.merging.merge
    with pytest.raises(UsageError, match="does not come in"):
        merge.leave_out(events=[log(plain)[-1]])
    with pytest.raises(UsageError, match="brings no events"):
        merge.leave_out(commits=[plain.resolve_commit("side~2")])
    assert not merge.leave_out(commits=[plain.resolve_commit("side~1")]).conflicts
    done = merge.go_on()
    assert done.held_back == [theirs]
    assert plain.commit(done.head).commit.merge.left_out == [theirs]  # type: ignore[union-attr]
    put(plain, "sold", stream="seat-3", branch="side")
    again = start(plain)
    assert (again.kind, again.held_back) == ("merged", [theirs])
    assert theirs not in log(plain)
    assert other in log(plain)


def test_a_torn_commit_is_to_be_accepted(plain: Repository) -> None:
    both = plain.append([NewEvent("a-1", "sent"), NewEvent("a-2", "received")], branch="side").ids
    put(plain, "noted", stream="n-1")
    start(plain, commit=False)
    merge = plain.merging.merge
    found = merge.leave_out(events=[both[0]])
    assert [c.kind for c in found.conflicts] == ["torn"]
    with pytest.raises(NotFound, match="no conflict about 'elsewhere'"):
        merge.accept(["elsewhere"])
    assert not merge.accept([plain.resolve_commit("side")[:12]]).conflicts
    assert merge.go_on().kind == "merged"


def test_without_a_model_one_stream_on_both_sides_is_a_conflict(plain: Repository) -> None:
    put(plain, "noted", stream="n-1")
    put(plain, "noted", stream="n-1", branch="side")
    found = start(plain, dry_run=True)
    assert [c.name for c in found.conflicts] == ["stream n-1"]
    values = plain.merging.merge.details(found.judgement).of(found.conflicts[0]).values
    assert values["ours"]["revision"] == 0
    assert values["ours_then_theirs"]["revision"] == 1
    assert start(plain, append=True).kind == "merged"


def test_two_different_events_under_one_key(plain: Repository) -> None:
    put(plain, "paid", stream="p-1", key="k", amount=1)
    put(plain, "paid", stream="p-1", key="k", amount=2, branch="side")
    found = start(plain, append=True, dry_run=True)
    assert [c.name for c in found.conflicts] == ["key p-1 k"]
    assert start(plain, append=True, prefer="accept").kind == "merged"


@pytest.mark.parametrize(("prefer", "kind"), [("ours", "merged"), ("theirs", "waiting")])
def test_settling_all_at_once(bank: Repository, prefer: str, kind: str) -> None:
    put(bank, "named", name="Ada")
    put(bank, "named", name="Grace", branch="side")
    overdraw(bank)
    done = start(bank, prefer=prefer)
    assert done.kind == kind
    if prefer == "ours":
        assert bank.state()["accounts/1.json"] == {"balance": 100, "name": "Ada"}
        assert len(done.held_back) == 2
    else:
        assert [c.kind for c in done.conflicts] == ["invariant"]


def test_going_forward(plain: Repository) -> None:
    put(plain, "noted", stream="n-1", branch="side")
    before = refs(plain)
    assert start(plain, dry_run=True).kind == "fast-forward"
    assert refs(plain) == before
    assert start(plain).kind == "fast-forward"
    assert plain.resolve_commit() == plain.resolve_commit("side")
    plain.branches.undo()
    assert start(plain, fast_forward="never").kind == "merged"
    put(plain, "noted", stream="n-2", branch="side")
    with pytest.raises(NotAFastForward):
        start(plain, fast_forward="only")


def test_upstream_first_keeps_published_positions(plain: Repository) -> None:
    mine = put(plain, "noted", stream="n-1")
    published = put(plain, "noted", stream="n-2", branch="side")
    upstream = plain.resolve_commit("side")
    done = start(plain, upstream_first=True)
    assert done.kind == "merged"
    assert plain.commit(done.head).commit.parents[0] == upstream
    assert log(plain)[-2:] == [published, mine]
    assert next(iter(plain.operations())).arguments["rewound"] == 1


def test_equal_events_in_other_orders_are_told(bank: Repository) -> None:
    put(bank, "named", name="Ada")
    put(bank, "named", name="Grace", branch="side")
    bank.branches.create("back", bank.resolve_commit("side"))
    main = bank.resolve_commit("main")
    start(bank, prefer="accept")
    bank.branches.set_head("ref: refs/heads/back", "switch", {})
    bank.merging.merge.start(main, prefer="accept")
    found = start(bank, "main", dry_run=True)
    assert found.unequal == ["accounts/1.json"]
    assert not found.conflicts


def test_a_model_that_fails_leaves_everything_as_it_was(bank: Repository) -> None:
    put(bank, "named", name="Ada")
    bank.append([NewEvent("account-1", "named", {})], branch="side", verify=False)
    before = refs(bank)
    with pytest.raises(HandlerFailed):
        start(bank)
    assert refs(bank) == before
    assert bank.in_progress() is None


def test_whoever_is_second_is_told(plain: Repository) -> None:
    put(plain, "noted", stream="n-1")
    put(plain, "noted", stream="n-2", branch="side")
    start(plain, commit=False)
    with pytest.raises(Conflict, match="a merge into main waits") as refused:
        put(plain, "noted", stream="n-3")
    assert "merge --abort" in str(refused.value.hint)
    put(plain, "noted", stream="n-3", branch="side")  # which the merge does not move
    plain.branches.create("main", plain.resolve_commit("main~1"), force=True)
    with pytest.raises(Conflict, match="moved meanwhile"):
        plain.merging.merge.go_on()
    with Repository.open(plain.layout.directory.parent) as other:
        other.merging.merge.abort()
    with pytest.raises(NotFound):
        plain.merging.merge.accept(None)
    plain.branches.undo()  # of moving main
    assert start(plain).kind == "merged"


def test_a_point_inside_a_commit_is_no_place_to_merge(plain: Repository) -> None:
    plain.append([NewEvent("a-1", "sent"), NewEvent("a-2", "received")])
    inside = f"{plain.resolve_commit()}#2"
    plain.branches.set_head(inside, "checkout", {})
    with pytest.raises(UsageError, match="inside a commit"):
        start(plain)


def test_files_of_the_model_come_first(bank: Repository) -> None:
    root = bank.layout.directory.parent
    file = root / "model" / "bank.py"
    bank.branches.set_head("ref: refs/heads/side", "switch", {})
    file.write_text(MODEL + "# theirs\n")
    bank.commit_model()
    put(bank, "named", name="Grace")
    bank.branches.set_head("ref: refs/heads/main", "switch", {})
    file.write_text(MODEL + "# ours\n")
    bank.commit_model()
    put(bank, "named", name="Ada")
    found = start(bank)
    assert [c.name for c in found.conflicts] == ["document $model/model/bank.py"]
    assert found.judgement.only_model
    left = bank.merging.merge.accept(["$model/model/bank.py"])
    assert [c.name for c in left.conflicts] == ["document accounts/1.json"]
    bank.merging.merge.accept(None)
    done = bank.merging.merge.go_on()
    assert done.kind == "merged"
    files = bank.models.at(bank.resolve())
    assert files is not None
    assert files["model/bank.py"].endswith(b"# theirs\n")


def test_a_forced_move_marks_the_branch_as_rewound(plain: Repository) -> None:
    put(plain, "noted", stream="n-1")
    put(plain, "noted", stream="n-2", branch="side")
    plain.branches.create("side", plain.resolve_commit("main"), force=True)
    assert next(plain.reflog("refs/heads/side"))[0].arguments == {"name": "side", "rewound": 1}
    put(plain, "noted", stream="n-3")
    plain.branches.create("side", plain.resolve_commit("main"), force=True)
    assert next(plain.reflog("refs/heads/side"))[0].arguments == {"name": "side"}


def conflicting_models(bank: Repository) -> Path:
    """Both sides changed model/bank.py; theirs has another file too. The merge waits."""
    root = bank.layout.directory.parent
    bank.branches.set_head("ref: refs/heads/side", "switch", {})
    (root / "model" / "bank.py").write_text(MODEL + "# theirs\n")
    (root / "model" / "more.py").write_text("X = 1\n")
    bank.commit_model()
    bank.branches.set_head("ref: refs/heads/main", "switch", {})
    (root / "model" / "more.py").unlink()
    (root / "model" / "bank.py").write_text(MODEL + "# ours\n")
    bank.commit_model()
    assert [c.name for c in start(bank).conflicts] == ["document $model/model/bank.py"]
    return root


def test_a_new_version_settles_a_file_of_the_model(bank: Repository) -> None:
    root = conflicting_models(bank)
    before = refs(bank), log(bank)
    (root / "model" / "bank.py").write_text(MODEL + "# both\n")
    with pytest.raises(Conflict, match="a merge into main waits"):
        bank.commit_model()
    found, paths = bank.merging.merge.record_model()
    assert (found.conflicts, paths) == ([], ["model/bank.py"])
    assert (refs(bank), log(bank)) == before
    assert bank.merging.merge.record_model()[1] == []
    done = bank.merging.merge.go_on()
    assert {"conflict": "document $model/model/bank.py", "how": "compensated"} in done.resolved
    files = bank.models.at(bank.resolve())
    assert files is not None
    assert files["model/bank.py"].endswith(b"# both\n")
    assert files["model/more.py"] == b"X = 1\n"  # which only theirs changed
    assert bank.fsck().problems == []


def test_the_working_tree_may_have_theirs_or_ours_already(bank: Repository) -> None:
    conflicting_models(bank)
    found, paths = bank.merging.merge.record_model()  # unchanged: ours is what is wanted
    assert (found.conflicts, paths) == ([], ["model/bank.py"])
    bank.merging.merge.go_on()
    files = bank.models.at(bank.resolve())
    assert files is not None
    assert files["model/bank.py"].endswith(b"# ours\n")


def test_a_model_that_does_not_load_is_not_added(bank: Repository) -> None:
    root = conflicting_models(bank)
    (root / "model" / "bank.py").write_text("def\n")
    state = bank.merging.merge.state()
    with pytest.raises(InvalidModel):
        bank.merging.merge.record_model()
    assert bank.merging.merge.state() == state
