"""Dates in text: the common forms, with day and month told apart over the whole column."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

_CLOCKS = ("", " %H:%M:%S%.f", " %H:%M", "T%H:%M:%S%.f", "T%H:%M", " %I:%M:%S %p", " %I:%M %p")
_DAYS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
    "%d/%b/%Y",
    "%a %b %d %Y",
)
_MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%Y %b", "%YM%m")
# day first and month first: which one is decided by all cells, then by the order of the rows
_SWAPPED = {
    "%m/%d/%Y": "%d/%m/%Y",
    "%d/%m/%Y": "%m/%d/%Y",
    "%m/%d/%y": "%d/%m/%y",
    "%d/%m/%y": "%m/%d/%y",
    "%d-%m-%Y": "%m-%d-%Y",
    "%m-%d-%Y": "%d-%m-%Y",
}
_LOOKS = re.compile(r"^\s*(\d{1,4}[-/. ]|[A-Za-z]{3,9}[ -.]|\d{4}M\d)", re.ASCII)
_SHAPES = {
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%m": r"\d{1,2}",
    "%d": r"\d{1,2}",
    "%b": r"[A-Za-z]{3}",
    "%B": r"[A-Za-z]{3,9}",
    "%a": r"[A-Za-z]{3}",
    "%H": r"\d{1,2}",
    "%I": r"\d{1,2}",
    "%M": r"\d{2}",
    "%S": r"\d{2}",
    "%.f": r"(?:\.\d+)?",
    "%p": r"[AaPp][Mm]",
}
_ZONED = r"(?:Z|UTC|[+-]\d{2}:?\d{2})$"


@dataclass(frozen=True, slots=True)
class DateForm:
    """How the dates of one column are written: a strftime format, and whether a zone follows.

    ``either`` is true when day and month could be either way round by their numbers; ``unsure``
    then holds the other way when the order of the rows did not tell them apart.
    """

    format: str
    zoned: bool = False
    unsure: str = ""
    either: bool = False

    @property
    def words(self) -> str:
        """The form in words."""
        zone = ", turned into UTC" if self.zoned else ""
        return f"written as {self.format}{zone}"


def parse_dates(texts: pl.Series, form: DateForm) -> pl.Series:
    """Datetime[us] without zone (UTC when there was one); null where a cell does not fit.

    Examples
    --------
    >>> parse_dates(pl.Series(["31.12.2020"]), DateForm("%d.%m.%Y")).to_list()
    [datetime.datetime(2020, 12, 31, 0, 0)]
    """
    dates = _parsed(texts, form)
    # a year such as 20 is one that was written with two digits
    return dates.set(~dates.dt.year().is_between(1000, 2999).fill_null(True), None)


def _parsed(texts: pl.Series, form: DateForm) -> pl.Series:
    if form.zoned:
        # Polars wants one spelling of the zone
        texts = texts.str.replace(r"\s*(?:Z|UTC)$", "+00:00")
        texts = texts.str.replace(r"\s*([+-]\d{2}):?(\d{2})$", "$1:$2")
        zoned = texts.str.to_datetime(
            form.format + "%:z", time_unit="us", strict=False, time_zone="UTC"
        )
        return zoned.dt.replace_time_zone(None)
    if form.format in _MONTHS:
        return (texts + " 01").str.to_datetime(form.format + " %d", time_unit="us", strict=False)
    if "%H" in form.format or "%I" in form.format:
        return texts.str.to_datetime(form.format, time_unit="us", strict=False)
    return texts.str.to_date(form.format, strict=False).cast(pl.Datetime("us"))


def best_form(
    texts: pl.Series, counts: pl.Series, *, known: bool = False
) -> tuple[DateForm | None, int]:
    """The form that fits most cells, and how many cells it fits.

    Parameters
    ----------
    texts, counts : distinct cells in order of first appearance, and how often each comes
    known : the column holds dates, so that it is tried even when most cells do not look so
    """
    some = texts.gather_every(max(1, len(texts) // 200))
    sample = some.to_list()
    looks = sum(bool(_LOOKS.match(value)) for value in sample)
    if looks < 0.5 * len(sample) and not known:
        return None, 0
    zoned = sum(bool(re.search(r"\d{1,2}:\d{2}.*" + _ZONED, cell)) for cell in sample)
    best, best_fit = None, 0
    for form in _forms(sample, zoned=zoned > 0.5 * len(sample)):
        fit = int(counts.filter(parse_dates(texts, form).is_not_null()).sum())
        if fit > best_fit:
            best, best_fit = form, fit
        if best_fit == int(counts.sum()):
            break
    if best is None:
        return None, 0
    return _day_or_month(texts, counts, best, best_fit), best_fit


def _forms(sample: list[str], *, zoned: bool) -> list[DateForm]:
    """Forms whose shape fits at least one cell of a sample, those that fit most of them first."""
    clocked = any(":" in cell for cell in sample)
    found: list[tuple[int, DateForm]] = []
    for day in (*_DAYS, *_MONTHS):
        begins = _shape(day)
        if not any(begins.match(cell) for cell in sample):
            continue
        clocks = _CLOCKS[1:] if zoned else _CLOCKS if clocked and day in _DAYS else ("",)
        for clock in clocks:
            shape = _shape(day + clock, end=r"\s*" + _ZONED if zoned else "$")
            n = sum(bool(shape.match(cell)) for cell in sample)
            if n:
                found.append((n, DateForm(day + clock, zoned)))
    return [form for _, form in sorted(found, key=lambda pair: -pair[0])]


def _shape(format_: str, end: str = "") -> re.Pattern[str]:
    """What a cell written in a strftime format looks like, for a cheap first look."""
    return re.compile(
        "".join(_SHAPES.get(part, re.escape(part)) for part in re.split(r"(%\.?[A-Za-z])", format_))
        + end
    )


def _day_or_month(texts: pl.Series, counts: pl.Series, form: DateForm, fit: int) -> DateForm:
    """When both ways round fit all cells, take the one in which rows follow each other closer."""
    day = next((key for key in _SWAPPED if form.format.startswith(key)), None)
    if day is None:
        return form
    other = DateForm(form.format.replace(day, _SWAPPED[day], 1), form.zoned)
    if int(counts.filter(parse_dates(texts, other).is_not_null()).sum()) < fit:
        return form
    steps = [_steps(parse_dates(texts, choice)) for choice in (form, other)]
    if steps[1] < 0.5 * steps[0]:
        return DateForm(other.format, form.zoned, either=True)
    if steps[0] < 0.5 * steps[1]:
        return DateForm(form.format, form.zoned, either=True)
    first = min(form, other, key=lambda choice: _preference(choice.format))
    second = other if first == form else form
    return DateForm(first.format, form.zoned, unsure=second.format, either=True)


def _preference(format_: str) -> int:
    # nothing in the data tells: slashes are mostly American, dots and dashes mostly not
    return int(format_.startswith("%d") == ("/" in format_[:3]))


def _steps(dates: pl.Series) -> float:
    step = dates.drop_nulls().cast(pl.Int64).diff().abs().mean()
    return float(step) if isinstance(step, (int, float)) else 0.0
