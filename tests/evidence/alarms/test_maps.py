"""Windows as looks: gains against a bet by hand, tempering, and exact replay."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from everfit.errors import UsageError
from everfit.evidence.alarms.maps import (
    BETS,
    RAISED,
    Look,
    dispersions,
    log_gains,
    merged,
    replay,
    shares,
    within,
)
from everfit.evidence.alarms.recursion import Calibration


def look(values, high=1.0, groups=None):
    x = np.asarray(values, dtype=np.float64)
    return Look(log_gains(x, high).tolist(), len(x), x.mean(), x.std(), within(x, groups))


def test_a_gain_is_the_product_of_the_bets_on_each_row():
    x = np.array([0.2, 0.2, 1.5, 3.0])

    found = log_gains(x, 0.8)

    for row, raised in zip(found, RAISED, strict=True):
        by_hand = [np.prod(1 + bet * (x / (0.8 * raised) - 1)) for bet in BETS]
        assert row == pytest.approx(np.log(by_hand))


def test_gains_of_rows_at_the_bound_have_mean_one():
    rng = np.random.default_rng(0)
    gains = np.exp([log_gains(rng.exponential(1.0, 3), 1.0)[0] for _ in range(20_000)])

    # the largest bets have a heavy tail: their mean is known less well
    assert gains[:, :8].mean(axis=0) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("values", [[-0.1], [np.nan], [np.inf]])
def test_what_is_no_loss_is_refused(values):
    with pytest.raises(UsageError, match="cannot be held against a bound"):
        log_gains(values, 1.0)


def test_a_bound_of_nothing_is_refused():
    with pytest.raises(UsageError, match="cannot be held against a bound"):
        log_gains([0.5], 0.0)


def test_windows_merge_into_one():
    rng = np.random.default_rng(0)
    parts = [rng.exponential(1.0, n) for n in (30, 50)]

    whole, pieces = look(np.concatenate(parts)), merged([look(part) for part in parts])

    assert (pieces.n, pieces.mean, pieces.sd) == pytest.approx((whole.n, whole.mean, whole.sd))
    assert pieces.log[0] == pytest.approx(whole.log[0])


def test_independent_rows_seem_to_hang_together_as_chance_has_it_and_groups_truly_do():
    rng = np.random.default_rng(0)
    alone = [within(rng.random(200), np.arange(200) // 2) for _ in range(400)]

    assert np.mean(alone) == pytest.approx(1.0, abs=0.04)
    assert 4 < within(np.repeat(rng.random(200), 5), np.arange(1000) // 5) < 10


def test_windows_of_fewer_rows_than_can_tell_say_nothing():
    assert within(np.arange(39.0)) == 1.0
    assert within(np.arange(40.0)) > 1.0
    assert within([]) == 1.0


def test_a_memory_from_row_to_row_is_seen():
    rng = np.random.default_rng(0)
    walk = np.zeros(4000)
    for at in range(1, 4000):
        walk[at] = 0.6 * walk[at - 1] + rng.normal()

    assert within(np.exp(walk)) > 2


def test_what_chance_explains_tempers_nothing_and_a_memory_within_small_windows_does():
    rng = np.random.default_rng(0)
    calm = [look(rng.exponential(1.0, 60)) for _ in range(60)]
    walk = lfilter([1], [1, -0.6], rng.normal(size=60 * 60)).reshape(60, 60)
    dragged = [look(np.exp(row)) for row in walk]

    assert np.median(dispersions(calm)) == 1.0
    assert dispersions(dragged)[5:].min() > 1.2


def test_users_that_come_several_times_temper_windows_too_small_for_stretches():
    rng = np.random.default_rng(0)
    # 12 users of 3 rows that are alike: 36 rows a window
    users = [look(np.repeat(rng.random(12), 3), groups=np.arange(36) // 3) for _ in range(20)]
    alone = [look(rng.random(36)) for _ in range(20)]

    assert dispersions(users).min() > 2.5
    assert np.median(dispersions(alone)) == 1.0


def test_rows_that_begin_to_hang_together_after_months_are_tempered_within_days():
    rng = np.random.default_rng(0)
    calm = [look(rng.random(198)) for _ in range(240)]
    users = [look(np.repeat(rng.random(66), 3), groups=np.arange(198) // 3) for _ in range(10)]

    found = dispersions([*calm, *users])

    assert np.mean(found[:240] == 1.0) > 0.9
    assert found[245:].min() > 2.5


def test_bets_on_rises_that_can_be_seen_in_days_get_most_of_the_new_evidence():
    few, many = Look((), 100, 0.12, 0.325), Look((), 10_000, 0.12, 0.325)

    given = shares([few, few, None, few])

    assert given.mean(axis=1) == pytest.approx(1.0)
    assert given[0].tolist() == [1.0] * len(BETS)
    assert given[1].tolist() == given[2].tolist() == given[3].tolist()
    # a bet of 0.055 suits a rise by 1.5 standard errors, 0.05 of 0.12
    assert BETS[given[1].argmax()] == pytest.approx(1.5 * 0.12 / 0.325 / 10, rel=0.25)
    assert shares([many] * 2)[1].argmax() == 0
    assert (given > 0).all()
    assert shares([Look((), 50, 0.0, 0.0)] * 2)[1].tolist() == [1.0] * len(BETS)


def test_more_evidence_of_the_right_bet_rings_sooner():
    logs = np.log(np.array([[[2.0, 0.5]]] * 6))
    starts = np.array([[[1.9, 0.1]]] * 6)

    plain, told = (replay(logs, Calibration(looks=100), starts=s)[:, 0] for s in (None, starts))

    assert told[0] == pytest.approx((1.9 * 2.0 + 0.1 * 0.5) / 2)
    assert (told > plain).all()


def test_constant_losses_have_no_spread_to_temper():
    assert within(np.ones(500), np.arange(500) // 5) == 1.0
    assert dispersions([look([1.0, 1.0])] * 5).tolist() == [1.0] * 5


def test_a_look_is_tempered_by_what_came_before_it_only():
    rng = np.random.default_rng(0)
    looks = [look(rng.exponential(1.0, 100)) for _ in range(20)]
    changed = [*looks[:19], look(rng.exponential(9.0, 100))]

    assert dispersions(looks)[:19].tolist() == dispersions(changed)[:19].tolist()


def test_windows_that_differ_more_than_their_rows_are_tempered():
    rng = np.random.default_rng(0)
    calm = [look(rng.exponential(1.0, 400)) for _ in range(60)]
    restless = [look(rng.exponential(rng.choice([0.7, 1.3]), 400)) for _ in range(60)]

    assert dispersions(calm)[-1] < 1.5
    assert dispersions(restless)[-1] > 10


def test_one_lasting_change_is_not_taken_for_restlessness():
    rng = np.random.default_rng(0)
    looks = [look(rng.exponential(1.0 if t < 40 else 2.0, 400)) for t in range(60)]

    assert dispersions(looks)[-1] < 2


def test_replay_is_the_recursion_by_hand_and_empty_windows_change_nothing():
    logs = np.log(np.array([0.5, 4.0, np.nan, 2.0]))[:, None, None]

    path = replay(logs, Calibration(looks=100))

    assert path[:, 0] == pytest.approx([0.5, 6.0, 6.0, 14.0])


def test_evidence_starts_anew_with_the_next_year():
    logs = np.log(np.full((5, 1, 1), 2.0))

    assert replay(logs, Calibration(looks=3))[:, 0].tolist() == [2.0, 6.0, 14.0, 2.0, 6.0]


def test_replay_step_by_step_gives_the_same_bits():
    rng = np.random.default_rng(0)
    logs = rng.normal(0, 1, (50, 3, 12))

    whole = replay(logs, Calibration(looks=20))

    for t in (1, 20, 21, 50):
        assert np.array_equal(replay(logs[:t], Calibration(looks=20)), whole[:t])


def test_overwhelming_evidence_overflows_nothing():
    path = replay(np.full((50, 1, 2), 5_000.0), Calibration(looks=365))

    assert np.isfinite(path).all()
