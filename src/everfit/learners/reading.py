"""A user's own model that reads history: how it says so, and what it must take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from everfit.data.table import Table
from everfit.errors import UsageError
from everfit.events import EVENTS, Reads

MOST_EVENTS = 10_000  # of one key: a server looks them up for each answer


def declared(estimator: Any, table: Table | None) -> Reads | None:
    """Which history an estimator declares to read; None when it declares none.

    ``reads_history = True`` declares it, ``history_key`` names the column of the key (else the
    group of the table), ``history_events`` how many events it gets at most (else 20).

    Parameters
    ----------
    table : that the model will learn from, to check the columns; None: they are not checked

    Raises
    ------
    UsageError : its ``predict`` takes no history, or what it declares cannot be used
    ColumnMissing : the table has no such column
    """
    if not getattr(estimator, "reads_history", False):
        return None
    verbs = [v for v in ("predict", "predict_proba") if callable(getattr(estimator, v, None))]
    if not any(takes_history(estimator, verb) for verb in verbs):
        raise takes_none(estimator, verbs[-1] if verbs else "predict")
    events = getattr(estimator, "history_events", EVENTS)
    if isinstance(events, bool) or not isinstance(events, int) or not 1 <= events <= MOST_EVENTS:
        raise UsageError(
            f"{_name(estimator)} reads a history of no usable length",
            got=f"history_events = {events!r}",
            expected=f"a whole number from 1 to {MOST_EVENTS}",
            do="history_events = 20",
        )
    key = getattr(estimator, "history_key", None)
    if key is None and table is not None and (group := table.role("group")) is not None:
        key = group.name
    if not isinstance(key, str) or not key:
        raise UsageError(
            f"{_name(estimator)} reads history, and nothing says of what",
            got=f"history_key = {key!r}",
            expected="the column that names who or what a row is about",
            do='set history_key = "customer" in the class, or give --group customer',
        )
    if table is None:
        return Reads(key, events)
    table.column(key)
    time = table.role("time")
    return Reads(key, events, None if time is None else time.name)


def one_key(found: Sequence[Reads]) -> None:
    """Refuse models that read histories of different keys: a version looks up one.

    Raises
    ------
    UsageError : there are several
    """
    keys = sorted({reads.key for reads in found})
    if len(keys) > 1:
        raise UsageError(
            "the models of one run read histories of different keys",
            got=", ".join(keys),
            expected="one key column",
            do="give the same history_key to all of them, or make a run for each",
        )


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has an argument of this name."""
    return name in inspect.signature(function).parameters


def takes_history(estimator: Any, verb: str) -> bool:
    """Whether ``verb`` of an estimator has an argument ``history``."""
    function = getattr(estimator, verb, None)
    return callable(function) and takes(function, "history")


def takes_none(estimator: Any, verb: str) -> UsageError:
    """The error of a model that declares a history and cannot be given one."""
    return UsageError(
        f"{_name(estimator)} declares reads_history, but its {verb} takes no history",
        got=f"{verb}{_signature(getattr(estimator, verb, None))}",
        expected=f"{verb}(X, history)",
        do=f"write def {verb}(self, X, history=None), or remove reads_history",
    )


def _signature(function: Any) -> str:
    return str(inspect.signature(function)) if callable(function) else " is not there"


def _name(estimator: Any) -> str:
    return estimator.__name__ if isinstance(estimator, type) else type(estimator).__name__
