"""How a study spends its budget: folds, and seconds kept back for what comes after the trials."""

from __future__ import annotations

from dataclasses import dataclass

from everfit.deadline import Deadline

SCORE_SHARE, SCORE_MIN_S, SCORE_MAX_S = 0.06, 0.4, 8.0
RELEASE_SHARE, RELEASE_MIN_S, RELEASE_MAX_S = 0.04, 1.6, 6.0  # 0.8 s measured, 3 when busy
REFIT_SHARE = 0.3  # a refit that needs more than this share is not worth the trials it costs
SEARCH_SHARE = 0.1  # with less than this left a search has no time for one generation
LEAST_S = 10.0  # for the floor and the simple model, which are fitted even when time is over


@dataclass(frozen=True, slots=True)
class Pace:
    """The plan of one study, in seconds and folds."""

    n_folds: int
    score_s: float
    release_s: float
    search_s: float
    refit_share: float
    least_s: float


def pace_of(n_rows: int, n_features: int, n_outputs: int, deadline: Deadline) -> Pace:
    """The pace for a table of this size and this budget.

    Small tables get more folds: each fit then sees nearly all rows, and rows are what they lack.
    Large tables keep 5 or 10 folds but may run only the first: a fit on 80% or 90% of many rows
    is as good as one on all (policy of automl anchors 7.3).
    """
    budget = deadline.budget_s
    if n_rows > 100_000:
        n_folds = 10
    elif n_rows < 2_000 and budget >= 30:
        n_folds = 8
    else:
        n_folds = 5
    size = n_rows * max(1, n_outputs) / 1e6
    return Pace(
        n_folds=n_folds,
        score_s=min(max(SCORE_SHARE * budget, SCORE_MIN_S), SCORE_MAX_S),
        release_s=min(max(RELEASE_SHARE * budget, RELEASE_MIN_S), RELEASE_MAX_S) + size,
        search_s=SEARCH_SHARE * budget,
        refit_share=REFIT_SHARE,
        least_s=LEAST_S,
    )
