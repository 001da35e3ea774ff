"""Importing models: what is found, what is refused and where, and what a hash depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from evgit.errors import InvalidModel
from evgit.state.modelling.files import ModelFiles, read_directory
from evgit.state.modelling.loader import load
from tests.model.banking import BANK, loaded

HEAD = "from evgit.model import *\n"
ONE = HEAD + 'class One(KeyedProjection):\n    prefix = "one/"\n'


def test_finds_everything() -> None:
    model = loaded(BANK)
    assert [p.name for p in model.projections] == ["bank.Accounts", "bank.Audit", "bank.Statements"]
    assert [i.name for i in model.invariants] == ["never below zero"]
    assert model.upcasting.newest == {
        "account_closed": 1,
        "deposit_made": 2,
        "money_withdrawn": 1,
    }


@pytest.mark.parametrize(
    ("code", "line", "says"),
    [
        ("x = 1\ndef f(:\n", 2, "SyntaxError"),
        ("import os\nimport no_such_package_here\n", 2, "No module named 'no_such_package_here'"),
        ("x = 1\n1 / 0\n", 2, "ZeroDivisionError"),
        ("import sys\nsys.exit(0)\n", 2, "SystemExit"),
        (ONE + 'class Two(KeyedProjection):\n    prefix = "one/two/"\n', 4, "owns 'one/two/'"),
        (ONE + 'class Two(Projection):\n    prefix = "one/"\n', 4, "owns 'one/'"),
        (HEAD + "class One(Projection):\n    pass\n", 2, "has no prefix"),
        (HEAD + 'class One(Projection):\n    prefix = "model/x"\n', 2, "model's own files"),
        (HEAD + 'class One(Projection):\n    prefix = "mod"\n', 2, "model's own files"),
        (HEAD + 'class One(Projection):\n    prefix = "../x"\n', 2, "no beginning"),
        (ONE + '    suffix = ".png"\n', 2, "suffix '.png'"),
        (ONE + '    suffix = ".md"\n', 2, "it needs `render"),
        (ONE + '    @on("a")\n    def f(self, d, e): ...\n'
         '    @on("a")\n    def g(self, d, e): ...\n', 6, "handles 'a' twice: f and g"),
        (HEAD + '@on("a")\ndef f(d, e): ...\n', 2, "belongs on a method"),
        (HEAD + '@upcast("a", from_version=1)\ndef f(): ...\n', 2, "an upcaster takes"),
        (HEAD + '@upcast("a", from_version=1)\ndef f(data): return data\n'
         '@upcast("a", from_version=3)\ndef g(data): return data\n', 4, "version 2 to 3"),
        (HEAD + '@upcast("a", from_version=1)\ndef f(data): return data\n'
         '@upcast("a", from_version=1)\ndef g(data): return data\n', 4, "upcast already"),
        (HEAD + '@invariant("i", "x/")\ndef f(documents): ...\n', 2, "must take (path, document)"),
        (HEAD + '@invariant("i", 5)\ndef f(path, document): ...\n', 2, "neither a projection"),
        (ONE + "    def __init__(self): raise RuntimeError('no')\n", 2, "RuntimeError: no"),
    ],
)  # fmt: skip
def test_refuses_with_file_and_line(code: str, line: int, says: str) -> None:
    with pytest.raises(InvalidModel) as error:
        loaded(code)
    assert error.value.message.startswith(f"model/bank.py, line {line}: ")
    assert says in error.value.message


def test_a_module_of_the_model_is_found_however_it_is_imported() -> None:
    model = load(
        ModelFiles(
            {
                "model/bank.py": (
                    HEAD + "import model.sub.helper\nimport model.sub.helper as h\n"
                    "from model.sub import helper\nfrom .sub.helper import PREFIX\n"
                    "assert model.sub.helper is h is helper\n"
                    "class One(KeyedProjection):\n    prefix = PREFIX\n"
                ).encode(),
                "model/sub/helper.py": b'PREFIX = "one/"\n',
            }
        )
    )
    assert [p.prefix for p in model.projections] == ["one/"]


def test_versions_of_a_model_live_side_by_side() -> None:
    one, other = loaded(ONE + "    number = 1\n"), loaded(ONE + "    number = 2\n")
    assert [m.projections[0].declared.number for m in (one, other)] == [1, 2]  # type: ignore[attr-defined]


def keys(code: str, helper: str = "", settings: str = "") -> dict[str, bytes]:
    files = {"model/bank.py": code.encode(), "model/helper.py": helper.encode()}
    if settings:
        files["evgit.toml"] = settings.encode()
    return {p.prefix: p.key for p in load(ModelFiles(files)).projections}


def test_only_what_changed_gets_another_key() -> None:
    before = keys(BANK)
    assert keys(BANK + "\n# a remark\n") == before
    assert keys(BANK, helper="x = 1\n") == before
    changed = keys(BANK.replace("+= event.data", "+= 2 * event.data"))
    assert {p for p in before if before[p] != changed[p]} == {"accounts/"}
    upcast = keys(BANK.replace('data.pop("value")', 'int(data.pop("value"))'))
    assert not before.items() & upcast.items()
    rule = keys(BANK.replace(">= 0", ">= -5"))
    assert rule == before


def test_a_key_depends_on_what_is_imported() -> None:
    code = BANK.replace("class Accounts", "from model import helper\n\n\nclass Accounts")
    before = keys(code, "x = 1\n")
    assert not before.items() & keys(code, "x = 2\n").items()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[model\n", "evgit.toml, line 1"),
        ("[model]\nstrickt = true\n", "no setting 'strickt'"),
        ("[model]\nstrict = 1\n", "must be true or false"),
        ("[model.versions]\na = 0\n", "numbers from 1 on"),
    ],
)
def test_refuses_wrong_settings(text: str, says: str) -> None:
    with pytest.raises(InvalidModel, match=says):
        load(ModelFiles({"evgit.toml": text.encode(), "model/a.py": b""}))


def test_a_version_in_the_settings_is_never_ignored() -> None:
    files = {"evgit.toml": b"[model.versions]\ndeposit_made = 1\n", "model/bank.py": BANK.encode()}
    with pytest.raises(InvalidModel, match="calls 1 the newest version of 'deposit_made'") as error:
        load(ModelFiles(files))
    assert "an upcaster leads to 2" in error.value.message
    files["evgit.toml"] = b"[model.versions]\ndeposit_made = 2\nother = 7\n"
    assert load(ModelFiles(files)).upcasting.newest["other"] == 7


def test_no_symbolic_link_is_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("x = 1\n")
    for name, target in (("model/a.py", outside / "secret.py"), ("model", outside)):
        root = tmp_path / name.replace("/", "-")
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)
        with pytest.raises(InvalidModel, match="symbolic link"):
            read_directory(root)


def test_a_model_has_only_files_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "model" / "__pycache__").mkdir(parents=True)
    (tmp_path / "model" / "__pycache__" / "a.py").write_text("")
    (tmp_path / "model" / "a.py").write_text("")
    (tmp_path / "model" / "notes.txt").write_text("")
    (tmp_path / "schemas" / "a").mkdir(parents=True)
    (tmp_path / "schemas" / "a" / "1.json").write_text("{}")
    assert list(read_directory(tmp_path)) == ["model/a.py", "schemas/a/1.json"]
    for path in ("model/../x.py", "model/.x.py", "x.py", "model//x.py"):
        with pytest.raises(InvalidModel):
            ModelFiles({path: b""})
