"""Units that hang together: how far, and trials that keep their error all the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal

from everfit.errors import UsageError
from everfit.evidence.trial.differences import Differences
from everfit.evidence.trial.dispersion import Dependence, dispersions
from everfit.evidence.trial.verdict import trial_verdict

LEVELS = {"level_promote": 0.05, "level_futile": 1e-9}


def _stream(
    rng: np.random.Generator, kind: str, looks: int, rows: int = 100, gain: float = 0.0
) -> list[Differences]:
    z = rng.normal(size=looks * rows)
    if kind == "heavy tails":
        z = rng.standard_t(3, size=looks * rows) / 1.7
    if kind == "autocorrelated":
        z = signal.lfilter([0.8], [1, -0.6], rng.normal(size=looks * rows))
    if kind == "seasonal":
        z = z + 0.3 * np.repeat(np.sin(2 * np.pi * np.arange(looks) / 7), rows)
    if kind == "groups":
        z = np.repeat(rng.normal(size=looks * rows // 5), 5)
    d = np.clip(0.2 * (z + gain), -1, 1).reshape(looks, rows)
    return [Differences.of_values(day) for day in d]


def test_independent_units_have_a_dispersion_near_one():
    rng = np.random.default_rng(0)

    found = [dispersions(_stream(rng, "independent", 100)) for _ in range(12)]

    assert np.median([path[-1] for path in found]) < 1.4
    assert min(path.min() for path in found) >= 1.0


def test_autocorrelated_units_have_the_dispersion_of_their_long_run_variance():
    found = dispersions(_stream(np.random.default_rng(1), "autocorrelated", 400))

    # (1 + .6)/(1 - .6) for the mean of an autoregression
    assert found[-1] == pytest.approx(4.0, rel=0.25)


def test_neighbours_inside_one_window_already_show_groups():
    block = Differences.of_values(np.repeat(np.random.default_rng(2).uniform(-1, 1, 800), 5))

    assert block.within == pytest.approx(5.0, rel=0.5)
    assert dispersions([block])[0] == block.within


def test_the_dispersion_at_the_first_scale_is_its_formula():
    rng = np.random.default_rng(3)
    # too few units for within; means far enough apart to be beyond chance
    blocks = [Differences.of_values(m + rng.uniform(-0.2, 0.2, 8)) for m in (0.7, -0.7, 0.7)]

    found = dispersions(blocks)

    n, total = 8.0, np.array([b.total for b in blocks])
    squares = np.cumsum([b.squares for b in blocks])
    gaps = []
    for j in (1, 2):
        rows = 8.0 * (j + 1)
        variance = squares[j] / rows - (total[: j + 1].sum() / rows) ** 2
        gaps.append(((total[j] - total[j - 1]) / n) ** 2 / (2 * variance / n))
    assert found[1] == pytest.approx((2 + gaps[0]) / 3)
    assert found[2] == pytest.approx((2 + sum(gaps)) / 4)


def test_what_chance_explains_costs_nothing():
    rng = np.random.default_rng(9)

    found = np.stack([dispersions(_stream(rng, "independent", 100, 30)) for _ in range(20)])

    assert np.mean(found == 1.0) > 0.7


def test_windows_without_units_or_spread_say_nothing():
    assert dispersions([]).tolist() == []
    assert dispersions([Differences()] * 5).tolist() == [1.0] * 5
    assert dispersions([Differences.of([1.0], [1.0], 1.0)] * 5).tolist() == [1.0] * 5


def test_answers_are_read_after_whole_seasons_only():
    good = Differences.of([1.0] * 50, [0.0] * 50, 1.0)

    found = trial_verdict([good] * 30, **LEVELS, dependence=Dependence(season_looks=7))

    assert (found.kind, found.looks) == ("better", 14)
    assert trial_verdict([good] * 30, **LEVELS).looks == 1
    assert not trial_verdict([good] * 13, **LEVELS, dependence=Dependence(7)).decided


def test_tempering_divides_the_evidence_and_widens_the_range():
    days = _stream(np.random.default_rng(4), "autocorrelated", 40, gain=0.02)

    plain = trial_verdict(days, level_promote=1e-9, level_futile=1e-9)
    tempered = trial_verdict(days, level_promote=1e-9, level_futile=1e-9, dependence=Dependence())

    assert tempered.dispersion > 2
    assert tempered.gain.high - tempered.gain.low > 1.3 * (plain.gain.high - plain.gain.low)
    assert tempered.gain.mid == plain.gain.mid


@pytest.mark.parametrize(
    "kind", ["independent", "heavy tails", "autocorrelated", "seasonal", "groups"]
)
def test_equal_models_are_seldom_called_better_on_streams_of_five_kinds(kind):
    rng = np.random.default_rng(5)
    season = Dependence(season_looks=7)

    wrong = sum(
        trial_verdict(_stream(rng, kind, 70), **LEVELS, dependence=season).kind == "better"
        for _ in range(40)
    )

    assert wrong / 40 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40)


@pytest.mark.parametrize("kind", ["autocorrelated", "seasonal", "groups"])
def test_without_the_tempering_that_error_is_not_kept(kind):
    # the mutation of the test above
    rng = np.random.default_rng(5)

    wrong = sum(trial_verdict(_stream(rng, kind, 70), **LEVELS).kind == "better" for _ in range(40))

    assert wrong / 40 > 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40)


def test_a_better_model_is_still_found_when_its_units_hang_together():
    rng = np.random.default_rng(6)

    found = [
        trial_verdict(
            _stream(rng, "autocorrelated", 100, gain=0.15), **LEVELS, dependence=Dependence()
        ).kind
        for _ in range(20)
    ]

    assert found.count("better") >= 18


@pytest.mark.parametrize("wrong", [{"season_looks": 0}, {"least_looks": 0}])
def test_seasons_of_nonsense_are_refused(wrong):
    with pytest.raises(UsageError, match="order of units"):
        Dependence(**wrong)
