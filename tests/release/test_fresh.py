"""A version of real learners, packed and scored in a process of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.data.table import Table
from everfit.errors import ArtefactRefused
from everfit.learners import load, make
from everfit.learners.contract import FitBudget, History
from everfit.records import Column, Hypothesis, Member, Policy
from everfit.release import Label, Manifest, fitted_members, gates, verify
from everfit.release.pack import pack
from tests.release.build import ASSESSMENT, AT, KEY, SOURCE, candidate, study

COLUMNS = (Column("age", "number"), Column("plan", "category"))


def people(n: int = 300) -> tuple[Table, np.ndarray]:
    rng = np.random.default_rng(2)
    age = [
        None if hole else float(a)
        for a, hole in zip(rng.integers(18, 96, n), rng.random(n) < 0.1, strict=True)
    ]
    plan = rng.choice(["trial", "basic", "gold"], n)
    p = 0.2 + 0.5 * (plan == "trial")
    return Table(pl.DataFrame({"age": age, "plan": plan}), COLUMNS, SOURCE), (rng.random(n) < p)


def packed(tmp_path: Path, *, shift: float = 0.0) -> tuple[Path, Manifest]:
    """A blend of two learners; ``shift`` moves what the golden rows say they answered."""
    table, churned = people()
    history = History(table, churned.astype(float), "probabilities", 2)
    members, answers = [], []
    asked = table.take(np.arange(8))
    for number, (name, weight) in enumerate([("linear", 0.4), ("boosted", 0.6)], start=1):
        fit = tmp_path / f"fit-{number}"
        fit.mkdir()
        part = make(name, {}).fit(history, FitBudget(20.0, rounds=8)).save(fit)
        (fit / "fit.json").write_text(json.dumps({"part": part}))
        answers.append(weight * load(fit, part).answer(asked))
        idea = Hypothesis(name, name)
        members.append(Member(number, idea, weight, (str(fit),), refitted=True))
    found = replace(candidate((), calibration={}), members=tuple(members))
    golden: list[dict[str, Any]] = [
        {"values": row, "answer": [float(p) + shift for p in answer]}
        for row, answer in zip(asked.frame.iter_rows(named=True), sum(answers), strict=True)
    ]
    folder = tmp_path / "v1"
    folder.mkdir()
    manifest = pack(
        folder,
        label=Label("churn", "v1", "7", AT),
        study=study(found),
        assessment=ASSESSMENT,
        source=SOURCE,
        table_columns=COLUMNS,
        members=fitted_members(found),
        golden_rows=golden,
        key=KEY,
    )
    return folder, manifest


@pytest.mark.parametrize(("shift", "same"), [(0.0, True), (1e-4, False)])
def test_a_version_must_give_its_golden_answers_again(
    tmp_path: Path, shift: float, same: bool
) -> None:
    folder, manifest = packed(tmp_path, shift=shift)

    fresh = gates.load_fresh(folder, left_s=60)

    assert fresh.error == "" if same else "golden rows differ" in fresh.error
    assert gates.loads(fresh).passed is True
    assert gates.reproduces(fresh).passed is same
    assert gates.fast_enough(fresh, Policy()).passed is True
    assert verify(folder, key=KEY, sha256=manifest.sha256) == manifest


def test_a_damaged_model_file_is_seen_before_it_is_parsed(tmp_path: Path) -> None:
    folder, manifest = packed(tmp_path)
    model = folder / "m1" / "model.txt"
    model.write_text(model.read_text().replace("split_feature=", "split_feature=9", 1))

    with pytest.raises(ArtefactRefused, match="'m1/model.txt' in .* is not what was packed"):
        verify(folder, key=KEY, sha256=manifest.sha256)


def test_a_plan_that_cannot_be_read_does_not_load(tmp_path: Path) -> None:
    folder, _ = packed(tmp_path)
    (folder / "plan.json").write_text('{"format": 99}')

    fresh = gates.load_fresh(folder, left_s=60)

    assert gates.loads(fresh).passed is False
    assert "format" in gates.loads(fresh).note
    assert gates.reproduces(fresh).passed is None
