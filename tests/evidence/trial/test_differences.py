"""Windows of paired differences: what they keep, what they add up to, and what they never gain."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.sequential import log_e_value, lower_bound
from everfit.evidence.trial.differences import STEPS, Differences, together
from everfit.evidence.trial.paths import log_e_path

NAN = float("nan")


def test_zero_one_losses_are_counted_as_wins_ties_and_losses():
    block = Differences.of([1, 0, 1, 0, 1], [0, 1, 1, 0, 0], bound=1.0)

    assert block.counts == {-STEPS: 1.0, 0: 2.0, STEPS: 2.0}
    assert (block.n, block.total, block.squares) == (5, 1.0, 3.0)
    assert block.zero_one
    assert block.mean == pytest.approx(0.2)


def test_counts_keep_the_number_the_mean_and_nearly_the_squares():
    d = np.random.default_rng(0).uniform(-1, 1, 500)

    block = Differences.of_values(d)

    steps, times = block.arrays()
    assert times.sum() == pytest.approx(500)
    assert times @ steps / STEPS == pytest.approx(d.sum(), abs=1e-9)
    assert block.total == pytest.approx(d.sum())
    assert block.squares == pytest.approx(d @ d)
    assert not block.zero_one


@pytest.mark.parametrize("margin", [0.0, 0.05, -0.05])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_is_kept_never_bets_better_than_the_values_themselves(margin, sign):
    d = sign * np.clip(np.random.default_rng(1).normal(0.05, 0.2, 800), -1, 1)

    kept = log_e_path([Differences.of_values(d)], margin)[-1]

    exact = log_e_value(d, margin)
    assert exact - 1e-3 < kept <= exact + 1e-9


def test_the_bound_from_counts_is_never_above_that_of_the_values():
    d = np.clip(np.random.default_rng(2).normal(0.05, 0.2, 800), -1, 1)
    steps, times = Differences.of_values(d).arrays()

    kept = lower_bound(steps / STEPS, 0.05, counts=times)

    exact = lower_bound(d, 0.05)
    assert exact - 1e-5 < kept <= exact + 1e-6


def test_a_missing_answer_costs_the_model_that_failed_the_worst_loss():
    block = Differences.of([0.0, NAN, 0.2, NAN], [NAN, 0.0, math.inf, NAN], bound=1.0)

    assert block.total == pytest.approx(-1.0 + 1.0 - 0.8 + 0.0)
    assert (block.missing_old, block.missing_new) == (2, 3)


def test_differences_beyond_the_bound_are_clipped():
    block = Differences.of([10.0, 0.0, 1.0], [0.0, 10.0, 0.0], bound=2.0)

    assert block.counts == {-STEPS: 1.0, STEPS // 2: 1.0, STEPS: 1.0}


def test_rows_of_a_group_count_as_one_unit_with_their_mean():
    groups = np.array(["a", "a", "b", "a", "b"])

    block = Differences.of([1, 1, 0, 0, 1], [0, 1, 1, 0, 0], 1.0, groups=groups)

    expected = np.array([(1 + 0 + 0) / 3, (-1 + 1) / 2])
    assert block.n == 2
    assert block.total == pytest.approx(expected.sum())
    assert block.squares == pytest.approx(expected @ expected)


def test_turning_the_roles_is_the_same_as_exchanging_the_losses():
    rng = np.random.default_rng(3)
    old, new = rng.random(50), rng.random(50)

    there, back = Differences.of(old, new, 1.0), Differences.of(new, old, 1.0)

    assert there.turned().n == back.n
    assert there.turned().total == pytest.approx(back.total)
    assert set(there.turned().counts) == set(back.counts)
    assert [there.turned().counts[k] for k in back.counts] == pytest.approx(
        list(back.counts.values())
    )
    assert there.turned().turned() == there


def test_windows_add_up_to_what_one_window_would_have_said():
    d = np.random.default_rng(4).uniform(-1, 1, 300)

    parts = together(Differences.of_values(part) for part in np.split(d, 6))

    whole = Differences.of_values(d)
    assert parts.n == whole.n
    assert parts.total == pytest.approx(whole.total)
    assert list(parts.counts) == list(whole.counts)
    assert list(parts.counts.values()) == pytest.approx(list(whole.counts.values()))
    assert Differences() + whole == whole


def test_a_window_survives_the_ledger_bit_for_bit():
    rng = np.random.default_rng(5)
    block = Differences.of(rng.random(200), np.append(rng.random(199), NAN), 0.8)

    back = Differences.from_dict(json.loads(json.dumps(block.as_dict())))

    assert back == block
    assert log_e_path([back])[0] == log_e_path([block])[0]


@pytest.mark.parametrize(
    ("old", "new", "bound", "match"),
    [([0.1], [0.1, 0.2], 1.0, "same units"), ([0.1], [0.1], 0.0, "need a bound"),
     ([0.1], [0.1], NAN, "need a bound")],
)  # fmt: skip
def test_losses_that_cannot_be_compared_are_refused(old, new, bound, match):
    with pytest.raises(UsageError, match=match):
        Differences.of(old, new, bound)


def test_values_outside_the_bound_and_groups_of_other_rows_are_refused():
    with pytest.raises(UsageError, match="must lie in"):
        Differences.of_values([0.5, 1.5])
    with pytest.raises(UsageError, match="must lie in"):
        Differences.of_values([0.5, NAN])
    with pytest.raises(UsageError, match="groups do not fit"):
        Differences.of([0, 1], [1, 0], 1.0, groups=np.array([1, 2, 3]))


def test_a_window_without_units_is_a_window():
    empty = Differences.of([], [], 1.0)

    assert empty == Differences()
    assert math.isnan(empty.mean)
    assert log_e_path([empty]).tolist() == [0.0]
