from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

from everfit.records import Window
from everfit.watch import drift as module
from everfit.watch.drift import Drift, drift, in_force, looks_a_year
from everfit.watch.reference import Reference
from tests.watch.traffic import DAY, days, numbers, of_numbers, reference, rows

Array = np.ndarray[Any, Any]
ALPHA = 0.05
LOOKS = 400  # windows of a year, so that simulations reach the end of the horizon
WINDOW_S = module.YEAR_S / LOOKS
ROWS = 100


def correlated(rng: np.random.Generator) -> Callable[[int], Array]:
    """Rows of one stream, each 0.6 times the one before and noise."""
    kept = np.zeros(1)

    def draw(n: int) -> Array:
        nonlocal kept
        noise = rng.normal(size=n) * np.sqrt(1 - 0.6**2)
        values, kept = lfilter([1], [1, -0.6], noise, zi=kept)
        return np.asarray(values)

    return draw


NULLS: dict[str, tuple[Callable[[np.random.Generator], Callable[[int], Array]], float]] = {
    "independent": (lambda rng: lambda n: rng.normal(size=n), 0.0),
    "heavy tails": (lambda rng: lambda n: rng.standard_t(3, size=n), 0.0),
    "hang together": (correlated, 0.0),
    "weekly season": (lambda rng: lambda n: rng.normal(size=n), 0.7),
}


def calm(kind: str, seed: int, n_windows: int = LOOKS) -> tuple[list[Window], Reference]:
    """Windows in which nothing changes, and their reference of 1,000 rows."""
    make, season = NULLS[kind]
    draw = make(np.random.default_rng([seed, 1]))
    week = np.sin(2 * np.pi * np.arange(1_000) / 7)
    known = of_numbers(draw(1_000) + season * week)
    return numbers(season * week[:n_windows], draw, n=ROWS, known=known), known


def ever(windows: Sequence[Window], known: Reference) -> Array:
    """At which windows anything was said to have moved (n_windows,)."""
    kept: list[Array] = []
    told = module._told

    def spy(*given: Any) -> Drift:
        kept.append(given[6])
        return told(*given)

    patch = pytest.MonkeyPatch()
    patch.setattr(module, "_told", spy)
    try:
        drift(windows, known, window_s=WINDOW_S, alpha=ALPHA)
    finally:
        patch.undo()
    return np.asarray(kept[0].any(axis=1))


@pytest.mark.parametrize("kind", NULLS)
def test_a_year_in_which_nothing_changes_rings_no_alarm(kind: str) -> None:
    rung = sum(ever(*calm(kind, seed)).any() for seed in range(6))

    assert rung <= 1  # of 6, at 5% each: 2 or more with a chance of 3% at the very level


@pytest.mark.slow
@pytest.mark.parametrize("kind", NULLS)
def test_false_alarms_of_many_years_stay_within_their_budget(kind: str) -> None:
    n = 200

    rung = sum(ever(*calm(kind, 1_000 + seed)).any() for seed in range(n))

    assert rung / n <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / n)


