"""Whether there are rows enough: the floor, and the smallest gain that these rows can show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from everfit.assess.check import Context, percent, share
from everfit.assess.quick import out_of_fold, random_folds
from everfit.evidence.interval import Interval, spread
from everfit.evidence.power import smallest_gain, units_needed
from everfit.records import Answers, Array, Finding, Truth

MAX_ROWS = 6_000
FOLDS = 5
POWER = 0.8
FLOOR_ROWS = 200_000
ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Enough:
    """The floor's loss, the smallest visible gain in the same unit, and what to say."""

    floor: Interval
    smallest: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers behind the finding, in the unit of the loss: see :func:`measure_enough`."""

    visible: float
    needed: int | None
    sd: float
    loss: float
    gain: float
    over_floor: float


def measure_floor(context: Context) -> tuple[Interval, Array, Array]:
    """The loss of the better floor (shares; mean or median) out of fold, its losses, their rows.

    On at most 200,000 rows, drawn at random; rows are ascending positions in ``known``.
    """
    rows = _drawn(context, FLOOR_ROWS)
    y = context.target[rows]
    folds = random_folds(len(y), min(FOLDS, max(len(y), 2)), context.rng)
    found = [_losses(context, answers, y) for answers in _floors(context, y, folds)]
    losses = min(found, key=lambda values: float(values.mean()))
    return spread(losses).interval(), losses, rows


def _drawn(context: Context, most: int) -> Array:
    n = len(context.target)
    return np.sort(context.rng.choice(n, most, replace=False)) if n > most else np.arange(n)


def measure_enough(context: Context) -> Enough:
    """Floor, smallest gain at 80% power, and a warning when these rows cannot show a model's worth.

    What a gain must stand out from is the spread of paired differences of per-row losses. For the
    smallest gain it is that between two models that could follow one another: a quick model and one
    of half its rounds, whose spread is that of two tuned boosters within a third on open data (the
    spread to the floor is 2 to 20 times as wide). Measured on at most 6,000 rows, said for all.
    """
    floor, floor_losses, rows = measure_floor(context)
    n, problem = round(len(context.target) * context.scale), context.problem
    if len(context.target) < 10 or not context.features or context.left() < 0.15:
        sd = float(floor_losses.std(ddof=1)) if n > 1 else float("nan")
        return Enough(floor, smallest_gain(sd, n, power=POWER), ())
    picked = np.sort(context.rng.permutation(len(rows))[: _affordable(context)])
    rows, floor_losses = rows[picked], floor_losses[picked]
    folds = random_folds(len(rows), FOLDS if context.left() > 1 else 3, context.rng)
    bins, y = context.view(rows).bins, context.target[rows]
    form, k, rng = problem.form, problem.n_outputs, context.rng
    most = ROUNDS if context.left() > 1 else ROUNDS // 2
    quick, rival = (
        _losses(context, out_of_fold(bins, y, form, k, rng, folds=folds, rounds=rounds), y)
        for rounds in (most, most // 2)
    )
    gained = floor_losses - quick
    sd = float(np.std(rival - quick, ddof=1))
    loss = float(quick.mean())
    sizes = Sizes(
        visible=smallest_gain(sd, n, power=POWER),
        needed=units_needed(0.01 * loss, sd, power=POWER) if loss > 0 else None,
        sd=sd,
        loss=loss,
        gain=float(gained.mean()),
        over_floor=smallest_gain(float(np.std(gained, ddof=1)), n, power=POWER),
    )
    return Enough(floor, sizes.visible, (_finding(n, sizes),))


def _finding(n: int, sizes: Sizes) -> Finding:
    hidden = sizes.gain < sizes.over_floor
    if sizes.gain <= 0:
        headline = f"A quick model does not beat the floor on these {n:,} rows"
    elif hidden:
        headline = f"A quick model's gain over the floor is less than {n:,} rows can show"
    else:
        headline = f"{n:,} rows can show a gain of {percent(share(sizes.visible, sizes.loss))}"
    more = "" if sizes.needed is None else f"; a gain of 1% needs {sizes.needed:,} rows"
    return Finding(
        check="enough rows",
        severity="warn" if hidden else "info",
        headline=headline + more,
        number=sizes.visible,
        unit="loss, smallest gain at 80% power",
        done="more rows help most" if hidden else "nothing",
        evidence={
            "test": "paired t at 5%, two-sided, power 80%",
            "statistic": sizes.sd,
            "unit": "standard deviation of paired loss differences of two quick models",
            "n": n,
            "quick_loss": sizes.loss,
            "gain_over_floor": sizes.gain,
            "smallest_gain_over_floor": sizes.over_floor,
            "rows_for_1_percent": sizes.needed,
        },
    )


def _affordable(context: Context) -> int:
    """Rows for the quick model that the time left allows."""
    width = max(len(context.features), 4)
    return int(np.clip(4e5 * min(context.left(), 5.0) / width, 800, MAX_ROWS))


def _floors(context: Context, y: Array, folds: Array) -> list[Array]:
    """Answers (n, k) of floors that did not see the row."""
    n, k = len(y), context.problem.n_outputs
    found = []
    for center in ("share",) if context.problem.form == "probabilities" else ("mean", "median"):
        answers = np.zeros((n, k))
        for fold in np.unique(folds):
            seen = y[folds != fold]
            if center == "share":
                counts = np.bincount(seen.astype(np.int64), minlength=k) + 0.5
                answers[folds == fold] = counts / counts.sum()
            else:
                answers[folds == fold] = seen.mean() if center == "mean" else np.median(seen)
        found.append(answers)
    return found


def _losses(context: Context, answers: Array, target: Array) -> Array:
    ids = np.arange(len(target))
    losses = context.task.losses(Answers(ids, answers), Truth(ids, target), context.problem.metric)
    return np.asarray(losses.values)
