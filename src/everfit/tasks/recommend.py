"""Which items next: answers are ranked lists, one for each user who is asked for at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import polars as pl

from everfit.column import DEPTH
from everfit.data.table import Table
from everfit.errors import TargetUnusable, TooFewRows, UsageError
from everfit.lists import metrics as judged
from everfit.lists.top import mixed, unpack
from everfit.records import (
    Answers,
    Array,
    Cut,
    Form,
    Losses,
    Problem,
    Role,
    SplitPolicy,
    Truth,
)
from everfit.tasks import met, rows
from everfit.tasks.classify import labels_of

FOLDS, FEW_FOLDS = 5, 3
FEW_ASKED = 50  # in one window: with fewer its mean says next to nothing, so windows get longer
LISTED = 10  # items of a list that are looked at


class Recommend:
    """Items as targets, users as groups; the primary loss is 1 - NDCG@10, per user and time.

    A unit is a user at a cut in time: what is known is all that happened before the cut, and true
    are the items that the user met after it for the first time. A row stands for its user: the
    first one after the cut. All items are ranked.

    Examples
    --------
    >>> Recommend().better("ndcg")
    'higher'
    """

    name = "recommend"
    form: Form = "lists"
    metrics: tuple[str, ...] = ("ndcg", "recall", "hit")
    beside: Mapping[str, Role] = MappingProxyType({"items": "target"})
    floor_serves = True

    def fits(self, target: Table) -> tuple[bool, str]:
        """Never by itself: that a column holds items is for a person to say."""
        return False, "only when it is named, with the users and the items"

    def problem(
        self,
        table: Table,
        target: str,
        *,
        metric: str | None = None,
        beside: Mapping[str, Table] | None = None,
    ) -> Problem:
        """All items that anybody met or that the table of items names are the labels."""
        users = table.role("group")
        if users is None:
            raise UsageError(
                "no column holds the users",
                got=", ".join(repr(column.name) for column in table.columns[:20]),
                expected="one column of users and another of items",
                do="name them: --user COLUMN --item COLUMN",
            )
        known = table.frame.select(users.name, target).drop_nulls()
        _require_interactions(known, users.name, target)
        values = known[target]
        labels, label_type = labels_of(values, ())
        if (items := (beside or {}).get("items")) is not None:
            labels = met.with_more(labels, label_type, items.frame[target])
        return Problem(
            task=self.name,
            target=target,
            metric=rows.known_metric(metric, self.metrics),
            form=self.form,
            labels=labels,
            label_type=label_type,
            **rows.roles(table),
        )

    def aside(self, problem: Problem, beside: Mapping[str, Table]) -> Mapping[str, Table]:
        """The table of items with one row a label; an item that it does not name has none."""
        if "items" not in beside:
            return {}
        return {"items": met.catalogue(beside["items"], problem)}

    def asks(self, data: Table, cut: Cut) -> Table:
        """Users and the time at which they ask, with what is the same in all rows of a user.

        A column that differs from row to row tells of a meeting, so nobody knows it before.
        """
        kept = {column.name for column in data.columns if column.role in ("group", "time")}
        users = data.role("group")
        if users is not None:
            kept |= met.constant_within(data, users.name)
        return data.take(cut.asked).drop([c.name for c in data.columns if c.name not in kept])

    def truth(self, data: Table, problem: Problem) -> Truth:
        """The item code of each row whose user and item are known, with its weight."""
        found = met.Rows.of(data, problem)
        weight = rows.weights(data, problem)
        ids = found.known
        return Truth(
            ids, found.items[ids].astype(np.float64), None if weight is None else weight[ids]
        )

    def split(self, data: Table, problem: Problem) -> SplitPolicy | None:
        """Forward in time; where no time is shared by all users, the last rows of each user."""
        users = str(problem.group)
        found = met.Rows.of(data, problem)
        if why := found.untimed:
            return SplitPolicy("last", problem.time, FEW_FOLDS, users, why)
        asked = met.asked_at_least(data, SplitPolicy("time", problem.time, FOLDS), found)
        n_folds = FOLDS if asked >= FEW_ASKED else FEW_FOLDS
        why = f"lists are judged by what came later; each cut asks for {asked:,} users or more"
        return SplitPolicy("time", problem.time, n_folds, users, why)

    def asked(self, data: Table, problem: Problem, cut: Cut) -> Array:
        """The first row of each user after the cut; at most 2,000 users, drawn once and for all."""
        return met.first_rows(met.Rows.of(data, problem), cut.asked)

    def turned_out(self, data: Table, problem: Problem, cuts: Sequence[Cut]) -> Truth:
        """The items that each user met after the cut for the first time, (n, m) filled with NaN."""
        found = met.Rows.of(data, problem)
        parts = [met.later(found, cut, len(problem.labels)) for cut in cuts]
        ids = np.concatenate([ids for ids, _ in parts])
        width = max((values.shape[1] for _, values in parts), default=0)
        true = np.full((len(ids), max(width, 1)), np.nan)
        start = 0
        for _, values in parts:
            true[start : start + len(values), : values.shape[1]] = values
            start += len(values)
        order = np.argsort(ids, kind="stable")
        return Truth(ids[order], true[order])

    def losses(self, answers: Answers, truth: Truth, metric: str) -> Losses:
        """1 - NDCG@10, 1 - recall@20, or 1 where none of the first 10 was met, per unit."""
        ids, values, true, weight = rows.matched(answers, truth)
        return Losses(metric, ids, 1.0 - _SCORES[metric](unpack(values)[0], true), weight)

    def shown(self, metric: str, answers: Array, truth: Array, weight: Array | None) -> float:
        """The mean over all units."""
        return rows.mean(_SCORES[metric](unpack(answers)[0], truth), weight)

    def better(self, metric: str) -> str:
        """All measures of lists are better when higher."""
        return "higher"

    def limits(self, metric: str) -> tuple[float, float]:
        """All lie in 0 to 1."""
        return 0.0, 1.0

    def blend(self, answers: Sequence[Answers], weights: Sequence[float]) -> Answers:
        """Scores scaled to each list and summed by weight, ranked anew."""
        return Answers(answers[0].ids, mixed([one.values for one in answers], list(weights)))

    def calibrate(self, answers: Answers, truth: Truth) -> Mapping[str, float]:
        """Nothing: only the order of a list counts."""
        return {}

    def recalibrate(self, answers: Answers, truth: Truth) -> Mapping[str, float]:
        """Nothing, as :meth:`calibrate`."""
        return {}

    def adjust(self, values: Array, calibration: Mapping[str, float]) -> Array:
        """``values`` as they are."""
        return values

    def floors(self) -> tuple[str, ...]:
        """What was popular lately, and items that the same users meet."""
        return ("popular", "neighbours")

    def segments(
        self, data: Table, problem: Problem, cuts: Sequence[Cut], ids: Array, *, least: int
    ) -> dict[str, Array]:
        """Users by how much was known of them at the cut, and those who then met a new item."""
        masks = met.segments(met.Rows.of(data, problem), cuts, len(problem.labels))
        return {name: mask[ids] for name, mask in masks.items() if mask[ids].sum() >= least}

    def measures(
        self, answers: Answers, data: Table, problem: Problem, cuts: Sequence[Cut]
    ) -> Mapping[str, float]:
        """Other measures of the same lists, what they cover, how popular, and who was new.

        Lists for new users, and what they hold of items that were new to all, stand apart.
        """
        met_by = met.Rows.of(data, problem)
        new = met.Strangers.of(met_by, cuts, len(problem.labels))
        ids, values, true, _ = rows.matched(answers, Truth(new.ids, new.true))
        codes = unpack(values)[0]
        known = np.isin(new.ids, ids)
        found = {f"{name}@{k}": _mean(score(codes, true)) for name, k, score in _NAMED}
        kept = judged.thinned(true, judged.head_kept(true, len(problem.labels)), ids)
        found[f"debiased ndcg@{LISTED}"] = _mean(judged.ndcg(codes, kept, k=LISTED))
        ndcg, users = judged.ndcg(codes, true, k=LISTED), new.users[known]
        found[f"ndcg@{LISTED} of new users"] = _mean(ndcg[users])
        found[f"ndcg@{LISTED} of known users"] = _mean(ndcg[~users])
        unheard = np.where(new.items[known], true, np.nan)
        found["recall@20 of new items"] = _mean(judged.recall(codes, unheard, k=20))
        found |= met.spread_of(met_by, codes, len(problem.labels), LISTED)
        found |= new.shares
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def aligned(self, values: Array, old: Problem, new: Problem) -> Array:
        """Codes of the old catalogue as codes of the new one; an item that is gone leaves a gap."""
        if old.labels == new.labels:
            return values
        place = {label: code for code, label in enumerate(new.labels)}
        codes = np.array([place.get(label, -1) for label in old.labels] + [-1], dtype=np.float64)
        found = values.copy()
        found[:, :DEPTH] = codes[values[:, :DEPTH].astype(np.int64)]
        return found


_SCORES: Mapping[str, Callable[[Array, Array], Array]] = {
    "ndcg": lambda codes, true: judged.ndcg(codes, true, k=10),
    "recall": lambda codes, true: judged.recall(codes, true, k=20),
    "hit": lambda codes, true: judged.hit(codes, true, k=10),
}
_NAMED = tuple((name, 20 if name == "recall" else 10, score) for name, score in _SCORES.items())


def _mean(values: Array) -> float:
    found = values[np.isfinite(values)]
    return float(found.mean()) if found.size else float("nan")


def _require_interactions(known: pl.DataFrame, users: str, items: str) -> None:
    n = known.height
    if n < rows.MIN_ROWS:
        raise TooFewRows(
            f"too few interactions have a user ({users!r}) and an item ({items!r})",
            got=f"{n} interaction{'' if n == 1 else 's'}",
            expected=f"at least {rows.MIN_ROWS}; some thousands to tell good lists from popular",
            do="add interactions",
        )
    for name, what in ((items, "item"), (users, "user")):
        if known[name].n_unique() < 2:
            raise TargetUnusable(
                f"all interactions are of one {what}",
                got=f"{known[name][0]!r} in all {n:,} of them",
                expected=f"at least two {what}s in the column {name!r}",
                do=f"name the column of the {what}s",
            )