def test_without_a_margin_for_the_reference_alarms_would_be_false(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_margins", lambda known: np.zeros(len(known.statistics)))
    monkeypatch.setattr(module, "USUAL_SPREAD", 0.0)

    rung = sum(ever(*calm("independent", seed)).any() for seed in range(6))

    assert rung >= 3


@pytest.mark.parametrize(("shift", "at_most"), [(0.25, 12), (0.5, 5)])
def test_a_shift_is_found_within_the_planned_windows(shift: float, at_most: int) -> None:
    delays = []
    for seed in range(9):
        rng = np.random.default_rng(seed)
        known = of_numbers(rng.normal(size=5_000))
        means = np.repeat([0.0, shift], [200, 60])
        stream = numbers(means, lambda n, rng=rng: rng.normal(size=n), n=ROWS, known=known)  # type: ignore[misc]
        rung = np.flatnonzero(ever(stream, known)[200:])
        delays.append(rung[0] + 1 if len(rung) else 99)

    assert np.median(delays) <= at_most


def test_what_the_reference_was_off_by_is_learnt_and_a_move_from_there_is_seen_sooner() -> None:
    rng = np.random.default_rng(0)
    margin, error, off = module.mean_margin(1_000), 0.029, 0.015
    calm = off + error * rng.normal(size=(200, 40))
    moved = 0.07 + off + error * rng.normal(size=(12, 40))
    away = np.vstack([calm, moved])

    path = module._frozen(away, np.full(away.shape, error), np.full(40, margin), 1e12)

    limit = 1_000 / 0.05
    assert np.mean(path[:200].max(axis=0) >= limit) <= 0.05
    assert np.median(path[207]) >= limit


def test_a_move_just_after_the_release_is_not_learnt_away() -> None:
    rng = np.random.default_rng(0)
    away = 0.14 + 0.029 * rng.normal(size=(16, 40))

    path = module._frozen(away, np.full(away.shape, 0.029), np.full(40, 0.0235), 1e12)

    assert np.median(path[-1]) >= 1_000 / 0.05


def test_a_large_shift_in_the_first_weeks_is_found_within_days() -> None:
    rng = np.random.default_rng(0)
    known = of_numbers(rng.normal(size=5_000))
    stream = numbers(
        np.repeat([0.0, 1.0], [10, 10]), lambda n: rng.normal(size=n), n=ROWS, known=known
    )

    rung = np.flatnonzero(ever(stream, known))

    assert 12 <= rung[0] <= 16


def test_one_odd_window_is_no_proof() -> None:
    rng = np.random.default_rng(0)
    known = of_numbers(rng.normal(size=5_000))
    means = np.zeros(60)
    means[40] = 5.0

    rung = ever(numbers(means, lambda n: rng.normal(size=n), n=ROWS, known=known), known)

    assert not rung.any()


def test_it_says_which_column_since_when_and_by_how_much() -> None:
    windows = days(40, lambda day, f: f if day < 30 else rows(200, np.random.default_rng(day),
                                                             shift=1.0))  # fmt: skip

    found = drift(windows, reference(), window_s=86_400.0, alpha=0.01)

    moved = [name for name, away in zip(found.names, found.moved, strict=True) if away]
    at = found.names.index("age")
    assert set(moved) == {"age", "probability of yes", "rows as a whole"}
    assert found.begun[at] == windows[30].start
    assert found.since[at] is not None
    assert windows[31].start <= found.since[at] <= windows[35].start
    assert found.away[at] == pytest.approx(0.26, abs=0.03)
    assert reference().columns[0].statistics[found.statistic[at]] == "level"


def test_a_column_that_came_back_is_told_so() -> None:
    windows = days(60, lambda day, f: f if not 20 <= day < 30
                   else rows(200, np.random.default_rng(day), shift=1.0))  # fmt: skip

    away, back = (
        drift(some, reference(), window_s=86_400.0, alpha=0.01) for some in (windows[:30], windows)
    )

    at = away.names.index("age")
    assert away.moved[at]
    assert not back.moved[at]


def test_what_was_said_of_earlier_windows_never_changes() -> None:
    windows, known = calm("independent", 3)
    half = _evidence(windows[:250], known)

    whole = _evidence(windows, known)

    np.testing.assert_array_equal(half, whole[:250])


def _evidence(windows: Sequence[Window], known: Reference) -> Array:
    kept: list[Array] = []
    told = module._told
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "_told", lambda *given: (kept.append(given[5]), told(*given))[1])
    try:
        drift(windows, known, window_s=WINDOW_S, alpha=ALPHA)
    finally:
        patch.undo()
    return kept[0]


def test_evidence_starts_anew_with_another_champion_and_with_another_year() -> None:
    windows = days(3)
    older = [replace(window, version=2) for window in windows]
    later = [replace(w, start=w.start + timedelta(days=366), end=w.end + timedelta(days=366))
             for w in windows]  # fmt: skip

    assert in_force([*older, *windows], reference()) == windows
    assert in_force([*windows, *later], reference()) == later


def test_windows_without_traffic_are_no_looks() -> None:
    windows = days(3)
    empty = replace(windows[1], n=0, facts={"rows": 0})

    assert in_force([windows[0], empty, windows[2]], reference()) == [windows[0], windows[2]]


def test_windows_in_which_a_column_is_missing_count_for_the_others() -> None:
    windows = days(30, lambda day, f: f.drop("age") if day >= 20 else f)

    found = drift(windows, reference(), window_s=86_400.0, alpha=0.01)

    at = found.names.index("age")
    assert found.moved[at]
    assert reference().columns[0].statistics[found.statistic[at]] == "missing"
    assert not found.moved[found.names.index("plan")]


def test_a_window_of_hours_and_one_of_weeks_have_their_year() -> None:
    assert looks_a_year(3_600) == 8_766
    assert looks_a_year(7 * DAY.total_seconds()) == 52
    assert looks_a_year(1e12) == 1
