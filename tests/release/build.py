"""Builders that keep the tests of the release short."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from everfit.evidence.interval import Interval
from everfit.records import (
    Act,
    Assessment,
    Because,
    Candidate,
    Column,
    ColumnProfile,
    Finding,
    Hypothesis,
    Member,
    Policy,
    Problem,
    Profile,
    Segment,
    Source,
    SplitPolicy,
    Study,
    Trial,
)
from everfit.release import Case, Label, Manifest, fitted_members
from everfit.release.pack import pack

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KEY = b"k" * 32
PROBLEM = Problem("classify", "churned", "log_loss", "probabilities", ("no", "yes"))
SPLIT = SplitPolicy("random", n_folds=5, why="no column orders or groups the rows")
GOOD = Interval(0.01, 0.02, 0.03, n=700)
SOURCE = Source("customers.csv", "ab" * 32, 1000, 6)
COLUMNS = (
    Column("age", "number"),
    Column("income", "number", missing_marks=("?",)),
    Column("plan", "category"),
    Column("paid", "boolean", levels=("N", "Y")),
    Column("id", "identifier", role="ignore"),
    Column("leak", "number"),
    Column("churned", "category", role="target"),
)
PROFILE = Profile(
    1000,
    (
        ColumnProfile("age", "number", 0, 60, (18, 20, 30, 41, 55, 70, 96.0)),
        ColumnProfile("income", "number", 12, 400, (0, 1e3, 2e3, 3e3, 4e3, 9e3, 99999999.0)),
        ColumnProfile("plan", "category", 0, 3, top=(("trial", 500), ("basic", 300))),
        ColumnProfile("paid", "boolean", 0, 2, top=(("Y", 700), ("N", 300))),
        ColumnProfile("leak", "number", 0, 2, (0, 0, 0, 0, 1, 1, 1.0)),
    ),
)
FINDINGS = (
    Finding(
        "leak",
        "fail",
        "`leak` gives the target away",
        ("leak",),
        done="left out",
        acts=(Act("drop_column", "leak"),),
    ),
    Finding(
        "sentinel",
        "warn",
        "`income` has 99999999 for missing",
        ("income",),
        done="blanked",
        acts=(Act("blank", "income", ("99999999",)),),
    ),
    Finding("imbalance", "warn", "`yes` is 12% of the rows"),
)
ASSESSMENT = Assessment(PROBLEM, 990, FINDINGS, SPLIT, PROFILE, GOOD, smallest_gain=0.011)


def candidate(folders: tuple[str, ...] = (), stage: str = "portfolio", **fields: Any) -> Candidate:
    idea = Hypothesis("CatBoost", "catboost", {"depth": 6}, stage=stage)  # type: ignore[arg-type]
    given: dict[str, Any] = {
        "name": "CatBoost",
        "members": (Member(1, idea, 1.0, folders, refitted=len(folders) == 1),),
        "calibration": {"temperature": 1.1},
        "score": Interval(0.41, 0.43, 0.45, n=990),
        "loss": Interval(0.41, 0.43, 0.45, n=990),
        "selection_score": 0.42,
        "gain_on_floor": GOOD,
        "gain_on_simple": GOOD,
        "speaks_of": "the recipe, fitted on 80% of the rows",
        "segments": (Segment("plan=trial", 500, Interval(0.02, 0.05, 0.08, n=500), 0.001),),
    }
    return Candidate(**given | fields)


def study(found: Candidate) -> Study:
    trial = Trial(1, found.members[0].hypothesis, "done")
    return Study(PROBLEM, (trial,), found, SPLIT, "the time was used", ("a search: no time left",))


def fit_folder(place: Path, text: str = "tree") -> str:
    """What a finished fit leaves: native files, its part of the plan, answers for the study."""
    place.mkdir(parents=True)
    part = {"engine": "lightgbm", "files": ["model.txt"], "features": "features.json"}
    (place / "fit.json").write_text(json.dumps({"part": part, "fit_s": 1.0}))
    (place / "answers.npz").write_bytes(b"answers")
    (place / "model.txt").write_text(text)
    (place / "features.json").write_text("{}")
    return str(place)


def packed(tmp_path: Path, n_folds: int = 1) -> tuple[Path, Manifest]:
    """A packed version and its manifest."""
    folders = tuple(fit_folder(tmp_path / f"fit-{i}", f"tree {i}") for i in range(n_folds))
    found = candidate(folders)
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
        golden_rows=[{"values": {"age": 41, "plan": "trial"}, "answer": [0.7, 0.3]}],
        key=KEY,
    )
    return folder, manifest


def case(*gates: Because, champion: str = "v1", policy: Policy | None = None) -> Case:
    return Case(
        model="churn",
        version="v2" if champion else "v1",
        candidate="CatBoost",
        metric="log_loss",
        score=Interval(0.41, 0.43, 0.45, n=990),
        gates=gates or (Because("better than the floor", True, 0.02, 0.01, 0.03, 700, 0.0),),
        policy=policy or Policy(),
        champion=champion,
        data_sha256="ab" * 32,
        run="7",
    )
