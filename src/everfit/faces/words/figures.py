"""Numbers as people read them: times, ranges, counts, names of metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from everfit.evidence.interval import Interval

METRICS = {  # the short name, and what is lost on the average row when it is judged by it
    "auc": ("AUC", "mean log loss"),
    "log_loss": ("log loss", "mean log loss"),
    "accuracy": ("accuracy", "share of wrong answers"),
    "brier": ("Brier", "mean squared error"),
    "rmse": ("RMSE", "mean squared error"),
    "mae": ("MAE", "mean absolute error"),
    "r2": ("R2", "mean squared error"),
}


def metric_name(metric: str) -> str:
    """The usual short name of a metric; one that is not known here keeps its own.

    Examples
    --------
    >>> metric_name("auc"), metric_name("pinball_loss")
    ('AUC', 'pinball loss')
    """
    return METRICS[metric][0] if metric in METRICS else metric.replace("_", " ")


def loss_name(metric: str) -> str:
    """What the mean loss is, when a metric judges; gains and floors are in its unit.

    Examples
    --------
    >>> loss_name("rmse"), loss_name("auc"), loss_name("pinball_loss")
    ('mean squared error', 'mean log loss', 'mean loss')
    """
    return METRICS[metric][1] if metric in METRICS else "mean loss"


def duration(seconds: float) -> str:
    """A length of time in words.

    Examples
    --------
    >>> duration(0.42), duration(401), duration(3600), duration(8 * 3600 + 300)
    ('0.4 s', '6 min 41 s', '1 h', '8 h 5 min')
    """
    if not math.isfinite(seconds):
        return "unknown time"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    shown = [f"{n} {unit}" for n, unit in (parts[:2] if whole >= 3600 else parts[1:]) if n]
    return " ".join(shown)


def clock(seconds: float) -> str:
    """A length of time for a column: ``0:41``, ``12:05``, ``1:02:05``; under 10 s with tenths.

    Examples
    --------
    >>> clock(41.4), clock(3725), clock(0.34)
    ('0:41', '1:02:05', '0.3 s')
    """
    if not math.isfinite(seconds):
        return "-"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def decimals(intervals: Iterable[Interval | None]) -> int:
    """Decimals so that the narrowest range of a column shows two digits of its width.

    Below 0 for large numbers: their last digits would say nothing.

    Examples
    --------
    >>> decimals([Interval(0.836, 0.847, 0.858)]), decimals([Interval(51e3, 52e3, 53e3)])
    (3, -2)
    """
    widths = [i.high - i.low for i in intervals if i is not None]
    finite = [w for w in widths if math.isfinite(w) and w > 0]
    if not finite:
        return 3
    return max(-9, min(6, 1 - math.floor(math.log10(min(finite)))))


def number(value: float | None, places: int = 3) -> str:
    """One number with thousands separators; ``-`` where there is none.

    Examples
    --------
    >>> number(51234.5, -2), number(float("nan")), number(0.8466)
    ('51,200', '-', '0.847')
    """
    if value is None or not math.isfinite(value):
        return "-"
    if value != 0 and abs(value) >= 1e9:
        return f"{value:.3g}"
    return f"{round(value, places):,.{max(0, places)}f}"


def plain(value: float | None) -> str:
    """A limit or count that is shown alone: short, without needless zeros.

    Examples
    --------
    >>> plain(9612.0), plain(0.05), plain(372951.4), plain(None)
    ('9,612', '0.05', '373,000', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    short = f"{value:.4g}"
    return f"{float(short):,.0f}" if 1e3 <= abs(value) < 1e15 else short


def span(interval: Interval | None, places: int | None = None) -> str:
    """The ends of a 95% range, for a table.

    Examples
    --------
    >>> span(Interval(0.8361, 0.8470, 0.8581))
    '0.836 - 0.858'
    """
    if interval is None:
        return "-"
    places = decimals([interval]) if places is None else places
    # a minus sign between negative ends would be misread
    join = " to " if interval.low < 0 else " - "
    return f"{number(interval.low, places)}{join}{number(interval.high, places)}"


def ends(interval: Interval, places: int) -> str:
    """The ends of a 95% range, for a sentence: a dash could be read as a minus where it folds.

    Examples
    --------
    >>> ends(Interval(0.8361, 0.8470, 0.8581), 3)
    '0.836 to 0.858'
    """
    return f"{number(interval.low, places)} to {number(interval.high, places)}"


def in_words(interval: Interval, unit: str = "", *, counts: str = "row") -> str:
    """A number with its range and rows for a sentence, or with what else was counted.

    Examples
    --------
    >>> in_words(Interval(0.836, 0.847, 0.858, n=9612))
    '0.847 (95% range 0.836 to 0.858), 9,612 rows'
    """
    places = decimals([interval])
    rows = f", {counted(interval.n, counts)}" if interval.n else ""
    share = (
        f"{interval.level:.0%}"
        if round(interval.level, 4) == round(interval.level, 2)
        else (f"{interval.level:.1%}")
    )
    text = f"{number(interval.mid, places)}{' ' + unit if unit else ''}"
    return f"{text} ({share} range {ends(interval, places)}){rows}"


def per_row(microseconds: float) -> str:
    """Time to answer one row of a batch.

    Examples
    --------
    >>> per_row(0.8), per_row(23.0), per_row(1500)
    ('0.8 us', '23 us', '1.5 ms')
    """
    if not math.isfinite(microseconds):
        return "-"
    if microseconds >= 1000:
        return f"{microseconds / 1000:.3g} ms"
    return f"{microseconds:.2g} us" if microseconds < 10 else f"{microseconds:.0f} us"


def place(path: str) -> str:
    """A path as a person would write it: from the current folder when it lies inside it.

    Examples
    --------
    >>> place(str(Path.cwd() / ".everfit")), place("postgresql://host/db")
    ('.everfit', 'postgresql://host/db')
    """
    here = Path.cwd()
    inside = "://" not in path and Path(path).is_relative_to(here)
    return str(Path(path).relative_to(here)) if inside else path


def sentence(text: str) -> str:
    """``text`` with a capital and a full stop; names in backticks stay as they are.

    Examples
    --------
    >>> sentence("the time for trials ended"), sentence("`age` is missing.")
    ('The time for trials ended.', '`age` is missing.')
    """
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def counted(n: int, what: str) -> str:
    """How many there are of something, one or many.

    Examples
    --------
    >>> counted(1, "model"), counted(1200, "row")
    ('1 model', '1,200 rows')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def size(n_bytes: float) -> str:
    """A number of bytes in the unit that people use.

    Examples
    --------
    >>> size(512), size(20_480), size(3.2e9)
    ('512 B', '20 KiB', '3.0 GiB')
    """
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    step = min(len(units) - 1, max(0, int(math.log(n_bytes, 1024)))) if n_bytes >= 1 else 0
    amount = n_bytes / 1024**step
    return (
        f"{amount:.0f} {units[step]}" if amount >= 10 or not step else f"{amount:.1f} {units[step]}"
    )
