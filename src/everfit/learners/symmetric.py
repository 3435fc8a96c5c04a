"""Symmetric trees by CatBoost: categories through ordered target statistics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from everfit.data.table import Table
from everfit.encoders.frame import categories_frame
from everfit.encoders.table import FeaturePlan
from everfit.errors import LearnerFailed
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

MOST_SHARE = 6  # times the expected rounds; what comes later gains less than it costs
PROBE = 20  # rounds after which the cost of a round is known
Pairs = list[tuple[Array, Array]]


class Symmetric:
    """CatBoost on the codes view, category columns as whole numbers (-1: unseen).

    Parameters
    ----------
    lr : step; None takes CatBoost's own rule, which follows rows and rounds
    n_rounds : rounds to train, fewer when the time asks for it; None finds them on held-back rows
    depth, l2, strength, rows, border, columns : CatBoost's depth, l2_leaf_reg, random_strength,
        subsample, border_count and rsm; None leaves its default
    leaf_steps : gradient steps for leaf values; None leaves CatBoost's default
    ctr : most category columns combined in one target statistic; onehot : levels below which a
        category is taken as it is
    target, smear, inner : as for :class:`everfit.learners.boosted.Boosted`
    """

    name: str = "symmetric"
    engine: ClassVar[str] = "catboost"
    forms: tuple[Form, ...] = ("probabilities", "values")

    def __init__(
        self,
        *,
        lr: float | None = None,
        n_rounds: int | None = 1000,
        depth: int = 6,
        l2: float | None = None,
        strength: float | None = None,
        rows: float | None = None,
        columns: float | None = None,
        border: int | None = None,
        leaf_steps: int | None = None,
        ctr: int | None = None,
        onehot: int | None = None,
        target: str = "plain",
        smear: float | None = None,
        inner: str = "random",
    ) -> None:
        self.lr, self.n_rounds, self.depth, self.l2 = lr, n_rounds, depth, l2
        self.strength, self.rows, self.columns, self.border = strength, rows, columns, border
        self.leaf_steps, self.ctr, self.onehot = leaf_steps, ctr, onehot
        self.target, self.smear, self.inner = target, smear, inner

    def fit(self, history: History, budget: FitBudget) -> Symmetric:
        """Choose rounds and step for the time, then train on all rows.

        Raises
        ------
        LearnerFailed : nothing can be learnt, or a fifth of the rounds do not fit the time
        """
        slot = Slot(budget)
        check(history)
        self.plan_, matrix = encode(history, "codes")
        slot.need(_first_round_s(history, self.plan_), "CatBoost's preparation")
        self.link_ = link_of(history, self.target)
        values = history.form == "values"
        raw = to_raw(history.target, self.link_) if values else history.target
        params = _params(self, history, budget.threads)
        work = _Work(params, self.plan_, matrix, history, slot, raw=raw)
        lr, rounds, stopped = self.lr, budget.rounds or self.n_rounds, ""
        if rounds is None:
            lr = lr or 0.06
            back = held_back(matrix, history, which=self.inner)[: 4 if raw.size <= 2_500 else 1]
            rounds, lr, stopped = work.search(back, lr)
        smear = self.smear
        if self.target == "log" and values and smear is None:
            smear = work.smear(self.link_)
        self.model_, ended = work.train(rounds, lr, fixed=budget.rounds is not None)
        self.link_["shift"] += smear or 0.0
        self.levels_ = [np.unique(_whole(matrix[:, column])) for column in self.plan_.categorical]
        used = float(self.model_.get_all_params()["learning_rate"])
        self.facts_: Mapping[str, Any] = {
            "rounds": self.model_.tree_count_,
            "stopped": ended or stopped or "end",
            "lr": used,
            "seconds_per_round": work.per_round,
            "features": matrix.shape[1],
            "settings": {"lr": used, "smear": smear},
        }
        return self

    def answer(self, asks: Table) -> Array:
        """Answers for each row: float64 (n, n_outputs)."""
        data = pool(self.plan_, self.plan_.transform(asks))
        raw = self.model_.predict(data, prediction_type="RawFormulaVal", thread_count=1)
        return to_answers(np.asarray(raw), self.link_, None)

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write ``model.cbm``, ``model.json`` (with the hashes of all levels) and the plan."""
        self.plan_.save(folder)
        self.model_.save_model(str(folder / "model.cbm"))
        # the JSON form names only the hashes of values in a pool: all levels, numbers do not matter
        n_rows = max((levels.size for levels in self.levels_), default=1)
        matrix = np.zeros((n_rows, len(self.plan_.names)))
        for column, levels in zip(self.plan_.categorical, self.levels_, strict=True):
            matrix[:, column] = np.resize(levels, n_rows)
        self.model_.save_model(
            str(folder / "model.json"), format="json", pool=pool(self.plan_, matrix)
        )
        return {
            "engine": self.engine,
            "files": ["model.cbm", "model.json"],
            "features": "features.json",
            "link": dict(self.link_),
        }

    @classmethod
    def load(cls, folder: Path, part: Mapping[str, Any]) -> Symmetric:
        """The inverse of :meth:`save`, from the native file."""
        import catboost

        learner = cls()
        learner.model_ = catboost.CatBoost().load_model(str(folder / "model.cbm"))
        learner.plan_, learner.link_ = FeaturePlan.load(folder), dict(part["link"])
        learner.facts_ = {}
        return learner


