"""Learners over many data sets, against scipy and two tables from the literature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from everfit.errors import UsageError
from everfit.evidence.offline.sets import (
    conover,
    midranks,
    nemenyi_difference,
    rank_test,
    signed_ranks,
)

# areas under the curve of C4.5 with four ways to prune, on 14 sets: Demsar, JMLR 2006, table 6
AREAS = np.array(
    [[.763, .768, .771, .798], [.599, .591, .590, .569], [.954, .971, .968, .967],
     [.628, .661, .654, .657], [.882, .888, .886, .898], [.936, .931, .916, .931],
     [.661, .668, .609, .685], [.583, .583, .563, .625], [.775, .838, .866, .875],
     [1.000, 1.000, 1.000, 1.000], [.940, .962, .965, .962], [.619, .666, .614, .669],
     [.972, .981, .975, .975], [.957, .978, .946, .970]]
)  # fmt: skip
# ranks of four grasses by 12 owners of a lawn: Conover, Practical Nonparametric Statistics, 5.8
GRASSES = np.array(
    [[4, 3, 2, 1], [4, 2, 3, 1], [3, 1.5, 1.5, 4], [3, 1, 2, 4], [4, 2, 1, 3], [2, 2, 2, 4],
     [1, 3, 2, 4], [2, 4, 1, 3], [3.5, 1, 2, 3.5], [4, 1, 3, 2], [4, 2, 3, 1], [3.5, 1, 2, 3.5]]
)  # fmt: skip


def test_the_ranks_and_the_critical_difference_of_demsars_example():
    # the paper ranked before it rounded: two areas of set 13 that print as .975 are no tie there
    whole = AREAS.copy()
    whole[12, 2] += 1e-4

    found = rank_test(1 - whole)

    assert [round(r, 3) for r in found.ranks] == [3.143, 2.0, 2.893, 1.964]
    untied = 12 * 14 / 20 * (sum(r**2 for r in found.ranks) - 25)
    assert round(untied, 2) == 9.28
    assert found.chi2 == pytest.approx(stats.friedmanchisquare(*whole.T).statistic)
    assert round(nemenyi_difference(14, 4), 2) == 1.25
    assert round(nemenyi_difference(14, 4, alpha=0.1), 2) == 1.12


def test_wilcoxon_of_demsars_example_has_its_rank_sums():
    # C4.5 against pruning by m: R+ = 93, R- = 12, so T = 12; 21 is the table's limit at 5%
    p = signed_ranks(1 - AREAS[:, :2])[0, 1]

    assert p < 0.05
    statistic = stats.wilcoxon(AREAS[:, 1] - AREAS[:, 0], zero_method="zsplit").statistic
    assert statistic == 12.0


def test_friedman_is_scipys_with_and_without_ties():
    free = np.random.default_rng(0).random((12, 5))

    for table in (free, 1 - AREAS, GRASSES):
        found, expected = rank_test(table), stats.friedmanchisquare(*table.T)
        assert (found.chi2, found.p) == pytest.approx((expected.statistic, expected.pvalue))


def test_the_grasses_of_conover_give_his_numbers():
    found, p = rank_test(GRASSES), conover(GRASSES)

    assert (round(found.chi2, 3), round(found.f, 2)) == (8.097, 3.19)
    least = stats.t.ppf(0.975, 33) * math.sqrt(2 * (12 * 356.5 - 3752.5) / 33)
    assert round(least, 2) == 11.48
    # his pairs beyond that difference of rank sums: 1-2 (14.5) and 1-3 (13.5), 2-4 is 10.5
    plain = 2 * stats.t.sf(np.abs([14.5, 13.5, 10.5]) / (least / stats.t.ppf(0.975, 33)), 33)
    assert (plain < 0.05).tolist() == [True, True, False]
    assert p[0, 1] == pytest.approx(6 * plain[0])
    assert p[0, 2] == pytest.approx(5 * plain[1])


def test_midranks_are_scipys_and_a_failed_learner_ranks_last():
    table = np.round(np.random.default_rng(1).random((20, 4)), 1)

    assert midranks(table) == pytest.approx(stats.rankdata(table, axis=1))
    assert midranks([[0.1, math.nan, 0.2, math.inf], [0.1, 0.2, 0.3, 0.4]])[0].tolist() == [
        1.0, 3.5, 2.0, 3.5,
    ]  # fmt: skip


def test_pairs_are_wilcoxons_p_adjusted_by_holm():
    table = np.random.default_rng(2).random((15, 3)) + np.array([0.0, 0.1, 0.6])

    p = signed_ranks(table)

    plain = sorted(
        stats.wilcoxon(table[:, i], table[:, j]).pvalue for i, j in ((0, 1), (0, 2), (1, 2))
    )
    assert sorted(p[np.triu_indices(3, 1)])[0] == pytest.approx(3 * plain[0])
    assert (p == p.T).all()
    assert np.diag(p).tolist() == [1.0, 1.0, 1.0]


def test_learners_that_always_rank_alike_or_always_tie_have_a_defined_answer():
    same, clear = np.ones((5, 3)), np.tile([0.1, 0.2, 0.3], (8, 1))

    assert (rank_test(same).p, rank_test(same).p_f) == (1.0, 1.0)
    assert (conover(same) == 1).all()
    assert (signed_ranks(same) == 1).all()
    assert rank_test(clear).p_f == 0.0
    assert conover(clear)[0, 1] == 0.0


def test_a_learner_that_failed_everywhere_loses_every_pair():
    table = np.column_stack([np.linspace(0.1, 0.2, 10), np.full(10, math.nan)])

    assert signed_ranks(table)[0, 1] < 0.01


@pytest.mark.parametrize("table", [[0.1, 0.2], [[0.1, 0.2]], [[0.1], [0.2]]])
def test_one_set_or_one_learner_is_refused(table):
    with pytest.raises(UsageError, match="over data sets"):
        rank_test(table)


def test_equal_learners_are_seldom_told_apart():
    rng = np.random.default_rng(3)
    runs = 1000
    shares = np.zeros(3)
    for _ in range(runs):
        table = rng.random((15, 4))
        p_conover = conover(table)[np.triu_indices(4, 1)].min()
        apart = np.ptp(rank_test(table).ranks) > nemenyi_difference_15_4()
        shares += [rank_test(table).p_f < 0.05, p_conover < 0.05, apart]

    assert (shares / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)).all()
    assert (shares / runs > 0.02).all()


def nemenyi_difference_15_4() -> float:
    # 2.569 is Nemenyi's quantile for four learners at 5% in every table of it
    return 2.569 * math.sqrt(4 * 5 / (6 * 15))
