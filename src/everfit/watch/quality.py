"""Does the traffic have the columns of the reference? New, missing, renamed, copied rows."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

import numpy as np
import polars as pl

from everfit.data.conform import fit_column
from everfit.watch.reference import Reference
from everfit.watch.usual import Usual, scores

MOST_NAMES = 50
ALIKE_ROWS = 2_000  # enough to say whether two columns look alike
ALIKE = 0.1  # mean distance of scores up to which a new column may be a missing one, renamed
LIKE_NAME = 0.05  # what a name that is nearly the same is worth


def odd_columns(features: pl.DataFrame, reference: Reference) -> dict[str, Any]:
    """Names of columns that are ``extra``, ``missing``, and which extra may be which missing one.

    A column without one value counts as missing: the log cannot tell both apart. ``extra`` holds
    all that the version does not ask for; :func:`everfit.watch.watch` tells which of them are new.
    """
    given = [name for name in features.columns if features[name].null_count() < features.height]
    known = {usual.name: usual for usual in reference.columns}
    missing = [name for name in known if name not in given and known[name].missing < 1]
    extra = [name for name in given if name not in known]
    found: dict[str, Any] = {}
    if extra:
        found["extra"] = extra[:MOST_NAMES]
    if missing:
        found["missing"] = missing[:MOST_NAMES]
        renamed = renames(features, [known[name] for name in missing], extra)
        if renamed:
            found["renamed"] = renamed
    return found


def renames(
    features: pl.DataFrame, missing: Sequence[Usual], extra: Sequence[str]
) -> dict[str, str]:
    """A guess which extra column is which missing one: its values look the same.

    Examples
    --------
    >>> from everfit.column import Column
    >>> from everfit.watch.usual import usual_of
    >>> price = pl.Series("price", [float(x) for x in range(100)])
    >>> usual = usual_of(price, Column("price", "number"))
    >>> frame = pl.DataFrame({"prix": list(range(0, 100, 2)), "n": [1000] * 50})
    >>> renames(frame, [usual], ["prix", "n"])
    {'price': 'prix'}
    """
    rows = features.head(ALIKE_ROWS)
    apart = []
    for usual in missing:
        for name in extra:
            distance = _distance(rows[name], usual)
            if distance <= ALIKE:
                near = SequenceMatcher(None, usual.name.lower(), name.lower()).ratio()
                apart.append((distance - LIKE_NAME * near, usual.name, name))
    found: dict[str, str] = {}
    for _, old, new in sorted(apart):
        if old not in found and new not in found.values():
            found[old] = new
    return found


def _distance(values: pl.Series, usual: Usual) -> float:
    """How far the scores of a column are from those of another: 0 for the same distribution."""
    if values.dtype.is_numeric() and usual.column.kind == "text":
        return 1.0
    fitted, lost = fit_column(values, usual.column)
    known = len(values) - values.null_count()
    if not known or int(lost.sum()) > known * ALIKE or len(usual.statistics) < 2:
        return 1.0
    table = scores(fitted, usual)[:, 1:]
    seen = table[~np.isnan(table).any(axis=1)]
    if not len(seen):
        return 1.0
    return float(np.abs(seen.mean(axis=0) - np.asarray(usual.centres[1:])).max())


def repeated(features: pl.DataFrame) -> float:
    """The share of rows that are exact copies of another row of the window."""
    if not features.height or not features.width:
        return 0.0
    return round(1 - features.hash_rows().n_unique() / features.height, 6)
