"""What a trial decides: a decision comes out whatever the trial says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.evidence.interval import Interval
from everfit.evidence.trial.differences import Differences
from everfit.evidence.trial.verdict import TrialVerdict, trial_verdict
from everfit.records import Because, Problem, Upkeep, Version
from everfit.release.trial import GUARD, RULE, Tried, judge_guard, judge_trial

BEGAN, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
BOUND = 2.0


def version(number: int) -> Version:
    problem = Problem("classify", "y", "log_loss", "probabilities", ("no", "yes"))
    return Version(
        "m", number, f"models/m/v{number}", "", problem, Interval(0.1, 0.2, 0.3), "1", "linear",
        BEGAN, until=BEGAN,
    )  # fmt: skip


def days(gain: float, n_days: int = 6, n: int = 300, seed: int = 0) -> list[Differences]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_days):
        old = np.clip(rng.normal(0.6, 0.3, n), 0, BOUND)
        new = np.clip(old - gain + rng.normal(0, 0.2, n), 0, BOUND)
        found.append(Differences.of(old, new, bound=BOUND))
    return found


def verdict(gain: float, **more: float) -> TrialVerdict:
    return trial_verdict(days(gain), level_promote=0.01, level_futile=0.05, **more)  # type: ignore[arg-type]


def tried(found: TrialVerdict | None, **more: object) -> Tried:
    given_ = Tried("m", version(7), version(6), found, Upkeep(), NOW, unit=BOUND, number=3)
    return replace(given_, **more)  # type: ignore[arg-type]


def test_a_challenger_that_is_proven_better_is_promoted_and_says_why() -> None:
    found = judge_trial(tried(verdict(0.2)))

    assert found.kind == "promoted"
    assert found.headline == "Promoted v7; v6 is now previous"
    (because,) = found.because
    assert because.rule == RULE
    assert because.passed
    assert because.measured == pytest.approx(0.2, abs=0.03)  # in the unit of the loss
    assert because.low is not None
    assert because.low > 0
    assert "trial 3" in because.note
    assert found.undo == "everfit rollback m"
    assert "v6 stays in the shadow for 14 days" in found.not_done[0]
    assert (found.version, found.at, found.by) == ("v7", NOW, "system")
    assert found.log_e is not None
    assert found.log_e > np.log(100)
    assert found.looks >= 1


def test_a_fresher_one_that_is_not_worse_is_promoted_where_the_policy_says_so() -> None:
    found = judge_trial(tried(verdict(0.02, margin=0.1)))

    assert found.kind == "promoted"
    assert found.headline.endswith("it is fresher and not worse")


def test_one_within_the_margin_that_was_seen_to_be_worse_is_given_up() -> None:
    found = judge_trial(tried(verdict(-0.02, margin=0.1)))

    assert found.kind == "kept"
    assert "within the margin" in found.headline


def test_one_that_is_worse_is_given_up() -> None:
    found = judge_trial(tried(verdict(-0.3)))

    assert found.kind == "kept"
    assert found.headline == "Kept v6; gave up v7: it is worse"
    assert found.would_change == "a new challenger"


def test_one_whose_gain_is_not_worth_it_is_given_up() -> None:
    found = judge_trial(tried(verdict(0.0, least_gain=0.2)))

    assert found.kind == "kept"
    assert "not worth a longer trial" in found.headline


def test_one_that_may_be_better_goes_on_and_says_how_many_outcomes_it_needs() -> None:
    open_ = trial_verdict(days(0.02, 1, 80), level_promote=0.001, level_futile=0.001)

    found = judge_trial(tried(open_))

    assert open_.kind == "undecided"
    assert found.kind == "inconclusive"
    assert open_.needs is not None
    assert f"about {open_.needs:,} more outcomes" in found.headline
    assert found.because[0].passed is None


def test_a_trial_whose_time_is_up_ends_without_proof() -> None:
    open_ = trial_verdict(days(0.01, 1, 80), level_promote=0.001, level_futile=0.001)

    found = judge_trial(tried(open_, over=True))

    assert found.kind == "kept"
    assert found.headline == "Kept v6; gave up v7: no proof in 60 days"


def test_a_better_one_that_cannot_serve_is_not_promoted() -> None:
    checks = (Because("files as packed", True), Because("loads in a fresh process", False))

    found = judge_trial(tried(verdict(0.2), checks=checks))

    assert found.kind == "kept"
    assert "does not pass 'loads in a fresh process'" in found.headline
    assert found.undo == ""


def test_without_outcomes_it_waits_and_then_cannot_be_judged() -> None:
    waits = judge_trial(tried(None))
    over = judge_trial(tried(None, over=True))

    assert (waits.kind, over.kind) == ("inconclusive", "not_evaluable")
    assert "no outcomes came in 60 days" in over.headline


def test_what_cannot_be_compared_is_not_evaluable() -> None:
    found = judge_trial(tried(verdict(0.2), cannot="the labels changed"))

    assert found.kind == "not_evaluable"
    assert found.because[0].note == "the labels changed"


def test_a_promotion_that_was_a_mistake_is_rolled_back() -> None:
    found = judge_guard(tried(verdict(0.2), challenger=version(6), champion=version(7)))

    assert found.kind == "rolled_back"
    assert found.headline == "Rolled back from v7 to v6: it was better after all"
    assert found.because[0].rule == GUARD
    assert found.undo == "everfit rollback m --to v7"


def test_a_better_one_before_that_cannot_serve_is_told_and_not_gone_back_to() -> None:
    checks = (Because("files as packed", False, note="changed"),)
    found = judge_guard(
        tried(verdict(0.2), challenger=version(6), champion=version(7), checks=checks)
    )

    assert found.kind == "did_nothing"
    assert "cannot serve" in found.headline


@pytest.mark.parametrize(
    ("found", "over", "told"),
    [
        (verdict(-0.3), False, "v7 stays: v6 is not better"),
        (None, True, "v7 stays: the time to roll back is over"),
        (None, False, "v7 stays: nothing says that v6 was better (0 outcomes"),
    ],
)
def test_a_sound_promotion_stays(found: TrialVerdict | None, over: bool, told: str) -> None:
    row = judge_guard(tried(found, challenger=version(6), champion=version(7), over=over))

    assert row.kind == "did_nothing"
    assert row.headline.startswith(told)


verdicts = st.builds(
    TrialVerdict,
    kind=st.sampled_from(["better", "not_worse", "worse", "futile", "undecided"]),
    log_e=st.floats(allow_nan=True, allow_infinity=True),
    needed_log_e=st.floats(0, 20),
    looks=st.integers(0, 1_000),
    n=st.integers(0, 10**6),
    gain=st.builds(Interval, *[st.floats(-1, 1)] * 3),
    needs=st.none() | st.integers(1, 10**9),
    expired=st.booleans(),
    why=st.just("so it is"),
    log_es=st.just({}),
)
checks = st.lists(st.builds(Because, st.just("a rule"), st.sampled_from([True, False, None])))


@given(st.none() | verdicts, checks, st.booleans(), st.sampled_from(["", "the target changed"]))
def test_every_trial_has_one_decision_and_only_proof_promotes(
    found: TrialVerdict | None, gates: list[Because], over: bool, cannot: str
) -> None:
    case = tried(found, checks=tuple(gates), over=over, cannot=cannot)

    trial, guard = judge_trial(case), judge_guard(case)

    assert trial.kind in ("promoted", "kept", "inconclusive", "not_evaluable")
    assert guard.kind in ("rolled_back", "did_nothing")
    for row in (trial, guard):
        assert row.because
        assert row.headline
        assert row.would_change
    sound = not any(gate.passed is False for gate in gates)
    won = (
        found is not None
        and found.n > 0
        and (found.kind == "better" or (found.kind == "not_worse" and found.gain.mid >= 0))
    )
    assert (trial.kind == "promoted") == (won and sound and not cannot)
    if guard.kind == "rolled_back":
        assert found is not None
        assert found.kind == "better"
        assert sound
