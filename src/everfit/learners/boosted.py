"""Boosted trees by LightGBM: leaf-wise trees on codes or on engineered features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from everfit.data.table import Table
from everfit.encoders.table import FeaturePlan
from everfit.learners.contract import FitBudget, History
from everfit.learners.link import encode, link_of, smearing, to_answers, to_raw
from everfit.learners.rounds import (
    HIGHEST_LR,
    ROUNDS_BY_LR,
    Slot,
    check,
    held_back,
    lr_that_fits,
    patience_for,
    refuse_few,
)
from everfit.records import Array, Form

PROBE = 20  # rounds after which the cost of a round is known
Pairs = list[tuple[Array, Array]]


class Boosted:
    """LightGBM with its number of rounds found on held-back rows, then fitted on all rows.

    Parameters
    ----------
    view : "codes" or "engineered" features
    lr : wished step; raised up to 0.15 when its rounds do not fit the time
    leaves, leaf_rows : leaves a tree, rows a leaf at least
    columns, rows : shares of columns and rows that a tree sees
    extra : split places drawn at random, one a column (extremely randomised trees)
    l1, l2, cat_l2, cat_smooth, cat_group, onehot : penalties, and how categories are split
    n_rounds : a fixed number of rounds; None finds it
    target : "log" learns log1p of a number
    smear : shift of a log target that an earlier fit found; None finds it
    inner : which rows are held back to find the rounds, "random" or "last"
    """

    name: str = "boosted"
    engine: ClassVar[str] = "lightgbm"
    forms: tuple[Form, ...] = ("probabilities", "values")

    def __init__(
        self,
        *,
        view: str = "codes",
        lr: float = 0.05,
        leaves: int = 31,
        leaf_rows: int = 20,
        columns: float = 1.0,
        rows: float = 1.0,
        extra: bool = False,
        l1: float = 0.0,
        l2: float = 0.0,
        cat_l2: float = 10.0,
        cat_smooth: float = 10.0,
        cat_group: int = 100,
        onehot: int = 4,
        bins: int = 255,
        n_rounds: int | None = None,
        target: str = "plain",
        smear: float | None = None,
        inner: str = "random",
    ) -> None:
        self.view, self.lr, self.leaves, self.leaf_rows = view, lr, leaves, leaf_rows
        self.columns, self.rows, self.extra, self.l1, self.l2 = columns, rows, extra, l1, l2
        self.cat_l2, self.cat_smooth, self.cat_group = cat_l2, cat_smooth, cat_group
        self.onehot, self.bins, self.n_rounds = onehot, bins, n_rounds
        self.target, self.smear, self.inner = target, smear, inner

    def fit(self, history: History, budget: FitBudget) -> Boosted:
        """Find the rounds where they are not given, then train on all rows.

        Raises
        ------
        LearnerFailed : nothing can be learnt, or less than a fifth of the rounds fit the time
        """
        slot = Slot(budget)
        check(history)
        import lightgbm as lgb

        self.plan_, matrix = encode(history, self.view)
        slot.need(matrix.size * 5e-8 + 0.02, "sorting the values into bins")
        self.link_ = link_of(history, self.target)
        values = history.form == "values"
        raw = to_raw(history.target, self.link_) if values else history.target
        params = self._params(history, budget.threads)
        full = lgb.Dataset(
            matrix,
            raw,
            weight=history.weight,
            params=params,
            categorical_feature=list(self.plan_.categorical),
            free_raw_data=False,
        ).construct()
        search = _Search(full, params, slot, raw.size)
        rounds = budget.rounds or self.n_rounds
        if rounds is None:
            rounds = search.rounds(held_back(matrix, history, which=self.inner), self.lr)
        smear = self.smear
        if self.target == "log" and values:
            if smear is None:
                smear = search.smear(matrix, history, self.link_)
            self.link_["shift"] += smear
        stopped = self._train(search, rounds)
        self.facts_: Mapping[str, Any] = {
            "rounds": self.booster_.current_iteration(),
            "stopped": stopped or search.stopped,
            "lr": search.lr or self.lr,
            "seconds_per_round": search.per_round,
            "features": matrix.shape[1],
            "settings": {"lr": search.lr or self.lr, "smear": smear},
        }
        return self

    def _train(self, search: _Search, rounds: int) -> str:
        """Train on all rows; what stopped it before ``rounds``, or an empty string."""
        booster = search.booster(search.full, search.lr or self.lr)
        stopped = ""
        for done in range(1, rounds + 1):
            if booster.update():
                break  # no tree can be grown any more
            if done <= PROBE:
                search.measured(done)
            if done in (3, PROBE):
                fits = done + int(search.slot.left() / search.per_round)
                refuse_few(fits, rounds, search.slot, search.per_round)
            if search.slot.left() < 1.5 * search.per_round and done < rounds:
                stopped = "time"
                refuse_few(done, rounds, search.slot, search.per_round)
                break
        self.booster_ = booster
        return stopped

    def _params(self, history: History, threads: int) -> dict[str, Any]:
        if history.form == "values":
            objective: dict[str, Any] = {"objective": "regression", "metric": "l2"}
        elif history.n_outputs == 2:
            objective = {"objective": "binary", "metric": "binary_logloss"}
        else:
            objective = {"objective": "multiclass", "metric": "multi_logloss"}
            objective["num_class"] = history.n_outputs
        return objective | {
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.leaf_rows,
            "feature_fraction": self.columns,
            "bagging_fraction": self.rows,
            "bagging_freq": 1,
            "extra_trees": self.extra,
            "lambda_l1": self.l1,
            "lambda_l2": self.l2,
            "cat_l2": self.cat_l2,
            "cat_smooth": self.cat_smooth,
            "max_bin": self.bins,
            "min_data_per_group": self.cat_group,
            "max_cat_to_onehot": self.onehot,
            "num_threads": threads,
            "seed": history.seed,
            "verbosity": -1,
            "feature_pre_filter": False,
            "deterministic": True,
            "force_row_wise": True,
        }

    def answer(self, asks: Table) -> Array:
        """Answers for each row: float64 (n, n_outputs)."""
        raw = self.booster_.predict(self.plan_.transform(asks), raw_score=True)
        return to_answers(np.asarray(raw), self.link_, None)

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write ``model.txt`` in LightGBM's text form and the feature plan."""
        self.plan_.save(folder)
        (folder / "model.txt").write_text(self.booster_.model_to_string(), encoding="utf-8")
        return {
            "engine": self.engine,
            "files": ["model.txt"],
            "features": "features.json",
            "link": dict(self.link_),
        }

    @classmethod
    def load(cls, folder: Path, part: Mapping[str, Any]) -> Boosted:
        """The inverse of :meth:`save`."""
        import lightgbm as lgb

        learner = cls()
        text = (folder / "model.txt").read_text(encoding="utf-8")
        learner.booster_ = lgb.Booster(model_str=text)
        learner.plan_, learner.link_ = FeaturePlan.load(folder), dict(part["link"])
        learner.facts_ = {}
        return learner


