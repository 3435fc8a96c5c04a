from __future__ import annotations

import csv
from pathlib import Path

import pytest

from everfit.errors import UsageError
from everfit.faces.examples import EXAMPLES, Example, write_example

ROWS = {"cancer": 569, "digits": 1797, "diabetes": 442, "vote": 944, "visits": 20190}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_an_example_is_written_as_a_csv_file_with_its_target(
    example: Example, tmp_path: Path
) -> None:
    if example.package == "statsmodels":
        pytest.importorskip("statsmodels", reason="this example comes with statsmodels")

    file = write_example(example, tmp_path / "x.csv")

    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == ROWS[example.name]
    assert len({row[example.target] for row in rows}) > 1
    assert f"{ROWS[example.name]:,}" in example.about


def test_the_first_example_needs_nothing_beyond_the_dependencies() -> None:
    assert EXAMPLES[0].package == "sklearn"


def test_an_example_of_a_missing_package_says_which(tmp_path: Path) -> None:
    example = Example("x", "y", "none", "no_such_package", "load")

    with pytest.raises(UsageError, match="comes with no_such_package"):
        write_example(example, tmp_path / "x.csv")
