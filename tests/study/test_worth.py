"""When to stop searching."""

from __future__ import annotations

from everfit.study.worth import worth


def test_a_search_that_gains_goes_on() -> None:
    losses = [0.5 - 0.01 * i for i in range(15)]

    assert worth(losses, error=0.02).go_on


def test_a_search_that_no_longer_gains_stops_and_says_why() -> None:
    losses = [0.5, 0.49] + [0.48] * 30

    verdict = worth(losses, error=0.02)

    assert not verdict.go_on
    assert "after 31 trials" in verdict.why
    assert "standard error 0.02" in verdict.why


def test_a_few_unlucky_trials_do_not_end_it() -> None:
    assert worth([0.5] * 4, error=0.02).go_on


def test_gains_that_cannot_be_seen_do_not_keep_it_going() -> None:
    losses = [0.5 - 1e-6 * i for i in range(40)]

    assert not worth(losses, error=0.02).go_on
