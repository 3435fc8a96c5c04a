from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from everfit.errors import ArtefactRefused, LearnerFailed, SourceMissing, UsageError
from everfit.learners import load, make
from everfit.learners.contract import FitBudget
from everfit.learners.foreign import bring, carry
from tests.learners.histories import features, history_of

CLASS = """
from sklearn.base import BaseEstimator, ClassifierMixin
import numpy as np
class Mine(ClassifierMixin, BaseEstimator):
    def __init__(self, power=1.0):
        self.power = power
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.share_ = np.bincount(y) / len(y)
        return self
    def predict_proba(self, X):
        p = np.tile(self.share_ ** self.power, (len(X), 1))
        return p / p.sum(axis=1, keepdims=True)
    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
class Raising(Mine):
    def fit(self, X, y):
        raise RuntimeError("out of ideas")
class Holding(Mine):
    def fit(self, X, y):
        import fractions
        self.part_ = fractions.Fraction(1, 3)
        return super().fit(X, y)
class Blank(Mine):
    def predict_proba(self, X):
        return np.full((len(X), 2), np.nan)
"""
BUDGET = FitBudget(60.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CLASS)
    return path


def fitted(source: str, **settings: Any) -> Any:
    return make("foreign", {"source": source} | settings).fit(
        history_of("probabilities", 2), BUDGET
    )


def test_an_instance_of_a_library_travels_and_answers(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5))

    settings = carry(model, tmp_path)
    learner = make("foreign", settings).fit(history_of("probabilities", 2), BUDGET)

    matrix = learner.plan_.transform(features(20, seed=3))
    np.testing.assert_allclose(
        learner.answer(features(20, seed=3)), learner.model_.predict_proba(matrix)
    )
    assert learner.model_.get_params()["logisticregression__C"] == 0.5


def test_each_fit_gets_an_estimator_of_its_own(tmp_path: Path) -> None:
    settings = carry(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path)

    first, second = (bring(settings["source"], {}, {}) for _ in range(2))

    assert first is not second
    assert not hasattr(first, "coef_")


def test_the_study_seed_reaches_estimators_without_one(tmp_path: Path) -> None:
    settings = carry(RandomForestClassifier(5), tmp_path)

    learner = make("foreign", settings).fit(history_of("probabilities", 2, seed=11), BUDGET)

    assert learner.model_.random_state == 11


def test_a_stored_class_of_a_file_answers_in_a_fresh_process(file: Path, tmp_path: Path) -> None:
    learner = fitted(f"{file}:Mine", settings={"power": 2.0})
    part = dict(learner.save(tmp_path / "version"))
    file.unlink()
    program = (
        "import json, sys; from pathlib import Path; from everfit.learners import load;"
        "from tests.learners.histories import features;"
        f"learner = load(Path({str(tmp_path / 'version')!r}), {part!r});"
        "print(json.dumps(learner.answer(features(3, seed=4)).tolist()))"
    )

    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip

    assert run.stdout.strip() == str(learner.answer(features(3, seed=4)).tolist())
    assert learner.model_.power == 2.0


def test_changed_source_is_refused(file: Path, tmp_path: Path) -> None:
    part = fitted(f"{file}:Mine").save(tmp_path / "version")
    stored = next((tmp_path / "version" / "code").iterdir())
    stored.write_text(stored.read_text() + "\nprint('hello')\n")

    with pytest.raises(ArtefactRefused, match="is not the file that was stored"):
        load(tmp_path / "version", part)


def test_types_that_nobody_trusts_are_not_stored(file: Path, tmp_path: Path) -> None:
    learner = fitted(f"{file}:Holding")

    with pytest.raises(LearnerFailed, match="types that are not trusted") as caught:
        learner.save(tmp_path / "version")

    assert "fractions.Fraction" in caught.value.got


def test_probabilities_need_predict_proba(tmp_path: Path) -> None:
    learner = make("foreign", carry(LinearSVC(), tmp_path))

    with pytest.raises(LearnerFailed, match="LinearSVC has no predict_proba") as caught:
        learner.fit(history_of("probabilities", 2), BUDGET)

    assert "CalibratedClassifierCV" in caught.value.do


def test_the_advice_for_that_works(tmp_path: Path) -> None:
    settings = carry(CalibratedClassifierCV(LinearSVC()), tmp_path)

    answers = make("foreign", settings).fit(history_of("probabilities", 3), BUDGET)

    np.testing.assert_allclose(answers.answer(features(9)).sum(axis=1), 1.0)


def test_an_error_inside_becomes_a_failed_trial(file: Path) -> None:
    with pytest.raises(LearnerFailed, match="Raising raised while fitting") as caught:
        fitted(f"{file}:Raising")

    assert caught.value.got == "RuntimeError: out of ideas"


def test_answers_that_are_none_are_refused(file: Path) -> None:
    with pytest.raises(LearnerFailed, match="gave answers that cannot be used"):
        fitted(f"{file}:Blank").answer(features(4))


def test_weights_that_cannot_be_used_are_told(file: Path) -> None:
    history = history_of("probabilities", 2, weight=np.ones(240))

    learner = make("foreign", {"source": f"{file}:Mine"}).fit(history, BUDGET)

    assert learner.facts_["weights"] == "ignored"


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("nowhere.py:Mine", SourceMissing, "there is no file nowhere.py"),
        ("{file}:Mein", UsageError, "has no class 'Mein'"),
        ("{file}", UsageError, "cannot be found"),
        ("entry:nothing", UsageError, "no installed package offers"),
    ],
)
def test_a_source_that_leads_nowhere_is_named(
    source: str, error: type[Exception], words: str, file: Path
) -> None:
    with pytest.raises(error, match=words):
        bring(source.format(file=file), {}, {})


def test_near_class_names_are_offered(file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        bring(f"{file}:Mien", {}, {})

    assert "did you mean 'Mine'" in caught.value.do


def test_settings_that_a_class_does_not_take_are_named(file: Path) -> None:
    with pytest.raises(UsageError, match="cannot be made"):
        bring(f"{file}:Mine", {"colour": "red"}, {})


def test_a_file_that_cannot_be_imported_says_why(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("import nothing_of_that_name\n")

    with pytest.raises(UsageError, match="cannot be imported") as caught:
        bring(f"{path}:Mine", {}, {})

    assert "nothing_of_that_name" in caught.value.got


def test_what_is_no_estimator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no estimator: it has no fit"):
        carry(object(), tmp_path)


def test_a_class_of_the_main_script_is_refused_with_a_way_out(tmp_path: Path) -> None:
    cls = type("Local", (LogisticRegression,), {"__module__": "__main__"})

    with pytest.raises(UsageError, match="lives in __main__") as caught:
        carry(cls(), tmp_path)

    assert "mymodel.py:Local" in caught.value.do


def test_an_instance_of_a_users_module_is_found_by_workers(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(file.parent))
    import mine  # type: ignore[import-not-found]

    settings = carry(mine.Mine(power=3.0), tmp_path / "scratch")
    monkeypatch.delitem(sys.modules, "mine")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(file.parent)])
    again = bring(settings["source"], {}, settings["modules"])

    assert again.power == 3.0
    monkeypatch.delitem(sys.modules, "mine")
