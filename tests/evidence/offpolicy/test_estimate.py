"""Estimators: exact on enumerated worlds, closed forms, coverage on drawn ones."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.interval import spread
from everfit.evidence.offpolicy.estimate import clipped, doubly_robust, ips, shrunk, snips
from everfit.evidence.offpolicy.logged import Logged
from everfit.evidence.offpolicy.value import effective
from tests.evidence.offpolicy.worlds import LOGGING, MEANS, TARGET, drawn, every, worth

WRONG = np.full((3, 3), 0.3)
TRUTH = worth(TARGET)


@pytest.mark.parametrize("estimate", [ips, snips, doubly_robust])
def test_a_log_of_every_case_gives_the_true_value(estimate: object) -> None:
    found = estimate(every())  # type: ignore[operator]

    assert found.value.mid == pytest.approx(TRUTH, abs=1e-12)
    assert found.mean_weight.mid == pytest.approx(1.0, abs=1e-12)
    assert found.units.mean() == pytest.approx(found.value.mid, abs=1e-12)


@pytest.mark.parametrize("model", [MEANS, WRONG, 1 - MEANS], ids=["true", "flat", "reversed"])
def test_doubly_robust_is_right_with_right_chances_whatever_the_model(model: np.ndarray) -> None:
    assert doubly_robust(every(model)).value.mid == pytest.approx(TRUTH, abs=1e-12)


def test_doubly_robust_is_right_with_a_right_model_whatever_the_chances() -> None:
    right = every(MEANS)

    wrong = Logged.of(
        right.reward,
        np.full(16, 0.9),
        right.target,
        predicted=right.predicted,
        expected=right.expected,
    )

    assert ips(wrong).value.mid != pytest.approx(TRUTH, abs=0.05)
    assert doubly_robust(wrong).value.mid == pytest.approx(TRUTH, abs=1e-12)


def test_a_policy_is_worth_its_own_mean_when_it_judges_itself() -> None:
    reward = np.random.default_rng(0).normal(size=300)
    chance = np.random.default_rng(1).uniform(0.1, 1.0, 300)

    for estimate in (ips, snips, doubly_robust):
        found = estimate(Logged.of(reward, chance, chance))
        assert found.value.mid == pytest.approx(reward.mean(), abs=1e-12)
        assert found.ess == pytest.approx(300)
        assert found.value.low == pytest.approx(spread(reward).interval().low, abs=1e-9)


def test_the_range_of_snips_is_that_of_a_weighted_mean() -> None:
    logged = drawn(500, seed=3)

    found = snips(logged)

    plain = spread(logged.reward, weight=logged.weight)
    assert found.value.mid == pytest.approx(plain.mean, abs=1e-12)
    # the weighted mean counts decisions with a weight, this one all of them
    held = np.count_nonzero(logged.weight)
    factor = np.sqrt((500 / 499) / (held / (held - 1)))
    reach = (plain.interval().high - plain.mean) * factor
    assert found.value.high - found.value.mid == pytest.approx(reach, rel=1e-3)


def test_the_variance_of_ips_is_its_closed_form() -> None:
    n = 200_000
    second = float(np.array([0.5, 0.25, 0.25]) @ (TARGET**2 / LOGGING * MEANS).sum(axis=1))

    found = ips(drawn(n, seed=0))

    error = (found.value.high - found.value.mid) / 1.96
    assert error**2 * n == pytest.approx(second - TRUTH**2, rel=0.02)


@pytest.mark.parametrize(
    ("name", "estimate", "model"),
    [("ips", ips, None), ("snips", snips, None), ("robust", doubly_robust, 0.7 * MEANS),
     ("shrunk", shrunk, 0.7 * MEANS)],
)  # fmt: skip
def test_ranges_hold_the_true_value(name: str, estimate: object, model: object) -> None:
    runs = 600

    found = [estimate(drawn(400, seed, model)).value for seed in range(runs)]  # type: ignore[operator,arg-type]

    held = np.mean([interval.contains(TRUTH) for interval in found])
    assert 0.93 <= held <= (1.0 if name == "shrunk" else 0.975)


def test_a_reward_model_makes_the_range_narrower() -> None:
    plain, helped = doubly_robust(drawn(2000, 1)), doubly_robust(drawn(2000, 1, MEANS))

    assert helped.value.high - helped.value.low < 0.9 * (plain.value.high - plain.value.low)


def test_snips_stays_within_the_rewards_where_ips_does_not() -> None:
    lucky = Logged.of([1.0, 1.0], [0.1, 0.1], [1.0, 1.0])

    assert (ips(lucky).value.mid, snips(lucky).value.mid) == (10.0, 1.0)


def test_a_shift_of_all_rewards_shifts_snips_by_as_much() -> None:
    one = drawn(300, 5)
    shifted = Logged.of(one.reward + 7, one.propensity, one.target)

    assert snips(shifted).value.mid == pytest.approx(snips(one).value.mid + 7)


def test_effective_size_is_that_of_equal_weights_and_of_people() -> None:
    assert effective(np.array([2.0, 2.0, 0.0, 0.0])) == 2.0
    assert effective(np.ones(100), np.repeat(np.arange(10), 10)) == 10.0
    assert effective(np.zeros(3)) == 0.0


def test_decisions_of_one_person_count_together() -> None:
    one = drawn(400, 2)
    five = [np.tile(part, 5) for part in (one.reward, one.propensity, one.target)]

    alone, grouped = Logged.of(*five), Logged.of(*five, groups=np.tile(np.arange(400), 5))

    width = [snips(rows).value.high - snips(rows).value.low for rows in (one, alone, grouped)]
    assert width[2] == pytest.approx(width[0], rel=0.01)
    assert width[1] < 0.5 * width[0]


def heavy(seed: int, n: int = 400) -> Logged:
    """Weights that are 50 in one of a hundred decisions and the reward model nearly right."""
    rng = np.random.default_rng(seed)
    rare = rng.random(n) < 0.01
    mean = np.where(rare, 0.6, 0.4)
    reward = (rng.random(n) < mean).astype(float)
    return Logged.of(
        reward,
        np.where(rare, 0.01, 0.99),
        np.where(rare, 0.5, 0.5),
        predicted=mean - 0.03,
        expected=np.full(n, 0.47),
    )


def test_shrinking_errs_less_than_heavy_weights_do() -> None:
    truth = 0.5
    logs = [heavy(seed) for seed in range(200)]

    plain = np.mean([(doubly_robust(log).value.mid - truth) ** 2 for log in logs])
    steady = np.mean([(shrunk(log).value.mid - truth) ** 2 for log in logs])
    cut = np.mean([(clipped(log, 10.0).value.mid - truth) ** 2 for log in logs])

    assert steady < 0.8 * plain
    assert cut < 0.8 * plain


def test_a_range_with_bias_holds_the_doubly_robust_value() -> None:
    for seed in range(50):
        log = heavy(seed)
        for found in (shrunk(log), clipped(log, 5.0), shrunk(log, 1.0)):
            assert found.bias + found.value.mid == pytest.approx(doubly_robust(log).value.mid)
            assert found.value.contains(doubly_robust(log).value.mid)


def test_no_shrinkage_in_the_limit_and_the_model_alone_at_the_other_end() -> None:
    log = heavy(1)

    assert shrunk(log, 1e12).value.mid == pytest.approx(doubly_robust(log).value.mid, abs=1e-6)
    assert shrunk(log, 1e-12).value.mid == pytest.approx(0.47, abs=1e-6)


def test_a_target_that_takes_nothing_that_was_logged_has_no_value() -> None:
    found = snips(Logged.of([1.0, 0.0], [0.5, 0.5], [0.0, 0.0]))

    assert np.isnan(found.value.mid)
    assert found.ess == 0.0


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan")])
def test_a_cut_or_a_strength_that_is_not_positive_is_refused(bad: float) -> None:
    with pytest.raises(UsageError, match="cannot be cut"):
        clipped(every(), bad)
    with pytest.raises(UsageError, match="a shrinkage is none"):
        shrunk(every(), bad)


def test_a_value_says_how_many_decisions_count() -> None:
    assert str(ips(every())).endswith("of 16 decisions count")
