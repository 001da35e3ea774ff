"""A repository with a model, exported and imported: all events but those that record the model."""

from __future__ import annotations

import io
from pathlib import Path

from evgit.bridges.exporting import export_events
from evgit.bridges.importing import import_lines
from evgit.repository import NewEvent, Repository


def test_all_but_the_model_comes_back(tmp_path: Path) -> None:
    (tmp_path / "a" / "model").mkdir(parents=True)
    (tmp_path / "a" / "model" / "bank.py").write_text("")
    day = "2026-11-23T10:00:00Z"
    with Repository.init(tmp_path / "a") as one, Repository.init(tmp_path / "b") as other:
        one.append([NewEvent("account-1", "deposit_made", {"to": "$model"}, day)])
        one.commit_model()
        one.append([NewEvent("account-1", "deposit_made", {"amount": 1}, day)])
        lines = io.BytesIO()
        report = export_events(one, lines)
        assert (report.events, report.left_out) == (2, 1)
        import_lines(other, io.BytesIO(lines.getvalue()))
        ids = [event.id for event in one.events() if event.stream != "$model"]
        assert [event.id for event in other.events()] == ids
        assert export_events(one, io.BytesIO(), "main#0..main").left_out == 1
        assert export_events(one, io.BytesIO(), streams=["$model"]).events == 1
        assert export_events(one, io.BytesIO(), format="cloudevents").events == 2
