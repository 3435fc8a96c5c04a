"""A grade of one test, and what all of them add up to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from everfit.rubric.facts import Facts

Section = Literal["Data", "Model", "Infrastructure", "Monitoring"]
SECTIONS: tuple[Section, ...] = ("Data", "Model", "Infrastructure", "Monitoring")
EFFORTS = {1: "a line", 2: "a command", 3: "time"}  # a line in the settings; traffic or new rows


@dataclass(frozen=True, slots=True)
class Found:
    """What one test found: its grade (0, 0.5 or 1), what was checked, and what would raise it.

    ``effort`` of ``do``: 1 a line in the settings, 2 a command, 3 traffic, outcomes or new rows.
    """

    grade: float
    checked: str
    do: str = ""
    effort: int = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One of the 28 tests: its number in the paper, a word for it, its name, how it is run."""

    code: str
    section: Section
    word: str
    name: str
    run: Callable[[Facts], Found]


@dataclass(frozen=True, slots=True)
class Graded:
    """One test with its grade, what was checked now, and what would raise the grade."""

    code: str
    section: Section
    word: str
    name: str
    grade: float
    checked: str
    do: str
    effort: int


@dataclass(frozen=True, slots=True)
class Score:
    """All tests of one version; ``total`` is the smallest of the four sums (Breck et al. 2017)."""

    model: str
    version: str
    tests: tuple[Graded, ...]

    @property
    def sums(self) -> dict[Section, float]:
        """The sum of the grades of each section, at most 7."""
        return {
            name: sum(test.grade for test in self.tests if test.section == name)
            for name in SECTIONS
        }

    @property
    def total(self) -> float:
        """The final score."""
        return min(self.sums.values())

    def cheapest(self, most: int = 3) -> tuple[Graded, ...]:
        """What raises a grade with least effort; of equal effort, in the weakest section first."""
        sums = self.sums
        open_ = [test for test in self.tests if test.grade < 1 and test.do]
        return tuple(sorted(open_, key=lambda t: (t.effort, sums[t.section], t.grade)))[:most]


def graded(check: Check, facts: Facts) -> Graded:
    """``check`` run on ``facts``."""
    found = check.run(facts)
    return Graded(
        check.code,
        check.section,
        check.word,
        check.name,
        found.grade,
        found.checked,
        found.do,
        found.effort,
    )


def whole(checked: str) -> Found:
    """Done by itself, and it holds."""
    return Found(1.0, checked)


def half(checked: str, do: str = "", effort: int = 3) -> Found:
    """Done by hand and written down, or only half of it by itself."""
    return Found(0.5, checked, do, effort)


def nothing(checked: str, do: str, effort: int = 3) -> Found:
    """Not done, could not be done, or it does not hold."""
    return Found(0.0, checked, do, effort)


def by_hand(facts: Facts, name: str, what: str) -> Found:
    """A test that only a person can do: half a point for its result in the settings."""
    said = facts.told.get(name, "")
    if said:
        return half(f"by hand: {said}")
    line = f'say {what}: {name} = "..." below [models.{facts.model}.facts]'
    return nothing("nobody said", line, 1)


def counted(n: int, word: str) -> str:
    """A number with its word.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{n:,} {word}{'' if n == 1 else 's'}"
