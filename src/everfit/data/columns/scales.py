"""Ordered words: known scales, and words that carry numbers or ranges of numbers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection

MAX_LEVELS = 20

# each from low to high; words of one place are spellings of the same level
_SCALES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (
        ("none",),
        ("very low", "vlow", "v low"),
        ("low", "lo"),
        ("medium", "med", "mid", "moderate"),
        ("high", "hi"),
        ("very high", "vhigh", "v high"),
        ("critical",),
    ),
    (
        ("xxs",),
        ("xs",),
        ("s", "small"),
        ("m", "medium", "med"),
        ("l", "large", "big"),
        ("xl",),
        ("xxl", "2xl"),
        ("xxxl", "3xl"),
    ),
    (("tiny",), ("small",), ("medium", "med"), ("large", "big"), ("huge",)),
    (
        ("terrible",),
        ("very poor", "very bad"),
        ("poor", "bad"),
        ("below average",),
        ("fair", "average", "ok", "okay", "acceptable", "regular"),
        ("above average",),
        ("good",),
        ("very good", "vgood"),
        ("excellent", "great"),
        ("outstanding",),
    ),
    (("fair",), ("good",), ("very good",), ("premium",), ("ideal",)),
    (("no", "none"), ("po",), ("fa",), ("ta",), ("gd",), ("ex",)),
    (("no", "none"), ("mn",), ("av",), ("gd",)),
    (
        ("i3",),
        ("i2",),
        ("i1",),
        ("si2",),
        ("si1",),
        ("vs2",),
        ("vs1",),
        ("vvs2",),
        ("vvs1",),
        ("if",),
        ("fl",),
    ),
    (
        ("strongly disagree",),
        ("disagree",),
        ("somewhat disagree",),
        ("neutral", "neither agree nor disagree", "undecided"),
        ("somewhat agree",),
        ("agree",),
        ("strongly agree",),
    ),
    (
        ("very dissatisfied",),
        ("dissatisfied",),
        ("neutral",),
        ("satisfied",),
        ("very satisfied",),
    ),
    (
        ("never",),
        ("rarely", "seldom"),
        ("sometimes", "occasionally"),
        ("often", "frequently"),
        ("usually",),
        ("always",),
    ),
    (("unlikely",), ("possible",), ("likely",), ("very likely",), ("certain",)),
    (("mild",), ("moderate",), ("severe",), ("critical",)),
    (("bronze",), ("silver",), ("gold",), ("platinum",), ("diamond",)),
    (("beginner",), ("intermediate",), ("advanced",), ("expert",)),
    (("junior",), ("mid", "middle"), ("senior",), ("lead", "principal")),
    (
        ("mon", "monday"),
        ("tue", "tues", "tuesday"),
        ("wed", "wednesday"),
        ("thu", "thur", "thurs", "thursday"),
        ("fri", "friday"),
        ("sat", "saturday"),
        ("sun", "sunday"),
    ),
    (
        ("jan", "january"),
        ("feb", "february"),
        ("mar", "march"),
        ("apr", "april"),
        ("may",),
        ("jun", "june"),
        ("jul", "july"),
        ("aug", "august"),
        ("sep", "sept", "september"),
        ("oct", "october"),
        ("nov", "november"),
        ("dec", "december"),
    ),
    (("primary",), ("secondary",), ("tertiary",)),
    (("first",), ("second",), ("third",), ("fourth",), ("fifth",)),
)
_NUMBER = r"[-+]?\d+(?:[.,]\d+)*"
_RANGE = re.compile(
    rf"^(?P<low>{_NUMBER})\s*(?:-|\u2013|to|\.\.|<=?\s*[a-z]+\s*<=?)\s*(?P<high>{_NUMBER})(?P<unit>.*)$"
)
_BELOW = re.compile(
    rf"^(?:<=?|\u2264|under|below|less than|up to)\s*(?P<high>{_NUMBER})(?P<unit>.*)$"
)
_ABOVE = re.compile(rf"^(?:>=?|\u2265|over|above|more than)\s*(?P<low>{_NUMBER})(?P<unit>.*)$")
_OPEN = re.compile(rf"^(?P<low>{_NUMBER})\s*(?:\+|more|or more|plus|and over)(?P<unit>.*)$")
_SINGLE = re.compile(rf"^(?P<low>{_NUMBER})(?P<unit>\s*[a-z%$\u20ac\u00a3]*\.?)$")
_INFINITY = float("inf")


def ordered_levels(words: Collection[str]) -> tuple[str, ...]:
    """The words from low to high when their order is sure, else an empty tuple.

    Examples
    --------
    >>> ordered_levels(["high", "low", "medium"])
    ('low', 'medium', 'high')
    >>> ordered_levels(["> 7 yrs", "0 - 1 yrs", "1 - 4 yrs", "4 - 7 yrs"])
    ('0 - 1 yrs', '1 - 4 yrs', '4 - 7 yrs', '> 7 yrs')
    >>> ordered_levels(["2", "3", "4", "5more"])
    ('2', '3', '4', '5more')
    >>> ordered_levels(["red", "low"])
    ()
    """
    if not 2 <= len(words) <= MAX_LEVELS:
        return ()
    return _by_scale(words) or _by_number(words)


def _by_scale(words: Collection[str]) -> tuple[str, ...]:
    plain = {word: re.sub(r"[\s_-]+", " ", word.strip().lower()) for word in words}
    for scale in _SCALES:
        rank = {spelling: place for place, level in enumerate(scale) for spelling in level}
        places = [rank.get(word) for word in plain.values()]
        if None in places or len(set(places)) < len(places):
            continue
        # two letters such as S and M may be anything; three of them are sizes
        if len(words) > 2 or max(map(len, plain.values())) > 2:
            return tuple(sorted(words, key=lambda word: rank[plain[word]]))
    return ()


def _by_number(words: Collection[str]) -> tuple[str, ...]:
    keys: dict[str, tuple[float, float]] = {}
    units: set[str] = set()
    n_bare = 0
    for word in words:
        parsed = _bounds(word.strip().lower())
        if parsed is None:
            return ()
        low, high, unit = parsed
        keys[word] = (low, high)
        n_bare += low == high != _INFINITY and not unit
        if unit:
            units.add(unit)
    if len(units) > 1 or len(set(keys.values())) < len(keys) or n_bare == len(keys):
        return ()
    ordered = sorted(words, key=lambda word: keys[word])
    # ranges that overlap are not one scale
    for left, right in itertools.pairwise(ordered):
        if keys[right][0] < keys[left][1] and keys[left][1] != _INFINITY:
            return ()
    return tuple(ordered)


def _bounds(word: str) -> tuple[float, float, str] | None:
    """Lower and upper bound of a word that is a number or a range, and its unit."""
    if word == "more":
        return _INFINITY, _INFINITY, ""
    for pattern in (_RANGE, _BELOW, _ABOVE, _OPEN, _SINGLE):
        match = pattern.match(word)
        if match is None:
            continue
        found = match.groupdict()
        low = _number(found["low"]) if "low" in found else -_INFINITY
        high = _number(found["high"]) if "high" in found else _INFINITY
        if pattern is _SINGLE:
            high = low
        unit = _unit(found["unit"])
        # a version such as 1.2.3 is no number
        return (low, high, unit) if unit is not None and low <= high else None
    return None


def _number(text: str) -> float:
    """The number, with dots or commas between groups of three digits taken as thousands marks."""
    grouped = re.fullmatch(r"[-+]?\d{1,3}(?:[.,]\d{3})+", text)
    plain = re.sub("[.,]", "", text) if grouped else text.replace(",", ".")
    return float(plain) if plain.count(".") <= 1 else float("nan")


def _unit(text: str) -> str | None:
    """The unit without plural; None when it is more than two words and so no unit."""
    bare = re.sub(r"^(?:\s*<=?\s*[a-z]+)?", "", text).strip(" .")
    if len(bare.split()) > 2 or re.search(r"\d", bare):
        return None
    return bare[:-1] if len(bare) > 2 and bare.endswith("s") else bare
