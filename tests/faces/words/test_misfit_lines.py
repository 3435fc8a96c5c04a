from __future__ import annotations

from everfit.faces.words.misfits import misfit_lines, row_lines
from everfit.serve.misfits import Misfit
from everfit.serve.row import UNKNOWN


def test_a_new_category_is_told_in_the_words_that_a_single_row_uses() -> None:
    (one,) = misfit_lines([Misfit("plan", "unseen", 1, "max")], [])
    (many,) = misfit_lines([Misfit("plan", "unseen", 1200, "max")], [])

    assert one == f"column 'plan': 1 value of a rare or new category, such as max; each {UNKNOWN}"
    assert many.startswith("column 'plan': 1,200 values of a rare or new category")


def test_an_absent_column_says_what_stands_in() -> None:
    (line,) = misfit_lines([], ["column 'age' is not there and counts as missing"])

    assert line.startswith("column 'age' is not there and its default stands in")


def test_a_few_columns_that_were_not_given_are_told_with_what_is_used() -> None:
    told = ["age: not given, 41.0 is used", "plan: category 'max' is rare or new"]

    assert row_lines(told) == told


def test_many_columns_that_were_not_given_are_one_line() -> None:
    told = [f"c{n}: not given, {n}.0 is used" for n in range(20)]

    lines = row_lines([*told, "plan: category 'max' is rare or new"])

    assert lines[0] == "plan: category 'max' is rare or new"
    assert lines[1].startswith("not given: c0, c1, c2")
    assert len(lines) == 2
