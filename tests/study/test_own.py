"""Models of the user as hypotheses."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from everfit.errors import EverfitError, SettingsError, SourceMissing, UsageError
from everfit.learners import make
from everfit.records import Hypothesis
from everfit.study.own import identity, own_hypotheses

CLASS = """
from sklearn.base import BaseEstimator, ClassifierMixin
import numpy as np
class Mine(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self
    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))
    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CLASS)
    return path


def only(learner: Any, folder: Path) -> Hypothesis:
    (found,) = own_hypotheses([learner], folder)[0]
    return found


def test_a_name_a_file_and_an_instance_all_become_hypotheses_of_the_user(
    file: Path, tmp_path: Path
) -> None:
    learners = ["boosted", f"{file}:Mine", LogisticRegression(C=0.5)]

    found, warnings = own_hypotheses(learners, tmp_path / "own")

    assert [h.name for h in found] == ["boosted", "Mine", "LogisticRegression"]
    assert {h.stage for h in found} == {"user"}
    assert all(h.why for h in found)
    assert warnings == ()


def test_each_can_be_made_where_it_is_fitted(file: Path, tmp_path: Path) -> None:
    learners = ["boosted", f"{file}:Mine", LogisticRegression(C=0.5)]

    for hypothesis in own_hypotheses(learners, tmp_path / "own")[0]:
        assert make(hypothesis.learner, hypothesis.settings).name == hypothesis.learner


def test_a_file_is_found_from_any_folder(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    found = only("mine.py:Mine", tmp_path / "own")

    assert found.settings["source"] == f"{file.resolve()}:Mine"


def test_a_hypothesis_may_be_given_as_it_is(tmp_path: Path) -> None:
    given = Hypothesis("stumps", "boosted", {"leaves": 2}, "an idea")

    found = only(given, tmp_path)

    assert (found.name, found.settings, found.why) == ("stumps", {"leaves": 2}, "an idea")
    assert found.stage == "user"


def test_two_of_one_class_can_be_told_apart(tmp_path: Path) -> None:
    learners = [LogisticRegression(C=c) for c in (0.1, 1.0, 10.0)]

    found, _ = own_hypotheses(learners, tmp_path)

    names = [h.name for h in found]
    assert names == ["LogisticRegression", "LogisticRegression (2)", "LogisticRegression (3)"]


@pytest.mark.parametrize(
    ("learner", "error", "words"),
    [
        ("bosted", UsageError, "no learner called 'bosted'"),
        ("nowhere.py:Mine", SourceMissing, "there is no file nowhere.py"),
        ("{file}:Mein", UsageError, "has no class 'Mein'"),
        (LogisticRegression, UsageError, "is no estimator"),
        (lambda x: x, UsageError, "is no estimator"),
        (object(), UsageError, "is no estimator"),
        (Hypothesis("stumps", "boosted", {"leafs": 2}), SettingsError, "does not take"),
    ],
    ids=["misspelt", "no file", "no class", "a class", "a function", "an object", "a setting"],
)
def test_a_mistake_is_an_error_at_once_and_not_a_failed_trial_later(
    learner: Any, error: type[Exception], words: str, file: Path, tmp_path: Path
) -> None:
    if isinstance(learner, str):
        learner = learner.format(file=file)

    with pytest.raises(error, match=words) as caught:
        own_hypotheses([learner], tmp_path / "own")

    assert isinstance(caught.value, EverfitError)
    assert caught.value.do


def test_an_edited_file_is_another_hypothesis(file: Path, tmp_path: Path) -> None:
    before = identity(only(f"{file}:Mine", tmp_path / "own"))
    same = identity(only(f"{file}:Mine", tmp_path / "own"))

    file.write_text(CLASS.replace("1 / len", "0.5 / len"))
    after = identity(only(f"{file}:Mine", tmp_path / "own"))

    assert before == same
    assert before != after


def test_two_classes_of_one_file_are_two_hypotheses(file: Path, tmp_path: Path) -> None:
    file.write_text(CLASS + "class Other(Mine):\n    pass\n")

    found, _ = own_hypotheses([f"{file}:Mine", f"{file}:Other"], tmp_path / "own")

    assert identity(found[0]) != identity(found[1])


def test_an_instance_is_the_same_hypothesis_in_every_run(tmp_path: Path) -> None:
    first = identity(only(LogisticRegression(C=0.5), tmp_path / "run-1"))
    second = identity(only(LogisticRegression(C=0.5), tmp_path / "run-2"))
    other = identity(only(LogisticRegression(C=0.6), tmp_path / "run-2"))

    assert first == second
    assert first != other


def test_an_instance_whose_module_was_edited_is_another_hypothesis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edited_between_runs.py"
    path.write_text(CLASS)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("edited_between_runs")
    before = identity(only(module.Mine(), tmp_path / "run-1"))

    path.write_text(CLASS.replace("1 / len", "0.5 / len"))
    after = identity(only(importlib.reload(module).Mine(), tmp_path / "run-2"))

    assert before != after
