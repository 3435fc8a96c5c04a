"""Numbers in text: plain, with thousands marks, with a decimal comma, with a unit sign."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

# Int64 holds 18 digits for sure; longer ones are keys, and a float would melt neighbours together
MAX_DIGITS = 18
_SIGN = "[$\u20ac\u00a3\u00a5\u20b9]"
_THOUSANDS = {",": ",", ".": r"\.", " ": "[ \u00a0\u202f]", "'": "['\u2019]"}


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How the numbers of one column are written.

    ``thousands`` is empty when there are no such marks; ``sign`` is ``%`` or ``currency`` when
    some cells carry it (12% is read as 12).
    """

    decimal: str = "."
    thousands: str = ""
    sign: str = ""

    @property
    def words(self) -> str:
        """The style in words; empty for the plain one."""
        parts = []
        if self.decimal == ",":
            parts.append("decimal comma")
        if self.thousands:
            parts.append(f"thousands mark {self.thousands!r}")
        if self.sign:
            parts.append("percent signs" if self.sign == "%" else "currency signs")
        return ", ".join(parts)


PLAIN = NumberStyle()
_BARE = (
    PLAIN,
    NumberStyle(".", ","),
    NumberStyle(",", ""),
    NumberStyle(",", "."),
    NumberStyle(".", " "),
    NumberStyle(",", " "),
    NumberStyle(".", "'"),
)


def styles(comma: bool) -> tuple[NumberStyle, ...]:
    """All styles in the order in which they are tried; with ``comma`` decimal commas come first.

    ``1,234`` may be either; a file cut by semicolons has decimal commas.
    """
    bare: tuple[NumberStyle, ...] = _BARE
    if comma:
        bare = (PLAIN, *(s for s in _BARE if s.decimal == ","), *_BARE[1:])
    signed = [NumberStyle(s.decimal, s.thousands, sign) for sign in ("%", "currency") for s in bare]
    return tuple(dict.fromkeys((*bare, *signed)))


def parse_numbers(texts: pl.Series, style: NumberStyle) -> pl.Series:
    """Int64 when every cell that fits is whole, else Float64; null where a cell does not fit.

    Cells must have no blanks around them. Whole numbers with a leading zero, such as 007, or with
    more than 18 digits do not fit: they are codes. NaN becomes null; infinite values stay.

    Examples
    --------
    >>> parse_numbers(pl.Series(["1.234,5", "12"]), NumberStyle(",", ".")).to_list()
    [1234.5, 12.0]
    >>> parse_numbers(pl.Series(["007", "12"]), PLAIN).to_list()
    [None, 12]
    """
    bare = texts if style == PLAIN else _plain(texts, style)
    coded = _codes(bare)
    if coded is not None:
        bare = bare.set(coded, None)
    whole = bare.cast(pl.Int64, strict=False)
    if whole.null_count() == bare.null_count():
        return whole
    return bare.cast(pl.Float64, strict=False).fill_nan(None)


def _codes(texts: pl.Series) -> pl.Series | None:
    """Where a cell is a code of digits: a leading zero, or more digits than Int64 holds."""
    pattern = rf"^[+-]?(?:0\d{{2,}}|\d{{{MAX_DIGITS + 1},}})$|^\+\d{{8,}}$"
    found = texts.str.contains(pattern).fill_null(False)
    return found if found.any() else None


def _plain(texts: pl.Series, style: NumberStyle) -> pl.Series:
    """The cells that are written in ``style`` as Python would write them; others null."""
    if style.sign == "%":
        texts = texts.str.replace(r"\s*%$", "")
    elif style.sign:
        texts = texts.str.replace(rf"^([+-]?)\s*{_SIGN}\s*", "$1").str.replace(rf"\s*{_SIGN}$", "")
    fits = texts.str.contains(pattern_of(style)).fill_null(False)
    bare = texts.set(~fits, None)
    if style.thousands:
        bare = bare.str.replace_all(_THOUSANDS[style.thousands], "")
    if style.decimal == ",":
        bare = bare.str.replace(",", ".", literal=True)
    return bare


def pattern_of(style: NumberStyle) -> str:
    """The regular expression of a number in ``style``, without its unit sign."""
    decimal = re.escape(style.decimal)
    if not style.thousands:
        return rf"^[+-]?(?:\d+(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?$"
    mark = _THOUSANDS[style.thousands]
    grouped = rf"(?:[1-9]\d{{0,2}}(?:{mark}\d{{3}})+|\d+)"
    return rf"^[+-]?{grouped}(?:{decimal}\d*)?(?:[eE][+-]?\d+)?$"


def _fits_some(cells: list[str], style: NumberStyle) -> bool:
    pattern = re.compile(pattern_of(style) if style != PLAIN else r"^[+-]?(\d|\.\d|inf|Inf|INF)")
    if style.sign == "%":
        cells = [cell[:-1].rstrip() for cell in cells if cell.endswith("%")]
    elif style.sign:
        signed = [cell for cell in cells if re.search(_SIGN, cell)]
        cells = [re.sub(rf"\s*{_SIGN}\s*", "", cell) for cell in signed]
    return any(pattern.match(cell) for cell in cells)


def best_style(texts: pl.Series, counts: pl.Series, *, comma: bool) -> tuple[NumberStyle, int]:
    """The style that fits most cells, and how many: the first of those that fit equally many.

    Parameters
    ----------
    texts, counts : distinct cells without blanks around them, and how often each comes
    """
    total = int(counts.sum())
    best, best_fit = PLAIN, 0
    # a style that fits none of a few hundred distinct cells is not the one of the column; looking
    # with Python's expressions first is much cheaper for small columns
    some = texts.gather_every(max(1, len(texts) // 300)).to_list()
    for style in styles(comma):
        if not _fits_some(some, style):
            continue
        fit = int(counts.filter(parse_numbers(texts, style).is_not_null()).sum())
        if fit > best_fit:
            best, best_fit = style, fit
        if best_fit == total:
            break
    return best, best_fit
