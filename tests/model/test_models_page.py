"""docs/models.md shows a model: it is one, and it does what the page says."""

from __future__ import annotations

import re
from pathlib import Path

from evgit.repository import ModelUse, NewEvent, Repository
from evgit.state.modelling.files import ModelFiles
from evgit.state.modelling.loader import load
from evgit.state.modelling.trust import TrustEverything

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[bytes]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [block.encode() for block in found]


def test_the_model_on_the_page_folds(tmp_path: Path) -> None:
    (code,), (settings,) = blocks("python"), blocks("toml")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "bank.py").write_bytes(code)
    use = ModelUse(trust=TrustEverything())
    with Repository.init(tmp_path, model=use) as repository:
        day = "2026-11-23T10:00:00Z"
        repository.append(
            [
                NewEvent("account-42", "deposit_made", {"value": 500}, time=day),
                NewEvent("account-42", "money_withdrawn", {"amount": 200}, time=day),
            ]
        )
        assert dict(repository.state()) == {
            "accounts/42.json": {"balance": 300},
            "audit/2026-11-23.json": [["deposit_made", 500], ["money_withdrawn", 200]],
        }
        assert repository.check_model().broken is None
    model = load(ModelFiles({"model/bank.py": code, "evgit.toml": settings}))
    assert model.settings.strict
    assert model.types == {"deposit_made", "money_withdrawn", "till_opened"}
