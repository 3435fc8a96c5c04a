"""Per-unit metrics of lists: against trec_eval, by hand, and at the edges."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from everfit.errors import UsageError
from everfit.lists.metrics import (
    average_precision,
    head_kept,
    hit,
    ndcg,
    recall,
    reciprocal_rank,
    repeated,
    thinned,
)

N_ITEMS, DEPTH, WIDTH = 60, 30, 25
NAN = np.nan


def fixture(n: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lists with tied scores and of any length, true items with grades; some units have none."""
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 8, (n, N_ITEMS)).astype(float)  # few values, so many ties
    order = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]  # ties by code
    lengths = rng.integers(0, DEPTH + 1, n)
    codes = np.where(np.arange(DEPTH) < lengths[:, None], order, -1)
    truth, grades = np.full((n, WIDTH), NAN), np.full((n, WIDTH), NAN)
    for row in range(n):
        m = int(rng.integers(0, WIDTH + 1))
        truth[row, :m] = rng.choice(N_ITEMS, m, replace=False)
        grades[row, :m] = rng.integers(1, 5, m)
    return codes, truth, grades, scores


def trec(
    codes: np.ndarray, truth: np.ndarray, grades: np.ndarray | None, scores: np.ndarray, what: str
) -> np.ndarray:
    """One measure per unit by trec_eval; NaN where it judges nothing."""

    def name(code: float) -> str:
        return f"i{9999 - int(code)}"  # trec_eval puts the later name first where scores tie

    relevant = {
        str(row): {
            name(code): 1 if grades is None else int(grades[row, at])
            for at, code in enumerate(truth[row])
            if np.isfinite(code)
        }
        for row in range(len(truth))
    }
    ran = {
        str(row): {name(code): float(scores[row, code]) for code in codes[row] if code >= 0}
        for row in range(len(codes))
    }
    found = pytrec_eval.RelevanceEvaluator(relevant, {what}).evaluate(ran)
    key = what.replace(".", "_")
    # a list without items is no line of a run file, so trec_eval does not see the unit
    none = np.isfinite(truth).any(axis=1)
    return np.array(
        [found.get(str(row), {}).get(key, 0.0) if none[row] else NAN for row in range(len(codes))]
    )


@pytest.mark.parametrize("k", [1, 5, 10, 20, 100])
@pytest.mark.parametrize(
    ("measure", "ours"),
    [("ndcg_cut", ndcg), ("recall", recall), ("success", hit), ("map_cut", average_precision)],
)
def test_each_metric_is_that_of_trec_eval(k: int, measure: str, ours: object) -> None:
    codes, truth, _, scores = fixture()

    expected = trec(codes, truth, None, scores, f"{measure}.{k}")

    assert (codes[:, 0] < 0).any() and np.isnan(expected).any() and np.nanmax(expected) > 0
    np.testing.assert_allclose(ours(codes, truth, k=k), expected, rtol=0, atol=1e-9)  # type: ignore[operator]


def test_metrics_of_the_whole_list_are_those_of_trec_eval() -> None:
    codes, truth, _, scores = fixture()

    first = trec(codes, truth, None, scores, "recip_rank")
    mean = trec(codes, truth, None, scores, "map")

    np.testing.assert_allclose(reciprocal_rank(codes, truth), first, rtol=0, atol=1e-9)
    np.testing.assert_allclose(average_precision(codes, truth), mean, rtol=0, atol=1e-9)


@pytest.mark.parametrize("k", [3, 10, 100])
def test_graded_gains_are_those_of_trec_eval(k: int) -> None:
    codes, truth, grades, scores = fixture()

    expected = trec(codes, truth, grades, scores, f"ndcg_cut.{k}")

    found = ndcg(codes, truth, k=k, grades=grades)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert not np.allclose(found, ndcg(codes, truth, k=k), equal_nan=True)


def test_a_perfect_list_of_one_true_item_reaches_one() -> None:
    codes, truth = np.array([[7, 1, 2]]), np.array([[7.0, NAN]])

    assert [float(m(codes, truth)[0]) for m in (ndcg, recall, hit, average_precision)] == [1.0] * 4


def test_a_unit_without_truth_is_not_judged() -> None:
    codes, truth = np.array([[1, 2]]), np.array([[NAN, NAN]])

    found = [m(codes, truth)[0] for m in (ndcg, recall, hit, average_precision, reciprocal_rank)]

    assert np.isnan(found).all()


def test_an_item_counts_once_however_often_it_is_listed_or_true() -> None:
    again = np.array([[3, 3, 3, 4, -1]])
    once = np.array([[3, -1, -1, 4, -1]])
    truth = np.array([[3.0, 3.0, 9.0]])

    for metric in (ndcg, recall, hit, average_precision, reciprocal_rank):
        assert metric(again, truth)[0] == metric(once, np.array([[3.0, 9.0, NAN]]))[0]
    assert recall(again, truth, k=5)[0] == 0.5


def test_an_empty_list_is_a_miss_and_not_an_error() -> None:
    codes, truth = np.full((1, 4), -1), np.array([[2.0]])

    assert ndcg(codes, truth)[0] == hit(codes, truth)[0] == reciprocal_rank(codes, truth)[0] == 0.0


