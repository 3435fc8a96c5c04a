"""What is tried for ranked lists."""

from __future__ import annotations

from dataclasses import replace

import pytest

from everfit.learners import LEARNERS, make
from everfit.study.field.listed import ListFacts, cost_s, lists_floors, lists_portfolio

USUAL = ListFacts(100_000, 900, 1_700, seconds=300.0, described=True)


def test_every_hypothesis_is_a_learner_of_lists_with_a_reason_of_its_own() -> None:
    listed = (*lists_floors(), *lists_portfolio(USUAL))

    for hypothesis in listed:
        make(hypothesis.learner, hypothesis.settings)
        assert "lists" in LEARNERS[hypothesis.learner].forms
        assert len(hypothesis.why) > 30
    assert len({h.name for h in listed}) == len(listed)
    assert len({h.why for h in listed}) == len(listed)


def test_floors_come_first_then_the_simple_model() -> None:
    assert {h.stage for h in lists_floors()} == {"floor"}
    assert [h.stage for h in lists_portfolio(USUAL)][:2] == ["simple", "portfolio"]


def test_every_learner_of_lists_is_tried_where_there_is_time() -> None:
    tried = {h.learner for h in (*lists_floors(), *lists_portfolio(USUAL))}

    assert tried == {name for name, cls in LEARNERS.items() if "lists" in cls.forms}


def test_content_is_tried_only_where_something_is_written() -> None:
    plain = lists_portfolio(replace(USUAL, described=False))

    assert "content" not in {h.learner for h in plain}


def test_many_items_are_tried_without_a_dense_matrix() -> None:
    large = lists_portfolio(replace(USUAL, n_items=20_000, n_interactions=10**6))

    assert "ease" not in {h.learner for h in large}
    assert "lagged" in {h.learner for h in large}


@pytest.mark.parametrize("seconds", [1.0, 30.0, 300.0])
def test_what_time_cannot_pay_is_left_out_but_never_the_simple_model(seconds: float) -> None:
    facts = ListFacts(10**6, 50_000, 20_000, seconds=seconds)

    listed = lists_portfolio(facts)

    assert listed[0].stage == "simple"
    assert all(cost_s(h.learner, facts) <= seconds / 2 for h in listed[1:])


def test_more_time_never_tries_less() -> None:
    sizes = [len(lists_portfolio(ListFacts(10**6, 50_000, 5_000, seconds=s))) for s in (5, 50, 500)]

    assert sizes == sorted(sizes)
