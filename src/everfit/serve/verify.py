"""Golden rows: recompute known answers by both paths, in a process of its own.

``python -m everfit.serve.verify FOLDER`` prints one JSON line and exits with 0 when the answers in
``golden.json`` come out again, by row and by table, and with 1 otherwise.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.errors import ArtefactRefused, EverfitError
from everfit.events import Event, from_plain
from everfit.orphan import die_with_parent
from everfit.serve.load import open_version
from everfit.serve.scorer import Scorer

if TYPE_CHECKING:
    from everfit.serve.lists.lists import Lists

TOLERANCE = 1e-9
TIMED_CALLS = 300


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of golden rows found; ``row_us`` is the median of one row in microseconds."""

    ok: bool
    rows: int = 0
    largest_difference: float = 0.0
    row_us: float = 0.0
    error: str = ""


def golden(scorer: Scorer, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the answers of ``scorer``, JSON-ready: ``{"input": ..., "expected": [...]}``.

    ``expected`` holds the probabilities in label order, or the one value. Dates become ISO text and
    NaN becomes null, which a scorer reads as the same.
    """
    made = []
    for row in rows:
        given = {name: _plain(value) for name, value in row.items()}
        made.append({"input": given, "expected": scorer.numbers(given)})
    return made


def check_golden(folder: Path, *, trusted: Sequence[str] = ()) -> Checked:
    """Recompute the rows of ``folder/golden.json`` by row and by table.

    A difference above 1e-9 of the value (or of 1, if that is larger) is a mismatch; of lists one of
    1e-5 of the score of an item. An artefact that cannot be opened is a finding, not an exception.
    """
    try:
        scorer = open_version(folder, trusted=trusted)
        rows = golden_rows(folder)
        expected = np.array([row["expected"] for row in rows], dtype=float)
        inputs = [row["input"] for row in rows]
        past = golden_past(rows)
        by_row = np.array(
            [scorer.numbers(row, events) for row, events in zip(inputs, past, strict=True)],
            dtype=float,
        )
        by_table = scorer.table(scorer.as_table(inputs), past=past)
    except EverfitError as error:
        return Checked(False, error=str(error))
    if by_row.shape != expected.shape:
        return Checked(False, len(rows), error=f"shape {by_row.shape}, expected {expected.shape}")
    gap, most = _measure(scorer)
    worst = [gap(expected, found) for found in (by_row, by_table)]
    ok = max(worst) <= most  # false for NaN
    wrong = "" if ok else f"golden rows differ: by row {worst[0]:.3g}, by table {worst[1]:.3g}"
    return Checked(ok, len(rows), max(worst), _row_us(scorer, inputs), wrong)


def _measure(scorer: Scorer | Lists) -> tuple[Callable[[Any, Any], float], float]:
    """How far answers are apart, and how far they may be."""
    if scorer.form == "lists":
        from everfit.serve.lists import compare  # scipy, which no row needs

        return compare.apart, compare.TOLERANCE
    return _relative, TOLERANCE


def _relative(expected: Any, found: Any) -> float:
    return float((np.abs(found - expected) / np.maximum(np.abs(expected), 1.0)).max())


def golden_rows(folder: Path) -> list[dict[str, Any]]:
    """The golden rows of a packed version: ``{"input": {...}, "expected": [...]}`` each.

    Raises
    ------
    ArtefactRefused : the file is gone or damaged
    """
    try:
        rows = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
        if not rows or not all({"input", "expected"} <= set(row) for row in rows):
            raise ValueError("no rows with input and expected")
    except (OSError, ValueError, TypeError) as error:
        raise ArtefactRefused(
            f"golden.json in {folder} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected="a list of rows with input and expected",
            do="check the version's hash, or roll back to another version",
        ) from error
    return list(rows)


def golden_past(rows: Sequence[Mapping[str, Any]]) -> list[list[Event]]:
    """The history of each golden row; none where a version reads none."""
    return [from_plain(row.get("history") or ()) for row in rows]


def _row_us(scorer: Scorer | Lists, inputs: Sequence[Mapping[str, Any]]) -> float:
    seconds = []
    for call in range(TIMED_CALLS):
        row = inputs[call % len(inputs)]
        start = perf_counter()
        scorer.row(row)
        seconds.append(perf_counter() - start)
    return round(1e6 * float(np.median(seconds)), 2)


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def main(arguments: Sequence[str]) -> int:
    """Check the folder named on the command line; further words are trusted types."""
    die_with_parent()
    checked = check_golden(Path(arguments[0]), trusted=arguments[1:])
    print(json.dumps(asdict(checked)))
    return 0 if checked.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
