from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from everfit.column import Column
from everfit.watch.apart import apart
from everfit.watch.reference import Reference, reference_of

RNG = np.random.default_rng(8)


def pair(n: int, together: float) -> dict[str, np.ndarray[Any, Any]]:
    first, noise = RNG.normal(size=(2, n))
    return {"a": first, "b": together * first + np.sqrt(1 - together**2) * noise}


def known(n: int) -> Reference:
    sample = {"truth": np.zeros(n), "answer.0": RNG.normal(size=n)}
    sample |= {f"x:{name}": values for name, values in pair(n, 0.0).items()}
    return reference_of(pl.DataFrame(sample), [Column("a", "number"), Column("b", "number")])


def test_columns_that_begin_to_go_together_are_seen_though_neither_moved() -> None:
    reference = known(2_000)

    calm = apart(pl.DataFrame(pair(1_000, 0.0)), reference)
    moved = apart(pl.DataFrame(pair(1_000, 0.8)), reference)

    assert calm is not None
    assert moved is not None
    assert calm["away"] < 4 * calm["error"]
    assert moved["away"] > 8 * moved["error"]
    assert set(moved["columns"]) == {"a", "b"}


def test_areas_of_calm_windows_are_as_far_from_one_half_as_their_error_says() -> None:
    reference = known(2_000)

    found = [apart(pl.DataFrame(pair(500, 0.0)), reference) for _ in range(60)]

    z = [one["away"] / one["error"] for one in found if one is not None]
    assert len(z) == 60
    assert abs(np.mean(z)) < 1.0
    assert np.std(z) < 1.6


def test_too_few_rows_are_not_told_apart() -> None:
    assert apart(pl.DataFrame(pair(199, 0.0)), known(2_000)) is None
    assert apart(pl.DataFrame(pair(300, 0.0)), known(150)) is None


def test_a_column_that_is_gone_does_not_stop_it() -> None:
    found = apart(pl.DataFrame(pair(300, 0.0)).drop("b"), known(1_000))

    assert found is not None
    assert found["away"] > 0.4
    assert found["columns"][0] == "b"
