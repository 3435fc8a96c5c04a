"""What a version was made of is found again."""

from __future__ import annotations

import json

import pytest

from everfit.errors import ArtefactRefused
from everfit.loop.lineage import lineage_of
from everfit.store.journal import Journal
from tests.loop.conftest import Scene


def test_a_version_knows_its_question_its_columns_and_its_hypotheses(scene: Scene) -> None:
    version = scene.store.version("m", "v1")
    manifest = json.loads((scene.store.root / version.folder / "manifest.json").read_text())

    line = lineage_of(scene.store, version)

    assert line.spec["target"] == scene.target
    assert [column.name for column in line.columns] == [c["name"] for c in manifest["columns"]]
    assert [h.name for h in line.hypotheses] == list(
        dict.fromkeys(one["name"] for one in manifest["learners"])
    )
    assert line.assessment.n_rows == 350
    assert line.until == version.created_at
    assert line.members_until is None


def test_a_version_whose_files_changed_is_refused(scene: Scene) -> None:
    version = scene.store.version("m", "v1")
    plan = scene.store.root / version.folder / "plan.json"
    plan.write_text(plan.read_text() + " ")

    with pytest.raises(ArtefactRefused, match=r"plan\.json"):
        lineage_of(scene.store, version)


def test_a_version_whose_run_left_nothing_is_refused_with_what_to_do(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "result", lambda self, model, run=None: {})

    with pytest.raises(ArtefactRefused, match="nothing is left of the run that made v1") as caught:
        lineage_of(scene.store, scene.store.version("m", "v1"))

    assert caught.value.do == "make a version anew: everfit run --name m"
