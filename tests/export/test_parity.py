from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from everfit.errors import Refused, UsageError
from everfit.export.parity import NEW_LEVEL, answers, gate, made_rows
from everfit.records import Array
from tests.export.versions import Made

Rows = Sequence[Mapping[str, Any]]


def check(made: Made, answer: Any, **how: Any) -> Any:
    given: dict[str, Any] = {"rows": made.rows, "limit": 1e-9, "what": "the copy"} | how
    rows = given.pop("rows")
    return gate(made.scorer, answer, rows, **given)


def test_an_export_that_answers_the_same_passes_on_real_and_on_made_rows(plain: Made) -> None:
    scorer = plain.scorer
    seen: list[Mapping[str, Any]] = []

    def answer(rows: Rows) -> Array:
        seen.extend(rows)
        return answers(scorer, rows)

    parity = check(plain, answer)

    assert parity.rows == len(seen) == 40 + 1_000
    assert parity.largest == 0.0
    towns = {row["town"] for row in seen}
    assert {None, NEW_LEVEL} <= towns
    assert any(row["size"] is not None and abs(row["size"]) > 1e5 for row in seen)
    assert all(isinstance(row["since"], datetime | None) for row in seen)


def test_a_difference_is_told_with_its_size_and_its_column(plain: Made) -> None:
    scorer = plain.scorer

    def answer(rows: Rows) -> Array:
        found = answers(scorer, rows)
        found[[row["income"] is not None and row["income"] > 1.0 for row in rows]] += 0.25
        return found

    with pytest.raises(Refused, match="the copy does not answer as the version does") as caught:
        check(plain, answer)

    assert "0.25, through column 'income'" in caught.value.got
    assert "1e-09" in caught.value.expected


def test_a_difference_that_no_column_alone_explains_is_told_without_one(plain: Made) -> None:
    scorer = plain.scorer

    with pytest.raises(Refused) as caught:
        check(plain, lambda rows: answers(scorer, rows) + 0.125)

    assert caught.value.got == "answers that differ by 0.125"


def test_an_answer_that_is_no_number_never_passes(plain: Made) -> None:
    with pytest.raises(Refused, match="differ by inf"):
        check(plain, lambda rows: np.full((len(rows), 2), np.nan))


def test_answers_of_another_shape_never_pass(plain: Made) -> None:
    with pytest.raises(Refused, match="another shape"):
        check(plain, lambda rows: np.zeros((len(rows), 1)))


def test_without_rows_nothing_is_said_to_be_the_same(plain: Made) -> None:
    with pytest.raises(UsageError, match="nothing to be compared on"):
        check(plain, lambda rows: np.zeros((0, 2)), rows=[])


def test_a_difference_counts_relative_to_a_large_number(values: Made) -> None:
    scorer = values.scorer
    large = [row for row in values.rows if scorer.row(row).value > 1_000.0]

    parity = check(values, lambda rows: answers(scorer, rows) * (1 + 1e-10), rows=large)

    assert 0.5e-10 < parity.largest < 2e-10


def test_made_rows_are_the_same_each_time(plain: Made) -> None:
    table = plain.scorer.as_table(plain.rows)
    rows = table.frame.to_dicts()

    first, again = (made_rows(rows, table.columns, n=50) for _ in range(2))

    assert str(first) == str(again)  # equal but for NaN
