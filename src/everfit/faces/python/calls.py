"""The functions of ``import everfit``: run, assess, load, models."""

from __future__ import annotations

import sys
import time as clock
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from everfit import wire
from everfit.errors import UsageError
from everfit.faces.asked import one_item
from everfit.faces.progress import Mode, teller
from everfit.faces.python.model import Model
from everfit.loop import Request
from everfit.records import Assessment, Kind, Policy, Role
from everfit.settings import Settings, limits_of, plan_run, read_settings

GIVEN_BY = "call"


def run(
    source: Any = None,
    target: str | None = None,
    *,
    name: str | None = None,
    budget: str | float | None = None,
    seed: int | None = None,
    metric: str | None = None,
    task: str | None = None,
    kinds: Mapping[str, Kind] | None = None,
    roles: Mapping[str, Role] | None = None,
    time: str | None = None,
    group: str | None = None,
    weight: str | None = None,
    user: str | None = None,
    item: str | None = None,
    items: Any = None,
    drop: Sequence[str] = (),
    header: bool | Sequence[str] | None = None,
    query: str | None = None,
    learners: Sequence[Any] | None = None,
    policy: Policy | Mapping[str, float] | None = None,
    store: str | Path | None = None,
    config: str | Path | None = None,
    progress: Mode | None = None,
) -> Model:
    """Assess data, study models, and release the best one that passes its gates.

    Parameters
    ----------
    source : path, pattern, database URL, pandas or Polars frame, Arrow table, dict of lists
    target : the column to predict
    name : of the model; a run on a known name makes a challenger
    user, item, items : for ``task="recommend"``: the columns of users and items, and a table of
        what the items are, with the items' column as its key
    budget : time for everything: seconds, or a text such as ``"60s"``; 60 s by default
    learners : scikit-learn-compatible estimators, or ``"path.py:Class"``, that join the race
    policy : limits of a promotion; of a ``Policy`` those that differ from the defaults, of a dict
        those that it names
    progress : ``auto`` shows it on a terminal and in a notebook, ``none`` never

    Raises
    ------
    EverfitError : see :mod:`everfit.errors`; each says what, got, expected and what to do
    """
    started = clock.monotonic()
    settings = read_settings(config)
    given = {
        "source": source if isinstance(source, str) else None,
        "target": one_item(target, user, item),
        "budget": budget,
        "seed": seed,
        "metric": metric,
        "task": task,
        "kinds": kinds,
        "roles": roles_of(roles, time, user or group, weight, drop),
        "header": header,
        "query": query,
        "learners": learners,
        **_limits(policy),
    }
    request = request_of(settings, name, source, given, started, items=items)
    tell = teller(mode_of(progress), sys.stderr, budget_s=request.budget_s, started=started)
    with wire.house(store=store or settings.store, settings=settings) as house, tell:
        result = house.run(request, tell)
        return Model.of_run(result, house.place, request.budget_s)


def assess(
    source: Any,
    target: str | None = None,
    *,
    name: str | None = None,
    seed: int | None = None,
    metric: str | None = None,
    task: str | None = None,
    kinds: Mapping[str, Kind] | None = None,
    roles: Mapping[str, Role] | None = None,
    time: str | None = None,
    group: str | None = None,
    weight: str | None = None,
    user: str | None = None,
    item: str | None = None,
    items: Any = None,
    drop: Sequence[str] = (),
    header: bool | Sequence[str] | None = None,
    query: str | None = None,
    store: str | Path | None = None,
    config: str | Path | None = None,
    progress: Mode | None = None,
    save: bool | None = None,
) -> Assessment:
    """What is in the data: findings worst first, the split, the floor, the smallest visible gain.

    Takes the same as :func:`run`; trains nothing. ``save`` keeps it in the ledger of the model, so
    that ``everfit why`` tells it; by default when ``name`` or ``store`` is given.

    Raises
    ------
    DataError : the data cannot be used
    """
    started = clock.monotonic()
    settings = read_settings(config)
    given = {
        "source": source if isinstance(source, str) else None,
        "target": one_item(target, user, item),
        "seed": seed,
        "metric": metric,
        "task": task,
        "kinds": kinds,
        "roles": roles_of(roles, time, user or group, weight, drop),
        "header": header,
        "query": query,
    }
    request = request_of(settings, name, source, given, started, items=items)
    tell = teller(mode_of(progress), sys.stderr, budget_s=request.budget_s, started=started)
    if save is None:
        save = name is not None or store is not None
    with wire.house(store=store or settings.store, settings=settings) as house, tell:
        return house.assess(request, tell, save=save)


def load(name: str, version: str | None = None, *, store: str | Path | None = None) -> Model:
    """The model called ``name``: its champion, or one ``version`` such as ``"v2"``.

    Raises
    ------
    ModelUnknown : no such model or version; near names are offered
    ArtefactRefused : its files do not match their manifest
    """
    return Model.of_store(name, version, store or read_settings().store)


def models(*, store: str | Path | None = None) -> list[str]:
    """Names of all models of the store, sorted."""
    settings = read_settings()
    with wire.house(store=store or settings.store, settings=settings) as house:
        return list(house.models())


def request_of(
    settings: Settings,
    name: str | None,
    source: Any,
    given: Mapping[str, Any],
    started: float,
    *,
    items: Any = None,
) -> Request:
    """What is asked of the loop: call, environment and settings file in one.

    Raises
    ------
    UsageError : no source or no target is named anywhere
    """
    plan = plan_run(settings, name, given, given_by=GIVEN_BY)
    values = dict(plan.values)
    place = values.pop("source", None)
    data = source if source is not None else place
    target, told = values.pop("target", None), values.pop("items", None)
    beside = items if items is not None else told
    if data is None or target is None:
        raise UsageError(
            f"no {'source' if data is None else 'target'} is named",
            expected="data and the column to predict",
            do='everfit.run("data.csv", target="NAME")',
        )
    if "budget" in values:
        values["budget_s"] = values.pop("budget")
    if hasattr(data, "__fspath__"):
        data = str(data)
    return Request(
        data,
        target,
        name=name,
        policy=plan.policy,
        started=started,
        beside={} if beside is None else {"items": beside},
        **values,
    )


def roles_of(
    roles: Mapping[str, Role] | None,
    time: str | None,
    group: str | None,
    weight: str | None,
    drop: Sequence[str],
) -> dict[str, Role] | None:
    """What each column is for, as a call may say it; None when it says nothing."""
    found: dict[str, Role] = dict(roles or {})
    named: dict[Role, str | None] = {"time": time, "group": group, "weight": weight}
    for role, column in named.items():
        if column is not None:
            found[column] = role
    found.update(dict.fromkeys([drop] if isinstance(drop, str) else drop, "ignore"))
    return found or None


def _limits(policy: Policy | Mapping[str, float] | None) -> dict[str, float]:
    if policy is None:
        return {}
    if isinstance(policy, Mapping):
        unknown = set(policy) - set(Policy.__dataclass_fields__) | ({"set_by"} & set(policy))
        if unknown:
            known = [key for key in Policy.__dataclass_fields__ if key != "set_by"]
            raise UsageError(
                "a policy has no such limit",
                got=", ".join(sorted(unknown)),
                expected=", ".join(known),
            )
        return dict(policy)
    return limits_of(policy)


def mode_of(progress: Mode | None) -> Mode:
    """How progress is shown where nobody said it."""
    if progress is not None:
        return progress
    # a script's stderr is left alone; a person at a terminal or in a notebook wants to see it
    if sys.stderr.isatty():
        return "auto"
    return "plain" if "ipykernel" in sys.modules else "none"
