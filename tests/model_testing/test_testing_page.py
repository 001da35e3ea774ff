"""docs/testing-models.md shows tests: they pass on the model that docs/models.md shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    found: list[str] = re.findall(r"^```(?:python|json)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return found


def test_the_tests_on_the_page_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,), (schema,) = blocks("models.md"), blocks("schemas.md")
    limit = schema.replace('"minimum": 1', '"minimum": 1, "maximum": 1000000')
    for path, text in [("model/bank.py", code), ("schemas/deposit_made/2.json", limit)]:
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks("testing-models.md"):
        exec(compile(block, "testing-models.md", "exec"), names)  # noqa: S102
    tests = [name for name in names if name.startswith("test_")]
    assert len(tests) == 4
    for name in tests:
        names[name]()  # type: ignore[operator]
