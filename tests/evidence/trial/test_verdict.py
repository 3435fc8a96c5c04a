"""A challenger on trial: what it is called, when, and how often wrongly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.sequential import PairedEProcess
from everfit.evidence.trial.differences import Differences
from everfit.evidence.trial.verdict import trial_verdict

LEVELS = {"level_promote": 0.05, "level_futile": 0.05}


def _day(wins: int, losses: int, ties: int) -> Differences:
    return Differences.of(
        [1.0] * wins + [0.0] * (losses + ties), [0.0] * wins + [1.0] * losses + [0.0] * ties, 1.0
    )


def _days(
    rng: np.random.Generator, gain: float, looks: int, rows: int = 100, discordant: float = 0.08
) -> list[Differences]:
    wins = rng.binomial(rows, (discordant + gain) / 2, looks)
    losses = rng.binomial(rows - wins, (discordant - gain) / (2 - discordant - gain))
    return [
        Differences(
            rows,
            {-1000: float(lost), 0: float(rows - won - lost), 1000: float(won)},
            float(won - lost),
            float(won + lost),
        )
        for won, lost in zip(wins.tolist(), losses.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("day", "settings", "kind"),
    [(_day(30, 10, 60), {}, "better"), (_day(10, 30, 60), {}, "worse"),
     (_day(2, 2, 96), {"margin": 0.1}, "not_worse"),
     (_day(2, 2, 96), {"least_gain": 0.1}, "futile"),
     (_day(30, 10, 60), {"margin": 0.1}, "better"),
     (_day(10, 30, 60), {"least_gain": 0.1}, "worse")],
)  # fmt: skip
def test_every_answer_can_be_given(day, settings, kind):
    found = trial_verdict([day] * 12, **LEVELS, **settings)

    assert found.kind == kind
    assert found.decided
    assert found.log_e >= found.needed_log_e
    assert found.needs is None


def test_the_evidence_for_a_promotion_is_told_apart_from_that_which_decided():
    worse = trial_verdict([_day(10, 30, 60)] * 12, **LEVELS)
    better = trial_verdict([_day(30, 10, 60)] * 12, **LEVELS)
    allowed = trial_verdict([_day(2, 2, 96)] * 12, **LEVELS, margin=0.1)

    assert worse.promote_log_e < 0 < worse.log_e
    assert better.promote_log_e == better.log_e
    assert allowed.promote_log_e == allowed.log_es["not_worse"] == allowed.log_e


def test_the_first_crossing_is_the_answer_and_later_days_change_nothing():
    good, bad = _day(30, 10, 60), _day(0, 50, 50)

    short = trial_verdict([good], **LEVELS)
    long = trial_verdict([good, *[bad] * 20], **LEVELS)

    assert (short.kind, short.looks, short.n) == ("better", 1, 100)
    assert long == short


def test_a_rollback_is_the_trial_with_the_roles_exchanged():
    days = _days(np.random.default_rng(0), 0.03, 60)

    there = trial_verdict(days, level_promote=0.01, level_futile=0.01)
    back = trial_verdict([day.turned() for day in days], level_promote=0.01, level_futile=0.01)

    assert (there.kind, back.kind) == ("better", "worse")
    assert (there.looks, there.log_e) == (back.looks, back.log_e)
    assert there.gain.low == pytest.approx(-back.gain.high, abs=1e-6)


def test_the_verdict_agrees_with_the_process_that_is_fed_day_by_day():
    days = _days(np.random.default_rng(1), 0.02, 100)
    process = PairedEProcess(alpha=0.05)
    looks = 0
    while not process.decided:
        counts = days[looks].counts
        process.update(np.repeat([-1.0, 0.0, 1.0], [int(counts[k]) for k in (-1000, 0, 1000)]))
        looks += 1

    found = trial_verdict(days, **LEVELS)

    assert (found.kind, found.looks) == ("better", looks)
    assert found.log_e == pytest.approx(process.log_e)
    assert found.gain.low == pytest.approx(process.lower(), abs=1e-6)
    assert found.gain.high == pytest.approx(process.upper(), abs=1e-6)


def test_the_range_lies_on_the_side_of_the_answer():
    days = _days(np.random.default_rng(2), 0.03, 60)

    better = trial_verdict(days, **LEVELS, zero_one=True)
    futile = trial_verdict([_day(4, 4, 92)] * 60, **LEVELS, least_gain=0.02)

    assert better.kind == "better"
    assert better.gain.low >= 0 < better.gain.mid
    assert futile.kind == "futile"
    assert futile.gain.high < 0.02 + 1e-6


def test_a_trial_that_reached_its_horizon_without_an_answer_is_told_as_expired():
    days = _days(np.random.default_rng(3), 0.0, 50)

    open_end = trial_verdict(days, **LEVELS)
    ended = trial_verdict(days, **LEVELS, horizon_units=1000)

    assert (open_end.kind, open_end.expired, open_end.looks) == ("undecided", False, 50)
    assert (ended.kind, ended.expired, ended.looks, ended.n) == ("undecided", True, 10, 1000)
    assert ended.needs is None
    assert "without an answer" in ended.why


def test_days_after_the_horizon_are_not_read():
    days = [_day(4, 4, 92)] * 10 + [_day(40, 0, 60)] * 10

    ended = trial_verdict(days, **LEVELS, horizon_units=1000)

    assert ended.expired
    assert trial_verdict(days, **LEVELS).kind == "better"


def test_an_open_trial_says_how_many_more_units_it_needs():
    days = [_day(5, 3, 92)] * 5

    found = trial_verdict(days, **LEVELS)

    seen = sum(day.total for day in days) / 500
    squares = sum(day.squares for day in days) / 500
    planned = 2 * squares * (math.log(20) + 1) / seen**2
    assert found.needs == math.ceil(planned) - 500
    assert f"{found.needs:,} more" in found.why


def test_without_a_day_or_a_row_nothing_is_known():
    for days in ([], [Differences()] * 3):
        found = trial_verdict(days, **LEVELS)

        assert (found.kind, found.n, found.needs, found.log_e) == ("undecided", 0, None, 0.0)
        assert (found.gain.low, found.gain.high) == (-1.0, 1.0)
        assert found.looks == len(days)


def test_failures_of_the_models_are_counted():
    day = Differences.of([0.0, float("nan")], [float("nan"), 0.0], 1.0)

    found = trial_verdict([day, day], **LEVELS)

    assert (found.missing_old, found.missing_new) == (2, 2)


@pytest.mark.parametrize(
    "wrong",
    [{"level_promote": 0.0}, {"level_futile": 1.0}, {"margin": -0.1}, {"margin": 1.0},
     {"least_gain": 1.0}, {"margin": 0.1, "least_gain": -0.2}],
)  # fmt: skip
def test_settings_that_make_no_test_are_refused(wrong):
    with pytest.raises(UsageError, match="cannot be judged with these settings"):
        trial_verdict([], **{**LEVELS, **wrong})


def test_losses_other_than_zero_and_one_cannot_take_the_test_for_them():
    with pytest.raises(UsageError, match="not 0-1"):
        trial_verdict([Differences.of_values([0.5])], **LEVELS, zero_one=True)


@pytest.mark.parametrize("zero_one", [False, True])
def test_equal_models_are_seldom_called_better_or_worse_over_a_thousand_looks(zero_one):
    rng = np.random.default_rng(5)
    kinds = [
        trial_verdict(_days(rng, 0.0, 1000, rows=10), **LEVELS, zero_one=zero_one).kind
        for _ in range(100)
    ]

    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)
    assert kinds.count("better") / 100 <= allowed
    assert kinds.count("worse") / 100 <= allowed


def test_peeking_with_a_plain_test_would_not_keep_that_error():
    # the mutation of the test above: the same data, a t-test at every look
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(100):
        days = _days(rng, 0.0, 1000, rows=10)
        n = 10.0 * np.arange(1, 1001)
        total = np.cumsum([day.total for day in days])
        error = np.sqrt(np.maximum(np.cumsum([day.squares for day in days]), 1.0))
        wrong += bool((total / error > 1.645)[n >= 100].any())

    assert wrong / 100 > 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)


def test_a_model_at_the_margin_is_seldom_called_not_worse():
    rng = np.random.default_rng(6)
    kinds = [trial_verdict(_days(rng, -0.01, 100), **LEVELS, margin=0.01).kind for _ in range(200)]

    assert (kinds.count("not_worse") + kinds.count("better")) / 200 <= 0.05 + 3 * math.sqrt(
        0.05 * 0.95 / 200
    )


def test_a_worthwhile_gain_is_seldom_called_futile():
    rng = np.random.default_rng(7)
    kinds = [
        trial_verdict(_days(rng, 0.02, 100), **LEVELS, least_gain=0.02).kind for _ in range(200)
    ]

    assert kinds.count("futile") / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize(("gain", "rows"), [(0.02, 1524), (0.03, 622)])
def test_better_models_are_found_within_a_quarter_more_rows_than_the_anchor(gain, rows):
    rng = np.random.default_rng(8)

    found = [trial_verdict(_days(rng, gain, 400, rows=20), **LEVELS) for _ in range(100)]

    reached = [verdict.n if verdict.kind == "better" else math.inf for verdict in found]
    assert np.median(reached) <= 1.25 * rows


def test_drifting_differences_with_a_mean_of_zero_keep_the_error():
    # the weak null: weekends favour the new model, weekdays the old one
    rng = np.random.default_rng(9)
    gains = np.resize([-0.02, -0.02, -0.02, -0.02, -0.02, 0.05, 0.05], 700)
    wrong = 0
    for _ in range(100):
        days = [_days(rng, gain, 1)[0] for gain in gains]
        wrong += trial_verdict(days, **LEVELS).kind == "better"

    assert wrong / 100 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)
