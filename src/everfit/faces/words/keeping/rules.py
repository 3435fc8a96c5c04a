"""The rules in force as people read them: what each means, its value, and who set it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from everfit.faces.words.figures import counted, metric_name, plain
from everfit.faces.words.grid import filled, grid
from everfit.house.previewing import Preview
from everfit.records import Policy, Upkeep
from everfit.settings.contradictions import spoken
from everfit.settings.rules import READERS


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name in the file, what it means, its value plain and in words, who set it."""

    part: str
    name: str
    means: str
    value: Any
    shown: str
    by: str


# part, name in the file, what it means; {metric} is the one that people read of this model
WATCH = (
    ("window", "traffic is judged in stretches of"),
    ("label_delay", "outcomes have so long to come"),
    ("missing_outcome", "what counts when none came"),
    ("floor", "worst {metric} that you accept"),
    ("tolerance", "certified loss may be exceeded by"),
)
ACT = (
    ("least_rows", "new outcomes before a fit"),
    ("learn_from", "rows to learn from"),
    ("trial", "longest trial in the shadow"),
    ("rollback_window", "old champion stands by for"),
    ("margin", "a refit need only be not worse by"),
)
ACTS = {
    "recalibrate": "correct its probabilities, level or ranges",
    "retrain": "fit the same model on new rows",
    "search": "look for a better model",
    "roll_back": "let the one before answer again",
    "set_aside": "leave out rows that are broken",
}
PAY = (
    ("retrain_budget", "time of one fit"),
    ("search_budget", "time of one search"),
    ("fits_a_year", "most fits in a year"),
    ("searches_a_year", "most searches in a year"),
    ("money_a_year", "most money in a year"),
    ("loss_cost", "one unit of loss, one window"),
    ("fit_cost", "one fit"),
    ("search_cost", "one search"),
    ("label_cost", "one outcome found out"),
    ("call_cost", "calling a person"),
)
TELL = (
    ("tell", "who is told"),
    ("hold_looks", "looks before you are told"),
    ("quiet_looks", "quiet looks before it is over"),
)
RELEASE = (
    ("alpha", "error rate of a promotion"),
    ("min_gain", "smallest gain worth it"),
    ("guardrail", "a segment may lose more by"),
    ("latency_ms", "most milliseconds for a row"),
)
SHARES = ("tolerance", "margin", "guardrail")


def rules_of(
    upkeep: Upkeep, policy: Policy, metric: str, keep_days: tuple[int | None, str]
) -> list[Rule]:
    """Every rule in force for one model, in the order of reading.

    Parameters
    ----------
    keep_days : how long the server keeps predictions and outcomes, None for ever; and who said so
    """
    found = [_upkeep("Watch", name, means, upkeep, metric) for name, means in WATCH]
    days, by = keep_days
    kept = "for ever" if days is None else f"{days:,} d"
    found.append(Rule("Watch", "keep_days", "predictions and outcomes are kept", days, kept, by))
    found += _guardrails(upkeep)
    found += _errors(upkeep)
    found += _acts(upkeep)
    found += [_upkeep("Act", name, means, upkeep, metric) for name, means in ACT]
    found += [_upkeep("Cost", name, means, upkeep, metric) for name, means in PAY]
    found += [_upkeep("Tell", name, means, upkeep, metric) for name, means in TELL]
    for name, means in RELEASE:
        value = getattr(policy, name)
        by = policy.set_by.get(name, "default")
        found.append(Rule("Release", name, means, value, _shown(name, value), by))
    return found


def rules_text(rules: list[Rule], head: str, file: str) -> str:
    """The rules as one table a part; sections of ``file`` are named without it."""
    file = f"{file} "
    lines = [head]
    for part in dict.fromkeys(rule.part for rule in rules):
        rows = [
            [r.name, r.means, r.shown, r.by.removeprefix(file)] for r in rules if r.part == part
        ]
        lines += ["", *grid([part.lower(), "", "is", "set by"], rows, flexible=1)]
    return "\n".join(lines)


def preview_text(before: Preview, after: Preview) -> str:
    """What other rules would have brought, beside what those in force bring on the same looks."""
    if not after.looks:
        return "There are no windows to look back on yet: the first follows the first traffic."
    now, then = len(before.alerts), len(after.alerts)
    lines = filled(
        "",
        f"With these rules you would have had {counted(then, 'alert')} in the "
        f"{counted(after.days, 'day')} up to {after.until:%Y-%m-%d} "
        f"({counted(after.looks, 'look')}), "
        f"{after.needing:,} of them for a person. With the rules in force: {now:,}, "
        f"{before.needing:,} for a person.",
        indent=0,
    )
    rows = [
        [f"{one.fired_at:%Y-%m-%d}", _until(one.over_at), one.state.replace("_", " "), one.headline]
        for one in after.alerts
    ]
    if rows:
        lines += ["", *grid(["fired", "over", "state", "what"], rows, flexible=3)]
    return "\n".join(lines)


def _until(at: datetime | None) -> str:
    return "open" if at is None else f"{at:%Y-%m-%d}"


def _upkeep(part: str, name: str, means: str, upkeep: Upkeep, metric: str) -> Rule:
    field = READERS[name][0]
    value = getattr(upkeep, field)
    said = means.format(metric=metric_name(metric))
    by = upkeep.set_by.get(field, "default")
    return Rule(part, name, said, value, _shown(name, value), by)


def _guardrails(upkeep: Upkeep) -> Iterator[Rule]:
    for segment, share in upkeep.guardrails.items():
        by = upkeep.set_by.get(f"guardrails.{segment}", "default")
        shown = f"{100 * share:g}%"
        yield Rule("Watch", f"guardrails.{segment}", "may lose more by", share, shown, by)


def _acts(upkeep: Upkeep) -> Iterator[Rule]:
    by = upkeep.set_by.get("acts", "default")
    for name, means in ACTS.items():
        own = name in upkeep.acts
        yield Rule("Act", f"acts.{name}", means, own, "by itself" if own else "asks you", by)


def _errors(upkeep: Upkeep) -> Iterator[Rule]:
    by = upkeep.set_by.get("error_budget", "default")
    shown = f"{100 * upkeep.error_budget:g}%"
    told = "any false alarm or act in a year"
    yield Rule("Errors", "error_budget.total", told, upkeep.error_budget, shown, by)
    means = {
        "promotion": "a promotion that is no better",
        "rollback": "a rollback without need",
        "degradation": "an alarm about a sound model",
        "drift": "an alarm about data that stayed",
    }
    for name, share in upkeep.shares.items():
        by = upkeep.set_by.get(f"shares.{name}", "default")
        shown = f"{100 * share * upkeep.error_budget:.3g}%"
        yield Rule("Errors", f"error_budget.{name}", means.get(name, name), share, shown, by)


def _shown(name: str, value: Any) -> str:
    if value is None:
        nothing = {"tell": "everybody", "missing_outcome": "nothing", "money_a_year": "no limit"}
        return nothing.get(name, "none")
    if isinstance(value, tuple):
        return ", ".join(value) or "nobody" if name == "tell" else ", ".join(value) or "nothing"
    if isinstance(value, str):
        return value
    if READERS.get(name, ("",))[0].endswith("_s"):
        return "none" if not value else spoken(value)
    return f"{100 * value:g}%" if name in SHARES else plain(value)
