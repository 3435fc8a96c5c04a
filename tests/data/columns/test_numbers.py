"""Numbers in text: each style, and what must stay a word."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.data.columns.numbers import NumberStyle, best_style, parse_numbers


def parsed(cells: list[str], *, comma: bool = False) -> list[float | None]:
    texts = pl.Series(cells)
    style, _ = best_style(texts, pl.Series([1] * len(cells)), comma=comma)
    return parse_numbers(texts, style).to_list()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2", "+3"], [1, -2, 3]),
        (["1.5", ".5", "1e3", "-1E-2"], [1.5, 0.5, 1000.0, -0.01]),
        (["1,234", "5"], [1234, 5]),
        (["1,234.5", "12,345,678"], [1234.5, 12345678.0]),
        (["1,5", "2,25"], [1.5, 2.25]),
        (["1.234,5", "2"], [1234.5, 2.0]),
        (["1 234", "12 345,5"], [1234.0, 12345.5]),
        (["1'234.5"], [1234.5]),
        (["12%", "3.5 %"], [12.0, 3.5]),
        (["$1,234.50", "-$3"], [1234.5, -3.0]),
        (["12,50 €", "3 €"], [12.5, 3.0]),
        (["007", "0123"], [None, None]),
        (["12345678901234567890"], [None]),
        (["08", "12"], [8, 12]),
    ],
)
def test_each_style_is_read(cells: list[str], expected: list[float | None]) -> None:
    assert parsed(cells) == expected


def test_a_comma_is_decimal_where_semicolons_separate() -> None:
    assert parsed(["1,234", "5"], comma=True) == [1.234, 5.0]


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=20), st.sampled_from(",. '"))
def test_grouped_digits_are_the_number(values: list[int], mark: str) -> None:
    texts = pl.Series([f"{value:,}".replace(",", mark) for value in values])
    decimal = "," if mark == "." else "."

    assert parse_numbers(texts, NumberStyle(decimal, mark)).to_list() == values


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_to_the_last_bit(value: float) -> None:
    assert float(parse_numbers(pl.Series([repr(value)]), NumberStyle())[0]) == value
