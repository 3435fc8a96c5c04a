"""The whole loop with models of the user: good ones, broken ones, endless ones, and the winner."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from everfit import wire
from everfit.errors import SourceMissing
from everfit.house import House
from everfit.loop import RunResult
from everfit.records import Trial
from tests.real import ROOT, cancer, wine
from tests.test_loop import run

MODELS = '''
"""Models as a user writes them."""
import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression


class Fine(LogisticRegression):
    """A model that works."""


class Raising(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("out of ideas")

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)

    def predict(self, X):
        return np.zeros(len(X))


class Sleeping(Raising):
    def fit(self, X, y):
        time.sleep(3_600)
'''

PARITY = '''
"""A model that knows what trees and lines do not: the sign of a product."""
from itertools import combinations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Parity(ClassifierMixin, BaseEstimator):
    def __init__(self, order=4):
        self.order = order

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        tried = list(combinations(range(X.shape[1]), self.order))
        right = [(self._positive(X, c) == y).mean() for c in tried]
        self.columns_ = np.array(tried[int(np.argmax(right))])
        self.right_ = float(np.clip(max(right), 0.5, 0.98))
        return self

    def _positive(self, X, columns):
        return np.sign(X[:, list(columns)]).prod(axis=1) > 0

    def predict_proba(self, X):
        second = np.where(self._positive(X, self.columns_), self.right_, 1 - self.right_)
        return np.column_stack([1 - second, second])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
'''


def fresh_process(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program in a process that knows Everfit and nothing else."""
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=env, cwd=folder,
        check=False,
    )  # fmt: skip


# models that work, and models that do not

BUDGET_S = 12.0


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, dict[str, Trial]]:
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "models.py").write_text(MODELS)
    path, target = cancer(folder)
    learners = (
        LogisticRegression(C=0.3),
        *(f"{folder / 'models.py'}:{name}" for name in ("Sleeping", "Raising", "Fine")),
    )
    with wire.house(folder / "store") as house:
        result = run(house, path, target, learners=learners, budget_s=BUDGET_S)
    return result, {trial.hypothesis.name: trial for trial in result.study.trials}


def test_an_instance_and_a_class_of_a_file_are_judged_beside_our_own(
    mixed: tuple[RunResult, dict[str, Trial]],
) -> None:
    _, trials = mixed

    for name in ("LogisticRegression", "Fine"):
        assert trials[name].hypothesis.stage == "user"
        assert trials[name].score is not None
        assert trials[name].score.mid < 0.3  # the log loss of the floor is 0.66


def test_a_model_that_raises_is_a_failed_trial_that_says_what_it_raised(
    mixed: tuple[RunResult, dict[str, Trial]],
) -> None:
    _, trials = mixed

    assert trials["Raising"].status == "failed"
    assert "Raising raised while fitting" in trials["Raising"].reason


def test_a_model_that_never_ends_is_killed_and_costs_only_its_slot(
    mixed: tuple[RunResult, dict[str, Trial]],
) -> None:
    result, trials = mixed

    assert trials["Sleeping"].status == "timed_out"
    assert "killed after" in trials["Sleeping"].reason
    assert result.decision.kind == "released"
    assert result.seconds < 1.5 * BUDGET_S


def test_failures_are_told_in_the_ledger(mixed: tuple[RunResult, dict[str, Trial]]) -> None:
    result, _ = mixed
    with wire.house(result.store) as house:
        studied = next(d for d in house.decisions("m") if d.kind == "studied")

    told = {because.rule for because in studied.also_checked}

    assert {"Sleeping: timed out", "Raising: failed"} <= told


# a model that wins