def _first_round_s(history: History, plan: FeaturePlan) -> float:
    """Seconds until the first round ends, measured: target statistics cost most, a class each."""
    n, classes = history.target.size, history.n_outputs if history.n_outputs > 2 else 1
    return 0.03 + n * (2e-7 * len(plan.names) + 5e-6 * len(plan.categorical) * classes)


def _whole(codes: Array) -> Array:
    return np.where(np.isnan(codes), -1.0, codes).astype(np.int32)


def pool(
    plan: FeaturePlan, matrix: Array, label: Array | None = None, weight: Array | None = None
) -> Any:
    """A CatBoost pool of ``matrix`` (n, d) with its category columns."""
    import catboost

    return catboost.Pool(
        categories_frame(matrix, plan.categorical),
        label=label,
        weight=weight,
        cat_features=list(plan.categorical),
    )


class _Work:
    """All CatBoost runs of one fit, with what they cost."""

    def __init__(
        self,
        params: dict[str, Any],
        plan: FeaturePlan,
        matrix: Array,
        history: History,
        slot: Slot,
        *,
        raw: Array,
    ) -> None:
        self.params, self.plan, self.matrix, self.raw = params, plan, matrix, raw
        self.history, self.slot, self.per_round = history, slot, 0.0
        self._models: list[tuple[Any, Array]] = []
        self._best = 0

    def search(self, pairs: Pairs, lr: float) -> tuple[int, float, str]:
        """The best number of rounds by the mean loss over ``pairs``, the step that fits the time,
        and what stopped the search.
        """
        if not pairs:
            return int(0.25 * ROUNDS_BY_LR / lr), lr, ""
        # fewer parts first, then larger steps; after that it takes what it takes
        found = self._curves(pairs, lr, may_stop=True)
        if found is None and len(pairs) > 1:
            pairs = pairs[:1]
            found = self._curves(pairs, lr, may_stop=True)
        if found is None:
            lr = lr_that_fits(lr, 0.4 * self.slot.left(), self.per_round)
            found = self._curves(pairs, lr, may_stop=False)
        curves, reason = found or ([], "time")
        # a part that stopped stays where it was, so that it cannot cut the others short
        longest = max(len(curve) for curve in curves)
        flat = [np.pad(curve, (0, longest - len(curve)), mode="edge") for curve in curves]
        best = int(np.argmin(np.mean(flat, axis=0))) + 1
        self._best = best
        if reason == "time":
            refuse_few(best, ROUNDS_BY_LR / lr, self.slot, self.per_round)
        return best, lr, reason

    def _curves(
        self, pairs: Pairs, lr: float, *, may_stop: bool
    ) -> tuple[list[list[float]], str] | None:
        """Loss by round on each held-back part; None when that would take too long."""
        self._models, curves, reason = [], [], "early"
        share = 0.8 * self.slot.left() / (len(pairs) + 1)
        for fit, back in pairs:
            until = self.slot.left() - share
            watch = SearchWatch(self.slot, len(pairs) if may_stop else 0, lr, until=until)
            model = self._run(fit, int(MOST_SHARE * ROUNDS_BY_LR / lr), lr, watch, back)
            self.per_round = watch.per_round * self.raw.size / fit.size
            if watch.reason == "slow":
                return None
            self._models.append((model, back))
            curves.append(watch.patience.seen)
            reason = watch.reason if watch.reason == "time" else reason
        return curves, reason

    def smear(self, link: Mapping[str, Any]) -> float:
        """See :func:`everfit.learners.link.smearing`; over held-back rows, 0 without any."""
        if not self._models:
            return 0.0
        raw = [
            model.predict(
                pool(self.plan, self.matrix[back]),
                ntree_end=min(self._best, model.tree_count_),
                thread_count=1,
            )
            for model, back in self._models
        ]
        rows = np.concatenate([back for _, back in self._models])
        weight = None if self.history.weight is None else self.history.weight[rows]
        return smearing(np.concatenate(raw), self.history.target[rows], link, weight)

    def train(self, rounds: int, lr: float | None, *, fixed: bool) -> tuple[Any, str]:
        """Train on all rows: the model, and "time" when the time ended it.

        Rounds that were not fixed by an earlier fold are cut to what fits the time after a probe;
        CatBoost's own step then grows, as its rule follows the rounds.
        """
        rows, free = np.arange(self.raw.size), not fixed and lr is None
        watch = FitWatch(self.slot, rounds, free)
        model = self._run(rows, rounds, lr, watch)
        if watch.fits:
            watch = FitWatch(self.slot, watch.fits, False)
            model = self._run(rows, watch.rounds, lr, watch)
        self.per_round = watch.per_round
        if watch.reason == "time":
            refuse_few(model.tree_count_, rounds, self.slot, watch.per_round)
        return model, watch.reason

    def _run(
        self, rows: Array, rounds: int, lr: float | None, watch: Any, back: Array | None = None
    ) -> Any:
        import catboost

        params = self.params | {"iterations": rounds}
        if lr is not None:
            params["learning_rate"] = lr
        model = catboost.CatBoost(params)
        try:
            model.fit(
                self._pool(rows), eval_set=None if back is None else self._pool(back),
                use_best_model=False, callbacks=[watch],
            )  # fmt: skip
        except catboost.CatBoostError as error:
            # CatBoost refuses e.g. columns that are all constant; the study records it
            raise LearnerFailed(
                "CatBoost refused these rows",
                got=str(error)[:300],
                expected="a column that varies",
                do="see the cause beside; another learner may take them",
            ) from error
        return model

    def _pool(self, rows: Array) -> Any:
        weight = None if self.history.weight is None else self.history.weight[rows]
        return pool(self.plan, self.matrix[rows], self.raw[rows], weight)


