"""A challenger's trial over time: looked at after every window, stopped at the first answer.

Every question is an e-process over the differences so far, so that each look is free and the chance
of EVER giving a false answer stays below its level. A rollback is the same trial with the roles
exchanged: ``[block.turned() for block in blocks]``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from everfit.errors import UsageError
from everfit.evidence.interval import Floats, Interval
from everfit.evidence.sequential import lower_bound, planned_units
from everfit.evidence.trial.differences import STEPS, Differences, together
from everfit.evidence.trial.dispersion import Dependence, dispersions
from everfit.evidence.trial.paths import log_e_path, mcnemar_path

MCNEMAR = 0.25  # of the evidence for 0-1 losses: it is quicker on large gains, slower on small
Kind = Literal["better", "not_worse", "worse", "futile", "undecided"]


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    """What a trial says, at the look where it stopped or now.

    ``log_e`` is the log e-value of the question that decided (of the promotion's question while
    undecided) and ``needed_log_e`` what it has to reach; ``log_es`` holds all questions. ``looks``
    and ``n`` count looks and units up to that moment. ``gain`` is the mean difference as a share
    of the bound, in a range that holds at every look. ``needs`` says how many MORE units
    should be enough if the gain seen is the true one (None: decided, or no number would be).
    ``expired`` says that the trial's units are used up without an answer; ``dispersion`` how
    far units were found to hang together, 1 for not at all.
    """

    kind: Kind
    log_e: float
    needed_log_e: float
    looks: int
    n: int
    gain: Interval
    needs: int | None
    expired: bool
    why: str
    log_es: Mapping[str, float]
    missing_old: int = 0
    missing_new: int = 0
    dispersion: float = 1.0

    @property
    def decided(self) -> bool:
        """Whether the trial gave an answer."""
        return self.kind != "undecided"

    @property
    def promote_log_e(self) -> float:
        """The log e-value of the promotion's question, whatever decided: for ``online.levels``.

        Without a promotion, that of a futile trial is low; ``log_e`` is then that of futility.
        """
        return self.log_es.get("not_worse", self.log_es["better"])


def trial_verdict(
    blocks: Sequence[Differences],
    *,
    level_promote: float,
    level_futile: float,
    margin: float | None = None,
    least_gain: float = 0.0,
    horizon_units: int | None = None,
    zero_one: bool = False,
    dependence: Dependence | None = None,
) -> TrialVerdict:
    """Judge the windows of a trial in their order; the first crossing of a level is the answer.

    Questions, in the order in which they are read at a look: "better" (mean difference above 0,
    at ``level_promote``); "not_worse" (above ``-margin``, same level; only with a margin); "worse"
    (below 0) and "futile" (below ``least_gain``), both at ``level_futile``. The two of a pair are
    nested and share bets, so the larger claim never crosses first and neither level is split.

    Parameters
    ----------
    blocks : one per look, oldest first; units that answered late belong to a later block
    level_promote, level_futile : in (0, 1); chance of ever giving that false answer
    margin : share of the bound that the new model may be worse by; None asks for better only
    least_gain : share of the bound below which a gain is not worth its trial
    horizon_units : the trial ends at the first look with so many units; later blocks are not read
    zero_one : the losses are 0-1, fixed beforehand: "better" is then asked by the mixture of bets
        and, with a quarter, the sequential McNemar test, without a margin or a dependence
    dependence : how units hang together in time; None: independent given those before

    Raises
    ------
    UsageError : a level or margin outside its range, or ``zero_one`` with other differences

    Examples
    --------
    >>> day = Differences.of([1.0] * 30 + [0.0] * 70, [1.0] * 10 + [0.0] * 90, bound=1.0)
    >>> found = trial_verdict([day] * 9, level_promote=0.01, level_futile=0.05)
    >>> found.kind, found.looks, found.n
    ('better', 1, 100)
    """
    _check(level_promote, level_futile, margin, least_gain)
    if zero_one and not all(block.zero_one for block in blocks):
        raise UsageError(
            "the losses of a trial are not 0-1",
            got="a difference other than -1, 0 and 1",
            expected="0-1 losses, or a trial without zero_one",
        )
    read = _within(blocks, horizon_units)
    temper = np.ones(len(read)) if dependence is None else dispersions(read)
    paths = _paths(read, margin, least_gain, zero_one, None if dependence is None else temper)
    readable = None if dependence is None else dependence.readable(len(read))
    needs = {name: -math.log(_level(name, level_promote, level_futile)) for name in paths}
    crossed = {name: _first(path, needs[name], readable) for name, path in paths.items()}
    reached = [look for look in crossed.values() if look is not None]
    last = min(reached) if reached else len(read) - 1
    kind: Kind = "undecided"
    for name, look in crossed.items():
        if look == last and reached:
            kind = name
            break
    asked = kind if kind != "undecided" else ("better" if margin is None else "not_worse")
    seen = together(read[: last + 1])
    log_es: dict[str, float] = {
        str(name): float(path[last]) if len(path) else 0.0 for name, path in paths.items()
    }
    spread = float(temper[last]) if len(read) else 1.0
    gain = _range(seen, level_promote, level_futile, spread, proven=kind == "better")
    expired = kind == "undecided" and horizon_units is not None and seen.n >= horizon_units
    more = None if reached or expired else _more(seen, margin, level_promote, spread)
    return TrialVerdict(
        kind=kind,
        log_e=log_es[asked],
        needed_log_e=needs[asked],
        looks=last + 1,
        n=seen.n,
        gain=gain,
        needs=more,
        expired=expired,
        why=_why(kind, gain, more, expired, margin, least_gain),
        log_es=log_es,
        dispersion=spread,
        missing_old=seen.missing_old,
        missing_new=seen.missing_new,
    )


def _check(promote: float, futile: float, margin: float | None, least_gain: float) -> None:
    sound = 0 < promote < 1 and 0 < futile < 1 and -1 < least_gain < 1
    sound = sound and (margin is None or 0 <= margin < 1) and least_gain > -(margin or 1.0)
    if not sound:
        raise UsageError(
            "a trial cannot be judged with these settings",
            got=f"levels {promote} and {futile}, margin {margin}, least gain {least_gain}",
            expected="levels inside (0, 1); a margin in [0, 1) of the bound; "
            "a least gain above -margin and below 1",
        )


def _within(blocks: Sequence[Differences], horizon: int | None) -> Sequence[Differences]:
    """The blocks up to the first look with ``horizon`` units."""
    if horizon is None:
        return blocks
    units = 0
    for look, block in enumerate(blocks):
        units += block.n
        if units >= horizon:
            return blocks[: look + 1]
    return blocks


def _paths(
    blocks: Sequence[Differences],
    margin: float | None,
    least_gain: float,
    zero_one: bool,
    temper: Floats | None,
) -> dict[Kind, Floats]:
    """The log e-value of each question at each look; the order is that of the answers."""
    better = log_e_path(blocks, temper=temper)
    worse = log_e_path(blocks, turned=True, temper=temper)
    if zero_one and margin is None and temper is None:
        mcnemar = mcnemar_path(blocks) + math.log(MCNEMAR)
        better = np.logaddexp(better + math.log(1 - MCNEMAR), mcnemar)
    paths: dict[Kind, Floats] = {"better": better}
    if margin is not None:
        paths["not_worse"] = log_e_path(blocks, margin, temper=temper)
    paths["worse"] = worse
    if least_gain != 0.0:
        paths["futile"] = log_e_path(blocks, least_gain, turned=True, temper=temper)
    return paths


def _level(name: Kind, promote: float, futile: float) -> float:
    return promote if name in ("better", "not_worse") else futile


def _first(path: Floats, need: float, readable: NDArray[np.bool_] | None) -> int | None:
    over = path >= need
    crossed = np.flatnonzero(over if readable is None else over & readable)
    return int(crossed[0]) if len(crossed) else None


def _range(
    seen: Differences, promote: float, futile: float, spread: float, *, proven: bool
) -> Interval:
    level = 1 - promote - futile
    if not seen.n:
        return Interval(-1.0, math.nan, 1.0, n=0, level=level)
    steps, times = seen.arrays()
    d, times = steps / STEPS, times / spread
    # another test than that of the range may have decided; the range must not contradict it
    low = lower_bound(d, promote, counts=times, between=(0.0, 1.0) if proven else (-1.0, 1.0))
    high = -lower_bound(-d, futile, counts=times)
    return Interval(min(low, seen.mean), seen.mean, max(high, seen.mean), n=seen.n, level=level)


def _more(seen: Differences, margin: float | None, level: float, spread: float) -> int | None:
    """How many more units reach the promotion's level if those seen are typical."""
    if not seen.n:
        return None
    shift = margin or 0.0
    variance = (seen.squares + 2 * shift * seen.total) / seen.n + shift**2
    planned = planned_units(seen.mean + shift, variance * spread, level)
    return None if planned is None else max(planned - seen.n, 1, seen.n // 10)


def _why(
    kind: Kind,
    gain: Interval,
    more: int | None,
    expired: bool,
    margin: float | None,
    least_gain: float,
) -> str:
    told = f"mean difference {gain} of the bound over {gain.n:,} units"
    match kind:
        case "better":
            return f"the new model is better: {told}"
        case "not_worse":
            return f"the new model is not worse by more than {margin:g}: {told}"
        case "worse":
            return f"the new model is worse: {told}"
        case "futile":
            return f"a gain of {least_gain:g} is ruled out: {told}"
    if expired:
        return f"the trial ended without an answer: {told}"
    if not gain.n:
        return "no unit has been seen yet"
    ahead = f"; about {more:,} more units needed" if more else "; no gain is in sight"
    return f"not decided yet: {told}{ahead}"
