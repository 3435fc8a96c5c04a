"""Bands that may be looked at after every decision."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.offpolicy.anytime import robust_band, robust_batches, snips_band
from everfit.evidence.offpolicy.estimate import doubly_robust, snips
from everfit.evidence.offpolicy.logged import Logged
from tests.evidence.offpolicy.worlds import LOGGING, MEANS, TARGET, drawn, worth

TRUTH = worth(TARGET)


def head(logged: Logged, n: int) -> Logged:
    return Logged.of(
        logged.reward[:n],
        logged.propensity[:n],
        logged.target[:n],
        predicted=logged.predicted[:n],
        expected=logged.expected[:n],
    )


@pytest.mark.parametrize("n", [300, 777, 1500])
def test_each_look_is_the_estimate_of_the_decisions_so_far(n: int) -> None:
    logged = drawn(1500, 0, 0.5 * MEANS)
    part = head(logged, n)

    for band, estimate in ((snips_band, snips), (robust_band, doubly_robust)):
        look, now = band(logged).at(n - 1), estimate(part)
        assert look.mid == pytest.approx(now.value.mid, abs=1e-12)
        gain = band(logged, gain=True).at(n - 1)
        assert gain.mid == pytest.approx(now.value.mid - part.reward.mean(), abs=1e-12)
        # wider than a range for one look, and of the same spread
        once = (now.value.high - now.value.low) / 2
        assert 1.2 * once < look.high - look.mid < 2.5 * once


def test_a_gain_has_the_spread_of_its_differences() -> None:
    logged = drawn(1000, 3)
    looked = snips_band(logged, gain=True).at()

    own = snips(logged).units - logged.reward
    value = snips_band(logged).at()

    ratio = (looked.high - looked.low) / (value.high - value.low)
    assert ratio == pytest.approx(own.std() / snips(logged).units.std(), rel=1e-6)


@pytest.mark.parametrize("kind", ["snips", "robust", "gain"])
def test_the_true_value_is_held_at_every_look(kind: str) -> None:
    runs, missed, peeked = 300, 0, 0
    truth = TRUTH - worth(LOGGING) if kind == "gain" else TRUTH

    for seed in range(runs):
        logged = drawn(1500, seed, MEANS if kind == "robust" else None)
        band = robust_band(logged) if kind == "robust" else snips_band(logged, gain=kind == "gain")
        missed += bool(((band.low > truth) | (band.high < truth)).any())
        narrow = 0.5 * (band.high - band.low)  # about as wide as a range for one look
        peeked += bool((np.abs(band.mid - truth) > 0.56 * narrow)[150:].any())

    assert missed / runs <= 0.07
    assert peeked / runs > 0.15


def test_nothing_is_told_before_a_hundred_effective_decisions() -> None:
    logged = drawn(600, 1)
    weight = logged.weight
    ess = np.cumsum(weight) ** 2 / np.maximum(np.cumsum(weight**2), 1e-9)

    band = snips_band(logged)

    first = int(np.flatnonzero(np.isfinite(band.high))[0])
    assert first > 100
    assert ess[first] >= 100 > ess[first - 1]


def test_weights_of_nothing_leave_the_range_open() -> None:
    none = Logged.of([1.0] * 200, [0.5] * 200, [0.0] * 200)

    for band in (snips_band(none), robust_band(none)):
        assert np.isinf(band.high).all()
        assert np.isinf(band.low).all()


def test_days_of_people_with_several_decisions_hold_the_true_value() -> None:
    missed, wrong = 0, 0
    for seed in range(200):
        days = []
        for day in range(20):
            one = drawn(60, 1000 * seed + day)
            rows = [np.repeat(part, 4) for part in (one.reward, one.propensity, one.target)]
            days.append(Logged.of(*rows, groups=np.repeat(np.arange(60), 4)))
        band = robust_batches(days)
        missed += bool(((band.low > TRUTH) | (band.high < TRUTH)).any())
        alone = robust_batches([Logged.of(d.reward, d.propensity, d.target) for d in days])
        wrong += bool(((alone.low > TRUTH) | (alone.high < TRUTH)).any())
        assert band.n[-1] == 20 * 240

    assert missed / 200 <= 0.08
    assert wrong > 3 * missed + 10


def test_decisions_of_groups_have_no_range_after_each_of_them() -> None:
    one = drawn(200, 0)
    grouped = Logged.of(one.reward, one.propensity, one.target, groups=np.arange(200) % 20)

    for band in (snips_band, robust_band):
        with pytest.raises(UsageError, match="decisions of groups") as caught:
            band(grouped)
        assert "robust_batches" in caught.value.do
