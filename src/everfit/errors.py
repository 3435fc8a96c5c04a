"""All errors that Everfit raises on purpose, as one tree.

::

    EverfitError                  exit  HTTP
    ├── UsageError                   2   400   the command or call itself is wrong
    │   └── SettingsError            2   400   everfit.toml or a setting cannot be used
    ├── DataError                    3   422   the data cannot be used
    │   ├── SourceMissing            3   404   no such file, table or column of files
    │   ├── SourceUnreadable         3   422   the bytes are not what the name says
    │   ├── ColumnMissing            3   422   a named column is not in the data
    │   ├── TargetUnusable           3   422   one class, all missing, or a class with one row
    │   ├── TooFewRows               3   422   fewer rows than can be judged
    │   ├── TooManyColumns           3   422   more columns than can be studied
    │   └── NothingToLearn           3   422   no usable feature is left
    ├── Unreachable                  4   503   a source, registry or server did not answer
    │   └── StoreBusy                4   409   another run holds this model
    ├── BudgetSpent                  5   422   the time ended with nothing that may be released
    ├── Refused                      6   409   the act needs --yes, or a gate did not pass
    │   ├── ModelUnknown             6   404   no model or version of that name
    │   └── ArtefactRefused          6   409   hash, format or golden rows do not match
    ├── StoreFailed                 70   500   the store could not be written (disk full, rights)
    ├── LearnerFailed               70   500   a learner raised; becomes a failed trial
    └── Interrupted                130   503   stopped by a person; resumable

Each error has four parts, kept as attributes so that the command line, HTTP and reports
print the same thing: *what* is wrong with its place, what was *got*, what was *expected*,
and what to *do*.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar


class EverfitError(Exception):
    """The root of all errors that Everfit raises on purpose.

    Parameters
    ----------
    what : one sentence, with the place
    got, expected, do : the other three parts; an empty one is not printed

    Examples
    --------
    >>> print(UsageError("budget cannot be read", got="'soon'", expected="a time such as 60s"))
    UsageError: budget cannot be read
      got       'soon'
      expected  a time such as 60s
    """

    exit_code: ClassVar[int] = 70
    http_status: ClassVar[int] = 500

    def __init__(self, what: str, *, got: str = "", expected: str = "", do: str = "") -> None:
        super().__init__(what, got, expected, do)
        self.what = what
        self.got = got
        self.expected = expected
        self.do = do

    def __str__(self) -> str:
        parts = (("got", self.got), ("expected", self.expected), ("do", self.do))
        lines = [f"{type(self).__name__}: {self.what}"]
        lines += [f"  {name:<9} {text}" for name, text in parts if text]
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        # keyword-only parts would be lost by the default way of pickling an exception
        return _rebuild, (type(self), self.what, self.got, self.expected, self.do)

    def as_dict(self) -> dict[str, str | int]:
        """The error as plain values, the shape that ``--json`` and HTTP answers share."""
        return {
            "code": type(self).__name__,
            "message": self.what,
            "got": self.got,
            "expected": self.expected,
            "do": self.do,
            "exit_code": self.exit_code,
        }


def _rebuild(cls: type[EverfitError], what: str, got: str, expected: str, do: str) -> EverfitError:
    return cls(what, got=got, expected=expected, do=do)


class UsageError(EverfitError):
    """The command or call itself is wrong."""

    exit_code = 2
    http_status = 400


class SettingsError(UsageError):
    """``everfit.toml`` or a single setting cannot be used."""


class DataError(EverfitError):
    """The data cannot be used."""

    exit_code = 3
    http_status = 422


class SourceMissing(DataError):
    """There is no such file, table or match of a pattern."""

    http_status = 404


class SourceUnreadable(DataError):
    """The bytes are not what the name says, or no table can be made of them."""


class ColumnMissing(DataError):
    """A column that was named is not in the data."""


class TargetUnusable(DataError):
    """The target has one class, is all missing or infinite, or has a class with one row."""


class TooFewRows(DataError):
    """There are fewer rows than can be judged."""


class TooManyColumns(DataError):
    """There are more columns than can be studied."""


class NothingToLearn(DataError):
    """No usable feature is left."""


class Unreachable(EverfitError):
    """A source, registry or server did not answer."""

    exit_code = 4
    http_status = 503


class StoreBusy(Unreachable):
    """Another run holds this model."""

    http_status = 409


class BudgetSpent(EverfitError):
    """The time ended with nothing that may be released."""

    exit_code = 5
    http_status = 422


class Refused(EverfitError):
    """The act needs a person's yes, or a gate did not pass."""

    exit_code = 6
    http_status = 409


class ModelUnknown(Refused):
    """There is no model or version of that name in the store."""

    http_status = 404


class ArtefactRefused(Refused):
    """A packed version does not match its manifest, its golden rows or our format."""


class StoreFailed(EverfitError):
    """The store could not be written: disk full, no rights, or damaged."""


class LearnerFailed(EverfitError):
    """A learner raised or was killed; the study records it as a failed trial."""


class Interrupted(EverfitError):
    """A person stopped the run; what was finished is kept."""

    exit_code = 130
    http_status = 503


def near(name: str, known: Iterable[str], *, n: int = 3) -> str:
    """Names in ``known`` that look like ``name``, quoted and joined, or an empty string.

    Examples
    --------
    >>> near("chrun", ["churn", "age", "plan"])
    "'churn'"
    """
    choices = [str(item) for item in known]
    lower = {item.lower(): item for item in reversed(choices)}
    found = get_close_matches(name.lower(), list(lower), n=n, cutoff=0.5)
    return ", ".join(repr(lower[item]) for item in found)
