"""A challenger's trial ends in exactly one decision, whatever the losses are."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.evidence.interval import Interval
from everfit.records import Because, Decision, Policy
from everfit.release import judge, moves, release_first
from everfit.store import open_store
from tests.release.build import case

SLOW = Because("answers one row in time", False, 80.0, limit=50.0, unit="ms")
RNG = np.random.default_rng(0)
OLD = RNG.uniform(0, 1, 3000)


def test_scores_of_large_numbers_are_told_without_powers_of_ten() -> None:
    made = release_first(replace(case(champion=""), score=Interval(11512.3, 12111.7, 12734.0)))

    assert "12,100 (95% range 11,500 to 12,700)" in made.headline


def test_a_first_version_that_passes_serves() -> None:
    decision = release_first(case(champion=""))

    assert decision.kind == "released"
    assert decision.headline == ("Released v1 (CatBoost): log loss 0.43 (95% range 0.41 to 0.45)")
    assert moves(decision, None, 1) == {"champion": 1}


def test_a_first_version_that_fails_a_gate_does_not_serve() -> None:
    decision = release_first(case(SLOW, Because("loads", True), champion=""))

    assert decision.kind == "refused"
    assert decision.headline == "Refused v1: it does not pass 'answers one row in time'"
    assert decision.because == (SLOW,)
    assert decision.not_done[0] == "v1 does not serve"
    assert moves(decision, None, 1) == {}


def test_a_clearly_better_challenger_is_promoted_with_a_way_back() -> None:
    decision = judge(case(), OLD * 0.7, OLD, looks=1)

    assert decision.kind == "promoted"
    assert decision.because[0].passed is True
    assert decision.because[0].measured == pytest.approx(0.3 * OLD.mean())
    assert decision.undo == "everfit rollback churn"
    assert decision.log_e is not None
    assert decision.log_e > -math.log(0.05)
    assert moves(decision, 1, 2) == {"champion": 2, "previous": 1}


def test_a_better_challenger_that_fails_a_gate_is_kept_out() -> None:
    decision = judge(case(SLOW), OLD * 0.7, OLD, looks=1)

    assert decision.kind == "kept"
    assert decision.would_change == "passing 'answers one row in time'"
    assert SLOW in decision.because
    assert moves(decision, 1, 2) == {}


def test_a_worse_challenger_is_kept_out() -> None:
    decision = judge(case(), np.minimum(OLD * 1.5, 1.0), OLD, looks=1)

    assert decision.kind == "kept"
    assert decision.headline == "Kept v1; did not promote v2: it is not better"
    assert decision.because[0].passed is False


def test_a_gain_within_noise_asks_for_more_rows() -> None:
    new = np.clip(OLD[:200] - 0.02 + RNG.normal(0, 0.2, 200), 0, 1)

    decision = judge(case(), new, OLD[:200], looks=1)

    assert decision.kind == "inconclusive"
    assert decision.because[0].passed is None
    assert "more rows" in decision.would_change


def test_too_few_rows_say_how_many_are_needed() -> None:
    decision = judge(case(), OLD[:3] * 0, OLD[:3], looks=1)

    assert decision.kind == "not_evaluable"
    assert "more rows that neither version saw" in decision.would_change


@pytest.mark.parametrize(
    ("new", "old", "cannot", "why"),
    [
        (OLD[:10], OLD[:9], "", "same units"),
        (OLD[:0], OLD[:0], "", "0 units"),
        (OLD, OLD, "the target has other labels now", "the target has other labels now"),
    ],
)
def test_what_cannot_be_compared_says_why(
    new: np.ndarray, old: np.ndarray, cannot: str, why: str
) -> None:
    decision = judge(case(), new, old, looks=1, cannot=cannot)

    assert decision.kind == "not_evaluable"
    assert why in decision.because[0].note
    assert decision.headline == "Kept v1; v2 cannot be compared with it"


@settings(max_examples=60, deadline=None)
@given(
    losses=st.lists(st.tuples(st.floats(width=32), st.floats(width=32)), max_size=60),
    looks=st.integers(0, 50),
    gate=st.sampled_from([True, False, None]),
    min_gain=st.floats(-1, 10),
)
def test_any_losses_give_one_decision(
    losses: list[tuple[float, float]], looks: int, gate: bool | None, min_gain: float
) -> None:
    pairs = np.array(losses, dtype=np.float64).reshape(-1, 2)

    decision = judge(
        case(Because("gate", gate), policy=Policy(min_gain=min_gain)),
        pairs[:, 0],
        pairs[:, 1],
        looks=looks,
    )

    assert decision.kind in {"promoted", "kept", "inconclusive", "not_evaluable"}
    assert decision.kind != "promoted" or gate is not False
    assert decision.headline
    assert decision.would_change


def test_a_challenger_that_is_as_good_is_seldom_promoted() -> None:
    rng = np.random.default_rng(3)
    promoted = 0
    for _ in range(100):
        p_old, p_new = rng.uniform(0, 1, (2, 300))
        promoted += judge(case(), p_new, p_old, looks=1, bound=1.0).kind == "promoted"

    assert promoted / 100 <= 0.05


def test_a_decision_is_kept_by_a_store_as_it_was_made(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    run = store.begin_run("churn", {})
    made: Decision = judge(case(), OLD * 0.7, OLD, looks=1)

    kept = store.commit(made.__class__(**{**_fields(made), "run": ""}), run=run)

    assert store.decisions("churn") == (kept,)
    assert kept.because == made.because


def _fields(decision: Decision) -> dict[str, object]:
    return {name: getattr(decision, name) for name in Decision.__dataclass_fields__}


def test_what_is_judged_is_called_by_its_name() -> None:
    lists = replace(case(), unit="list")
    few = judge(lists, OLD[:20], OLD[:20] + 0.01, looks=1, bound=1.0)
    noise = judge(lists, OLD + RNG.normal(0, 1, 3000), OLD, looks=1, bound=1.0)
    first = release_first(replace(case(champion=""), unit="list"))

    said = [one.headline + one.would_change for one in (few, noise, first)]
    assert "lists that neither saw" in first.would_change
    assert not any("row" in text for text in said)
