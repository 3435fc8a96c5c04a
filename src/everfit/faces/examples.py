"""Real data that installed packages carry, written to CSV files for ``everfit demo``."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everfit.errors import UsageError


@dataclass(frozen=True, slots=True)
class Example:
    """One data set: which package carries it, and what is to be predicted."""

    name: str
    target: str
    about: str
    package: str
    loader: str


EXAMPLES = (
    Example(
        "cancer",
        "diagnosis",
        "569 breast masses, 30 measurements: malignant or benign",
        "sklearn",
        "load_breast_cancer",
    ),
    Example(
        "digits", "digit", "1,797 pictures of 8 x 8 points: which digit", "sklearn", "load_digits"
    ),
    Example(
        "diabetes",
        "progression",
        "442 patients, 10 measurements: progress in a year",
        "sklearn",
        "load_diabetes",
    ),
    Example(
        "vote", "vote", "944 voters of 1996, 10 columns: Clinton or Dole", "statsmodels", "anes96"
    ),
    Example(
        "visits",
        "mdvis",
        "20,190 person-years: RAND health insurance experiment",
        "statsmodels",
        "randhie",
    ),
)


def write_example(example: Example, file: Path) -> Path:
    """Write ``example`` as a CSV file; gives the file.

    Raises
    ------
    UsageError : the package that carries it is not installed
    """
    if importlib.util.find_spec(example.package) is None:
        raise UsageError(
            f"the example {example.name!r} comes with {example.package}",
            got=f"{example.package} is not installed",
            do=f"pip install {example.package}, or everfit demo {EXAMPLES[0].name}",
        )
    names, rows = _sklearn(example) if example.package == "sklearn" else _statsmodels(example)
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(names)
        writer.writerows(rows)
    return file


def _sklearn(example: Example) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    from sklearn import datasets  # heavy: only the demo needs it

    options = {"scaled": False} if example.loader == "load_diabetes" else {}
    data = getattr(datasets, example.loader)(**options)
    target = data.target
    if example.loader == "load_breast_cancer":
        target = data.target_names[target]  # words, as a person would have written them
    rows = ([*map(float, row), answer] for row, answer in zip(data.data, target, strict=True))
    return [*map(str, data.feature_names), example.target], rows


def _statsmodels(example: Example) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    from statsmodels import datasets  # heavy, and not everybody has it

    frame = getattr(datasets, example.loader).load_pandas().data
    if example.target == "vote":
        frame["vote"] = frame["vote"].map({0.0: "Clinton", 1.0: "Dole"})
    return list(frame.columns), frame.itertuples(index=False, name=None)