class _Search:
    """Boosters over held-back parts, grown in step, so that one mean loss a round is known."""

    def __init__(self, full: Any, params: dict[str, Any], slot: Slot, n_rows: int) -> None:
        self.full, self.params, self.slot, self.n_rows = full, params, slot, n_rows
        self.lr, self.per_round, self.stopped = 0.0, 0.0, "end"
        self._boosters: list[tuple[Any, Array]] = []
        self._best = 0
        self._started = 0.0

    def booster(self, data: Any, lr: float) -> Any:
        import lightgbm as lgb

        self._started = self.slot.spent()
        return lgb.Booster(self.params | {"learning_rate": lr}, data)

    def measured(self, rounds: int) -> None:
        """Note the seconds of one round over all rows, after ``rounds`` of them."""
        self.per_round = (self.slot.spent() - self._started) / rounds

    def rounds(self, pairs: Pairs, lr: float) -> int:
        """The best number of rounds by the mean loss over ``pairs``, within the time."""
        self.lr = lr
        if not pairs:
            return int(0.25 * ROUNDS_BY_LR / lr)
        best = self._try(pairs, lr)
        while best is None:
            # fewer parts first, then larger steps: each halves the work or better
            pairs = pairs[:1]
            best = self._try(pairs, self.lr)
        return best

    def _try(self, pairs: Pairs, lr: float) -> int | None:
        """Grow until patience or time ends; None when it must start again, cheaper."""
        self._boosters = [(self._inner(fit, back, lr), back) for fit, back in pairs]
        patience = patience_for(lr)
        share = sum(fit.size for fit, _ in pairs) / self.n_rows
        began, self.stopped = self.slot.spent(), "end"
        for done in range(1, 10_001):
            ended = [booster.update() for booster, _ in self._boosters]
            if all(ended):
                break
            if patience.stop(self._loss()):
                self.stopped = "early"
                break
            if done <= PROBE:
                per_step = (self.slot.spent() - began) / done
                self.per_round = per_step / share
            if done in (3, PROBE):
                # at its cheapest: one part, the largest step, and the fit of all rows
                fits = int(self.slot.left() / (1.9 * self.per_round))
                refuse_few(fits, ROUNDS_BY_LR / max(lr, HIGHEST_LR), self.slot, self.per_round)
            if done == PROBE and self._too_slow(pairs, lr, per_step + self.per_round):
                return None
            if self.slot.left() < 1.1 * patience.best_round * self.per_round:
                self.stopped = "time"
                refuse_few(patience.best_round, ROUNDS_BY_LR / lr, self.slot, self.per_round)
                break
        self._best = max(patience.best_round, 1)
        return self._best

    def _too_slow(self, pairs: Pairs, lr: float, per_round: float) -> bool:
        seconds = 0.9 * self.slot.left()
        if len(pairs) > 1:
            return ROUNDS_BY_LR / lr * per_round > seconds
        self.lr = lr_that_fits(lr, seconds, per_round)
        return self.lr > 1.15 * lr

    def _inner(self, fit: Array, back: Array, lr: float) -> Any:
        booster = self.booster(self.full.subset(fit), lr)
        booster.add_valid(self.full.subset(back), "back")
        return booster

    def _loss(self) -> float:
        sizes = np.array([back.size for _, back in self._boosters], dtype=np.float64)
        losses = [booster.eval_valid()[0][2] for booster, _ in self._boosters]
        return float(np.average(losses, weights=sizes))

    def smear(self, matrix: Array, history: History, link: Mapping[str, Any]) -> float:
        """See :func:`everfit.learners.link.smearing`; over the held-back rows, 0 without any."""
        if not self._boosters:
            return 0.0
        raw = [
            b.predict(matrix[back], raw_score=True, num_iteration=self._best)
            for b, back in self._boosters
        ]
        rows = np.concatenate([back for _, back in self._boosters])
        weight = None if history.weight is None else history.weight[rows]
        return smearing(np.concatenate(raw), history.target[rows], link, weight)
