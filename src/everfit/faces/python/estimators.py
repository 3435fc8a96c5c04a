"""scikit-learn estimators: ``Classifier`` and ``Regressor`` work in pipelines and cross-validation.

Each fit runs the whole loop in a store of its own that is gone afterwards. What stays is the
packed version as bytes inside the estimator, so that pickling and joblib move it whole.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from everfit import wire
from everfit.data.read import read
from everfit.errors import Refused
from everfit.faces.progress import Mode, teller
from everfit.loop import Request, RunResult
from everfit.records import Array, Policy, Version
from everfit.serve import Scorer, open_plan
from everfit.settings import Settings, limits_of, read_budget

GIVEN_BY = "call"
TARGET, WEIGHT = "everfit target", "everfit weight"
WORD = "class {:05d}"  # classes travel as words, so that no reading can change them


class _Fitted(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: a fit is a run, a prediction opens the packed plan."""

    def __init__(
        self,
        budget: str | float = 60.0,
        *,
        metric: str | None = None,
        seed: int = 0,
        learners: Sequence[Any] = (),
        policy: Policy | None = None,
        progress: Mode = "none",
    ) -> None:
        self.budget = budget
        self.metric = metric
        self.seed = seed
        self.learners = learners
        self.policy = policy
        self.progress = progress

    def _run(self, X: Any, target: pl.Series, sample_weight: Any, task: str) -> None:
        started = time.monotonic()
        frame = self._features(X, reset=True).with_columns(target.alias(TARGET))
        roles: dict[str, Any] = {}
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X)
            frame = frame.with_columns(pl.Series(WEIGHT, weight))
            roles[WEIGHT] = "weight"
        request = Request(
            frame,
            TARGET,
            name="estimator",
            task=task,
            metric=self.metric,
            budget_s=read_budget(self.budget),
            seed=int(self.seed),
            kinds={TARGET: "category" if task == "classify" else "number"},
            roles=roles,
            learners=tuple(self.learners),
            policy=_marked(self.policy),
            started=started,
        )
        tell = teller(self.progress, sys.stderr, budget_s=request.budget_s, started=started)
        with (
            tempfile.TemporaryDirectory(prefix="everfit-") as place,
            wire.house(store=place, settings=Settings()) as house,
            tell,
        ):
            result = house.run(request, tell)
            version = _usable(result)
            self.files_ = _packed(house.folder(version))
        self.trusted_ = version.trusted
        self.result_ = result
        self.score_ = result.study.candidate.score
        self._scorer: Scorer | None = None

    def _features(self, X: Any, *, reset: bool) -> pl.DataFrame:
        """Rows as a Polars frame with text names; the number and names of columns are checked."""
        if hasattr(X, "columns"):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X if isinstance(X, pl.DataFrame) else pl.from_pandas(X.rename(columns=str))
        values = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
        return pl.DataFrame({f"x{k}": _series(values[:, k]) for k in range(values.shape[1])})

    def _answers(self, X: Any) -> Array:
        check_is_fitted(self, "files_")
        frame = self._features(X, reset=False)
        scorer = getattr(self, "_scorer", None)
        if scorer is None:
            scorer = self._scorer = _opened(self.files_, self.trusted_)
        return scorer.table(read(frame, like=scorer.columns))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_scorer", None)  # native models do not travel; they are opened again
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.non_deterministic = True  # what fits into a time depends on the machine
        return tags


def _marked(policy: Policy | None) -> Policy:
    """The policy that was given, with who set each of its limits."""
    limits = limits_of(policy or Policy())
    return Policy(**limits, set_by=dict.fromkeys(limits, GIVEN_BY))


def _usable(result: RunResult) -> Version:
    """The champion; else the version that did not pass its gates, with a warning.

    In a cross-validation a fold without signal must give predictions, not an end.
    """
    if result.champion is not None:
        return result.champion
    if result.version is None:
        raise Refused(
            "no version was packed", got=result.decision.headline, do="give more time or more rows"
        )
    warnings.warn(f"{result.decision.headline}; it answers all the same", stacklevel=5)
    return result.version


def _series(values: Array) -> pl.Series:
    if values.dtype.kind in "OUS":
        return pl.Series(
            [None if isinstance(v, float) and math.isnan(v) else v for v in values.tolist()],
            strict=False,
        )
    return pl.Series(np.ascontiguousarray(values))


def _packed(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def _opened(files: dict[str, bytes], trusted: Sequence[str]) -> Scorer:
    with tempfile.TemporaryDirectory(prefix="everfit-") as place:
        for name, content in files.items():
            file = Path(place) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return open_plan(Path(place), trusted=trusted)


class Classifier(ClassifierMixin, _Fitted):  # type: ignore[misc]
    """Classes by the whole loop: ``Classifier(budget=60).fit(X, y).predict_proba(X)``.

    Parameters
    ----------
    budget : time of one fit: seconds, or a text such as ``"60s"``
    metric : log_loss (default), auc, accuracy, brier
    seed : of all random choices
    learners : estimators of yours that join the race
    policy : limits of a release
    progress : ``none``, ``auto``, ``plain`` or ``json``, on stderr

    Attributes
    ----------
    classes_ : the labels, sorted
    result_ : all records of the run: assessment, study, decision
    score_ : the honest score with its 95% range
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Run the loop on ``X`` (n, d) and labels ``y`` (n,).

        Raises
        ------
        DataError : nothing can be learnt or judged from these rows
        """
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        check_consistent_length(X, y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        words = pl.Series(TARGET, [WORD.format(code) for code in codes])
        self._run(X, words, sample_weight, "classify")
        return self

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (n, classes) in the order of ``classes_``."""
        values = self._answers(X)
        labels = self.result_.study.problem.labels
        full = np.zeros((len(values), len(self.classes_)))
        # a class may be missing among the labels when its rows could not be learnt from
        full[:, [int(label.rpartition(" ")[2]) for label in labels]] = values
        return full

    def predict(self, X: Any) -> Array:
        """The most probable label of each row (n,), in the type that ``y`` had."""
        shares = self.predict_proba(X)
        picked: Array = self.classes_[shares.argmax(axis=1)]
        return picked


class Regressor(RegressorMixin, _Fitted):  # type: ignore[misc]
    """Numbers by the whole loop: ``Regressor(budget=60).fit(X, y).predict(X)``.

    Parameters and attributes are those of :class:`Classifier`; metrics are rmse (default), mae, r2.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Run the loop on ``X`` (n, d) and numbers ``y`` (n,).

        Raises
        ------
        DataError : nothing can be learnt or judged from these rows
        """
        numbers = column_or_1d(y, dtype=np.float64, warn=True)
        assert_all_finite(numbers, input_name="y")
        check_consistent_length(X, numbers)
        self._run(X, pl.Series(TARGET, numbers), sample_weight, "regress")
        return self

    def predict(self, X: Any) -> Array:
        """A number for each row (n,)."""
        values: Array = self._answers(X)[:, 0]
        return values
