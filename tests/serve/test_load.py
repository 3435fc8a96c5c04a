from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.errors import ArtefactRefused
from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from everfit.records import Array
from everfit.serve import open_plan
from everfit.serve import scorer as scorer_
from tests.encoders.mixed import as_table, mixed_rows, target_of
from tests.serve.packed import pack

ROWS = mixed_rows(400)
TABLE, CLASSES = as_table(ROWS), target_of(ROWS)
ASKS = mixed_rows(60, seed=5)
# to the last bit, but where sums run in another order: see the docstring of each engine
MEMBERS: dict[str, tuple[dict[str, Any], float]] = {
    "prior": ({}, 0.0),
    "boosted": ({"lr": 0.1}, 0.0),
    "symmetric": ({"n_rounds": 40, "lr": 0.1}, 0.0),
    "forest": ({"trees": 20}, 1e-13),
    "linear": ({}, 1e-12),
    "neural": ({}, 1e-12),
}


def fitted(name: str, form: str, k: int, settings: dict[str, Any]) -> Any:
    rng = np.random.default_rng(0)
    size = np.array([row["size"] or 0.0 for row in ROWS])
    targets: dict[tuple[str, int], Array] = {
        ("probabilities", 2): CLASSES,
        ("probabilities", 3): CLASSES + (rng.random(len(ROWS)) < 0.4),
        ("values", 1): np.exp(size) * 1_000.0 + 50.0 * rng.random(len(ROWS)),
    }
    history = History(TABLE, targets[form, k], form, k)  # type: ignore[arg-type]
    return make(name, settings).fit(history, FitBudget(seconds=120.0))


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize(("form", "k"), [("probabilities", 2), ("probabilities", 3), ("values", 1)])
def test_row_table_and_learner_give_the_same_answers(
    tmp_path: Path, name: str, form: str, k: int
) -> None:
    settings, tolerance = MEMBERS[name]
    learner = fitted(name, form, k, settings)
    (tmp_path / "m0").mkdir()
    labels = [f"c{i}" for i in range(k)]
    pack(tmp_path, TABLE, [learner.save(tmp_path / "m0")], form=form, labels=labels)

    scorer = open_plan(tmp_path)
    asks = as_table(ASKS)
    table = scorer.table(asks)
    answers = [scorer.row(row) for row in ASKS]
    rows = np.array([a.probabilities if form == "probabilities" else [a.value] for a in answers])

    scale = np.maximum(np.abs(table), 1.0)
    assert (np.abs(rows - table) <= tolerance * scale).all()
    assert (np.abs(table - learner.answer(asks)) <= tolerance * scale).all()
    assert scorer.decide(table) == [a.value for a in answers] or form == "values"


def test_engineered_features_are_served_to_the_last_bit(tmp_path: Path) -> None:
    learner = fitted("boosted", "probabilities", 2, {"lr": 0.1, "view": "engineered"})
    (tmp_path / "m0").mkdir()
    pack(tmp_path, TABLE, [learner.save(tmp_path / "m0")])
    scorer = open_plan(tmp_path)

    table = scorer.table(as_table(ASKS))

    np.testing.assert_array_equal(table, learner.answer(as_table(ASKS)))
    np.testing.assert_array_equal([scorer.row(row).probabilities for row in ASKS], table)


@pytest.fixture(scope="module")
def blend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blend")
    parts = []
    for i, name in enumerate(["boosted", "linear", "prior"]):
        (folder / f"m{i}").mkdir()
        parts.append(fitted(name, "probabilities", 2, MEMBERS[name][0]).save(folder / f"m{i}"))
    calibration = {"temperature": 1.3, "bias_0": 0.2}
    pack(
        folder, TABLE, parts, weights=[2.0, 1.0, 1.0], calibration=calibration,
        defaults={"plan": "pro", "rooms": 4.0},
    )  # fmt: skip
    return folder


def test_a_blend_is_the_weighted_mean_then_calibrated(blend: Path, tmp_path: Path) -> None:
    from everfit.evidence.calibration import apply_calibration

    plan = json.loads((blend / "plan.json").read_text())
    single = []
    for member in plan["members"]:
        (tmp_path / "plan.json").write_text(
            json.dumps(plan | {"members": [member | {"weight": 1.0}], "calibration": {}})
        )
        if not (tmp_path / member["folder"]).exists():
            (tmp_path / member["folder"]).symlink_to(blend / member["folder"])
        single.append(open_plan(tmp_path).table(as_table(ASKS)))

    found = open_plan(blend).table(as_table(ASKS))

    mean = 0.5 * single[0] + 0.25 * single[1] + 0.25 * single[2]
    expected = apply_calibration(mean, plan["calibration"])
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_allclose(
        [open_plan(blend).row(row).probabilities for row in ASKS], found, rtol=1e-12
    )


