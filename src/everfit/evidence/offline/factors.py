"""Which factor of a study matters: features, learner, a hyperparameter, or two of them together?

A study ran m settings on the SAME folds. A setting is one level for each factor; losses are
(J, m), one mean loss for each fold and setting, lower is better.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.interval import Floats, Interval
from everfit.evidence.multiple import holm
from everfit.evidence.offline.folds import corrected_hotelling
from everfit.evidence.paired import corrected_gain, finite_losses, share_to_ratio

Setting = Mapping[str, Hashable]


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a factor: its mean loss over the levels of the others, all counted alike.

    ``effect`` is that mean less the mean of all levels: below 0 the level helps.
    """

    name: str
    loss: Interval
    effect: Interval


@dataclass(frozen=True, slots=True)
class Effect:
    """Does a factor, or two of them together, change the loss?

    ``f`` has ``freedom`` degrees of freedom, ``p`` is that of "all levels lose the same", and
    ``p_adjusted`` is Holm's over all effects of the study. ``omega2`` in [0, 1] is its size: the
    share of the factor in the variance of one fold's contrasts. An interaction has no levels.
    """

    factors: tuple[str, ...]
    f: float
    freedom: tuple[int, int]
    p: float
    p_adjusted: float
    omega2: float
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class _Term:
    """Columns of the design that belong together; ``codes`` has a row for each level."""

    factors: tuple[str, ...]
    columns: Floats
    names: tuple[str, ...]
    codes: Floats


def factor_effects(
    settings: Sequence[Setting],
    losses: ArrayLike,
    test_share: float,
    *,
    order: int = 1,
    alpha: float = 0.05,
) -> tuple[Effect, ...]:
    """The corrected Hotelling test of every factor (``order`` 1) and every pair of them (2).

    In each fold the effects are fitted by least squares with codes that sum to zero, so that a
    full design gives differences of plain means and a fractional one the same where it can. Their
    F is that of ``folds.corrected_hotelling``: 6% of studies of equal levels are called different
    at 5% (10 x 10 folds), and 77% by the test that takes folds for independent. Smallest p first;
    factors with one level are left out; a loss that is not finite counts as the worst.

    Parameters
    ----------
    settings : m settings with the same factors
    losses : (J, m); the same J folds for all settings, and J above the number of levels
    test_share : n_test/(n_test + n_train) of a fold; 1/k for k folds

    Raises
    ------
    UsageError : settings and losses do not fit together, or effects that cannot be told apart

    Notes
    -----
    ``omega2 = max(0, q (F - 1) / (q (F - 1) + n))`` with n = 1/(1/J + n_test/n_train), the folds
    that as many independent ones would be worth.

    Examples
    --------
    >>> settings = [{"learner": a, "features": b} for a in "xy" for b in "uv"]
    >>> noise = np.random.default_rng(0).normal(0, 0.01, (20, 4))
    >>> found = factor_effects(settings, noise + [0.3, 0.3, 0.2, 0.2], 0.2)
    >>> [(e.factors[0], e.p_adjusted < 0.05) for e in found]
    [('learner', True), ('features', False)]
    """
    y = np.atleast_2d(np.asarray(losses, dtype=np.float64))
    y = finite_losses(y)[0].reshape(y.shape)
    terms = _terms(settings, y, order)
    design = np.column_stack([np.ones(len(settings)), *(t.columns for t in terms)])
    _refuse_mixed(design, terms)
    fitted = y @ np.linalg.pinv(design).T  # (J, 1 + columns)
    worth = 1 / (1 / len(y) + share_to_ratio(test_share))
    found, start = [], 1
    for term in terms:
        part = fitted[:, start : start + term.columns.shape[1]]
        start += term.columns.shape[1]
        f, q, rest, p = corrected_hotelling(part, test_share)
        gained = q * (f - 1)
        omega2 = 1.0 if np.isinf(f) else max(0.0, gained / (gained + worth))
        levels = _levels(term, fitted[:, 0], part, test_share, alpha)
        found.append(Effect(term.factors, f, (q, rest), p, p, omega2, levels))
    adjusted = holm([e.p for e in found])
    done = [replace(e, p_adjusted=float(p)) for e, p in zip(found, adjusted, strict=True)]
    return tuple(sorted(done, key=lambda e: (e.p, -e.omega2)))


def _terms(settings: Sequence[Setting], y: Floats, order: int) -> list[_Term]:
    names = list(settings[0]) if settings else []
    if y.shape[1] != len(settings) or any(set(s) != set(names) for s in settings):
        raise UsageError(
            "the settings of a study do not fit its losses",
            got=f"{len(settings)} settings, losses of shape {y.shape}",
            expected="one column of losses for each setting, and the same factors in all of them",
        )
    single = [_coded(name, [s[name] for s in settings]) for name in names]
    kept = [term for term in single if len(term.names) > 1]
    if order < 2:
        return kept
    both = [
        _Term(
            a.factors + b.factors,
            np.einsum("mi,mj->mij", a.columns, b.columns).reshape(len(settings), -1),
            (),
            np.zeros((0, 0)),
        )
        for a, b in itertools.combinations(kept, 2)
    ]
    return kept + both


def _coded(name: str, values: Sequence[Hashable]) -> _Term:
    """Codes that sum to zero over levels: level i is column i, the last is minus all of them."""
    levels = sorted(set(values), key=lambda v: (str(type(v)), str(v)))
    codes = np.vstack([np.eye(len(levels) - 1), -np.ones((1, len(levels) - 1))])
    where = {level: i for i, level in enumerate(levels)}
    return _Term((name,), codes[[where[v] for v in values]], tuple(map(str, levels)), codes)


def _refuse_mixed(design: Floats, terms: Sequence[_Term]) -> None:
    rank = int(np.linalg.matrix_rank(design))
    if rank == design.shape[1]:
        return
    mixed, start = [], 1
    for term in terms:
        width = term.columns.shape[1]
        rest = np.delete(design, np.s_[start : start + width], axis=1)
        if rank - int(np.linalg.matrix_rank(rest)) < width:
            mixed.append(" x ".join(term.factors))
        start += width
    raise UsageError(
        "effects of a study cannot be told apart",
        got=f"{len(design)} settings in which {', '.join(mixed)} change together",
        expected="settings in which every factor changes by itself",
        do="run more settings, or ask for fewer effects (order=1)",
    )


def _levels(
    term: _Term, middle: Floats, part: Floats, test_share: float, alpha: float
) -> tuple[Level, ...]:
    levels = []
    for name, code in zip(term.names, term.codes, strict=True):
        effect = part @ code
        loss = corrected_gain(middle + effect, test_share, alpha=alpha).gain
        levels.append(Level(name, loss, corrected_gain(effect, test_share, alpha=alpha).gain))
    return tuple(levels)