class SearchWatch:
    """CatBoost's callback while rounds are searched: patience, time, and whether it is too slow.

    ``n_parts`` is 0 when too slow is no reason any more.
    """

    def __init__(self, slot: Slot, n_parts: int, lr: float, *, until: float) -> None:
        self.patience, self.per_round, self.reason = patience_for(lr), 0.0, ""
        self._slot, self._n_parts, self._lr, self._until = slot, n_parts, lr, until
        self._began, self.foreseen = 0.0, 0

    def after_iteration(self, info: Any) -> bool:
        """Whether to go on."""
        stop = self.patience.stop(next(iter(info.metrics["validation"].values()))[-1])
        done, now = len(self.patience.seen), self._slot.spent()
        if done == 1:
            # the first round carries the preparation of the data
            self._began = now
            return not stop
        if done <= PROBE:
            self.per_round = (now - self._began) / (done - 1)
        if done in (4, PROBE):
            self.foreseen = done + int(self._slot.left() / (2.0 * self.per_round))
            # four rounds tell little, so they only refuse what is far off
            share = 0.1 if done == 4 else 0.2
            refused = self.foreseen < share * ROUNDS_BY_LR / max(self._lr, HIGHEST_LR)
            needed = ROUNDS_BY_LR / self._lr * self.per_round * (1.3 * self._n_parts + 1.0)
            cheaper = self._n_parts > 1 or (self._n_parts == 1 and self._lr < HIGHEST_LR / 1.15)
            slow = cheaper and needed > self._slot.left()
            self.reason = "time" if refused else "slow" if slow and done == PROBE else ""
        if not self.reason:
            late = self._slot.left() < self._until
            self.reason = "early" if stop else "time" if late else ""
        return not self.reason