def test_a_table_of_many_pieces_is_answered_as_a_whole_one(
    blend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_plan(blend).table(as_table(ASKS))

    monkeypatch.setattr(scorer_, "LEAST_AT_ONCE", 7)
    monkeypatch.setattr(scorer_, "CELLS_AT_ONCE", 1)
    pieces = open_plan(blend).table(as_table(ASKS))

    np.testing.assert_allclose(pieces, whole, rtol=1e-12)


def test_an_absent_column_takes_its_default_in_a_row_and_in_a_table(blend: Path) -> None:
    scorer = open_plan(blend)
    gone = [{k: v for k, v in row.items() if k not in ("plan", "rooms")} for row in ASKS]
    filled = [row | {"plan": "pro", "rooms": 4.0} for row in gone]

    by_row = [scorer.row(row) for row in gone]

    expected = scorer.table(as_table(filled))
    np.testing.assert_array_equal(scorer.table(as_table(gone)), expected)
    np.testing.assert_allclose([a.probabilities for a in by_row], expected, rtol=1e-12)
    assert any(w == "plan: not given, 'pro' is used" for w in by_row[0].warnings)


def test_members_with_equal_plans_share_one_vector(tmp_path: Path) -> None:
    learner = fitted("boosted", "probabilities", 2, {"lr": 0.1})
    for i in range(2):
        (tmp_path / f"m{i}").mkdir()
        part = learner.save(tmp_path / f"m{i}")
    pack(tmp_path, TABLE, [part, part])

    scorer = open_plan(tmp_path)

    assert len(scorer._plans) == 1
    np.testing.assert_array_equal(scorer.table(as_table(ASKS)), learner.answer(as_table(ASKS)))


def test_a_table_without_rows_has_no_answers(blend: Path) -> None:
    assert open_plan(blend).table(as_table(ASKS).take(np.array([], dtype=int))).shape == (0, 2)


def test_rows_in_many_threads_do_not_mix(blend: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    scorer = open_plan(blend)
    expected = [scorer.row(row) for row in ASKS]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(scorer.row, ASKS * 20))

    assert found == expected * 20


def test_serving_rows_loads_no_heavy_library(blend: Path) -> None:
    script = (
        "import sys, json, pathlib; from everfit.serve import open_plan;"
        f"open_plan(pathlib.Path({str(blend)!r})).row({{'size': 1.0}});"
        "print([m for m in ('polars', 'pandas', 'sklearn', 'lightgbm', 'catboost')"
        " if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def damaged(blend: Path, folder: Path, **changes: Any) -> Path:
    plan = json.loads((blend / "plan.json").read_text())
    for i in range(3):
        (folder / f"m{i}").symlink_to(blend / f"m{i}")
    (folder / "plan.json").write_text(json.dumps(plan | changes))
    return folder


def test_another_format_is_refused(blend: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtefactRefused, match="format 2"):
        open_plan(damaged(blend, tmp_path, format=2))


def test_a_plan_without_members_files_is_refused(blend: Path, tmp_path: Path) -> None:
    member = {"weight": 1.0, "folder": "m9", "part": {"engine": "linear", "features": "f.json"}}

    with pytest.raises(ArtefactRefused, match="cannot be opened"):
        open_plan(damaged(blend, tmp_path, members=[member]))


@pytest.mark.parametrize("name", ["../plan.json", "/etc/hostname"])
def test_a_file_outside_the_folder_is_refused(blend: Path, tmp_path: Path, name: str) -> None:
    part = {"engine": "linear", "features": name, "files": [name]}

    with pytest.raises(ArtefactRefused, match="outside its folder"):
        open_plan(damaged(blend, tmp_path, members=[{"weight": 1, "folder": "m1", "part": part}]))


def test_an_unknown_engine_is_refused(blend: Path, tmp_path: Path) -> None:
    part = {"engine": "oracle", "features": "features.json"}

    with pytest.raises(ArtefactRefused, match=r"(?s)does not know.*'oracle'"):
        open_plan(damaged(blend, tmp_path, members=[{"weight": 1, "folder": "m1", "part": part}]))


def test_a_missing_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactRefused, match=r"plan\.json cannot be read"):
        open_plan(tmp_path)
