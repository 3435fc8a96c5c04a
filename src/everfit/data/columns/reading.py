"""How the text of one column is read: as numbers, as dates or as words.

A reading is chosen from all distinct cells seen so far and then checked against every later cell,
so that what comes out holds for the whole column and not for a sample of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from everfit.data.columns.dates import DateForm, best_form, parse_dates
from everfit.data.columns.missing import is_mark_beside_numbers, marks_in
from everfit.data.columns.numbers import NumberStyle, best_style, parse_numbers
from everfit.records import Kind

_VALUE = re.compile(r"\d|^[+-]?inf", re.IGNORECASE)
JUNK_SHARE = 0.02  # of the cells; more odd words than this and a column is words
JUNK_WORDS = 10  # different odd words; a column of codes such as V27 has many
MANY = 50_000  # different words
MIN_NUMBERS = 0.5  # of the cells that are no mark; less is a column of words


@dataclass(frozen=True, slots=True)
class Reading:
    """Numbers of one style, dates of one form, or words (both None)."""

    style: NumberStyle | None = None
    form: DateForm | None = None

    @property
    def is_text(self) -> bool:
        """Whether cells stay words."""
        return self.style is None and self.form is None

    def apply(self, texts: pl.Series) -> pl.Series:
        """The cells as values; null where a cell does not fit."""
        if self.style is not None:
            return parse_numbers(texts, self.style)
        if self.form is not None:
            return parse_dates(texts, self.form)
        return texts

    @property
    def words(self) -> str:
        """How cells are written, in words; empty when that needs no word."""
        if self.style is not None:
            return self.style.words
        return self.form.words if self.form is not None else ""


TEXT = Reading()


def tally(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Distinct cells in order of first appearance, and how often each comes; null left out."""
    found = pl.DataFrame({"cell": texts.drop_nulls()}).group_by("cell", maintain_order=True).len()
    return found["cell"], found["len"]


def spread(texts: pl.Series) -> tuple[pl.Series, pl.Series, int]:
    """Cells that stand for the whole column, how often each counts, and how many differ.

    As :func:`tally`, but a column of very many different words is given cell by cell, because a
    table of them would take several times the memory of the column. The different words are
    counted by 64-bit hashes there: two of a million share one with a probability of 3e-8.
    """
    known = texts.drop_nulls()
    if len(known) > MANY:
        hashed = known.hash().sort()
        n_distinct = 1 + int((hashed != hashed.shift(1)).sum())
        if n_distinct > MANY:
            return known, pl.repeat(1, len(known), dtype=pl.UInt32, eager=True), n_distinct
    cells, counts = tally(texts)
    return cells, counts, len(cells)


def choose(cells: pl.Series, counts: pl.Series, *, comma: bool = False) -> Reading:
    """The reading of a column with these distinct cells.

    Parameters
    ----------
    cells, counts : cells without blanks around them in order of first appearance, and how often
        each counts
    comma : decimal commas are likely

    Examples
    --------
    >>> choose(pl.Series(["1", "2.5", "?"]), pl.Series([8, 1, 1])).style
    NumberStyle(decimal='.', thousands='', sign='')
    >>> choose(pl.Series(["low", "2"]), pl.Series([8, 1])).is_text
    True
    """
    marks = marks_in(cells)
    if marks:
        kept = ~cells.is_in(pl.Series(sorted(marks), dtype=pl.String).implode())
        cells, counts = cells.filter(kept), counts.filter(kept)
    if cells.is_empty():
        return TEXT
    if not _may_be_values(cells):
        return TEXT
    style, n_numbers = best_style(cells, counts, comma=comma)
    if n_numbers == int(counts.sum()):
        return Reading(style=style)
    form, n_dates = best_form(cells, counts)
    if form is not None and n_dates > n_numbers:
        candidate, n_fit = Reading(form=form), n_dates
    elif n_numbers:
        candidate, n_fit = Reading(style=style), n_numbers
    else:
        return TEXT
    lost = candidate.apply(cells).is_null()
    odd = dict(zip(cells.filter(lost).to_list(), counts.filter(lost).to_list(), strict=True))
    return candidate if tolerable(odd, n_fit) else TEXT


def choose_as(kind: Kind, cells: pl.Series, counts: pl.Series, *, comma: bool = False) -> Reading:
    """The reading of a column whose kind is known: what fits most cells, however few they are.

    Examples
    --------
    >>> choose_as("date", pl.Series(["31.01.2020", "soon"]), pl.Series([1, 1])).form.format
    '%d.%m.%Y'
    """
    if kind == "date":
        form, _ = best_form(cells, counts, known=True)
        if form is not None:
            return Reading(form=form)
    style, n_fit = best_style(cells, counts, comma=comma)
    return Reading(style=style) if n_fit else TEXT


def _may_be_values(cells: pl.Series) -> bool:
    """Cheap look at a few cells spread over the column: one of them must begin like a value."""
    some = cells.gather_every(max(1, len(cells) // 500)).to_list()
    fit = sum(len(cell) <= 40 and _VALUE.search(cell) is not None for cell in some)
    return fit >= 0.3 * len(some)


def tolerable(odd: Mapping[str, int], n_fit: int) -> bool:
    """Whether cells that do not fit may count as missing beside ``n_fit`` cells that do.

    Words such as ``?`` or ``none`` always may; other words only when they are few and rare.
    """
    marks = sum(n for word, n in odd.items() if is_mark_beside_numbers(word))
    junk = sum(odd.values()) - marks
    n_junk = sum(not is_mark_beside_numbers(word) for word in odd)
    if any(_is_code(word) for word in odd):
        return False
    if n_fit < MIN_NUMBERS * (n_fit + marks + junk) and marks:
        # mostly marks: still numbers when nothing but marks stands beside them
        return junk == 0 and n_fit > 0
    return n_junk <= JUNK_WORDS and junk <= JUNK_SHARE * (n_fit + junk)


def _is_code(word: str) -> bool:
    digits = word.lstrip("+-")
    return digits.isdigit() and ((len(digits) > 2 and digits[0] == "0") or len(digits) > 18)
