"""Fit a feature plan to a table: the door of this package."""

from __future__ import annotations

from everfit.data.table import Table
from everfit.encoders.codes import Draft, code_columns
from everfit.encoders.dense import dense_columns
from everfit.encoders.engineered import engineer
from everfit.encoders.plan import FeaturePlan
from everfit.errors import NothingToLearn, UsageError
from everfit.records import Array, Form

__all__ = ["VIEWS", "FeaturePlan", "fit_features", "fit_transform_features", "load"]
load = FeaturePlan.load
VIEWS = ("codes", "dense", "engineered")


def fit_features(
    table: Table, target: Array | None, form: Form, n_outputs: int, *, view: str, seed: int = 0
) -> FeaturePlan:
    """The plan that :func:`fit_transform_features` gives, without the training values."""
    return _fit(table, target, form, n_outputs, view=view, seed=seed)[0]


def fit_transform_features(
    table: Table, target: Array | None, form: Form, n_outputs: int, *, view: str, seed: int = 0
) -> tuple[FeaturePlan, Array]:
    """Fit a feature plan and give the features of its own training rows, (n, d).

    In the ``engineered`` view the training values of target encodings are out of fold: no row's
    features know its own target. They differ from ``plan.transform(table)`` there, and there only.

    Parameters
    ----------
    table : training rows; columns with role feature are used, identifiers and constants are not
    target : (n,) float64, class codes or numbers; only the engineered view reads it
    form : shape of an answer
    n_outputs : number of classes, 1 for a number
    view : ``codes`` for trees, ``dense`` for linear and neural learners, ``engineered``: codes
        plus target encodings, crosses and arithmetic
    seed : of the folds and the text components

    Raises
    ------
    NothingToLearn : no usable feature is left
    UsageError : no such view, or ``engineered`` without a target
    """
    plan, matrix = _fit(table, target, form, n_outputs, view=view, seed=seed)
    return plan, plan.transform(table) if matrix is None else matrix


def _fit(
    table: Table, target: Array | None, form: Form, n_outputs: int, *, view: str, seed: int
) -> tuple[FeaturePlan, Array | None]:
    if view not in VIEWS:
        raise UsageError(
            "there is no such view of the features",
            got=repr(view), expected=" or ".join(VIEWS), do="give one of these",
        )  # fmt: skip
    draft = Draft(table, view, seed)
    if view == "dense":
        dense_columns(draft)
    else:
        code_columns(draft)
    if not draft.steps:
        raise NothingToLearn(
            f"no usable feature is left in {table.source.uri}",
            got=", ".join(f"{c.name} ({c.kind})" for c in table.features[:10]) or "no feature",
            expected="at least one feature that is no identifier and no constant",
            do="give a table with more columns, or another role to one of these",
        )
    if view != "engineered":
        return draft.done(), None
    if target is None:
        raise UsageError(
            "the engineered view is learnt from the target",
            got="no target", expected="the target of each row", do="give it, or use view codes",
        )  # fmt: skip
    return engineer(draft, target, form, n_outputs)
