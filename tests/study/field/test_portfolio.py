from __future__ import annotations

from typing import Any

import pytest

from everfit.learners import LEARNERS, make
from everfit.study.field.portfolio import Gene, genes, most_hypotheses, portfolio

SHAPES: list[tuple[int, int, int, Any, int]] = [
    (60, 4, 0, "probabilities", 2),
    (900, 10, 5, "probabilities", 3),
    (7_000, 20, 16, "probabilities", 2),
    (54_000, 9, 3, "values", 1),
    (2_000_000, 40, 10, "probabilities", 2),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_simple_model_comes_first_and_alone_in_its_stage(shape: Any) -> None:
    listed = portfolio(*shape)

    assert listed[0].stage == "simple"
    assert all(h.stage == "portfolio" for h in listed[1:])


@pytest.mark.parametrize("shape", SHAPES)
def test_every_hypothesis_can_be_made_and_says_why(shape: Any) -> None:
    listed = portfolio(*shape, skewed=True)

    for hypothesis in listed:
        make(hypothesis.learner, hypothesis.settings)
        assert len(hypothesis.why) > 30
    assert len({h.name for h in listed}) == len(listed)
    assert len(listed) <= most_hypotheses(shape[0])


def test_more_rows_allow_more_hypotheses() -> None:
    counts = [most_hypotheses(n) for n in (10, 100, 300, 500, 2_500, 10_000, 10**7)]

    assert counts == sorted(counts)
    assert counts[1] == 4
    assert counts[-1] == 40


def test_all_kinds_of_learners_are_tried_with_enough_rows() -> None:
    kinds = {h.learner for h in portfolio(5_000, 20, 5, "probabilities", 2)}

    able = {name for name, learner in LEARNERS.items() if "probabilities" in learner.forms}
    assert kinds == able - {"prior", "foreign"}


def test_a_large_table_starts_with_single_splits() -> None:
    listed = portfolio(*SHAPES[-1])

    assert listed[0].learner == "boosted"
    assert listed[0].settings["leaves"] == 2


def test_reasons_speak_of_this_table() -> None:
    why = {h.name: h.why for h in portfolio(7_043, 19, 16, "probabilities", 2)}

    assert "16 category columns" in why["CatBoost, tuned"]
    assert "7,043 rows" in why["boosted trees by size rule"]


def test_logs_are_tried_for_skewed_numbers_only() -> None:
    def logs(**options: bool) -> list[str]:
        listed = portfolio(3_000, 8, 1, "values", 1, **options)
        return [h.learner for h in listed if h.settings.get("target") == "log"]

    assert logs() == []
    assert logs(skewed=True) == ["linear", "symmetric", "boosted"]


def test_a_tree_of_a_narrow_table_sees_five_columns() -> None:
    for hypothesis in portfolio(5_000, 6, 0, "probabilities", 2):
        if hypothesis.learner == "boosted":
            assert hypothesis.settings.get("columns", 1.0) * 6 >= 5 - 1e-9


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_genes_are_settings_that_the_learner_takes(learner: str) -> None:
    for name, gene in genes(learner).items():
        values = gene.choices or (gene.low, gene.high, gene.typical)
        for value in values:
            make(learner, {name: value})
        if not gene.choices:
            assert gene.low <= gene.typical <= gene.high
            assert gene.low > 0 or not gene.log


def test_changing_the_genes_given_changes_nothing_else() -> None:
    genes("boosted")["lr"] = Gene()

    assert genes("boosted")["lr"].log
