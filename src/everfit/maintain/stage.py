"""Maintain: what now? One action from health, history and the rules of the user.

What cannot wait comes first, by plain rules in a fixed order: a pause, broken inputs, a floor that
broke while a sound version stands by, outcomes that do not come. Everything else is weighed by the
table: is the loss that an act saves over the remaining life worth its price? A new version is only
ever a challenger; whether it serves is for the trial in the shadow to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import takewhile

from everfit.maintain.chances import age_of, chances, smoothed
from everfit.maintain.history import History
from everfit.maintain.table import ACTS, Prices, Table, age_name, solve
from everfit.records import Action, ActKind, Because, Health, Upkeep

WORDS: Mapping[ActKind, str] = {
    "nothing": "do nothing",
    "recalibrate": "recalibrate it",
    "retrain": "retrain it with the same settings",
    "search": "search anew",
    "roll_back": "roll back",
    "ask_labels": "ask for outcomes",
    "set_aside": "set data aside",
    "call_person": "call a person",
}
FRESH_ROWS, FRESH_SHARE = 500, 0.05  # new rows, and of those learnt, that make a fit a new one
# rows since the newest fit, as a share of those that it learnt from and at most so many, before
# another is tried: what rows bring falls with their number, whatever became of that fit
GROWN, MOST_GROWN = 0.5, 100_000
CHANGED, MOST_CHANGED = 0.2, 10_000  # the same once a rise of the loss is proven
PATIENCE, MOST_FAILED = 4, 5  # times as many outcomes after each try that failed; and how often
FEW_LABELS = 0.2  # of predictions whose outcomes had their time: below it outcomes are asked for


def maintain(health: Health, history: History, upkeep: Upkeep) -> Action:
    """Decide what to do about one model; pure, total, the same for the same records.

    Parameters
    ----------
    health : the newest look at its windows
    history : what was done to it so far
    upkeep : the user's rules

    Returns
    -------
    Action : one of the eight acts, with what was weighed; acts that the rules keep for a person
        become ``call_person``
    """
    action = _at_once(health, history, upkeep) or _weighed(health, history, upkeep)
    action = _paid(action, health, history, upkeep)
    if action.act in ("nothing", "ask_labels", "call_person") or action.act in upkeep.acts:
        return action
    return Action(
        "call_person",
        f"{health.version}: {WORDS[action.act]} is left to you: {action.headline}",
        because=(
            *action.because,
            Because("acts allowed by the policy", False, limit_by=upkeep.set_by.get("acts", "")),
        ),
        also_checked=action.also_checked,
        not_done=(f"Everfit did not {WORDS[action.act]}: the policy does not allow it",),
        would_change=f"{action.act!r} among the acts of the policy",
        values=action.values,
        details={"act": action.act} | dict(action.details),
    )


def costs(upkeep: Upkeep) -> dict[str, float]:
    """What each act costs, in the unit of the policy; acts that are not named cost nothing."""
    return {
        "nothing": 0.0,
        "recalibrate": upkeep.fit_cost / 10,
        "retrain": upkeep.fit_cost,
        "search": upkeep.search_cost,
        "call_person": upkeep.call_cost,
    }


def _paid(action: Action, health: Health, history: History, upkeep: Upkeep) -> Action:
    """The action, or a call for a person when the money of the year does not reach for it."""
    most, price = upkeep.money_a_year, costs(upkeep).get(action.act, 0.0)
    if most is None or action.act in ("nothing", "call_person") or price <= 0:
        return action
    if history.spent + price <= most:
        return action
    return Action(
        "call_person",
        f"{health.version}: no money is left this year to {WORDS[action.act]}",
        because=(
            Because(
                "cost within the money of a year",
                False,
                history.spent + price,
                limit=most,
                limit_by=upkeep.set_by.get("money_a_year", "default"),
                unit="in the unit of the costs",
                note=f"{history.spent:g} were spent in the last year; this costs {price:g}",
            ),
            *action.because,
        ),
        also_checked=action.also_checked,
        not_done=(f"Everfit did not {WORDS[action.act]}: {action.headline}",),
        would_change="a larger money_a_year in the policy, or a year that is over",
        values=action.values,
        details={"act": action.act, "spent": history.spent} | dict(action.details),
    )


def policy_table(history: History, upkeep: Upkeep, loss: float) -> Table:
    """The table behind the decision, for people to read and to overrule.

    ``loss`` is the certified mean loss of the champion, in the unit of the loss.
    """
    growth = history.new_rows / max(1, history.learnt_rows)
    enough = max(FRESH_ROWS, FRESH_SHARE * history.learnt_rows)
    seen = chances(
        history.losses,
        history.staleness,
        history.made,
        growth=growth,
        fresh=min(1.0, history.new_rows / enough),
    )
    prices = Prices(
        loss=loss,
        loss_cost=upkeep.loss_cost,
        acts={act: costs(upkeep)[act] for act in ACTS},
        left={
            "retrain": history.fits_left,
            "search": history.searches_left,
            # as long as its own trial has not proved it, recalibration is no choice
            "recalibrate": int(history.adaptive),
        },
        windows_left=history.windows_left,
    )
    return solve(seen, prices, upkeep.table)


def _at_once(health: Health, history: History, upkeep: Upkeep) -> Action | None:
    """What cannot wait for weighing, or None."""
    name = health.version
    if history.paused:
        return Action("nothing", f"{name} is paused by a person", would_change="everfit resume")
    aside = _doubted(health, history)
    if aside is not None:
        return aside
    if history.broken:
        return Action(
            "call_person",
            f"{name}: {history.broken}",
            because=(Because("inputs can be used", False, note=history.broken),),
            not_done=("no fit was made from these rows", "the champion was not touched"),
            would_change="inputs that are as the model knows them",
        )
    floor = next((f for f in health.findings if f.check == "floor" and f.severity == "fail"), None)
    if floor is not None and history.fallback:
        return Action(
            "roll_back",
            f"{name} broke its floor; {history.fallback} stands by",
            because=(Because("floor of the policy", False, floor.number, note=floor.headline),),
            details={"to": history.fallback},
        )
    waited = health.matured + history.unlabelled
    if waited >= upkeep.least_rows and health.matured < FEW_LABELS * waited:
        share = health.matured / waited
        return Action(
            "ask_labels",
            f"{name}: outcomes of {share:.0%} of {waited:,} predictions came in time",
            because=(
                Because(
                    "outcomes come in time", False, share, n=waited, limit=FEW_LABELS, unit="share"
                ),
            ),
            not_done=("nothing was fitted: too little is known of how good it is",),
            would_change=f"outcomes; those that tell most: everfit labels {health.model}",
            details={"wanted": max(50, int(upkeep.call_cost / max(upkeep.label_cost, 1e-9)))},
        )
    return None


def _doubted(health: Health, history: History) -> Action | None:
    """Outcomes that are not believed are set aside, once, before anybody is called."""
    for finding in health.findings:
        since = finding.evidence.get("since")
        if finding.check == "outcomes" and finding.severity == "fail" and since:
            if str(since) in history.aside:
                return None
            return Action(
                "set_aside",
                f"{health.version}: outcomes since {str(since)[:10]} are set aside",
                because=(Because("outcomes can be believed", False, note=finding.headline),),
                not_done=("no version learns from them, and no trial reads them",),
                would_change="outcomes that differ from one another",
                details={"since": str(since)},
            )
    return None


def _weighed(health: Health, history: History, upkeep: Upkeep) -> Action:
    """The act that costs least over the remaining life, among those that can be done now."""
    name = health.version
    if history.adaptive and _enough(history, upkeep):
        return _again(name, history, upkeep)
    replaces = {"replaces": history.on_trial} if _outdated(health, history) else {}
    if history.on_trial and not replaces:
        return Action(
            "nothing",
            f"{name}: {history.on_trial} is on trial in the shadow; one trial at a time",
            would_change="the end of that trial",
            details={"waits_for": history.on_trial},
        )
    if not health.measured or health.bound is None:
        return Action(
            "nothing",
            f"{name}: no outcomes yet to judge it by",
            not_done=("nothing was weighed: its loss is not known",),
            would_change="matured outcomes",
        )
    certified = health.bound / (1.0 + upkeep.tolerance)
    table = policy_table(history, upkeep, certified)
    ratio = float(smoothed([r for _, r in history.losses])[-1]) if history.losses else 1.0
    act, values = table.act(history.age, ratio)
    alarms = [alarm for alarm in health.alarms if alarm.budget == "degradation"]
    if alarms and act == "nothing" and history.fits_left > 0:
        act = "retrain"  # a proven rise of the loss is no noise, whatever the running level says
    because = _stands(health, history, upkeep, ratio)
    enough = _wanted(
        act, history, upkeep, changed=bool(alarms), told=table.told(history.age, ratio)
    )
    if enough is not None and not enough.passed:
        return _too_few(f"{name}: {WORDS[act]}", (*because, enough), values)
    cost: dict[str, float] = {a: values[a] for a in ACTS}
    saved = cost["nothing"] - cost[act]
    said = "nothing pays more than it costs" if act == "nothing" else f"it saves about {saved:.3g}"
    return Action(
        act,
        f"{name}: {WORDS[act]}; {said}",
        because=because,
        also_checked=tuple(
            Because(f"cost of {WORDS[a]}", None, cost[a], unit="over the remaining life")
            for a in ACTS
        ),
        would_change="another loss, another age, or other prices in the policy",
        values=cost,
        details={
            "ratio": ratio,
            "age": history.age,
            "scarce": table.scarce,
            "table": table.rows(),
        }
        | replaces,
    )


def _again(name: str, history: History, upkeep: Upkeep) -> Action:
    """The next calibration of a line that has proved itself."""
    return Action(
        "recalibrate",
        f"{name}: recalibrate it on {history.since_recalibrated:,} newer outcomes",
        because=(
            Because(
                "outcomes since the last recalibration",
                True,
                float(history.since_recalibrated),
                limit=float(upkeep.least_rows),
                limit_by=upkeep.set_by.get("least_rows", "default"),
                unit="rows",
            ),
        ),
        would_change="fewer outcomes, or a roll back to the version that it stems from",
        details={"again": True},
    )


def _outdated(health: Health, history: History) -> bool:
    """Whether the world changed, as measured losses proved, after what the challenger learnt from.

    It has learnt the same world as the champion, and waiting for the end of its trial would only
    keep a degraded champion longer. One that a person put there keeps its place.
    """
    if not history.on_trial or history.trial_cut is None:
        return False
    since = [alarm.since for alarm in health.alarms if alarm.budget == "degradation"]
    return any(at is not None and at >= history.trial_cut for at in since)


def _enough(history: History, upkeep: Upkeep) -> bool:
    """Whether there are enough new outcomes for a line of recalibrations to go on.

    After tries that gave no version it takes more and more of them, so that a line that cannot go
    on stands in the way of nothing else.
    """
    tries = [one for one in history.made if one.act == "recalibrate"]
    failed = sum(1 for _ in takewhile(lambda one: not one.version, tries))
    wanted = upkeep.least_rows * int(PATIENCE ** min(failed, MOST_FAILED))
    return history.since_recalibrated >= wanted


def _stands(health: Health, history: History, upkeep: Upkeep, ratio: float) -> tuple[Because, ...]:
    """Where the champion stands: the loss against what was certified, and its age."""
    return (
        Because(
            "loss against what was certified",
            ratio <= 1.0 + upkeep.tolerance,
            ratio,
            n=health.matured,
            limit=1.0 + upkeep.tolerance,
            limit_by=upkeep.set_by.get("tolerance", "default"),
            unit="times",
        ),
        Because(
            "age of the model",
            None,
            history.age,
            unit="windows",
            note=age_name(age_of(history.age)),
        ),
    )


def _wanted(
    act: ActKind, history: History, upkeep: Upkeep, *, changed: bool, told: bool
) -> Because | None:
    """Whether there are rows enough for an act; None for one that learns from none.

    A recalibration needs ``least_rows``, and so does a fit that the user's own table tells to do.
    Another fit waits until rows have grown by half since the newest one; after a rise of the loss
    that is proven (``changed``), by a fifth.
    """
    if act not in ("retrain", "search", "recalibrate"):
        return None
    have, wanted, by = history.new_rows, float(upkeep.least_rows), "least_rows"
    if act != "recalibrate" and not told:
        if history.since_tried is not None:
            have = history.since_tried
        share, most = (CHANGED, MOST_CHANGED) if changed else (GROWN, MOST_GROWN)
        grown = min(share * (history.learnt_rows + history.new_rows - have), most)
        wanted, by = max((wanted, by), (grown, ""))
    return Because(
        "labelled rows that no version has seen" if act == "recalibrate" or told
        else "labelled rows since the newest fit",
        have >= wanted,
        float(have),
        limit=float(math.ceil(wanted)),
        limit_by=upkeep.set_by.get(by, "default"),
        unit="rows",
    )  # fmt: skip


def _too_few(what: str, because: tuple[Because, ...], values: Mapping[str, float]) -> Action:
    """An act that would pay, if there were rows to learn from; the last reason says how many."""
    few = because[-1]
    missing = int((few.limit or 0.0) - (few.measured or 0.0))
    return Action(
        "nothing",
        f"{what} waits for {missing:,} more outcomes",
        because=because,
        would_change=f"{few.limit:,.0f} {few.rule}",
        values=values,
    )
