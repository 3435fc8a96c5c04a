"""Which kind a column is: decided from its values, its words and, for keys, its name."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from everfit.data.columns.collect import Collected, as_words
from everfit.data.columns.scales import ordered_levels
from everfit.errors import DataError
from everfit.records import Kind

N_SURE = 20  # rows; with fewer, all-different values say nothing about a key
KEY_SHARE = 0.95  # of the cells of a key that differ from all others
WORD_PAIRS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"))
_KEY_NAME = re.compile(
    r"(^|[^a-z])(id|ids|uuid|guid|key|pk|index|idx|rowid|rownum|row_number|serial)([^a-z]|$)"
    r"|[a-z](ID|Id|UUID|Uuid)$|^(ID|PID|UID|GUID|SSN|VIN|IBAN)$|^unnamed: ?0$"
)
_STEP_NAME = re.compile(r"^(t|time|step|period|tick|hour|day|week|month|year|lag|age)s?$")
_STAMP_NAME = re.compile(r"(^|_)(timestamp|time|datetime|unix|epoch|ts|at)($|_)|Timestamp|Time$")
_DAY_NAME = re.compile(r"(^|_)(date|day|dt|ymd)($|_)|Date$")
_HASH = r"^(?:[0-9a-f]{16,}|[0-9A-F]{16,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$"


@dataclass(frozen=True, slots=True)
class Judged:
    """A column with its kind: values as they are stored, levels, number of distinct values."""

    values: pl.Series
    kind: Kind
    why: str
    levels: tuple[str, ...] = ()
    n_distinct: int = 0


def judge(column: Collected, *, target: bool = False, levels: tuple[str, ...] = ()) -> Judged:
    """The kind of a collected column and its values as that kind is stored.

    Parameters
    ----------
    target : the column is to be predicted; then words are never a boolean, key or text
    levels : ordered levels that the source declares
    """
    values = column.values
    n_distinct = _n_distinct(column)
    if n_distinct == 0:
        return Judged(as_words(values).cast(pl.String), "constant", "no values at all")
    if n_distinct == 1 and values.null_count() == 0:
        return Judged(as_words(values), "constant", "one value in all rows", (), 1)
    if levels and values.dtype == pl.String:
        return Judged(values, "ordered", "the source gives the order", levels, n_distinct)
    if values.dtype == pl.Boolean:
        if target:
            # labels are given back in their own type
            return Judged(values, "boolean", "target", ("false", "true"), n_distinct)
        return Judged(values, "boolean", "true and false", ("false", "true"), n_distinct)
    if isinstance(values.dtype, pl.Datetime):
        return Judged(values, "date", _why("dates", column), (), n_distinct)
    if values.dtype.is_numeric():
        return _judge_number(column, n_distinct, target)
    words = as_words(values)
    cells = column.cells
    if cells is None or words is not values:
        cells = words.drop_nulls().unique()
        n_distinct = len(cells)
    return _judge_words(words, cells, n_distinct, target)


def _n_distinct(column: Collected) -> int:
    if column.n_distinct is not None:
        return column.n_distinct
    return int(column.values.n_unique()) - int(column.values.null_count() > 0)


def _why(what: str, column: Collected) -> str:
    words = column.reading.words
    return f"{what}, {words}" if words else what


def _judge_number(column: Collected, n_distinct: int, target: bool) -> Judged:
    values = column.values
    if target:
        return Judged(values, "number", _why("numbers", column), (), n_distinct)
    if values.dtype == pl.Int64:
        dates = stamps(values)
        if dates is not None:
            return Judged(dates, "date", "seconds since 1970 or days as YYYYMMDD", (), n_distinct)
        why = _numeric_key(values, n_distinct)
        if why:
            return Judged(as_words(values), "identifier", why, (), n_distinct)
        if _KEY_NAME.search(values.name) and n_distinct >= N_SURE and not _is_row_like(values):
            why = "named like a key and repeated: a category, not a measure"
            return Judged(as_words(values), "category", why, (), n_distinct)
    return Judged(values, "number", _why("numbers", column), (), n_distinct)


def _is_row_like(values: pl.Series) -> bool:
    return bool(values.name.lower() in ("index", "idx"))


def _numeric_key(values: pl.Series, n_distinct: int) -> str:
    """Why whole numbers are a key; empty when they are a measure."""
    n_known = len(values) - values.null_count()
    if n_known < N_SURE or n_distinct < KEY_SHARE * n_known:
        return ""
    named = bool(_KEY_NAME.search(values.name))
    if named and n_distinct == n_known:
        return "named like a key, every value differs"
    if values.null_count() or _STEP_NAME.match(values.name.lower()):
        return ""
    steps = values.diff().drop_nulls()
    first = values.item(0)
    if bool((steps == 1).all()) and (first in (0, 1) or named):
        return "counts the rows"
    return "named like a key, nearly every value differs" if named else ""


def stamps(values: pl.Series) -> pl.Series | None:
    """Whole numbers that are seconds or milliseconds since 1970, or days such as 20240131."""
    low, high = values.min(), values.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return None
    if _DAY_NAME.search(values.name) and low >= 19000101 and high <= 21001231:
        days = values.cast(pl.String).str.to_date("%Y%m%d", strict=False)
        if days.null_count() == values.null_count():
            return days.cast(pl.Datetime("us"))
    if not _STAMP_NAME.search(values.name):
        return None
    # between 1990 and 2070; smaller numbers are durations
    for unit, factor in ((1_000_000, 1), (1_000, 1_000), (1, 1_000_000)):
        if 631_152_000 * factor <= low and high <= 3_155_760_000 * factor:
            return (values * unit).cast(pl.Datetime("us"))
    return None


def _judge_words(values: pl.Series, words: pl.Series, n_distinct: int, target: bool) -> Judged:
    """``words`` are those of ``values``, each at least once."""
    n_known = len(values) - values.null_count()
    if not target:
        pair = word_pair(values, words) if n_distinct <= 6 else ()
        if pair:
            truth = values.str.to_lowercase() == pair[1].lower()
            return Judged(truth, "boolean", f"{pair[0]} and {pair[1]}", pair, 2)
        why = _text(words, n_distinct, n_known)
        if why:
            return Judged(values, "text", why, (), n_distinct)
        why = _word_key(values.name, words, n_distinct, n_known)
        if why:
            return Judged(values, "identifier", why, (), n_distinct)
    levels = ordered_levels(words.to_list()) if n_distinct <= 20 else ()
    if levels and not target:
        return Judged(values, "ordered", "the words are a scale", levels, n_distinct)
    return Judged(values, "category", f"{n_distinct:,} different words", (), n_distinct)


def word_pair(values: pl.Series, words: pl.Series) -> tuple[str, ...]:
    """The (false, true) words of a boolean in their most frequent spelling, or nothing."""
    lower = {str(word).lower() for word in words}
    for pair in WORD_PAIRS:
        if lower == set(pair):
            counts = values.drop_nulls().value_counts(sort=True)[values.name].to_list()
            return tuple(next(w for w in counts if w.lower() == word) for word in pair)
    return ()


def _text(words: pl.Series, n_distinct: int, n_known: int) -> str:
    """Why words are free text; empty when they are not."""
    if n_distinct < N_SURE or (n_distinct < 0.2 * n_known and n_distinct < 1_000):
        return ""
    n_words = words.str.count_matches(r"\S+")
    mean = n_words.mean()
    length = words.str.len_chars().mean()
    if not isinstance(mean, float) or not isinstance(length, float):
        return ""
    if mean >= 3.5 or (mean >= 2.5 and n_distinct > 0.5 * n_known) or (mean > 2 and length >= 40):
        return f"free text, {mean:.0f} words a cell, {n_distinct:,} different cells"
    return ""


def _word_key(name: str, words: pl.Series, n_distinct: int, n_known: int) -> str:
    """Why words are a key; empty when they are categories."""
    if n_known < N_SURE:
        return ""
    if n_distinct >= KEY_SHARE * n_known:
        return "nearly every value differs"
    hashes = words.str.contains(_HASH).mean()
    if isinstance(hashes, float) and hashes > 0.95 and n_distinct > 0.5 * n_known:
        return "looks like hashes"
    if _KEY_NAME.search(name) and n_distinct > 0.8 * n_known:
        return "named like a key, most values differ"
    return ""


def as_kind(column: Collected, kind: Kind) -> Judged:
    """The column as the ``kind`` that the caller wants.

    Raises
    ------
    DataError : more than half of the values cannot be of that kind
    """
    free = judge(column)
    values = column.values
    if kind == "number":
        values = _numbers(values)
    elif kind == "date":
        values = free.values if free.kind == "date" else _dates(values)
    elif kind == "boolean":
        return _as_boolean(column, free)
    elif kind == "constant" and free.n_distinct > 1:
        raise _cannot(column, kind, f"{free.n_distinct:,} different values")
    else:
        values = as_words(values)
    lost = values.null_count() - column.values.null_count()
    n_known = len(values) - column.values.null_count()
    if lost > 0.5 * n_known:
        raise _cannot(column, kind, f"{lost:,} of {n_known:,} values are none")
    n_distinct = int(values.n_unique()) - int(values.null_count() > 0)
    levels: tuple[str, ...] = ()
    if kind == "ordered":
        levels = free.levels if free.kind == "ordered" else _any_order(column.values, values)
    return Judged(values, kind, "as told", levels, n_distinct)


def _numbers(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values.cast(pl.Float64, strict=False).fill_nan(None)
    return values if values.dtype == pl.Int64 else values.cast(pl.Float64)


def _dates(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, pl.Datetime):
        return values  # one date alone is judged constant, but it is a date
    if values.dtype.is_numeric():
        for name in ("date", "timestamp"):
            found = stamps(values.cast(pl.Int64, strict=False).alias(name))
            if found is not None:
                return found.alias(values.name)
        # years
        years = values.cast(pl.Int64, strict=False).cast(pl.String) + "-01-01"
        return years.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    return pl.Series(values.name, [None] * len(values), dtype=pl.Datetime("us"))


def _as_boolean(column: Collected, free: Judged) -> Judged:
    if free.kind == "boolean":
        return Judged(free.values, "boolean", "as told", free.levels, free.n_distinct)
    words = as_words(column.values)
    two = sorted(words.drop_nulls().unique().to_list())
    if len(two) != 2:
        raise _cannot(column, "boolean", f"{len(two):,} different values")
    return Judged(words == two[1], "boolean", "as told", (two[0], two[1]), 2)


def _any_order(values: pl.Series, words: pl.Series) -> tuple[str, ...]:
    """Levels by number when there are numbers, else by alphabet: the caller wants an order."""
    if values.dtype.is_numeric():
        return tuple(as_words(values.drop_nulls().unique().sort()).to_list())
    return tuple(sorted(words.drop_nulls().unique().to_list()))


def _cannot(column: Collected, kind: Kind, got: str) -> DataError:
    examples = column.values.drop_nulls().head(3).to_list()
    shown = ", ".join(repr(value) for value in examples)
    return DataError(
        f"column {column.values.name!r} cannot be of kind {kind}",
        got=f"{got}, such as {shown}" if shown else got,
        expected=f"values that a {kind} can hold",
        do="leave the kind of this column to the reader, or repair the column",
    )
