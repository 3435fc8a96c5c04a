from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from everfit.data.table import Table
from everfit.encoders.table import VIEWS, FeaturePlan, fit_features, fit_transform_features
from everfit.errors import ArtefactRefused, NothingToLearn, UsageError
from everfit.records import Column, Source
from tests.encoders.mixed import as_table, mixed_rows, target_of

ROWS = mixed_rows(400)
TABLE, TARGET = as_table(ROWS), target_of(ROWS)


def fit(view: str) -> FeaturePlan:
    return fit_features(TABLE, TARGET, "probabilities", 2, view=view)


@pytest.mark.parametrize("view", VIEWS)
def test_features_are_float64_in_c_order_with_one_name_each(view: str) -> None:
    plan, matrix = fit_transform_features(TABLE, TARGET, "probabilities", 2, view=view)

    assert matrix.shape == (400, len(plan.names)) == plan.transform(TABLE).shape
    assert matrix.dtype == np.float64
    assert matrix.flags.c_contiguous
    assert len(set(plan.names)) == len(plan.names)


@pytest.mark.parametrize("view", VIEWS)
def test_a_saved_plan_gives_the_same_features_when_it_is_loaded(view: str, tmp_path: Path) -> None:
    plan = fit(view)

    plan.save(tmp_path)
    again = FeaturePlan.load(tmp_path)

    assert again.to_plain() == plan.to_plain()
    np.testing.assert_array_equal(again.transform(TABLE), plan.transform(TABLE))


@pytest.mark.parametrize("view", VIEWS)
def test_a_column_that_is_not_there_counts_as_missing(view: str) -> None:
    plan, gone = fit(view), ["size", "town", "paid", "since", "note", "grade"]
    blank = TABLE.frame.with_columns(
        [pl.lit(None, dtype=TABLE.frame[name].dtype).alias(name) for name in gone]
    )
    blanked = Table(blank, TABLE.columns, TABLE.source)

    found = plan.transform(TABLE.drop(gone))

    np.testing.assert_array_equal(found, plan.transform(blanked))


@pytest.mark.parametrize("view", VIEWS)
def test_infinities_count_as_missing(view: str) -> None:
    plan = fit(view)
    size = TABLE.frame["size"].to_list()
    odd = [np.inf, -np.inf, np.nan, *size[3:]]
    missing = [None, None, None, *size[3:]]

    found, expected = (
        plan.transform(
            Table(TABLE.frame.with_columns(size=pl.Series(v)), TABLE.columns, TABLE.source)
        )
        for v in (odd, missing)
    )

    np.testing.assert_array_equal(found, expected)


def test_unseen_and_rare_categories_have_one_code_which_is_nan() -> None:
    rows = [dict(row) for row in ROWS]
    rows[0]["town"] = "seen once"
    table = as_table(rows)
    plan = fit_features(table, None, "probabilities", 2, view="codes")
    rows[1]["town"] = "never seen"

    codes = plan.transform(as_table(rows))[:, plan.names.index("town")]

    assert np.isnan(codes[:2]).all()
    assert not np.isnan(codes[[i for i in range(2, 400) if rows[i]["town"] is None]]).any()


def test_codes_stand_in_order_of_frequency() -> None:
    plan = fit("codes")

    codes = plan.transform(TABLE)[:, plan.names.index("town")]

    counts = np.bincount(codes[~np.isnan(codes)].astype(int))
    assert (np.diff(counts) <= 0).all()
    assert plan.names[plan.categorical[0]] == "town"


def test_the_dense_view_has_no_missing_value() -> None:
    plan = fit("dense")

    assert np.isfinite(plan.transform(as_table(mixed_rows(100, seed=7)))).all()


def test_identifiers_and_constants_are_left_out() -> None:
    used = {item.name for item in fit("codes").inputs}

    assert used == {c.name for c in TABLE.columns} - {"key", "same"}


def test_a_table_without_a_usable_feature_is_refused() -> None:
    table = Table(
        pl.DataFrame({"k": ["a", "b"]}), (Column("k", "identifier"),), Source("t", "", 2, 1)
    )

    with pytest.raises(NothingToLearn, match=r"(?s)no usable feature.*k \(identifier\)"):
        fit_features(table, None, "values", 1, view="codes")


def test_a_view_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="no such view"):
        fit("sparse")


def test_engineered_features_need_a_target() -> None:
    with pytest.raises(UsageError, match="learnt from the target"):
        fit_features(TABLE, None, "values", 1, view="engineered")


def test_a_plan_of_another_format_is_refused() -> None:
    plan = fit("codes")

    with pytest.raises(ArtefactRefused, match="format"):
        FeaturePlan.from_plain(plan.to_plain() | {"format": 99}, plan.arrays())


def test_a_plan_with_an_unknown_step_is_refused() -> None:
    plain = fit("codes").to_plain()
    plain["steps"][0]["step"] = "teleport"

    with pytest.raises(ArtefactRefused, match="teleport"):
        FeaturePlan.from_plain(plain, {})


def test_a_plan_without_its_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactRefused, match=r"features\.json"):
        FeaturePlan.load(tmp_path)