def signs(n: int, seed: int) -> pl.DataFrame:
    """The sign of a product of four numbers, one in 20 of them wrong."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    positive = (np.sign(x[:, :4]).prod(axis=1) > 0) ^ (rng.random(n) < 0.05)
    said = np.where(positive, "yes", "no")
    return pl.DataFrame({**{f"x{i}": x[:, i] for i in range(6)}, "y": said})


@pytest.fixture(scope="module")
def won(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, RunResult, Path]:
    """A run that a user's own model wins; its file is gone afterwards."""
    folder = tmp_path_factory.mktemp("won")
    place = folder / "code"
    place.mkdir()
    (place / "parity_of_signs.py").write_text(PARITY)
    sys.path.insert(0, str(place))
    try:
        model = importlib.import_module("parity_of_signs").Parity()
        house = wire.house(folder / "store")
        result = run(house, signs(500, 0), "y", learners=(model,), budget_s=10.0)  # type: ignore[arg-type]
    finally:
        sys.path.remove(str(place))
        del sys.modules["parity_of_signs"]
    (place / "parity_of_signs.py").unlink()
    return house, result, folder


def test_the_best_model_is_released_whoever_wrote_it(
    won: tuple[House, RunResult, Path],
) -> None:
    _, result, _ = won

    assert result.decision.kind == "released"
    assert "Parity" in {m.hypothesis.name for m in result.study.candidate.members}
    assert result.champion is not None
    assert any(name.endswith("Parity") for name in result.champion.trusted)


def test_its_code_is_packed_beside_it_without_pickle(won: tuple[House, RunResult, Path]) -> None:
    house, _, _ = won

    version, _ = house.scorer("m")  # hashes and signature hold
    files = {p.relative_to(version.folder).as_posix() for p in Path(version.folder).rglob("*")}
    manifest = json.loads((Path(version.folder) / "manifest.json").read_text())

    member = next(f for f in files if f.endswith("estimator.skops")).split("/")[0]
    code = f"{member}/code/parity_of_signs.py"
    assert code in files
    assert code in manifest["files"]
    assert (Path(version.folder) / code).read_text() == PARITY
    assert not [f for f in files if f.endswith((".pkl", ".pickle", ".joblib"))]


def test_it_answers_in_a_process_that_knows_nothing_of_its_file(
    won: tuple[House, RunResult, Path],
) -> None:
    _, result, folder = won
    rows = signs(400, 1)
    rows.write_parquet(folder / "new.parquet")
    program = (
        "import everfit, polars as pl;"
        f"model = everfit.load('m', store={result.store!r});"
        "rows = pl.read_parquet('new.parquet');"
        "print((model.predict(rows.drop('y')) == rows['y']).mean());"
        "print(model.predict(rows.drop('y').row(0, named=True)))"
    )

    done = fresh_process(program, folder)

    assert done.returncode == 0, done.stderr
    right, one = done.stdout.split()
    assert float(right) > 0.8  # a coin would be right half of the time, and so are trees
    assert one in ("yes", "no")


def test_the_stored_code_must_be_what_was_stored(won: tuple[House, RunResult, Path]) -> None:
    house, result, folder = won
    version = house.version("m")
    code = next(Path(version.folder).rglob("code/*.py"))
    code.write_text(PARITY + "\nprint('hello')\n")
    try:
        done = fresh_process(f"import everfit; everfit.load('m', store={result.store!r})", folder)
    finally:
        code.write_text(PARITY)

    assert done.returncode != 0
    assert "ArtefactRefused" in done.stderr
    assert "hello" not in done.stdout


# mistakes


def test_a_class_of_main_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path, target = wine(tmp_path)
    program = (
        "import everfit\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "class Mine(LogisticRegression):\n    pass\n"
        f"everfit.run({str(path)!r}, {target!r}, name='m', budget=6, learners=[Mine()])\n"
    )

    done = fresh_process(program, tmp_path)

    assert done.returncode != 0
    assert "UsageError: the class Mine lives in __main__" in done.stderr
    assert "put the class into a file" in done.stderr
    assert "mymodel.py:Mine" in done.stderr


def test_a_mistake_in_a_learner_leaves_no_store_behind(tmp_path: Path) -> None:
    path, target = wine(tmp_path)

    with wire.house(tmp_path / "store") as house, pytest.raises(SourceMissing, match="no file"):
        run(house, path, target, learners=("nowhere.py:Mine",), budget_s=6.0)

    assert not (tmp_path / "store").exists()
