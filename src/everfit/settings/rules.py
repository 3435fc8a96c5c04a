"""The names of the rules of upkeep in ``[policy]``, and how the value of each is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from everfit.errors import SettingsError
from everfit.settings.places import Place, table, values
from everfit.settings.values import count, names, number, one_of, read_budget, text, whole

BUDGETS = ("promotion", "rollback", "degradation", "drift")
# what a segment may be called: as everfit.data.groups calls the groups of rows that it finds
_SEGMENT = re.compile(
    r"(?P<level>[^=\s][^=]*?)\s*=\s*\S.*"
    r"|(?P<third>\S.*?) (?:up to|above) -?\d\S*|(?P<middle>\S.*?) -?\d\S* to -?\d\S*"
)


def length(value: Any) -> float:
    """A length of time above zero, in seconds: ``"7d"``, ``"12h"``, ``3600``."""
    try:
        return read_budget(value if not isinstance(value, bool) else "")
    except SettingsError as error:
        raise ValueError("a time above zero, such as 30m, 12h or 7d") from error


def delay(value: Any) -> float:
    """A length of time from zero, in seconds."""
    if not isinstance(value, bool) and str(value).strip() in ("0", "0.0", "0s", "0d", "0h", "0m"):
        return 0.0
    try:
        return length(value)
    except ValueError as error:
        raise ValueError("a time from zero, such as 0, 12h or 7d") from error


def acts(value: Any) -> tuple[str, ...]:
    """Acts that may be done without a person; an unknown one gets the nearest that there is."""
    from everfit.records import ActKind

    there = [act for act in get_args(ActKind) if act != "nothing"]
    found = names(value)
    for act in found:
        if act not in there:
            near = difflib.get_close_matches(act, there, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"a list of: {', '.join(there)}{hint}")
    return found


def label(value: Any) -> str:
    """A label or number as text, such as ``"no"``, ``0`` or ``false``."""
    if isinstance(value, bool):
        return str(value)
    return str(value) if isinstance(value, (int, float)) else text(value)


def _amount(value: Any) -> float:
    return number(value, 0.0, 1e12)


def _chance(value: Any) -> float:
    return number(value, 1e-6, 0.5)


# name in the file -> field of Upkeep and how its value is read
READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "window": ("window_s", length),
    "label_delay": ("label_delay_s", delay),
    "missing_outcome": ("missing_outcome", label),
    "floor": ("floor", lambda value: number(value, -1e12, 1e12)),
    "tolerance": ("tolerance", lambda value: number(value, 0.0, 100.0)),
    "least_rows": ("least_rows", count),
    "rollback_window": ("rollback_window_s", length),
    "trial": ("trial_s", length),
    "margin": ("margin", lambda value: number(value, 0.0, 1.0)),
    "loss_cost": ("loss_cost", _amount),
    "fit_cost": ("fit_cost", _amount),
    "search_cost": ("search_cost", _amount),
    "label_cost": ("label_cost", _amount),
    "call_cost": ("call_cost", _amount),
    "money_a_year": ("money_a_year", _amount),
    "fits_a_year": ("fits_a_year", whole),
    "searches_a_year": ("searches_a_year", whole),
    "retrain_budget": ("retrain_budget_s", length),
    "search_budget": ("search_budget_s", length),
    "acts": ("acts", acts),
    "learn_from": ("learn_from", one_of("source", "log", "both")),
    "hold_looks": ("hold_looks", count),
    "quiet_looks": ("quiet_looks", count),
    "tell": ("tell", names),
}
ERRORS: dict[str, Callable[[Any], Any]] = {
    "total": _chance,
    **dict.fromkeys(BUDGETS, lambda value: number(value, 1e-6, 1.0)),
}
NAMES = (*READERS, "error_budget", "guardrails", "table")


def read_rules(
    plain: Mapping[str, Any],
    section: str,
    limits: Mapping[str, Callable[[Any], Any]],
    place: Place,
) -> dict[str, Any]:
    """The values of one ``[policy]``: ``limits`` of a promotion, and the rules of upkeep.

    Tables become flat names: ``error_budget.drift``, ``guardrails.plan=trial``.

    Raises
    ------
    SettingsError : an unknown name, or a value that cannot be used
    """
    rest = dict(plain)
    flat: dict[str, Any] = {}
    budget = rest.pop("error_budget", None)
    if isinstance(budget, Mapping):
        read = values(budget, f"{section}.error_budget", ERRORS, place)
        flat |= {f"error_budget.{name}": value for name, value in read.items()}
    elif budget is not None:
        total = values({"error_budget": budget}, section, {"error_budget": _chance}, place)
        flat["error_budget.total"] = total["error_budget"]
    guarded = table(rest, section, "guardrails", place)
    rest.pop("guardrails", None)
    for segment in guarded:
        where = place.line(f"{section}.guardrails", segment)
        flat |= {f"guardrails.{segment_name(segment, where)}": guarded[segment]}
    said = table(rest, section, "table", place)
    rest.pop("table", None)
    flat |= {f"table.{state}": act for state, act in _states(said, section, place).items()}
    share = dict.fromkeys(guarded, lambda value: number(value, 0.0, 100.0))
    values(guarded, f"{section}.guardrails", share, place)
    readers = {name: reader for name, (_, reader) in READERS.items()}
    # names of tables are known too, so that a misspelt one gets its hint
    tables = dict.fromkeys(("error_budget", "guardrails", "table"), text)
    return {**values(rest, section, {**limits, **readers, **tables}, place), **flat}


def _states(said: Mapping[str, Any], section: str, place: Place) -> dict[str, str]:
    """States of the policy table with the acts that are to be done in them.

    Raises
    ------
    SettingsError : a state or an act that the table does not have
    """
    from everfit.maintain.chances import AGES
    from everfit.maintain.chances import NAMES as LEVELS
    from everfit.maintain.table import ACTS, state_name

    if not said:
        return {}
    states = [state_name(a, k) for a in range(len(AGES) + 1) for k in range(len(LEVELS))]
    readers = dict.fromkeys(states, one_of(*ACTS))
    return values(said, f"{section}.table", readers, place)


def lines_of(rules: Mapping[str, Any], section: str, place: Place) -> dict[str, str]:
    """Where each rule of a section stands: ``policy.floor`` -> ``everfit.toml, line 4``."""
    found = {}
    for name in rules:
        table_name, dot, key = name.partition(".")
        inner = f"{section}.{table_name}" if dot else section
        line = place.line(inner, key or name)
        if line == place.file and dot:
            line = place.line(section, table_name)  # error_budget = 0.05
        found[f"{section}.{name}"] = line
    return found


def segment_name(name: str, where: str) -> str:
    """``name`` when it can name a segment: ``plan=trial``, ``age above 60``, ``age 30 to 60``.

    Raises
    ------
    SettingsError : it cannot

    Examples
    --------
    >>> segment_name("plan = trial", ""), segment_name("age up to 30", "")
    ('plan=trial', 'age up to 30')
    """
    found = _SEGMENT.fullmatch(name.strip())
    if found is None:
        raise SettingsError(
            f"{where}: the segment of a guardrail cannot be read",
            got=repr(name),
            expected='a segment such as "plan=trial" or "age above 60"',
            do='write [policy.guardrails] and below it "plan=trial" = 0.05',
        )
    if found["level"] is None:
        return name.strip()
    column, _, level = name.partition("=")
    return f"{column.strip()}={level.strip()}"
