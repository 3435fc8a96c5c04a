"""The champion's members as they are, with a calibration from recent outcomes."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from everfit.loop.lineage import lineage_of
from everfit.serve.load import open_plan
from everfit.serve.verify import check_golden
from tests.loop.asked import BEGIN, Asked, asked
from tests.loop.conftest import Scene

TIMES = 3  # of the rows that came, so that there are enough outcomes


def softened(scene: Scene, share: float = 0.15) -> Asked:
    """Rows whose outcomes are turned in some cases: the champion is now too sure."""
    rng = np.random.default_rng(0)
    numbers = [c for c in scene.came.columns if c != scene.target]
    parts = [
        scene.came.with_columns(pl.col(c) * (1 + 1e-6 * k) for c in numbers) for k in range(TIMES)
    ]
    rows = pl.concat(parts)
    turned = pl.Series(rng.random(rows.height) < share)
    other = pl.when(pl.col(scene.target) == "benign").then(pl.lit("malignant"))
    told = pl.when(turned).then(other.otherwise(pl.lit("benign"))).otherwise(pl.col(scene.target))
    return Asked(asked(rows.with_columns(told.alias(scene.target)), scene.target))


@pytest.fixture
def log(scene: Scene) -> Asked:
    return softened(scene)


def test_a_champion_that_is_too_sure_is_recalibrated(scene: Scene, log: Asked) -> None:
    made = scene.fit("recalibrate", log=log)

    assert made.decision.kind == "recalibrated"
    assert made.version is not None
    assert scene.alias("shadow") == 2
    gate = made.decision.because[0]
    assert gate.rule == "better calibrated than v1 on recent outcomes"
    assert gate.low is not None
    assert gate.low > 0


def test_its_members_are_the_same_files_and_only_the_calibration_is_new(
    scene: Scene, log: Asked
) -> None:
    made = scene.fit("recalibrate", log=log)
    assert made.version is not None
    old = scene.store.root / scene.store.version("m", "v1").folder
    new = scene.store.root / made.version.folder
    members = [path.relative_to(old) for path in sorted(old.glob("m*/**/*")) if path.is_file()]
    before, after = (json.loads((folder / "plan.json").read_text()) for folder in (old, new))

    assert members
    assert all((old / name).read_bytes() == (new / name).read_bytes() for name in members)
    assert before["members"] == after["members"]
    assert before["calibration"] != after["calibration"]
    assert after["calibration"]["temperature"] > 1.2
    assert check_golden(new).ok


def test_its_answers_are_softer_and_name_the_same_label_mostly(scene: Scene, log: Asked) -> None:
    made = scene.fit("recalibrate", log=log)
    assert made.version is not None
    rows = scene.came.drop(scene.target).to_dicts()
    old, new = (
        open_plan(scene.store.root / scene.store.version("m", name).folder).rows(rows)
        for name in ("v1", "v2")
    )
    sure = [np.mean([max(a.probabilities or (0.0,)) for a in answers]) for answers in (old, new)]

    assert sure[1] < sure[0] - 0.05


def test_it_can_be_recalibrated_again_and_keeps_what_its_members_saw(
    scene: Scene, log: Asked
) -> None:
    scene.fit("recalibrate", log=log)
    more = softened(scene, share=0.35)

    made = scene.fit("recalibrate", log=more, champion=2, shadow=False, again=True)

    assert made.version is not None
    assert made.version.name == "v3"
    line = lineage_of(scene.store, made.version)
    assert line.members_until is None
    assert scene.alias("shadow") == 2
    with np.load(scene.store.root / scene.store.version("m", "v1").folder / "seen.npz") as kept:
        first = set(kept["hashes"].tolist())
    with np.load(scene.store.root / made.version.folder / "seen.npz") as kept:
        assert first < set(kept["hashes"].tolist())


def test_a_champion_that_is_calibrated_is_left_alone(scene: Scene) -> None:
    made = scene.fit("recalibrate")

    assert made.version is None
    assert made.decision.kind == "refused"
    assert "v1 cannot be recalibrated" in made.decision.headline
    assert "retrain it instead" in made.decision.would_change


def test_too_few_outcomes_are_refused_with_their_number(scene: Scene, log: Asked) -> None:
    made = scene.fit("recalibrate", log=Asked(log.frame.head(60)))

    assert made.decision.kind == "refused"
    assert "too few recent outcomes" in made.decision.headline
    assert "got 60" in made.decision.because[0].note


def test_rows_that_its_members_learnt_from_do_not_calibrate(scene: Scene) -> None:
    seen = pl.read_csv(scene.source)

    made = scene.fit("recalibrate", log=Asked(asked(seen, scene.target)))

    assert "too few recent outcomes" in made.decision.headline
    assert "got 0 of rows" in made.decision.because[0].note


def test_only_outcomes_since_a_time_calibrate_when_the_job_says_so(
    scene: Scene, log: Asked
) -> None:
    since = BEGIN + timedelta(minutes=500)

    made = scene.fit("recalibrate", log=log, since=since)

    assert made.decision.kind == "recalibrated"
    assert "on 157 outcomes" in made.decision.headline
