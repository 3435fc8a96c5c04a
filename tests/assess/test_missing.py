from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from everfit.assess.check import chi_squared, welch
from everfit.records import Act, Assessment
from tests.tables import assessed, found, make_table, open_set

N = 1_000


def blanked(assessment: Assessment) -> set[tuple[str, str]]:
    acts = assessment.acts
    return {(act.column, value) for act in acts if act.kind == "blank" for value in act.values}


def judge(seed: int = 0, **columns: object) -> Assessment:
    rng = np.random.default_rng(seed)
    data = {"z": rng.normal(size=N), **columns, "y": rng.choice(["a", "b"], N)}
    return assessed(make_table(data, target="y"), "y")


def with_value(values: np.ndarray, value: float, count: int) -> np.ndarray:
    out = values.astype(float).copy()
    out[np.random.default_rng(9).choice(len(out), count, replace=False)] = value
    return out


@pytest.mark.parametrize(
    ("values", "mark"),
    [
        (np.random.default_rng(1).gamma(2, 100, N).round(), 99_999_999),
        (np.random.default_rng(2).integers(18, 90, N), 9_999),
        (np.random.default_rng(3).normal(20, 8, N), -9_999),
        (np.random.default_rng(4).integers(0, 60, N), -1),
    ],
)
def test_sentinel_numbers_far_from_all_others_are_blanked(values: np.ndarray, mark: int) -> None:
    assessment = judge(x=with_value(values, mark, 12))

    assert blanked(assessment) == {("x", str(mark))}
    (finding,) = found(assessment, "disguised missing values")
    assert finding.number == 12
    assert finding.evidence["n"] == N


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).integers(0, 2, N),  # an indicator
        np.random.default_rng(2).integers(-1, 2, N),  # -1, 0, 1 as a code
        np.random.default_rng(3).normal(0, 5, N).round(),  # a difference: -1 is common
        np.random.default_rng(4).integers(0, 100, N),  # 99 is the last of the scale
        np.random.default_rng(5).poisson(4, N),  # a count with zeros
        np.where(np.random.default_rng(6).random(N) < 0.7, 0, 5.0)
        + np.random.default_rng(6).exponential(1, N) * 0,  # rain: two values
        np.where(
            np.random.default_rng(7).random(N) < 0.5, 0, np.random.default_rng(7).gamma(2, 9, N)
        ),  # amounts, often nothing
        np.where(
            np.random.default_rng(8).random(N) < 0.55,
            0,
            np.random.default_rng(8).normal(120, 30, N),
        ),  # an ingredient that half of the recipes lack
    ],
)
def test_true_numbers_are_not_blanked(values: np.ndarray) -> None:
    assert blanked(judge(x=values)) == set()


def test_a_cap_of_nines_is_said_and_kept() -> None:
    gains = np.where(np.arange(N) % 9, 0, np.random.default_rng(0).uniform(100, 41_000, N))

    assessment = judge(gain=with_value(gains, 99_999, 8))

    (finding,) = found(assessment, "disguised missing values")
    assert finding.severity == "info"
    assert finding.acts == ()


def test_zeros_far_below_a_bell_are_blanked_with_those_on_the_same_rows() -> None:
    rng = np.random.default_rng(0)
    pressure = rng.normal(72, 12, N).clip(30)
    skin = rng.normal(29, 10, N).clip(7)
    lost = rng.random(N) < 0.05
    pressure[lost] = 0
    skin[lost | (rng.random(N) < 0.25)] = 0

    assessment = judge(pressure=pressure, skin=skin)

    assert blanked(assessment) == {("pressure", "0"), ("skin", "0")}


def test_zeros_that_act_like_small_values_are_numbers() -> None:
    rng = np.random.default_rng(0)
    area = rng.normal(500, 120, N).clip(150)
    area[rng.random(N) < 0.06] = 0
    price = 50 + area / 10 + rng.normal(0, 10, N)  # no garage: cheaper than a small one

    assessment = assessed(make_table({"area": area, "price": price}, target="price"), "price")

    assert blanked(assessment) == set()


def test_dates_of_long_ago_that_repeat_are_blanked() -> None:
    days = pl.Series(
        pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2020, 6, 1), "1d", eager=True)
    )
    when = days.sample(N, with_replacement=True, seed=0).to_list()
    when[3] = when[77] = when[500] = pl.Series(["1900-01-01"]).str.to_datetime()[0]

    assessment = judge(when=when)

    assert {column for column, _ in blanked(assessment)} == {"when"}


def test_plain_words_for_missing_are_blanked_and_unknown_is_kept() -> None:
    rng = np.random.default_rng(0)

    assessment = judge(
        plan=rng.choice(["basic", "pro", "?"], N), job=rng.choice(["nurse", "cook", "unknown"], N)
    )

    assert blanked(assessment) == {("plan", "?")}
    assert any("unknown" in f.headline for f in found(assessment, "words for missing"))


def test_missing_that_goes_with_the_target_is_found_with_its_test() -> None:
    rng = np.random.default_rng(0)
    y = rng.random(N) < 0.5
    related = np.where(rng.random(N) < np.where(y, 0.6, 0.1), np.nan, rng.normal(size=N))
    unrelated = np.where(rng.random(N) < 0.3, np.nan, rng.normal(size=N))
    data = {"related": related, "unrelated": unrelated, "y": y}

    assessment = assessed(make_table(data, target="y"), "y")

    (finding,) = found(assessment, "missing related to the target")
    assert finding.columns == ("related",)
    assert finding.evidence["p"]["related"] < 1e-10
    assert set(found(assessment, "missing values")[0].columns) == {"related", "unrelated"}


def test_tests_agree_with_scipy() -> None:
    from scipy import stats

    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 40), rng.normal(0.5, 2, 90)
    gone, code = rng.random(300) < 0.3, rng.integers(0, 3, 300)
    table = np.array([[np.sum((gone == g) & (code == k)) for k in range(3)] for g in (0, 1)])

    expected_t = stats.ttest_ind(a, b, equal_var=False)
    expected_c = stats.chi2_contingency(table, correction=False)

    assert welch(a, b)[:2] == pytest.approx((expected_t.statistic, expected_t.pvalue))
    assert chi_squared(gone, code, 3)[:2] == pytest.approx(expected_c[:2])


def test_sentinels_of_the_credit_file_are_found() -> None:
    frame = pl.read_csv(open_set("credit_scoring", "data.csv"))

    assessment = assessed(make_table(frame, target="Status"), "Status")

    assert blanked(assessment) == {(name, "99999999") for name in ("Income", "Assets", "Debt")}
    counts = {f.columns[0]: f.number for f in found(assessment, "disguised missing values")}
    assert counts == {"Income": 34, "Assets": 47, "Debt": 18}
    assert Act("drop_value", "Status", ("0",)) in assessment.acts


def test_zeros_of_the_pima_file_are_found() -> None:
    names = "pregnancies glucose blood_pressure skin_thickness insulin bmi pedigree age diabetes"
    frame = pl.read_csv(open_set("pima", "data.csv"), has_header=False, new_columns=names.split())

    assessment = assessed(make_table(frame, target="diabetes"), "diabetes")

    expected = ("glucose", "blood_pressure", "skin_thickness", "insulin", "bmi")
    assert blanked(assessment) == {(name, "0") for name in expected}
