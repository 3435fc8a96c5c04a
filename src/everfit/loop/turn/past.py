"""What has been done to a model so far, for the next decision: read from ledger, steps, windows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from everfit.loop.backtest import Aged, as_windows
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.state import State, certified_of, outcomes_in
from everfit.loop.turn.trials import CHALLENGER, FALLBACK
from everfit.maintain import History, Made, costs
from everfit.records import Health, Step

YEAR_S = 365 * 86_400.0
OLDEST = 256  # windows: of older models the table makes no difference
BROKEN = ("schema", "outcomes", "evaluable")  # checks whose failure makes rows unusable


def history_of(state: State, hands: Hands, health: Health) -> History:
    """All that the decision may depend on besides health; a year back."""
    began = state.now - timedelta(seconds=YEAR_S)
    made = _made(state, hands, began_at=began.isoformat())
    fits = sum(one.act == "retrain" and bool(one.version) for one in made)
    searches = sum(one.act == "search" and bool(one.version) for one in made)
    base = state.versions[state.root(state.champion.number).number]
    cut = base.until or base.created_at
    spent = (state.now - _first(state)).total_seconds() % YEAR_S
    challenger = state.at(CHALLENGER)
    before = (state.at(alias) for alias in (FALLBACK, "previous"))
    fallback = next((v for v in before if v and v.number != state.champion.number), None)
    on_trial = challenger is not None and challenger.number != state.champion.number
    last = state.judged[-1].end if state.judged else state.now
    return History(
        now=state.now,
        age=max(0.0, (last - cut).total_seconds() / state.upkeep.window_s),
        learnt_rows=_learnt(hands, state),
        new_rows=sum(outcomes_in(w) for w in state.judged if w.start >= cut),
        since_tried=_since_tried(state, hands, cut),
        since_recalibrated=_since_recalibrated(state, hands),
        losses=_ratios(state, hands),
        staleness=_staleness(state, hands),
        made=made,
        spent=_spent(state, hands, made, began),
        fits_left=max(0, state.upkeep.fits_a_year - fits),
        searches_left=max(0, state.upkeep.searches_a_year - searches),
        windows_left=max(1, int((YEAR_S - spent) / state.upkeep.window_s)),
        on_trial=challenger.name if challenger is not None and on_trial else "",
        trial_cut=challenger.until if challenger is not None and on_trial else None,
        adaptive=state.adaptive,
        fallback=fallback.name if fallback is not None else "",
        unlabelled=sum(w.facts["outcomes"]["missing"] for w in state.matured),
        broken=next(
            (f.headline for f in health.findings if f.check in BROKEN and f.severity == "fail"), ""
        ),
        aside=tuple(sorted(start.isoformat() for start in state.aside)),
        paused=state.paused,
    )


def _made(state: State, hands: Hands, *, began_at: str) -> tuple[Made, ...]:
    """Versions that the loop made within a year, newest first, with what they gained."""
    became: dict[str, tuple[str, float | None]] = {}
    for step in hands.store.steps(state.model, "trial"):
        record = step.record
        if record.get("closed") and not record.get("anew"):
            became[f"v{record['version']}"] = (record["closed"], record.get("gain_share"))
    found = []
    for step in _tried(state, hands):
        if step.at.isoformat() < began_at:
            continue
        number = step.record.get("version")
        name = "" if number is None else f"v{number}"
        end, gain = became.get(name, ("on_trial", None)) if name else ("refused", None)
        found.append(Made(step.record["act"], name, step.at, end, gain))
    return tuple(reversed(found))


def _tried(state: State, hands: Hands) -> list[Step]:
    """Fits but those that only a pause refused: these were no try, and are made again."""
    steps = hands.store.steps(state.model, "fit")
    return [step for step in steps if not step.record.get("paused")]


def _ratios(state: State, hands: Hands) -> tuple[tuple[float, float], ...]:
    """(age, loss as a multiple of what was certified) of each matured window, oldest first."""
    found = []
    for window in state.judged:
        version = state.versions.get(window.version)
        facts = window.facts["versions"].get(str(window.version))
        if version is None or facts is None or facts["mean"] is None or not facts["n"]:
            continue
        base = state.versions[state.root(version.number).number]
        certified = certified_of(hands.store, base).loss.mid
        cut = base.until or base.created_at
        age = max(0.0, (window.end - cut).total_seconds() / state.upkeep.window_s)
        if certified > 0:
            found.append((age, float(facts["mean"]) / certified))
    return tuple(found)


def _staleness(state: State, hands: Hands) -> tuple[tuple[float, float], ...]:
    """(age, loss as a multiple of that of a new model) of the newest back-test of a fit."""
    for step in reversed(hands.store.steps(state.model, "fit")):
        if aged := [Aged(**one) for one in step.record.get("aged", ())]:
            found = as_windows(aged, state.upkeep.window_s)
            return tuple(pair for pair in found if pair[0] <= OLDEST)
    return ()


def _spent(state: State, hands: Hands, made: Sequence[Made], began: datetime) -> float:
    """What the fits and calls of a year cost; a call that goes on from look to look is one."""
    price = costs(state.upkeep)
    total = sum(price.get(one.act, 0.0) for one in made if one.version)
    before = ""
    for step in hands.store.steps(state.model, "action"):
        act = step.record["act"]
        if act == "call_person" != before and step.at >= began:
            total += price[act]
        before = act
    return total


def _since_recalibrated(state: State, hands: Hands) -> int:
    """Outcomes known since the newest recalibration, or try at one; of all when there was none."""
    tries = [
        datetime.fromisoformat(step.record["until"])
        for step in _tried(state, hands)
        if step.record["act"] == "recalibrate"
    ]
    cut = max(tries, default=None)
    return sum(outcomes_in(w) for w in state.judged if cut is None or w.start >= cut)


def _since_tried(state: State, hands: Hands, cut: datetime) -> int | None:
    """Outcomes known since the newest fit, or try at one, after the champion's; None without."""
    tries = [
        datetime.fromisoformat(step.record["until"])
        for step in _tried(state, hands)
        if step.record["act"] != "recalibrate"
    ]
    newest = max(tries, default=cut)
    if newest <= cut:
        return None
    return sum(outcomes_in(w) for w in state.judged if w.start >= newest)


def _learnt(hands: Hands, state: State) -> int:
    base = state.versions[state.root(state.champion.number).number]
    return certified_of(hands.store, base).loss.n


def _first(state: State) -> datetime:
    return state.asked[0].start if state.asked else state.now
