"""Verdicts: an answer where the evidence carries one, a refusal that says why where not."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.offpolicy.estimate import doubly_robust, ips, shrunk, snips
from everfit.evidence.offpolicy.logged import Logged
from everfit.evidence.offpolicy.verdict import verdict
from tests.evidence.offpolicy.worlds import LOGGING, TARGET, drawn, worth


def test_a_policy_that_earns_more_is_called_better() -> None:
    logged = drawn(3000, 0)

    for estimate in (ips, snips, doubly_robust):
        found = verdict(estimate(logged), logged.reward)
        assert found.answer == "better"
        assert found.gain is not None
        assert found.gain.contains(worth(TARGET) - worth(LOGGING))
        assert "would have earned more" in found.why


def test_a_policy_that_earns_less_is_called_worse() -> None:
    logged = drawn(3000, 0)

    found = verdict(snips(Logged.of(-logged.reward, logged.propensity, logged.target)),
                    -logged.reward)  # fmt: skip

    assert found.answer == "worse"


def test_below_a_hundred_effective_decisions_nothing_is_said_and_it_says_what_is_needed() -> None:
    logged = drawn(120, 0)

    found = verdict(snips(logged), logged.reward)

    assert found.refused
    assert found.gain is None
    assert found.ess < 100
    assert found.needs == pytest.approx(120 * 100 / found.ess, abs=1)
    assert f"about {found.needs:,} decisions in all are needed" in found.why
    assert not verdict(snips(drawn(found.needs * 2, 1)), drawn(found.needs * 2, 1).reward).refused


def test_chances_that_were_rounded_when_they_were_logged_are_no_reason_to_refuse() -> None:
    reward = np.random.default_rng(0).integers(0, 2, 600).astype(float)

    found = verdict(
        snips(Logged.of(reward, np.full(600, 0.333333), np.full(600, 1.0 / 3.0))), reward
    )

    assert not found.refused


def test_many_decisions_of_few_people_are_refused_too() -> None:
    logged = drawn(3000, 0)
    people = Logged.of(logged.reward, logged.propensity, logged.target, groups=np.arange(3000) % 50)

    assert verdict(snips(people), people.reward).refused


def test_a_target_that_takes_nothing_that_was_logged_is_refused_without_a_number() -> None:
    logged = drawn(500, 0)

    found = verdict(
        snips(Logged.of(logged.reward, logged.propensity, np.zeros(500))), logged.reward
    )

    assert found.refused
    assert found.needs is None
    assert found.why.startswith("No verdict: none of 500 logged decisions")


def test_a_log_without_decisions_is_refused() -> None:
    for estimate in (ips, snips, doubly_robust, shrunk):
        found = verdict(estimate(Logged.of([], [], [])), [])
        assert found.refused
        assert found.why.startswith("No verdict: nothing was logged that would have been taken")


def test_chances_that_decisions_were_not_taken_with_are_found() -> None:
    logged = drawn(3000, 0)
    flat = Logged.of(logged.reward, np.full(3000, 0.5), logged.target)

    found = verdict(snips(flat), flat.reward)

    assert found.refused
    assert "mean weight" in found.why


def test_a_difference_within_chance_is_undecided_and_says_how_many_would_do() -> None:
    rng = np.random.default_rng(4)
    reward = (rng.random(800) < 0.5).astype(float)
    logged = Logged.of(reward, np.full(800, 0.5), rng.choice([0.45, 0.55], 800))

    found = verdict(snips(logged), reward)

    assert found.answer == "undecided"
    assert found.needs is not None
    assert found.needs > 800


def test_where_actions_make_no_difference_one_is_found_as_often_as_allowed() -> None:
    runs, wrong, refused = 1000, 0, 0
    for seed in range(runs):
        logged = drawn(600, 50_000 + seed)
        rewards = (np.random.default_rng([seed, 7]).random(600) < 0.4).astype(float)
        found = verdict(snips(Logged.of(rewards, logged.propensity, logged.target)), rewards)
        wrong += found.answer in ("better", "worse")
        refused += found.refused

    assert 0.03 < wrong / runs < 0.07
    assert refused / runs < 0.01


def test_rewards_of_other_decisions_are_refused() -> None:
    with pytest.raises(UsageError, match="not of the same decisions"):
        verdict(snips(drawn(200, 0)), [1.0])
