"""Section Model: was it chosen well, and does that hold where it matters?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from everfit.evidence.interval import t_quantile
from everfit.records import Array
from everfit.release.gates import beats_simple, spares_segments
from everfit.rubric.facts import Facts
from everfit.rubric.grade import Found, by_hand, counted, half, nothing, whole

LEAST_TRIALS = 3
LEAST_WINDOWS, LEAST_SPAN = 5, 4.0  # windows, and ages apart, that say how a model ages


def spec(facts: Facts) -> Found:
    """Learners and settings are in a manifest that nobody can change unseen."""
    made = facts.made
    if not made.held.passed:
        return nothing(made.held.note, f"everfit rollback {facts.model}", 2)
    return whole(f"{counted(made.learners, 'learner')} with settings in the manifest; it verifies")


def proxy(facts: Facts) -> Found:
    """What was measured offline came true online; and a person said what the metric stands for."""
    said = facts.told.get("metric", "")
    line = f"below [models.{facts.model}.facts]"
    candidate, health = facts.made.candidate, facts.lived.health
    measured = [] if health is None else [p for p in health.measured if p.n and p.how == "measured"]
    if candidate is None or not measured:
        if said:
            return half(f"by hand: {said}", "send outcomes, to compare with what was promised", 3)
        do = f'say what {facts.made.metric} stands for: metric = "..." {line}'
        return nothing("no outcomes to compare with what was promised", do, 1)
    n = sum(p.n for p in measured)
    loss = sum(p.loss.mid * p.n for p in measured) / n
    promised = candidate.loss
    text = f"loss {loss:.3g} on {n:,} outcomes; {promised.low:.3g} to {promised.high:.3g} promised"
    bound = health.bound if health is not None and health.bound is not None else promised.high
    if loss > bound:
        return nothing(text, f"everfit why {facts.model}", 2)
    if said:
        return whole(f"{text}; by hand: {said}")
    return half(text, f'say what {facts.made.metric} stands for: metric = "..." {line}', 1)


def tuned(facts: Facts) -> Found:
    """Several learners and settings were tried and compared on the same folds."""
    done = [trial for trial in facts.made.trials if trial.status == "done"]
    if len(done) < LEAST_TRIALS:
        return nothing(
            f"{counted(len(done), 'trial')} came to an end",
            f"everfit run {facts.model} --budget 10m",
            2,
        )
    learners = len({trial.hypothesis.learner for trial in done})
    where = f" in run {facts.made.trials_of}" if facts.made.trials_of else ""
    return whole(f"{counted(len(done), 'trial')} of {counted(learners, 'learner')} compared{where}")


def staleness(facts: Facts) -> Found:
    """How the loss grows with age: windows whose outcomes came, or fits at earlier times."""
    lived, refitted = facts.lived.ages, facts.tried.refitted
    if _spread_out(lived):
        return whole(_ageing(lived, counted(len(lived), "window")))
    if refitted is not None and _spread_out(refitted.ages):
        fits = counted(refitted.fits, "fit")
        return whole(_ageing(refitted.ages, f"{fits} at earlier times"))
    said = f"{counted(len(lived), 'window')} with outcomes say nothing about ageing"
    if refitted is None:
        return nothing(said, f"everfit score {facts.model} --fit 20s", 2)
    why = refitted.error or "no times of rows are known"
    return nothing(f"{said}; {why}", f"send outcomes for {LEAST_WINDOWS} windows and more", 3)


def _spread_out(ages: Sequence[tuple[float, float]]) -> bool:
    """Whether there are enough pairs, far enough apart, to speak of ageing."""
    known = [age for age, _ in ages]
    return len(known) >= LEAST_WINDOWS and max(known) - min(known) >= LEAST_SPAN


def _ageing(ages: Sequence[tuple[float, float]], source: str) -> str:
    x, y = np.asarray(ages, dtype=np.float64).T
    slope, error = _slope(x, y)
    reach = t_quantile(0.975, len(x) - 2) * error
    return (
        f"loss {slope:+.1%} per window of age (95% range {slope - reach:+.1%} to "
        f"{slope + reach:+.1%}), {source}"
    )


def _slope(x: Array, y: Array) -> tuple[float, float]:
    """The slope of the least squares line, and its standard error."""
    away = x - x.mean()
    spread = float(away @ away)
    slope = float(away @ y) / spread
    rest = y - y.mean() - slope * away
    return slope, float(np.sqrt(rest @ rest / (len(x) - 2) / spread))


def simpler(facts: Facts) -> Found:
    """The simple model was judged on the same rows and is not better."""
    if facts.made.candidate is None:
        return nothing("its study was not kept", f"everfit run {facts.model}", 2)
    gate = beats_simple(facts.made.candidate)
    if gate.passed is None:
        return nothing(gate.note, f"everfit run {facts.model}", 2)
    if not gate.passed:
        text = f"saves {gate.measured:.3g} against the simple model ({gate.low:.2g} to "
        return nothing(f"{text}{gate.high:.2g})", f"everfit run {facts.model}", 2)
    if gate.measured is None:
        return whole(gate.note)
    return whole(f"saves {gate.measured:.3g} against the simple model on {gate.n:,} rows")


def segments(facts: Facts) -> Found:
    """Segments were judged at the release and are watched: none is served clearly worse."""
    candidate, health = facts.made.candidate, facts.lived.health
    if candidate is None or not candidate.segments:
        return nothing("no segment had enough rows", "more rows: 30 in a segment", 3)
    gate = spares_segments(candidate.harmed)
    ringing = [] if health is None else [a for a in health.alarms if a.check == "segment"]
    if not gate.passed:
        return nothing(f"{gate.note}: worse than the floor", f"everfit card {facts.model}", 2)
    if ringing:
        return nothing(f"{ringing[0].about}: its loss rose", f"everfit why {facts.model}", 2)
    n = counted(len(candidate.segments), "segment")
    return whole(f"{n} judged, none clearly worse than the floor")


def inclusion(facts: Facts) -> Found:
    """Groups of people that must be served alike are named, and their segments are guarded."""
    said = facts.told.get("inclusion", "")
    guards = f"guardrails on {', '.join(facts.guarded[:3])}" if facts.guarded else ""
    if said and guards:
        return whole(f"{guards}; by hand: {said}")
    if guards:
        line = f'inclusion = "..." below [models.{facts.model}.facts]'
        return half(guards, f"say which groups must be served alike: {line}", 1)
    found = by_hand(facts, "inclusion", "which groups must be served alike, and who looked")
    if found.grade:
        return half(found.checked, f"a guardrail each in [models.{facts.model}.policy]", 1)
    return found