class FitWatch:
    """CatBoost's callback while all rows are fitted; ``fits`` is set when fewer rounds must do."""

    def __init__(self, slot: Slot, rounds: int, free: bool) -> None:
        self.rounds, self.per_round, self.reason, self.fits = rounds, 0.0, "", 0
        self._slot, self._free, self._done = slot, free, 0
        self._entered, self._began, self.foreseen = slot.spent(), 0.0, 0

    def after_iteration(self, info: Any) -> bool:
        """Whether to go on."""
        self._done += 1
        now, left = self._slot.spent(), self._slot.left()
        if self._done == 1:
            self._began = now
            self.reason = "time" if left < 0.02 and self.rounds > 1 else ""
            return not self.reason
        if self._done <= PROBE:
            self.per_round = (now - self._began) / (self._done - 1)
        if self._done in (4, PROBE) and self.rounds > PROBE:
            fits = int(left * 0.9 / max(self.per_round, 1e-9))
            self.foreseen = self._done + fits
            if self.foreseen < (0.1 if self._done == 4 else 0.2) * self.rounds:
                self.reason = "time"
            elif self._done == PROBE and self._free and fits < 0.8 * (self.rounds - PROBE):
                again = (self._began - self._entered) / max(self.per_round, 1e-9)
                self.fits = max(int(fits - again), PROBE)
                self.reason = "shorter"
        if left < 2.0 * self.per_round + 0.02 and self._done < self.rounds:
            self.reason = self.reason or "time"
        return not self.reason


def _params(learner: Symmetric, history: History, threads: int) -> dict[str, Any]:
    if history.form == "values":
        loss: dict[str, Any] = {"loss_function": "RMSE"}
    elif history.n_outputs == 2:
        loss = {"loss_function": "Logloss"}
    else:
        loss = {"loss_function": "MultiClass", "classes_count": history.n_outputs}
    chosen: dict[str, Any] = {
        "depth": learner.depth,
        "l2_leaf_reg": learner.l2,
        "random_strength": learner.strength,
        "subsample": learner.rows,
        "rsm": learner.columns,
        "border_count": learner.border,
        "leaf_estimation_iterations": learner.leaf_steps,
        "max_ctr_complexity": learner.ctr,
        "one_hot_max_size": learner.onehot,
    }
    if learner.rows is not None:
        chosen["bootstrap_type"] = "Bernoulli"
    return (
        loss
        | {name: value for name, value in chosen.items() if value is not None}
        | {
            "random_seed": history.seed,
            "thread_count": threads,
            "allow_writing_files": False,
            "logging_level": "Silent",
        }
    )
