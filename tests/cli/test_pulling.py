"""Pull between two directories: from a path without a name, and into a model that fails."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

MODEL = """\
from evgit.model import KeyedProjection, on


class Counts(KeyedProjection):
    prefix = "counts/"
    categories = "a"

    @on("made")
    def made(self, count, event):
        if count.get("n", 0) >= MOST:
            raise ValueError("too many")
        count["n"] = count.get("n", 0) + 1
"""


@pytest.fixture
def tills(session: Any) -> Any:
    """Two copies of a repository, in `one` and `two`; the session is in `two`."""
    session.evgit("init", "-q", "one")
    session.directory = session.directory / "one"
    session.evgit("commit", "-q", "-s", "a-1", "-t", "made")
    shutil.copytree(session.directory, session.directory.parent / "two")
    session.directory = session.directory.parent / "two"
    return session


def test_a_path_without_a_name_has_no_refs_here(tills: Any) -> None:
    theirs = json.loads(
        tills.evgit("-C", "../one", "commit", "--json", "-s", "b-1", "-t", "made").out
    )
    before = tills.evgit("for-each-ref").out
    fetched = tills.evgit("fetch", "../one")
    assert fetched.code == 0
    line = f" * {theirs['commit'][:12]}           main  (no ref here follows it)"
    assert line in fetched.out.splitlines()
    assert tills.evgit("for-each-ref").out == before
    (move,) = json.loads(tills.evgit("fetch", "--json", "../one").out)["refs"]
    assert (move["kind"], move["ref"], move["new"]) == ("untracked", "", theirs["commit"])
    tills.evgit("commit", "-q", "-s", "c-1", "-t", "made")
    pulled = tills.evgit("pull", "../one", "main")
    assert pulled.code == 0
    assert "Merged main of ../one into main" in pulled.out
    assert "refs/remotes" not in tills.evgit("for-each-ref").out
    assert tills.evgit("rev-parse", "HEAD^1").out == theirs["commit"] + "\n"
    missing = tills.evgit("pull", "../one", "nothing")
    assert missing.code == 3
    assert "has no branch 'nothing'" in missing.err


def test_whose_is_whose_is_said(tills: Any) -> None:
    for where, to in (("../one", "Ada"), ("../two", "Grace")):
        sold = ["-s", "seat-1", "-t", "sold", "--expect", "none", f"to={to}"]
        assert tills.evgit("-C", where, "commit", "-q", *sold).code == 0
    assert "ours is upstream's" in tills.evgit("pull", "../one").err
    shown = tills.evgit("conflicts")
    assert "ours is upstream's" in shown.err
    ours, theirs = shown.out.split("events of theirs")
    assert '{"to":"Ada"}' in ours
    assert '{"to":"Grace"}' in theirs
    assert tills.evgit("merge", "--abort").code == 0
    tills.evgit("remote", "add", "one", "../one")
    tills.evgit("fetch", "one")
    assert "upstream" not in tills.evgit("merge", "one/main").err
    assert "upstream" not in tills.evgit("conflicts").text


def test_what_comes_may_mend_a_model_that_fails(tills: Any) -> None:
    for most, made in ((1, 1), (9, 0)):
        model = tills.directory.parent / "one" / "model" / "counts.py"
        model.parent.mkdir(exist_ok=True)
        model.write_text(f"MOST = {most}\n{MODEL}")
        assert tills.evgit("-C", "../one", "model", "commit").code == 0
        for _ in range(made):
            done = tills.evgit("-C", "../one", "commit", "-s", "a-1", "-t", "made")
            assert done.code == 0
        pulled = tills.evgit("pull", "../one")
        assert pulled.code == 0
        tills.evgit("trust")
        tills.evgit("checkout")
    assert tills.evgit("show", "HEAD:counts/1.json").out == '{\n  "n": 2\n}\n'


def test_what_if_says_that_it_can_not_tell_which_documents_differ(tills: Any) -> None:
    (tills.directory / "model").mkdir()
    (tills.directory / "model" / "counts.py").write_text(f"MOST = 1\n{MODEL}")
    tills.evgit("model", "commit")
    for _ in range(2):
        assert tills.evgit("commit", "-q", "--no-verify", "-s", "a-1", "-t", "made").code == 0
    told = tills.evgit("what-if", "--without", "a-1@0")
    assert told.code == 0
    assert "Which documents differ is not known, since the model fails" in told.out
    assert "differ\n" not in told.out.replace("Which documents differ is", "")
    document = json.loads(tills.evgit("what-if", "--json", "--without", "a-1@0").out)
    assert (document["differing"], document["documents"]) == (None, [])
