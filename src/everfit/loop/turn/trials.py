"""Trials in the shadow: may the challenger serve, and was the last promotion a mistake?

Both are the same test over time on predictions that neither version could learn from, read from the
matured windows. The level of each trial follows from the trials before it, so that of all
promotions for years few are false.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from everfit.evidence.online.budget import Budget
from everfit.evidence.online.levels import Decision as Earlier
from everfit.evidence.online.levels import e_lond, e_lord
from everfit.evidence.trial.differences import Differences
from everfit.evidence.trial.dispersion import Dependence
from everfit.evidence.trial.verdict import TrialVerdict, trial_verdict
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.state import Root, State, certified_of
from everfit.records import Version, Window

CHALLENGER, FALLBACK, BASE = "shadow", "fallback", "base"
DAY_S, WEEK_S = 86_400.0, 7 * 86_400.0
MOST_SEASON = 48  # looks: a longer season would keep a trial waiting for weeks
FUTILE = 0.05  # chance of giving up a challenger that would be worth its while


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a trial: who against whom, the level, and what it says so far.

    ``until`` is the end of the last window that was read; ``over`` says that its time is up;
    ``verdict`` is None while not one window speaks of both.
    """

    challenger: Version
    champion: Version
    root: Root
    verdict: TrialVerdict | None
    level: float
    began: datetime
    until: datetime
    unit: float  # of the loss: gains of the verdict are shares of it
    loss: float  # certified of the champion
    over: bool
    number: int  # of this trial in the life of the model, from 1

    @property
    def key(self) -> str:
        """What the look is kept under."""
        return f"{self.root.name}@{self.until.isoformat()}"

    def record(self) -> dict[str, Any]:
        """The look as a step keeps it."""
        plain = {
            "root": self.root.name,
            "version": self.challenger.number,
            "champion": self.champion.number,
            "began": self.began.isoformat(),
            "until": self.until.isoformat(),
            "over": self.over,
            "level": self.level,
        }
        verdict = self.verdict
        if verdict is None:
            return plain | {"kind": "undecided", "e": 0.0, "looks": 0, "n": 0}
        return plain | {
            "kind": verdict.kind,
            "e": verdict.promote_log_e,
            "looks": verdict.looks,
            "n": verdict.n,
            "gain": verdict.gain.mid,
            "needs": verdict.needs,
        }


def challenge(state: State, hands: Hands) -> Look | None:
    """The newest look at the challenger in the shadow; None when there is nothing new to see."""
    challenger = state.at(CHALLENGER)
    if challenger is None or challenger.number == state.champion.number:
        return None
    # where recalibration goes on, the challenger is tried as it would be recalibrated
    root = Root(challenger.number, adaptive=state.adaptive)
    read = _windows(state, root)
    began = read[0].start if read else challenger.created_at
    over = state.now - began >= timedelta(seconds=state.upkeep.trial_s)
    if not read and not over:
        return None
    earlier = _closed(hands, state, "trial")
    # one trial at a time, each on windows after the verdict on the one before
    level = e_lord(earlier, _budget(state).discoveries)
    return replace(_look(state, hands, root, read, level, len(earlier) + 1), began=began, over=over)


def procedure(state: State, hands: Hands) -> Look | None:
    """The newest look at whether the champion would be better recalibrated; needs no shadow."""
    root = Root(state.champion.number, adaptive=True)
    if state.adaptive or state.root(state.champion.number).adaptive:
        return None
    closed = hands.store.steps(state.model, "procedure")
    if any(s.record["root"] == root.name and s.record.get("closed") for s in closed):
        return None
    read = _windows(state, root)
    if not read:
        return None
    earlier = _closed(hands, state, "procedure")
    # it runs beside the challengers' trials, on the same windows
    level = e_lond(earlier, _budget(state).level("promotion"))
    return _look(state, hands, root, read, level, len(earlier) + 1)


def guard(state: State, hands: Hands, alias: str) -> Look | None:
    """The newest look at whether a version that served before was better after all.

    ``fallback`` is the champion before the last promotion, ``base`` the version that the champion
    recalibrates.
    """
    before = state.at(alias)
    if before is None or before.number == state.champion.number:
        return None
    line = state.root(state.champion.number)
    name = str(before.number)
    read = [
        w
        for w in state.judged
        if name in w.facts["pairs"]
        and (state.root(w.version) == line if alias == BASE else _same_fit(state, w, line))
    ]
    if not read:
        return None
    level = _budget(state).level("rollback", ways=2)
    found = _look(state, hands, state.root(before.number), read, level, 1)
    lasted = state.now - read[0].start >= timedelta(seconds=state.upkeep.rollback_window_s)
    # who goes on without trials is guarded for as long as it does
    return replace(found, challenger=before, over=lasted and alias == FALLBACK)


def _look(
    state: State, hands: Hands, root: Root, read: Sequence[Window], level: float, number: int
) -> Look:
    certified = certified_of(hands.store, state.champion)
    unit = certified.worst
    verdict = None
    if read:
        verdict = trial_verdict(
            _blocks(read, root),
            level_promote=level,
            level_futile=FUTILE,
            margin=state.upkeep.margin or None,
            least_gain=max(0.0, state.policy.min_gain / unit) if unit > 0 else 0.0,
            dependence=Dependence(season_looks=season_of(state.upkeep.window_s)),
        )
    return Look(
        challenger=state.versions[root.number],
        champion=state.champion,
        root=root,
        verdict=verdict,
        level=level,
        began=read[0].start if read else state.now,
        until=read[-1].end if read else state.now,
        unit=unit,
        loss=certified.loss.mid,
        over=False,
        number=number,
    )


def season_of(window_s: float) -> int:
    """Windows of one turn of the season that traffic has: a week of days, a day of hours.

    Examples
    --------
    >>> season_of(86_400.0), season_of(3_600.0), season_of(7 * 86_400.0)
    (7, 24, 1)
    """
    for season_s in (DAY_S, WEEK_S):
        if window_s < season_s:
            looks = season_s / window_s
            return max(1, round(looks)) if looks <= MOST_SEASON else 1
    return 1


def _windows(state: State, root: Root) -> list[Window]:
    """Windows on which a line can be judged: asked after the data that it learnt from."""
    first = state.versions[root.number]
    since = first.until or first.created_at
    return [
        window
        for window in state.judged
        if window.start >= since and str(root.number) in window.facts[_facts(root)]
    ]


def _blocks(windows: Iterable[Window], root: Root) -> list[Differences]:
    return [
        Differences.from_dict(window.facts[_facts(root)][str(root.number)]) for window in windows
    ]


def _facts(root: Root) -> str:
    return "adapted" if root.adaptive else "pairs"


def _same_fit(state: State, window: Window, line: Root) -> bool:
    return state.root(window.version).number == line.number


def _closed(hands: Hands, state: State, kind: str) -> list[Earlier]:
    """Trials that ended: their levels, and whether they found something better."""
    return [
        Earlier(
            step.record["level"],
            step.record["closed"] in ("promoted", "proven"),
            math.exp(min(float(step.record["e"]), 700.0)),
        )
        for step in hands.store.steps(state.model, kind)
        if step.record.get("closed")
    ]


def _budget(state: State) -> Budget:
    return Budget.scaled(state.upkeep.error_budget)
