"""What is tried, in which order, and why: strong settings learnt on other people's data.

Values come from AutoGluon's portfolios (learnt on TabArena), pytabkit's tuned defaults and
LightAutoML's size rules (anchors/automl.md 7.4); the order is by what a second of two cores buys.
Learnt step sizes of .007 to .04 are doubled, since our slots are seconds, not hours; a learner
raises its step further when its rounds do not fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from everfit.records import Form, Hypothesis

FIND_ROUNDS = ("boosted", "symmetric", "neural")  # learners that hold rows back to find rounds
LARGE_CELLS = 5_000_000  # rows times features above which a line on one-hot features is not quick


@dataclass(frozen=True, slots=True)
class Gene:
    """The range of one setting: ``choices``, or numbers from ``low`` to ``high``."""

    low: float = 0.0
    high: float = 1.0
    typical: float = 0.0
    log: bool = False
    whole: bool = False
    choices: tuple[Any, ...] = ()


def portfolio(
    n_rows: int,
    n_features: int,
    n_categorical: int,
    form: Form,
    n_outputs: int,
    *,
    skewed: bool = False,
    ordered: bool = False,
) -> tuple[Hypothesis, ...]:
    """Hypotheses in the order of trial, the very simple model first.

    Fewer rows get fewer hypotheses: with each one more, the best of them looks better than it is
    (AutoGluon's EarlyStoppingCount: 4 at 100 rows, 8 at 500, 15 at 2,500, 40 at 10,000).

    Parameters
    ----------
    n_rows, n_features, n_categorical : counts of the table that learners see
    form, n_outputs : shape of an answer
    skewed : numbers above 0 with a long tail, so that the log of the target is worth a trial
    ordered : rows stand in time order, so that rounds are found on the newest rows of a history

    Examples
    --------
    >>> [h.learner for h in portfolio(100, 5, 0, "probabilities", 2)][:2]
    ['linear', 'boosted']
    """
    facts = _Facts(n_rows, n_features, n_categorical, form, n_outputs)
    listed = [
        _with_enough_columns(hypothesis, n_features)
        for hypothesis in (*_simple(facts), *_strong(facts), *_further(facts), *_last(facts))
    ]
    if skewed and form == "values":
        listed = _with_logs(listed)
    if ordered:
        listed = [_on_the_newest(hypothesis) for hypothesis in listed]
    return tuple(listed[: most_hypotheses(n_rows)])


def _on_the_newest(hypothesis: Hypothesis) -> Hypothesis:
    if hypothesis.learner not in FIND_ROUNDS:
        return hypothesis
    return replace(hypothesis, settings={**hypothesis.settings, "inner": "last"})


def most_hypotheses(n_rows: int) -> int:
    """How many hypotheses rows can tell apart: between the knots, linear in the log of the rows.

    Examples
    --------
    >>> most_hypotheses(50), most_hypotheses(500), most_hypotheses(10_000)
    (4, 8, 40)
    """
    knots = np.log([100, 500, 2_500, 10_000])
    return int(np.interp(np.log(max(n_rows, 1)), knots, [4, 8, 15, 40]))


@dataclass(frozen=True, slots=True)
class _Facts:
    n_rows: int
    n_features: int
    n_categorical: int
    form: Form
    n_outputs: int

    @property
    def small(self) -> bool:
        return self.n_rows <= 5_000

    @property
    def large(self) -> bool:
        return self.n_rows * self.n_features > LARGE_CELLS

    @property
    def asked(self) -> str:
        return "a number" if self.form == "values" else f"{self.n_outputs} classes"

    def leaves(self) -> int:
        """LightAutoML's rule: leaves a tree by rows; halved for numbers above 10,000 rows."""
        rows = [5_000, 10_000, 20_000, 50_000, 100_000, 300_000]
        known = [16, 32, 64, 32, 64, 128, 244]
        numbers = [16, 24, 32, 32, 32, 64, 128]
        at = int(np.searchsorted(rows, self.n_rows))
        return (numbers if self.form == "values" else known)[at]

    def lr(self) -> float:
        """LightAutoML's rule, doubled for short slots: smaller steps for fewer rows."""
        rows = [10_000, 20_000, 100_000, 300_000]
        return [0.03, 0.04, 0.06, 0.08, 0.1][int(np.searchsorted(rows, self.n_rows))]


def _simple(facts: _Facts) -> list[Hypothesis]:
    """The very simple model, and the first strong one that costs almost nothing."""
    # fixed rounds overfit few rows: 15 leaves on pima's 768 rows gave a log loss of 0.60, not 0.48
    few = facts.n_rows <= 2_500
    quick = {"n_rounds": 100, "lr": 0.04 if few else 0.1, "leaves": 6 if few else 15}
    stumps = {"n_rounds": 100, "lr": 0.15, "leaves": 2, "bins": 63}
    line = Hypothesis(
        "one weight a feature", "linear", {},
        f"how far a weighted sum of {facts.n_features} columns gets in telling {facts.asked}: "
        "what is more complicated must beat it", "simple",
    )  # fmt: skip
    splits = Hypothesis(
        "one split a tree", "boosted", stumps,
        f"{facts.n_rows:,} rows x {facts.n_features} columns: 100 single splits are the quickest "
        "simple model", "simple",
    )  # fmt: skip
    first = Hypothesis(
        "boosted trees, 100 rounds", "boosted", quick,
        "a strong model within a second: is there anything that a weighted sum does not see?",
    )  # fmt: skip
    return [splits, first, _as_portfolio(line)] if facts.large else [line, first]


def _as_portfolio(hypothesis: Hypothesis) -> Hypothesis:
    return Hypothesis(
        hypothesis.name, hypothesis.learner, hypothesis.settings,
        "a weighted sum errs elsewhere than trees do, so it may still help a blend",
    )  # fmt: skip


def _strong(facts: _Facts) -> list[Hypothesis]:
    categories = (
        f"{facts.n_categorical} category columns: ordered target statistics handle them without "
        "letting a row see its own target"
        if facts.n_categorical
        else "no category columns; symmetric trees are strongly regularised, which suits "
        f"{facts.n_rows:,} rows"
    )
    return [
        Hypothesis("CatBoost, tuned", "symmetric", dict(_symmetric_tuned(facts)), categories),
        Hypothesis(
            "boosted trees by size rule", "boosted",
            _rule(facts),
            f"{facts.n_rows:,} rows carry about {facts.leaves()} leaves a tree at a step of "
            f"{facts.lr():g}",
        ),
        Hypothesis(
            "boosted trees on made features", "boosted", _made(facts),
            "sums, ratios and crosses of columns, and what each category's target was on average, "
            "may say in one split what takes trees many",
        ),
        Hypothesis(
            "CatBoost, plain",
            "symmetric",
            {"n_rounds": None, "lr": 0.06, "border": 128, "ctr": 2, "onehot": 10, "leaf_steps": 1},
            "do pairs of categories tell more than each of them?"
            if facts.n_categorical > 1
            else "shallower symmetric trees, in case depth 7 learns noise",
        ),
        Hypothesis(
            "boosted trees, splits at random", "boosted", dict(_RANDOM_SPLITS),
            f"drawing split places at random smooths over noise in {facts.n_rows:,} rows",
        ),
        Hypothesis(
            "forest of random trees", "forest", _forest(facts),
            "many deep trees that were never corrected err elsewhere than boosted ones: good in a "
            "blend",
        ),
        Hypothesis(
            "neural network", "neural", _neural(facts),
            "smooth functions of all columns at once, which trees only reach in steps",
        ),
    ]  # fmt: skip


def _further(facts: _Facts) -> list[Hypothesis]:
    return [
        Hypothesis(
            "additive trees",
            "boosted",
            dict(_ADDITIVE),
            "if no column changes what another means, trees of one split lose nothing and cannot "
            "overfit interactions",
        ),
        Hypothesis(
            "CatBoost, as it comes",
            "symmetric",
            {},
            "CatBoost's own defaults: 1,000 rounds at a step that follows the rows; what most "
            "people would try",
        ),
        Hypothesis(
            "boosted trees, few columns a tree",
            "boosted",
            dict(_FEW_COLUMNS),
            f"each tree sees a few of {facts.n_features} columns: weaker columns get their turn",
        ),
        Hypothesis(
            "boosted trees, small",
            "boosted",
            dict(_SMALL),
            "five leaves a tree: at most four columns act together",
        ),
        Hypothesis(
            "small trees on made features",
            "boosted",
            dict(_SMALL_MADE),
            "made features carry the interactions, so the trees may stay small",
        ),
    ]


def _last(facts: _Facts) -> list[Hypothesis]:
    return [
        Hypothesis(
            "boosted trees, deep", "boosted", dict(_DEEP),
            f"{facts.n_rows:,} rows may carry 84 leaves a tree with 3 rows each",
        ),
        Hypothesis(
            "large random-split trees", "boosted", dict(_LARGE_RANDOM),
            "large trees with random splits: depth without its usual overfitting",
        ),
        Hypothesis(
            "CatBoost, shallow", "symmetric",
            {"n_rounds": None, "lr": 0.08, "depth": 4, "l2": 4.56, "border": 128, "ctr": 1},
            "symmetric trees of depth 4: at most four columns act together",
        ),
        Hypothesis(
            "forest, five rows a leaf", "forest", {"columns": 0.5, "leaf_rows": 5},
            "answers averaged over at least five rows: better where the target is noisy",
        ),
        Hypothesis(
            "random-split trees on made features", "boosted", dict(_RANDOM_MADE),
            "made features are many and alike; random splits spread over them",
        ),
    ]  # fmt: skip


def _symmetric_tuned(facts: _Facts) -> Mapping[str, Any]:
    """pytabkit's tuned defaults, rounds found; ctr 1 and 128 borders for speed (measured)."""
    if facts.form == "values":
        return {"n_rounds": None, "lr": 0.09, "depth": 7, "strength": 0.0, "onehot": 15,
                "border": 128, "ctr": 1, "rows": 0.9}  # fmt: skip
    return {"n_rounds": None, "lr": 0.08, "depth": 7, "l2": 1e-5, "strength": 0.8, "rows": 0.9,
            "onehot": 15, "leaf_steps": 1, "ctr": 1}  # fmt: skip


def _rule(facts: _Facts) -> dict[str, Any]:
    share = 0.9 if facts.form == "values" else 0.7
    return {"lr": facts.lr(), "leaves": facts.leaves(), "columns": share, "rows": share,
            "l1": 0.5 if facts.small else 0.0}  # fmt: skip


def _made(facts: _Facts) -> dict[str, Any]:
    return {"view": "engineered", "lr": 0.04, "leaves": 16, "columns": 0.579, "rows": 0.959,
            "leaf_rows": 5 if facts.small else 1, "l1": 0.938, "l2": 0.99}  # fmt: skip


def _forest(facts: _Facts) -> dict[str, Any]:
    return {"columns": 1.0, "leaf_rows": 1 if facts.form == "probabilities" else 2,
            "smooth": 1.0, "trees": 120}  # fmt: skip


def _neural(facts: _Facts) -> dict[str, Any]:
    return {"layers": [128, 64], "lr": 1e-3, "l2": 0.1 if facts.small else 0.01,
            "batch": 128 if facts.small else 256}  # fmt: skip


_RANDOM_SPLITS = {"lr": 0.05, "leaves": 39, "columns": 0.462, "rows": 0.877, "extra": True,
                  "leaf_rows": 3, "l1": 0.238, "l2": 0.355, "cat_l2": 0.342, "cat_smooth": 15.4,
                  "onehot": 16, "cat_group": 9}  # fmt: skip
_ADDITIVE = {"lr": 0.1, "leaves": 2, "columns": 0.588, "leaf_rows": 17}
_FEW_COLUMNS = {"lr": 0.03, "leaves": 20, "columns": 0.425, "rows": 0.711, "leaf_rows": 2,
                "cat_smooth": 48.7}  # fmt: skip
_SMALL = {"lr": 0.05, "leaves": 5, "columns": 0.733, "extra": True, "leaf_rows": 12}
_SMALL_MADE = {"view": "engineered", "lr": 0.04, "leaves": 8, "columns": 0.425, "rows": 0.722,
               "extra": True, "leaf_rows": 15, "l1": 0.113, "l2": 0.262}  # fmt: skip
_DEEP = {"lr": 0.03, "leaves": 84, "columns": 0.528, "rows": 0.978, "leaf_rows": 3, "l1": 0.027,
         "l2": 0.838, "cat_smooth": 0.009, "onehot": 42, "cat_group": 75}  # fmt: skip
_LARGE_RANDOM = {"lr": 0.05, "leaves": 180, "columns": 0.404, "rows": 0.95, "extra": True,
                 "leaf_rows": 12, "l1": 0.766, "l2": 1.604}  # fmt: skip
_RANDOM_MADE = {"view": "engineered", "lr": 0.05, "leaves": 64, "columns": 0.553, "rows": 0.992,
                "extra": True, "leaf_rows": 28, "l1": 0.914, "l2": 1.904, "cat_l2": 0.0143,
                "cat_smooth": 1.87, "onehot": 18, "cat_group": 54}  # fmt: skip


def _with_enough_columns(hypothesis: Hypothesis, n_features: int) -> Hypothesis:
    """Shares of columns were learnt on wide tables: a tree gets five columns, or all there are.

    On the five columns of phoneme, two a tree gave a log loss of 0.37 instead of 0.25.
    """
    share = hypothesis.settings.get("columns", 1.0)
    if hypothesis.learner != "boosted" or share * n_features >= 5:
        return hypothesis
    settings = dict(hypothesis.settings) | {"columns": min(1.0, 5 / max(n_features, 1))}
    return replace(hypothesis, settings=settings)


def _with_logs(listed: list[Hypothesis]) -> list[Hypothesis]:
    """The same list, with a log twin after the line and after the first of each boosted kind."""
    found: list[Hypothesis] = []
    twinned: set[str] = set()
    for hypothesis in listed:
        found.append(hypothesis)
        kind = hypothesis.learner
        if kind in ("linear", "symmetric") or hypothesis.name == "boosted trees by size rule":
            if kind in twinned:
                continue
            twinned.add(kind)
            found.append(
                Hypothesis(
                    f"{hypothesis.name}, log target",
                    kind,
                    dict(hypothesis.settings) | {"target": "log"},
                    "the target has a long tail: effects may multiply instead of add",
                )
            )
    return found


def genes(learner: str) -> dict[str, Gene]:
    """The settings that a search may change, with TabArena's bounds; empty for other learners.

    Examples
    --------
    >>> genes("boosted")["leaves"].high
    200
    >>> genes("prior")
    {}
    """
    return dict(_GENES.get(learner, {}))


_GENES: dict[str, dict[str, Gene]] = {
    "boosted": {
        "lr": Gene(0.015, 0.1, 0.04, log=True),
        "leaves": Gene(2, 200, 31, log=True, whole=True),
        "leaf_rows": Gene(1, 64, 20, log=True, whole=True),
        "columns": Gene(0.4, 1.0, 0.8),
        "rows": Gene(0.7, 1.0, 0.9),
        "extra": Gene(choices=(False, True)),
        "l1": Gene(0.0, 1.0, 0.1),
        "l2": Gene(0.0, 2.0, 0.5),
        "cat_l2": Gene(0.005, 2.0, 0.3, log=True),
        "cat_smooth": Gene(0.001, 100.0, 10.0, log=True),
        "onehot": Gene(8, 100, 16, log=True, whole=True),
        "cat_group": Gene(2, 100, 50, log=True, whole=True),
        "view": Gene(choices=("codes", "engineered")),
    },
    "symmetric": {
        "lr": Gene(0.03, 0.12, 0.08, log=True),
        "depth": Gene(4, 8, 6, whole=True),
        "l2": Gene(1e-4, 5.0, 1.0, log=True),
        "rows": Gene(0.7, 1.0, 0.9),
        "leaf_steps": Gene(1, 10, 1, log=True, whole=True),
        "onehot": Gene(2, 100, 15, log=True, whole=True),
        "ctr": Gene(1, 3, 1, whole=True),
        "strength": Gene(0.0, 2.0, 0.8),
    },
    "forest": {
        "columns": Gene(0.2, 1.0, 0.75),
        "leaf_rows": Gene(1, 16, 3, log=True, whole=True),
        "smooth": Gene(0.1, 3.0, 0.5, log=True),
    },
    "neural": {
        "lr": Gene(3e-4, 5e-3, 1e-3, log=True),
        "l2": Gene(1e-4, 1.0, 0.05, log=True),
        "layers": Gene(choices=((64,), (64, 32), (128, 64), (256, 128))),
    },
}
