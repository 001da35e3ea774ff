"""What the settings of a repository let others push, to which refs, and how refusals read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from evgit.errors import (
    AccessDenied,
    Conflict,
    EvgitError,
    InvalidInput,
    InvariantViolated,
    NotAFastForward,
    SchemaViolated,
    UntrustedModel,
)
from evgit.repository import Connecting, ModelUse, NewEvent, Repository, clone
from evgit.state.modelling.trust import TrustFile
from evgit.storage.config import Config
from evgit.sync.pushing import Pushed, PushedRef
from evgit.sync.rules import Rules, Setting, read_rules
from tests.history.making import Clock
from tests.sync.making import heads

MODEL = """
from evgit.model import KeyedProjection, invariant, on

class Accounts(KeyedProjection):
    prefix = "accounts/"
    categories = "account"

    def initial(self, key):
        return {"balance": 0}

    @on("deposit_made")
    def deposited(self, account, event):
        account["balance"] += event.data["amount"]

    @on("money_withdrawn")
    def withdrawn(self, account, event):
        account["balance"] -= event.data["amount"]

@invariant("never below zero", Accounts)
def solvent(path, account):
    return account["balance"] >= 0
"""
SCHEMA = """{"type": "object", "properties": {"amount": {"type": "integer", "minimum": 1}},
"required": ["amount"]}"""


class Shop:
    """A repository that others push to, and the clone of one who does."""

    def __init__(self, place: Path) -> None:
        self.clock = Clock()
        self.trust = TrustFile(place / "trusted.json")
        there = Repository.init(
            place / "there", bare=True, author="Eve <>", clock=self.clock, model=self._use()
        )
        there.append([NewEvent("account-1", "deposit_made", {"amount": 100})])
        self.there = there
        self.using = Connecting("Ada <>", self.clock, user="ada")
        self.here = clone(str(place / "there"), place / "here", using=self.using)[0]

    def _use(self) -> ModelUse:
        return ModelUse(trust=self.trust)

    def set(self, key: str, value: str | bool) -> None:
        Config(self.there.layout.config).set(f"receive.{key}", value)

    def push(self, *words: str, user: str = "ada", force: bool = False) -> Pushed:
        going = Connecting("Ada <>", self.clock, user=user)
        with Repository.open(
            self.here.layout.directory, clock=self.clock, model=self._use()
        ) as here:
            sync = here.sync(going)
            remote = sync.remote("origin")
            refs = sync.pushed_refs(remote, words or ("main",), "main")
            refs = [PushedRef(r.source, r.target, r.force or force, r.lease) for r in refs]
            return sync.push(remote, refs)

    def refused(self, kind: type[EvgitError], *words: str, **more: object) -> EvgitError:
        """A push of which nothing is left there."""
        before = self.there.refs(), self.there.history.end()
        with pytest.raises(kind) as told:
            self.push(*words, **more)  # type: ignore[arg-type]
        with Repository.open(self.there.layout.directory) as now:
            assert (now.refs(), now.history.end()) == before
        return told.value

    def spend(self, amount: object, stream: str = "account-1") -> str:
        event = NewEvent(stream, "money_withdrawn", {"amount": amount})
        return self.here.append([event], verify=False).ids[0]

    def record_model(self, text: str = MODEL, *, trusted: bool = True) -> None:
        """Record a model here, push it, and have it trusted there."""
        worktree = self.here.layout.worktree
        assert worktree is not None
        (worktree / "model").mkdir(exist_ok=True)
        (worktree / "model" / "bank.py").write_text(text)
        (worktree / "schemas" / "money_withdrawn").mkdir(exist_ok=True, parents=True)
        (worktree / "schemas" / "money_withdrawn" / "1.json").write_text(SCHEMA)
        with Repository.open(self.here.layout.directory, clock=self.clock) as here:
            here.commit_model(message="A model")
        self.push()
        if trusted:
            files = self.there.models.at(self.there.head().point)
            assert files is not None
            self.trust.add(self.there.layout.directory, files.id, "2026-01-01T00:00:00.000000Z")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.here.close()
    made.there.close()


# ---------------------------------------------------------------- which setting counts
def rules(**settings: object) -> Rules:
    found = []
    for key, value in settings.items():
        pattern, _, name = key.rpartition(".")
        full = pattern if pattern.startswith("refs/") else f"refs/heads/{pattern}"
        found.append(Setting(full, pattern, name, value))  # type: ignore[arg-type]
    return Rules(found)


def test_without_settings_history_only_grows() -> None:
    found = Rules().of("refs/heads/main")
    assert (found.allow_rewind, found.allow_deletion, found.verify) == (False, False, "trusted")
    assert found.writes("anybody")
    assert found.changes_model("")


def test_the_pattern_with_the_most_letters_counts_setting_by_setting() -> None:
    found = rules(
        **{
            "*.writers": "ada, till-*",
            "*.allow_rewind": True,
            "till/*.allow_rewind": False,
            "till/7.verify": "never",
            "refs/tags/*.writers": "ada",
        }
    )
    till = found.of("refs/heads/till/7")
    assert (till.allow_rewind, till.verify) == (False, "never")
    assert till.writes("till-7")
    assert not till.writes("bob")
    assert till.key("allow_rewind") == 'receive."till/*".allow_rewind'
    assert till.key("allow_deletion") == 'receive."till/7".allow_deletion'
    assert found.of("refs/heads/main").allow_rewind
    assert not found.of("refs/tags/v1").writes("till-7")
    assert not found.of("refs/tags/v1").allow_rewind, "a bare pattern means branches"


@given(st.permutations(["*", "re*", "release/*", "release/1"]))
def test_the_order_of_settings_does_not_matter(order: list[str]) -> None:
    found = rules(**{f"{pattern}.writers": pattern for pattern in order})
    assert found.of("refs/heads/release/1").key("writers").count("release/1") == 1
    assert "release/*" in found.of("refs/heads/release/2").key("writers")
    assert "re*" in found.of("refs/heads/remote").key("writers")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[receive.main]\nwriter = "ada"', "no setting receive.main.writer"),
        ('[receive.main]\nallow_rewind = "perhaps"', "must be true or false"),
        ('[receive.main]\nverify = "sometimes"', "must be trusted, always, never"),
        ('[receive.main]\nwriters = ["ada"]', "not a list"),
        ("[receive]\nallow_rewind = true", "no setting receive.allow_rewind"),
        ('[receive."main]', "Unterminated"),
    ],
)
def test_what_was_mistyped_keeps_everybody_out(shop: Shop, text: str, said: str) -> None:
    shop.there.layout.config.write_text(text)
    with pytest.raises(InvalidInput, match="settings of the repository to push to") as told:
        read_rules(Config(shop.there.layout.config))
    assert said in told.value.message
    assert str(shop.there.layout.directory) not in told.value.message
    shop.spend(1)
    assert said in shop.refused(InvalidInput).message


# ---------------------------------------------------------------- refs
def test_who_may_write(shop: Shop) -> None:
    shop.set("*.writers", "ada")
    shop.set("till/*.writers", "ada till-*")
    shop.spend(1)
    told = shop.refused(AccessDenied, user="till-3")
    assert "'till-3' is not among those who may push to it (receive." in told.message
    assert "main" in told.message
    shop.push("main:till/3", user="till-3")
    shop.push("main", user="ada")
    assert heads(shop.there)["main"] == heads(shop.there)["till/3"]


def test_one_refused_ref_refuses_all(shop: Shop) -> None:
    shop.set("main.writers", "eve")
    shop.spend(1)
    shop.refused(AccessDenied, "main:trial", "main")
    shop.set("main.writers", "ada")
    shop.push("main:trial", "main")
    assert heads(shop.there)["main"] == heads(shop.there)["trial"]


def test_going_back_and_deleting_need_leave(shop: Shop) -> None:
    shop.spend(1)
    shop.push("main", "main:trial")
    back = shop.here.resolve_commit("main~1")
    shop.here.branches.create("main", back, force=True)
    told = shop.refused(NotAFastForward, force=True)
    assert "receive.main.allow_rewind" in told.message
    shop.set("main.allow_rewind", True)
    shop.push(force=True)
    assert heads(shop.there)["main"] == back
    told = shop.refused(NotAFastForward, ":trial")
    assert "evgit config receive.trial.allow_deletion true" in told.hint
    shop.set("tr*.allow_deletion", True)
    shop.push(":trial")
    assert "trial" not in heads(shop.there)


def test_a_tag_moves_only_where_it_may(shop: Shop) -> None:
    shop.spend(1)
    shop.here.branches.create_tag("v1", shop.here.resolve_commit("main"))
    shop.push("v1")
    shop.here.branches.delete_tag("v1")
    shop.here.branches.create_tag("v1", shop.here.resolve_commit("main~1"))
    assert "tag v1 exists" in shop.refused(Conflict, "v1", force=True).message
    shop.set("refs/tags/*.allow_rewind", True)
    shop.push("v1", force=True)


# ---------------------------------------------------------------- events, by the model there
def test_a_rule_of_the_model_there_refuses(shop: Shop) -> None:
    shop.record_model()
    shop.spend(60)
    event = shop.spend(60)
    told = shop.refused(InvariantViolated)
    position = shop.here.log("main").size - 1
    assert f"main: event {event} at position {position} (commit " in told.message
    assert "'never below zero' does not hold for accounts/1.json" in told.message
    assert "receive.main.verify" in told.message
    assert "evgit pull" in told.hint
    shop.here.append([NewEvent("account-1", "deposit_made", {"amount": 50})])
    shop.refused(InvariantViolated)  # every commit is judged, not only the last
    shop.set("main.verify", "never")
    shop.push()


def test_a_schema_of_the_model_there_refuses(shop: Shop) -> None:
    shop.record_model()
    event = shop.spend("much")
    told = shop.refused(SchemaViolated)
    assert f"event {event} at position" in told.message
    assert "breaks its schema: /amount" in told.message


def test_a_model_that_is_not_trusted_there_does_not_run(shop: Shop) -> None:
    """Neither to judge nor otherwise: importing this one would fail."""
    shop.record_model("raise SystemExit('the model ran')\n", trusted=False)
    shop.spend(500)
    shop.push()
    shop.set("main.verify", "always")
    shop.spend(500)
    assert "evgit trust" in shop.refused(UntrustedModel).hint


def test_what_comes_with_a_new_model_is_judged_by_the_old_one(shop: Shop) -> None:
    shop.record_model()
    shop.here.append([NewEvent("account-1", "deposit_made", {"amount": 1})])
    lax = MODEL.replace(">= 0", ">= -1000")
    worktree = shop.here.layout.worktree
    assert worktree is not None
    (worktree / "model" / "bank.py").write_text(lax)
    with Repository.open(shop.here.layout.directory, clock=shop.clock) as here:
        here.commit_model(message="Laxer")
    shop.spend(500)
    told = shop.refused(InvariantViolated)
    assert "never below zero" in told.message


def test_who_may_change_the_model(shop: Shop) -> None:
    shop.set("*.model_writers", "eve")
    with pytest.raises(AccessDenied) as told:
        shop.record_model()
    (event,) = list(shop.here.stream("$model"))[:1]
    assert f"event {event.event.id} at position {event.position} changes the model" in (
        told.value.message
    )
    assert "model_writers" in told.value.message
    shop.push(user="eve")
    shop.set("main.allow_rewind", True)
    shop.here.branches.create("main", shop.here.resolve_commit("main~1"), force=True)
    assert "of the model" in shop.refused(AccessDenied, force=True).message


def test_a_new_branch_is_judged_from_where_it_leaves_the_others(shop: Shop) -> None:
    shop.record_model()
    shop.spend(60)
    shop.push()
    shop.spend(60)
    shop.refused(InvariantViolated, "main:trial")
    shop.set("trial*.verify", "never")
    shop.push("main:trial")
    told = shop.refused(InvariantViolated, "main:main")  # by way of another branch neither
    assert "main: event" in told.message
