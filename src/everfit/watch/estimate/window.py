"""One window without outcomes: the loss and the metric that its answers are expected to have."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from everfit.records import Array, Problem
from everfit.tasks import Task
from everfit.watch.answered import answers
from everfit.watch.estimate.design import designs
from everfit.watch.estimate.expected import Expectation, Expected, Sample, expectation
from everfit.watch.estimate.ratio import Ratio, density_ratio
from everfit.watch.reference import Reference

MOST_ROWS = 2_500  # of each sample: the error from more is not the one that counts
MOST_CELLS = 120_000  # answers times labels
LEAST_ROWS = 50
LEAST_EFFECTIVE = 100.0  # known rows that the weighted ones must be worth
DRAWS = 20


def estimate(
    frame: pl.DataFrame, reference: Reference | None, *, problem: Problem, task: Task, seed: int = 0
) -> dict[str, Any]:
    """What a window's answers are expected to lose, before any outcome: facts for its record.

    Parameters
    ----------
    frame : one version's answers with the rows asked, columns as ``Log.joined`` gives them
    reference : of that version, with its sample

    Returns
    -------
    dict : ``n``; ``effective`` known rows; ``pape`` and ``cbpe``, each with ``loss`` and
    ``score``, the first with the ``error`` of the loss that will be measured (bootstrap of both
    samples, and the chance in the outcomes); ``left_out`` columns. Or ``n`` and ``refused``, why
    nothing can be said.

    Notes
    -----
    PAPE: known rows are weighted by how much more often their like comes now, the calibration
    is fitted again under these weights, and each label counts as true with the probability that
    it gives. CBPE is the same without weights, a check. Both assume that outcomes depend
    on rows as they did: a change of that (concept drift) shows in no estimate.

    References
    ----------
    .. [1] Bialek et al. (2025), Estimating model performance under covariate shift without labels,
       NeurIPS, arXiv 2401.08348.
    """
    said = answers(frame, problem)
    sound = np.flatnonzero(np.isfinite(said).all(axis=1))
    n = len(sound)
    if reference is None or reference.rows is None or reference.answers is None:
        return {"n": n, "refused": "no rows of the training with answers are kept"}
    if reference.truth is None or min(n, len(reference.truth)) < LEAST_ROWS:
        return {"n": n, "refused": f"fewer than {LEAST_ROWS} rows"}
    rng = np.random.default_rng(seed)
    some = _some(rng, sound, problem.n_outputs)
    traffic = frame[some] if len(some) < frame.height else frame
    known, asked, left_out = designs(reference, traffic, said[some])
    rows = _some(rng, np.flatnonzero(np.isfinite(reference.truth)), 1)
    known = known[rows]
    sample = Sample(reference.answers[rows], reference.truth[rows], said[some], known, asked)
    ratio = density_ratio(known, asked)
    facts: dict[str, Any] = {
        "n": n,
        "effective": round(ratio.effective, 1),
        "left_out": list(left_out),
    }
    found = expectation(sample, problem, task)
    even = np.ones(len(rows))
    facts["cbpe"] = {"loss": found.loss(even).mean, "score": _plain(found.score(even))}
    if ratio.effective < LEAST_EFFECTIVE:
        few = f"{ratio.effective:.0f} known rows are like the rows of now, {LEAST_EFFECTIVE:.0f}"
        return facts | {"refused": f"{few} are needed"}
    now = found.loss(ratio.weights)
    facts["pape"] = {
        "loss": now.mean,
        "error": _error(found, now, ratio, n, rng),
        "score": _plain(found.score(ratio.weights)),
    }
    return facts


def _error(
    found: Expectation, now: Expected, ratio: Ratio, n: int, rng: np.random.Generator
) -> float:
    """Of the loss that will be measured: both samples drawn again, and chance in the outcomes."""
    n_asked = len(ratio.is_asked) - ratio.n_known
    draws = []
    for _ in range(DRAWS):
        times = np.concatenate([_times(rng, ratio.n_known), _times(rng, n_asked)])
        draws.append(found.drawn(ratio.drawn(times), ratio.weights))
    # chance in the outcomes of all rows, and in which of them were looked at
    chance = now.chance / n + now.between / n_asked * max(0.0, 1 - n_asked / n)
    return math.sqrt(float(np.var(draws, ddof=1)) + chance)


def _plain(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _times(rng: np.random.Generator, n: int) -> Array:
    return np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)


def _some(rng: np.random.Generator, rows: Array, n_outputs: int) -> Array:
    most = min(MOST_ROWS, max(LEAST_ROWS, MOST_CELLS // n_outputs))
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))
