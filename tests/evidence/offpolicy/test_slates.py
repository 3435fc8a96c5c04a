"""Lists of places: exact on all slates of a tiny Plackett-Luce world, coverage on drawn ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from everfit.errors import DataError, UsageError
from everfit.evidence.offpolicy.slates import Slates, cascade, item_position
from everfit.evidence.offpolicy.verdict import verdict

LOGGED = np.array([1.0, 1.0, 2.0])  # Plackett-Luce weights of three items
AIM = np.array([3.0, 1.0, 1.0])
BY_PLACE = np.array([[0.5, 0.2], [0.1, 0.4], [0.9, 0.3]])  # mean reward of item at place
AFTER = np.array([[0, 0.9, 0.1], [0.2, 0, 0.5], [0.8, 0.3, 0]])  # of item 2nd, by item above
ORDERS = list(itertools.permutations(range(3), 2))


def chance(order: tuple[int, int], weight: np.ndarray) -> tuple[float, float]:
    """Of each item given what stands above it."""
    a, b = order
    return weight[a] / weight.sum(), weight[b] / (weight.sum() - weight[a])


def at_place(weight: np.ndarray) -> np.ndarray:
    """Of each item at each place, by enumeration (3, 2)."""
    table = np.zeros((3, 2))
    for order in ORDERS:
        whole = np.prod(chance(order, weight))
        for place, item in enumerate(order):
            table[item, place] += whole
    return table


def rewards(order: tuple[int, int], *, cascading: bool) -> tuple[float, float]:
    a, b = order
    return BY_PLACE[a, 0], AFTER[a, b] if cascading else BY_PLACE[b, 1]


def true(weight: np.ndarray, *, cascading: bool) -> float:
    return float(
        sum(np.prod(chance(o, weight)) * sum(rewards(o, cascading=cascading)) for o in ORDERS)
    )


def every(*, cascading: bool, marginal: bool) -> Slates:
    """Each order as often as it is shown: 12 lists."""
    orders = [o for o in ORDERS for _ in range(round(12 * np.prod(chance(o, LOGGED))))]
    assert len(orders) == 12
    return slates(orders, [rewards(o, cascading=cascading) for o in orders], marginal=marginal)


def slates(orders: list[tuple[int, int]], earned: object, *, marginal: bool) -> Slates:
    if not marginal:
        both = [[chance(o, w) for o in orders] for w in (LOGGED, AIM)]
    else:
        both = [at_place(w)[np.array(orders), [0, 1]] for w in (LOGGED, AIM)]
    return Slates.of(earned, both[0], both[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("normalised", [True, False])
def test_item_position_is_exact_where_places_earn_alone(normalised: bool) -> None:
    found = item_position(every(cascading=False, marginal=True), normalised=normalised)

    assert found.value.mid == pytest.approx(true(AIM, cascading=False), abs=1e-12)
    assert found.mean_weight.mid == pytest.approx(1.0)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("cascading", [True, False])
def test_cascade_is_exact_where_places_earn_by_what_stands_above(
    normalised: bool, cascading: bool
) -> None:
    found = cascade(every(cascading=cascading, marginal=False), normalised=normalised)

    assert found.value.mid == pytest.approx(true(AIM, cascading=cascading), abs=1e-12)


def test_item_position_is_wrong_where_what_stands_above_matters() -> None:
    found = item_position(every(cascading=True, marginal=True))

    assert abs(found.value.mid - true(AIM, cascading=True)) > 0.01


def drawn(n: int, seed: int, *, marginal: bool) -> Slates:
    rng = np.random.default_rng(seed)
    chances = np.array([np.prod(chance(o, LOGGED)) for o in ORDERS])
    orders = [ORDERS[at] for at in rng.choice(6, n, p=chances)]
    means = np.array([rewards(o, cascading=False) for o in orders])
    return slates(orders, (rng.random((n, 2)) < means).astype(float), marginal=marginal)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("estimate", [item_position, cascade])
def test_ranges_hold_the_true_value(estimate: Callable[..., object], normalised: bool) -> None:
    marginal, truth = estimate is item_position, true(AIM, cascading=False)

    found = [
        estimate(drawn(300, seed, marginal=marginal), normalised=normalised) for seed in range(200)
    ]

    held = np.mean([value.value.contains(truth) for value in found])  # type: ignore[attr-defined]
    assert held >= 0.91


def test_item_position_is_steadier_than_the_product_of_chances() -> None:
    place = item_position(drawn(2000, 0, marginal=True))
    down = cascade(drawn(2000, 0, marginal=False))

    assert place.ess > down.ess
    assert place.value.high - place.value.low < down.value.high - down.value.low


def test_a_verdict_on_lists_is_refused_or_given_like_any_other() -> None:
    few, many = (drawn(n, 1, marginal=True) for n in (60, 3000))

    assert verdict(item_position(few), few.reward.sum(axis=1)).refused
    found = verdict(item_position(many), many.reward.sum(axis=1))
    assert found.gain is not None
    assert found.gain.contains(true(AIM, cascading=False) - true(LOGGED, cascading=False))


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("estimate", [item_position, cascade])
def test_shorter_lists_earn_by_the_places_that_they_have(
    estimate: Callable[..., object], normalised: bool
) -> None:
    full = every(cascading=False, marginal=True)
    held = np.ones((24, 2), dtype=bool)
    held[12:, 1] = False

    def twice(part: np.ndarray) -> np.ndarray:
        return np.where(held, np.vstack([part, part]), np.nan)

    mixed = Slates.of(twice(full.reward), twice(full.propensity), twice(full.target), held=held)

    both = item_position(full, normalised=False).value.mid
    first = Slates.of(full.reward[:, :1], full.propensity[:, :1], full.target[:, :1])
    top = item_position(first).value.mid
    found = estimate(mixed, normalised=normalised)
    if estimate is item_position:
        assert found.value.mid == pytest.approx((both + top) / 2)  # type: ignore[attr-defined]
        assert found.mean_weight.mid == pytest.approx(1.0)  # type: ignore[attr-defined]
    assert np.isfinite(found.units).all()  # type: ignore[attr-defined]


def test_a_filled_place_without_a_propensity_is_refused() -> None:
    with pytest.raises(DataError, match="no usable propensity") as caught:
        Slates.of([[1.0, 0.0]], [[0.5, np.nan]], [[0.5, 0.5]])

    assert "1 missing of 2" in caught.value.got


def test_lists_of_other_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="logged lists do not fit"):
        Slates.of([[1.0, 0.0]], [[0.5]], [[0.5, 0.5]])


def test_lists_without_any_place_have_no_evidence() -> None:
    none = Slates.of(np.zeros((3, 0)), np.zeros((3, 0)), np.zeros((3, 0)))

    assert verdict(item_position(none), np.zeros(3)).refused
