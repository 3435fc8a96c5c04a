"""Trials in the shadow: may the challenger serve, and was the last promotion a mistake?

Both are the same test over time on predictions that neither version could learn from, read from the
matured windows. The level of each trial follows from the trials before it, so that of all
promotions for years few are false. It is set at the first look and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from everfit.evidence.online.budget import Budget
from everfit.evidence.online.levels import LEAST, e_lond, e_lord
from everfit.evidence.online.levels import Decision as Earlier
from everfit.evidence.trial.differences import Differences
from everfit.evidence.trial.dispersion import Dependence, least_time_s, season_of
from everfit.evidence.trial.verdict import TrialVerdict, trial_verdict
from everfit.loop.turn.courses import Course, courses, ended_until, open_of
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.lines import believed
from everfit.loop.turn.state import Root, State, certified_of
from everfit.records import Decision, Step, Upkeep, Version, Window
from everfit.watch.matured import Certified

CHALLENGER, FALLBACK, BASE = "shadow", "fallback", "base"
YEAR_S = 365 * 86_400.0
SPARE = 3  # windows that are waited for after the last one should have matured
LEAST_LOOKS = 10  # windows before a trial is read
# of a trial of recalibration that is not a version's first: where the means of windows are an
# correlation of 0.6, 19 of 100 years held a false proof without them; with them 0.3% of trials
AGAIN_LOOKS, AGAIN_SHARE = 25, 0.02
MOST_MARGIN = 0.5  # of the bound: a wider one would ask for nothing
FUTILE = 0.05  # chance of giving up a challenger that would be worth its while
GUARD_SHARE = 0.1  # of what a year has left for going back, each guard may spend
BRANCHES = ("promotion", "rollback", "degradation", "drift")
NEWEST, RECENT = 10, 200  # rows of the ledger, among which the last move of an alias is looked for


@dataclass(frozen=True, slots=True)
class Terms:
    """What a trial is held to, from its first look on; ``number`` is its own, from 1.

    ``margin`` is a share of the certified loss, None asks for better only; ``least_gain`` is in the
    unit of the loss.
    """

    level: float
    number: int
    margin: float | None = None
    least_gain: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a trial: who against whom, the terms, and what it says so far.

    ``until`` is the end of the last window that was read; ``over`` says that its time is up, and
    ``cannot`` why there is nothing to compare; ``judge`` is asked for the verdict.
    """

    challenger: Version
    champion: Version
    root: Root
    line: int  # of the champion: the version that it stems from
    judge: Callable[[], TrialVerdict | None]
    terms: Terms
    began: datetime
    until: datetime
    unit: float  # of the loss: gains of the verdict are shares of it
    loss: float  # certified of the champion
    over: bool = False
    cannot: str = ""

    @property
    def verdict(self) -> TrialVerdict | None:
        """What the windows say, worked out when it is first asked for; None without a window."""
        return self.judge()

    @property
    def key(self) -> str:
        """What the look is kept under; that its time is up is news without a new window too."""
        return f"{self.root.name}@{self.until.isoformat()}{'/over' if self.over else ''}"

    def record(self) -> dict[str, Any]:
        """The look as a step keeps it."""
        plain = {
            "root": self.root.name,
            "version": self.challenger.number,
            "champion": self.champion.number,
            "line": self.line,
            "began": self.began.isoformat(),
            "until": self.until.isoformat(),
            "over": self.over,
            "level": self.terms.level,
            "number": self.terms.number,
            "margin": self.terms.margin,
            "least_gain": self.terms.least_gain,
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


def changed(state: State, hands: Hands) -> Course | None:
    """The trial of the challenger that was against another champion, or as something else.

    A person promoted somebody, or recalibration began or ended: what was seen is about another
    question, and the trial begins anew.
    """
    challenger = state.at(CHALLENGER)
    if challenger is None or challenger.number == state.champion.number:
        return None
    course = open_of(_courses(hands, state, "trial"), challenger.number)
    who = (challenger.number, _line(state), state.adaptive)
    return None if course is None or course.who == who else course


def challenge(state: State, hands: Hands) -> Look | None:
    """The newest look at the challenger in the shadow; None when there is nothing new to see."""
    challenger = state.at(CHALLENGER)
    if challenger is None or challenger.number == state.champion.number:
        return None
    # where recalibration goes on, the challenger is tried as it would be recalibrated
    root = Root(challenger.number, adaptive=state.adaptive)
    trials = _courses(hands, state, "trial")
    read = _windows(state, hands, root, ended_until(trials))
    began = read[0].start if read else _moved_at(state, hands, CHALLENGER)
    over = _lasted(state, began, lasting(state.upkeep).trial_s)
    if not read and not over:
        return None
    policy, upkeep = state.policy, state.upkeep

    def terms(earlier: Sequence[Earlier]) -> Terms:
        # one trial at a time, each on windows after the verdict on the one before
        level = e_lord(earlier, _budget(state).discoveries)
        margin = upkeep.margin if _fitted_again(state, hands, challenger) else 0.0
        return Terms(level, len(earlier) + 1, margin or None, policy.min_gain)

    held = _terms(trials, (root.number, _line(state), root.adaptive), terms)
    return replace(_look(state, hands, root, read, held), began=began, over=over)


def procedure(state: State, hands: Hands) -> Look | None:
    """The newest look at whether the champion would be better recalibrated; needs no shadow.

    It is asked again and again, each time on newer windows and at its own level: what does not pay
    while the world stands still may pay when it moves, and months of no gain must not have to be
    made up for first. Each new beginning is a new chance to be fooled by few windows that hang
    together, so the later trials of a version are read later and held to a lower level.
    """
    root = Root(state.champion.number, adaptive=True)
    if state.adaptive or state.root(state.champion.number).adaptive:
        return None
    tried = _courses(hands, state, "procedure")
    gone_back = [c for c in _courses(hands, state, "guard") if c.last.get("ends")]
    before = [course for course in tried if course.closed and course.who[0] == root.number]
    read = _windows(state, hands, root, ended_until((*before, *gone_back)))
    if not read:
        return None
    policy, upkeep = state.policy, state.upkeep
    looks = AGAIN_LOOKS if before else LEAST_LOOKS
    lasts = timedelta(seconds=max(upkeep.trial_s, least_time_s(upkeep.window_s, least_looks=looks)))

    def terms(earlier: Sequence[Earlier]) -> Terms:
        # it runs beside the challengers' trials, on the same windows
        alpha = _budget(state).level("promotion")
        level = e_lond(earlier, alpha)
        level = min(level, AGAIN_SHARE * alpha) if before else level
        return Terms(level, len(earlier) + 1, None, policy.min_gain)

    held = _terms(tried, (root.number, _line(state), True), terms)
    look = _look(state, hands, root, read, held, least_looks=looks)
    return replace(look, over=look.until - look.began >= lasts)


def guard(state: State, hands: Hands, alias: str) -> Look | None:
    """The newest look at whether a version that served before was better after all.

    ``fallback`` is the champion before the last promotion, ``base`` the version that the champion
    recalibrates. A guard that finds the champion better is over, and the next begins: evidence for
    it must not stand in the way of what comes later. All guards of a year share its budget.
    """
    before = state.at(alias)
    if before is None:
        return None
    line = state.root(state.champion.number)
    stray = before.number == state.champion.number or (
        alias == BASE and line != Root(before.number, adaptive=True)
    )
    guards = _courses(hands, state, "guard")
    mine = [course for course in guards if course.who[0] == before.number]
    all_ = [] if stray else _beside(state, hands, before, alias)
    began = all_[0].start if all_ else _moved_at(state, hands, alias)
    # who goes on without trials is guarded for as long as it does
    over = alias == FALLBACK and _all_in(state, began, lasting(state.upkeep).rollback_window_s)
    since = ended_until(mine)
    read = [window for window in all_ if since is None or window.start >= since]
    if not read and not over and not stray:
        return None
    year = [course for course in guards if (state.now - course.at).total_seconds() <= YEAR_S]

    def terms(earlier: Sequence[Earlier]) -> Terms:
        alpha = _budget(state).level("rollback", ways=2)
        return Terms(e_lord(earlier, alpha, share=GUARD_SHARE), len(earlier) + 1)

    # it stands in the shadow as it was packed, whatever it stems from
    root = Root(before.number, adaptive=False)
    held = _terms(year, (before.number, line.number, False), terms)
    cannot = f"{before.name} no longer stands beside it" if stray else ""
    found = _look(state, hands, root, read, held)
    return replace(found, over=over or stray, cannot=cannot)


def _look(
    state: State, hands: Hands, root: Root, read: Sequence[Window], terms: Terms,
    *, least_looks: int = LEAST_LOOKS,
) -> Look:  # fmt: skip
    certified = certified_of(hands.store, state.versions[_line(state)])
    unit = certified.worst

    def judge() -> TrialVerdict | None:
        if not read:
            return None
        return trial_verdict(
            _blocks(read, root),
            level_promote=terms.level,
            level_futile=FUTILE,
            margin=_of_bound(terms.margin, certified),
            least_gain=max(0.0, terms.least_gain / unit) if unit > 0 else 0.0,
            dependence=Dependence(season_of(state.upkeep.window_s), least_looks),
        )

    return Look(
        challenger=state.versions[root.number],
        champion=state.champion,
        root=root,
        line=_line(state),
        # most looks were seen before: there only the key is asked for
        judge=cache(judge),
        terms=terms,
        began=read[0].start if read else state.now,
        until=read[-1].end if read else state.now,
        unit=unit,
        loss=certified.loss.mid,
    )


def _fitted_again(state: State, hands: Hands, version: Version) -> bool:
    """Whether a version is the recipe of another one on newer rows, made by the loop."""
    fits = hands.store.steps(state.model, "fit")
    mine = [s.record["act"] for s in fits if s.record.get("version") == version.number]
    return mine == ["retrain"]


def _of_bound(margin: float | None, certified: Certified) -> float | None:
    """A share of the certified loss as a share of its bound, in which differences are kept."""
    if margin is None or not (certified.loss.mid > 0 and certified.worst > 0):
        return None
    return float(min(margin * certified.loss.mid / certified.worst, MOST_MARGIN))


def lasting(upkeep: Upkeep) -> Upkeep:
    """The rules with trials that last at least until they can be read once.

    An answer is read after whole seasons and not before ten windows: of windows of a week a trial
    of 60 days, or a guard of 14, would end unread.

    Examples
    --------
    >>> daily, weekly = lasting(Upkeep()), lasting(Upkeep(window_s=7 * 86_400.0))
    >>> [rules.trial_s / 86_400.0 for rules in (daily, weekly)]
    [60.0, 70.0]
    >>> [rules.rollback_window_s / 86_400.0 for rules in (daily, weekly)]
    [14.0, 70.0]
    """
    least_s = least_time_s(upkeep.window_s)
    return replace(
        upkeep,
        trial_s=max(upkeep.trial_s, least_s),
        rollback_window_s=max(upkeep.rollback_window_s, least_s),
    )


def _windows(state: State, hands: Hands, root: Root, after: datetime | None) -> list[Window]:
    """Windows on which a version can be judged against the champion's line.

    They were asked after the data that it learnt from, and after ``after``; answers beside another
    champion say nothing about this one.
    """
    first = state.versions[root.number]
    since = first.until or first.created_at
    since = since if after is None else max(since, after)
    return [
        window
        for window in believed(state, hands.store.root)
        if window.start >= since
        and str(root.number) in window.facts[_facts(root)]
        and state.root(window.version).number == _line(state)
    ]


def _beside(state: State, hands: Hands, before: Version, alias: str) -> list[Window]:
    """Windows in which a version answered beside the champion's line; of its base, the line."""
    line = state.root(state.champion.number)
    return [
        window
        for window in believed(state, hands.store.root)
        if str(before.number) in window.facts["pairs"]
        and state.root(window.version).number == line.number
        and (alias != BASE or state.root(window.version) == line)
    ]


def _blocks(windows: Iterable[Window], root: Root) -> list[Differences]:
    return [window.facts[_facts(root)][str(root.number)] for window in windows]


def _facts(root: Root) -> str:
    return "adapted" if root.adaptive else "pairs"


def _line(state: State) -> int:
    return state.root(state.champion.number).number


def _courses(hands: Hands, state: State, kind: str) -> list[Course]:
    steps: Sequence[Step] = hands.store.steps(state.model, kind)
    return courses(steps, state)


def _terms(
    trials: Sequence[Course],
    who: tuple[int, int, bool],
    begin: Callable[[Sequence[Earlier]], Terms],
) -> Terms:
    """The terms of the trial under way, as it began; of a new one, by what all others spent."""
    under_way = [course for course in trials if course.who == who and not course.closed]
    if not under_way:
        return begin([course.spent for course in trials])
    record = under_way[-1].last
    return Terms(
        float(record["level"]),
        int(record.get("number", 1)),
        record.get("margin"),
        float(record.get("least_gain", 0.0)),
    )


def _lasted(state: State, began: datetime, seconds: float) -> bool:
    """Whether a time is over, with the time that the outcomes of its end have to come."""
    return state.now - began >= timedelta(seconds=seconds + state.upkeep.label_delay_s)


def _all_in(state: State, began: datetime, seconds: float) -> bool:
    """Whether the windows of a time have all been read, or were waited for in vain.

    The last of them is closed a while after its end, and it may be the one that can be read.
    """
    reached = state.matured[-1].end if state.matured else began
    whole = reached - began >= timedelta(seconds=seconds)
    return whole or _lasted(state, began, seconds + SPARE * state.upkeep.window_s)


def _moved_at(state: State, hands: Hands, alias: str) -> datetime:
    """When an alias was moved to where it is; at the latest, when that was long ago."""
    moved = state.aliases[alias].decision
    rows: Sequence[Decision] = ()
    for last in (NEWEST, RECENT):  # mostly it was moved lately
        rows = hands.store.decisions(state.model, last=last)
        for row in rows:
            if row.id == moved:
                return row.at
    return rows[-1].at if rows else state.now


def _budget(state: State) -> Budget:
    total, shares = state.upkeep.error_budget, state.upkeep.shares
    parts = {name: max(total * shares.get(name, 0.0), LEAST) for name in BRANCHES}
    return Budget(total=max(total, sum(parts.values())), **parts)
