"""Stores to serve: a single LightGBM packed directly, and what ``everfit run`` really picks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from bench.open_sets import SHARED
from bench.predict import fitted, median_us, packed
from everfit import wire
from everfit.data.read import read
from everfit.data.table import Table
from everfit.evidence.interval import Interval
from everfit.learners.boosted import Boosted
from everfit.plain import as_plain
from everfit.records import Array, Decision, Problem, Version
from everfit.release.manifest import FORMAT, Manifest, seal
from everfit.serve import Scorer, open_plan
from everfit.settings import Settings
from everfit.store import open_store

MODEL, LABELS = "churn", ("no", "yes")
ROUNDS = 100  # as LightGBM by default; runs on telco_churn choose 100 to 142
ASKED = 500  # rows that are asked for in turn
AT = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Set:
    """A set with two classes: its file, its features, and whether a row is of the second class."""

    name: str
    path: Path
    target: str
    table: Table
    second: Array

    def rows(self) -> list[dict[str, Any]]:
        """Some rows as dicts."""
        return self.table.frame.sample(ASKED, seed=0).to_dicts()

    def bodies(self) -> list[bytes]:
        """The same rows as JSON."""
        return [json.dumps(row).encode() for row in self.rows()]


@cache
def chosen() -> Set:
    """telco_churn; where it is absent, a set that an installed package carries, with a word."""
    path, target, name = SHARED / "data" / "telco_churn" / "data.csv", "Churn", "telco_churn"
    gone = ["Churn", "customerID"]
    if not path.exists():
        from tests.real import insurance

        _kept.append(TemporaryDirectory())
        path, target = insurance(Path(_kept[-1].name), 7_000)
        name, gone = "RAND health insurance (telco_churn is not here)", [target]
    table = read(path)
    words = table.frame[target].cast(pl.String).str.to_lowercase()
    return Set(
        name, path, target, table.drop(gone),
        words.is_in(["yes", "true"]).to_numpy().astype(float),
    )  # fmt: skip


_kept: list[TemporaryDirectory[str]] = []


def lightgbm_store(folder: Path, rounds: Sequence[int] = (ROUNDS,)) -> list[Any]:
    """A store with a version for each number of trees, the first the champion; their boosters."""
    given = chosen()
    problem = Problem("classify", given.target, "log_loss", "probabilities", LABELS)
    store, boosters = open_store(folder), []
    try:
        run = store.begin_run(MODEL, {"budget_s": 1.0, "seed": 0, "data_sha256": "d" * 64})
        for number, trees in enumerate(rounds, 1):
            learner = fitted(Boosted(), given.table, given.second, trees)
            boosters.append(learner)
            with store.packing(MODEL, number) as place:
                packed(place, given.table, [learner])
                sha256 = _sealed(place, number, problem, store.key())
            version = Version(
                MODEL, number, str(store.folder(MODEL, number)), sha256, problem,
                Interval(0.3, 0.4, 0.5, n=100), run.id, f"LightGBM of {trees} trees", AT,
            )  # fmt: skip
            told = Decision(MODEL, "released" if number == 1 else "kept", f"v{number}", at=AT)
            first = {"champion": 1} if number == 1 else None
            store.commit(told, version=version, aliases=first, run=run)
        store.finish_run(run, "done")
    finally:
        store.close()
    return boosters


def run_store(folder: Path, budget_s: int) -> None:
    """A store with the champion that a run of ``budget_s`` seconds picks."""
    given = chosen()
    command = [
        sys.executable, "-m", "everfit", "--quiet", "--store", str(folder), "run", str(given.path),
        "--target", given.target, "--name", MODEL, "--budget", f"{budget_s}s",
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def members(store: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Microseconds of a row by the champion of a store in this process, and by each member."""
    with wire.house(store, settings=Settings()) as house:
        place = Path(house.version(MODEL).folder)
    plan = json.loads((place / "plan.json").read_text())
    found: dict[str, Any] = {"all": taken_us(open_plan(place), rows)}
    with TemporaryDirectory() as name:
        for at, member in enumerate(plan["members"]):
            alone = Path(name) / str(at)
            alone.mkdir()
            (alone / member["folder"]).symlink_to(place / member["folder"])
            one = plan | {"members": [member | {"weight": 1.0}]}
            (alone / "plan.json").write_text(json.dumps(one))
            scorer = open_plan(alone)
            engine = member["part"]["engine"]
            found[f"{at}: {engine}, weight {member['weight']:.2f}"] = taken_us(scorer, rows)
    return found


def taken_us(scorer: Scorer, rows: Sequence[Mapping[str, Any]]) -> float:
    """Microseconds of a row, each time another."""
    return median_us(lambda i: scorer.row(rows[i % len(rows)]))["median"]


def _sealed(place: Path, number: int, problem: Problem, key: bytes) -> str:
    """Golden rows, card and manifest, as a release writes them; the hash of the manifest."""
    scorer = open_plan(place)
    some = chosen().rows()[:25]
    golden = [{"input": row, "expected": list(scorer.row(row).probabilities or ())} for row in some]
    (place / "golden.json").write_text(json.dumps(golden))
    (place / "card.md").write_text(f"# {MODEL} v{number}\n")
    manifest = Manifest(
        FORMAT, "0", MODEL, f"v{number}", AT.isoformat(), as_plain(problem),
        tuple(as_plain(column) for column in scorer.columns), (), {"numpy": np.__version__}, {},
    )  # fmt: skip
    return seal(place, manifest, key).sha256
