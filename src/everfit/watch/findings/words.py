"""Numbers and times as findings say them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from everfit.evidence.interval import Interval


def percent(share: float) -> str:
    """A share in per cent, never 0% or 100% when it is not.

    Examples
    --------
    >>> percent(0.1234), percent(0.0004), percent(1.0), percent(0.9996)
    ('12%', 'under 0.1%', '100%', 'over 99.9%')
    """
    if 0 < share < 0.001:
        return "under 0.1%"
    if 0.999 < share < 1:
        return "over 99.9%"
    digits = 1 if 0 < share < 0.0995 or 0.9905 <= share < 1 else 0
    return f"{100 * share:.{digits}f}%"


def day(at: datetime) -> str:
    """The day of a moment, with its hour where it is not midnight.

    Examples
    --------
    >>> day(datetime(2026, 11, 3)), day(datetime(2026, 11, 3, 16))
    ('3 Nov', '3 Nov 16:00')
    """
    name = f"{at.day} {at:%b}"
    return name if not (at.hour or at.minute) else f"{name} {at:%H:%M}"


def short(number: float | str) -> str:
    """A number in up to four digits, a word in quotes.

    Examples
    --------
    >>> short(1234567.0), short(0.12345), short("basic")
    ('1,235,000', '0.1235', "'basic'")
    """
    if isinstance(number, str):
        return repr(number)
    rounded = float(f"{number:.4g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:.4g}"


def ranged(interval: Interval) -> str:
    """A number with its range.

    Examples
    --------
    >>> ranged(Interval(0.406, 0.41, 0.419))
    '0.41 (0.406 to 0.419)'
    """
    return f"{short(interval.mid)} ({short(interval.low)} to {short(interval.high)})"


def listed(names: Iterable[str], *, most: int = 3) -> str:
    """Names of columns as code, the first few of many.

    Examples
    --------
    >>> listed(["age", "plan"]), listed("abcde")
    ('`age` and `plan`', '`a`, `b`, `c` and 2 more')
    """
    marked = [f"`{name}`" for name in names]
    if len(marked) > most:
        return f"{', '.join(marked[:most])} and {len(marked) - most} more"
    return " and ".join([", ".join(marked[:-1]), marked[-1]] if len(marked) > 1 else marked)


def windows(n: int) -> str:
    """A count of windows.

    Examples
    --------
    >>> windows(1), windows(12)
    ('1 window', '12 windows')
    """
    return f"{n} window" if n == 1 else f"{n:,} windows"
