"""Words that stand for a missing cell, in any column or only where numbers or dates stand."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

# unmistakable in any column; compared as they are after blanks are taken off
ANYWHERE = frozenset(
    {"", "?", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "Null", "<NA>", "#N/A"}
    | {"\\N", "NaT", "(null)", "#NA", "-nan", "-NaN"}
)
# words that a text column may mean, but that no number or date is; compared in lower case
BESIDE_NUMBERS = frozenset(
    {
        "none",
        "nil",
        "-",
        "--",
        "---",
        ".",
        "..",
        "...",
        "*",
        "**",
        "#",
        "x",
        "_",
        "\u2013",
        "\u2014",
    }
    | {"na", "n.a.", "n.a", "n/a", "nan", "null", "nd", "n.d.", "not available", "not applicable"}
    | {"missing", "unknown", "unk", "undefined", "not known", "not reported", "no data", "blank"}
    | {"error", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#n/a", "??", "???", "tbd"}
)
_COUNTRIES = frozenset({"GB", "FR", "CN", "JP", "ZA", "BR", "ES", "IT", "SE", "RU", "KE", "NG"})
_CONTINENTS = frozenset({"AF", "AN", "AS", "EU", "OC", "SA"})


def marks_in(cells: pl.Series) -> frozenset[str]:
    """Those of the distinct ``cells`` of a text column that stand for missing.

    ``NA`` is kept as a value among codes of countries or continents, where it is Namibia or
    North America.

    Examples
    --------
    >>> sorted(marks_in(pl.Series(["yes", "no", "?", "NA"])))
    ['?', 'NA']
    >>> marks_in(pl.Series(["EU", "AS", "NA", "AF"]))
    frozenset()
    """
    known = pl.Series(sorted(ANYWHERE), dtype=pl.String)
    found = frozenset(cells.filter(cells.is_in(known.implode())).to_list())
    if "NA" in found and len(cells) <= 500:
        others = set(cells.to_list()) - found
        continents = len(others) >= 3 and others <= _CONTINENTS
        codes = continents or len(_COUNTRIES & others) >= 3
        if codes and all(len(value) == 2 for value in others):
            found -= {"NA"}
    return found


def is_mark_beside_numbers(word: str) -> bool:
    """Whether ``word`` stands for missing in a column of numbers or dates."""
    return word in ANYWHERE or word.lower() in BESIDE_NUMBERS


def blank(texts: pl.Series, marks: Collection[str]) -> pl.Series:
    """``texts`` with the cells that are one of ``marks`` made null."""
    if not marks:
        return texts
    found = texts.is_in(pl.Series(sorted(marks), dtype=pl.String).implode())
    return texts.set(found.fill_null(False), None)


def stripped(texts: pl.Series) -> tuple[pl.Series, bool]:
    """Cells without blanks around them, empty ones null; and whether any was only blanks.

    Examples
    --------
    >>> stripped(pl.Series([" a", "", "  "]))[0].to_list()
    ['a', None, None]
    """
    bare = texts.str.strip_chars()
    empty = bare == ""
    n_empty = int(empty.sum())
    if not n_empty:
        return bare, False
    blanks = n_empty > int((texts == "").sum())
    return bare.set(empty.fill_null(False), None), blanks