def test_no_units_and_no_columns_give_empty_or_unjudged_numbers() -> None:
    assert ndcg(np.zeros((0, 5), dtype=int), np.zeros((0, 3))).shape == (0,)
    assert np.isnan(ndcg(np.zeros((2, 5), dtype=int), np.zeros((2, 0)))).all()


def test_a_grade_of_nothing_is_no_truth() -> None:
    codes, truth = np.array([[1, 2]]), np.array([[1.0, 2.0]])

    assert np.isnan(ndcg(codes, truth, grades=[[0.0, NAN]])[0])
    assert ndcg(codes, truth, grades=[[0.0, 2.0]])[0] == pytest.approx(1 / np.log2(3))


@pytest.mark.parametrize(
    ("codes", "truth", "k"),
    [(np.zeros((2, 3)), np.zeros((1, 3)), 5), (np.zeros(3), np.zeros((1, 3)), 5),
     (np.zeros((1, 3)), np.zeros((1, 3)), 0)],
)  # fmt: skip
def test_arrays_of_other_units_are_refused(codes: np.ndarray, truth: np.ndarray, k: int) -> None:
    with pytest.raises(UsageError, match="lists cannot be judged"):
        ndcg(codes, truth, k=k)


def test_grades_of_another_shape_are_refused() -> None:
    with pytest.raises(UsageError, match="grades do not fit"):
        ndcg(np.zeros((1, 3), dtype=int), np.zeros((1, 3)), grades=[[1.0]])


LISTS = hnp.arrays(np.int64, (4, 6), elements=st.integers(-1, 9))
TRUTHS = hnp.arrays(
    np.float64, (4, 5), elements=st.one_of(st.just(NAN), st.integers(0, 9).map(float))
)


@settings(max_examples=200, deadline=None)
@given(codes=LISTS, truth=TRUTHS, k=st.integers(1, 8))
def test_metrics_lie_in_zero_to_one_and_agree_on_who_hit(
    codes: np.ndarray, truth: np.ndarray, k: int
) -> None:
    found = {m: m(codes, truth, k=k) for m in (ndcg, recall, hit, average_precision)}

    judged = np.isfinite(truth).any(axis=1)
    for values in found.values():
        assert np.array_equal(np.isfinite(values), judged)
        assert ((values[judged] >= 0) & (values[judged] <= 1 + 1e-12)).all()
        assert np.array_equal(values[judged] > 0, found[hit][judged] > 0)


@settings(max_examples=100, deadline=None)
@given(codes=LISTS)
def test_repeats_are_those_of_a_plain_loop(codes: np.ndarray) -> None:
    plain = [[c >= 0 and c in row[:at] for at, c in enumerate(row)] for row in codes.tolist()]

    assert repeated(codes).tolist() == plain


def heavy(n: int = 2000) -> np.ndarray:
    """One item that all took, and 39 that a fortieth of them took each."""
    tail = 1 + np.arange(n) % 39
    return np.column_stack([np.zeros(n), tail]).astype(float)


def test_the_head_keeps_as_many_interactions_as_its_border_allows() -> None:
    truth = heavy()

    kept = head_kept(truth, 41)

    counts = np.bincount(truth[:, 1].astype(int), minlength=41)[1:40]
    q1, q3 = np.quantile([2000, *counts], [0.25, 0.75])
    border = np.floor(q3 + 1.5 * (q3 - q1))
    assert kept[0] == border / 2000
    assert (kept[1:] == 1.0).all()
    left = np.isfinite(thinned(truth, kept, np.arange(len(truth)))).sum(axis=0)
    assert left[1] == 2000
    assert abs(left[0] - border) < 4 * np.sqrt(border)


def test_a_list_of_the_head_loses_by_the_debiased_metric() -> None:
    truth = heavy()
    popular = np.tile([0, 40], (len(truth), 1))
    personal = np.column_stack([np.full(len(truth), 40), truth[:, 1].astype(int)])
    less = thinned(truth, head_kept(truth, 41), np.arange(len(truth)))

    assert np.nanmean(ndcg(popular, truth)) > np.nanmean(ndcg(personal, truth))
    assert np.nanmean(ndcg(popular, less)) < np.nanmean(ndcg(personal, less))


def test_a_draw_hangs_on_the_unit_and_the_item_alone() -> None:
    truth, ids = heavy(), np.arange(2000) + 77
    kept = head_kept(truth, 41)
    some = np.array([900, 5, 41])

    whole, part = thinned(truth, kept, ids), thinned(truth[some][:, ::-1], kept, ids[some])

    np.testing.assert_array_equal(whole[some], part[:, ::-1])
    assert not np.array_equal(whole, thinned(truth, kept, ids, seed=1), equal_nan=True)


def test_debiasing_without_truth_changes_nothing() -> None:
    none = np.full((3, 2), NAN)

    assert head_kept(none, 5).tolist() == [1.0] * 5
    assert np.isnan(thinned(none, np.ones(5), np.arange(3))).all()


def test_ids_that_are_not_one_per_unit_are_refused() -> None:
    with pytest.raises(UsageError, match="do not fit"):
        thinned(heavy(), np.ones(41), np.arange(3))


def test_a_true_item_outside_the_catalogue_is_refused() -> None:
    with pytest.raises(UsageError, match="not in the catalogue"):
        head_kept(np.array([[9.0]]), 9)
