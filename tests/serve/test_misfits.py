from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

from everfit.data.table import Table
from everfit.records import Column, Source
from everfit.serve.misfits import Misfit, Misfits, with_defaults
from everfit.serve.row import Asked

AGE, PLAN, NOTE = Column("age", "number"), Column("plan", "category"), Column("note", "text")


@dataclass
class Packed:
    """What counting asks of a scorer."""

    asked: tuple[Asked, ...] = (Asked(AGE, 18, 96, 40.0), Asked(PLAN, default="paid"), Asked(NOTE))
    columns: tuple[Column, ...] = (AGE, PLAN, NOTE)
    known: dict[str, frozenset[str]] = field(
        default_factory=lambda: {"plan": frozenset({"paid", "trial"}), "age": frozenset()}
    )


def table(**values: Any) -> Table:
    frame = pl.DataFrame(values, schema_overrides={"age": pl.Float64, "plan": pl.String})
    kinds = {"age": AGE, "plan": PLAN, "note": NOTE}
    return Table(frame, tuple(kinds[n] for n in frame.columns), Source("x", "", 0, 0))


def found(*tables: Table) -> tuple[Misfit, ...]:
    misfits = Misfits(Packed())  # type: ignore[arg-type]
    for part in tables:
        misfits.add(part)
    return misfits.found()


def test_what_fits_and_what_is_missing_is_not_counted() -> None:
    assert found(table(age=[18, 96, None], plan=["paid", None, "trial"])) == ()


def test_counts_add_up_over_tables_and_the_most_frequent_comes_first() -> None:
    parts = [table(age=[17, 40], plan=["gold", "gold"]), table(age=[212, 41], plan=["paid", "x"])]

    assert found(*parts) == (
        Misfit("plan", "unseen", 3, "gold", "one of 2 known categories"),
        Misfit("age", "out_of_range", 2, "17.0", "18 to 96"),
    )


def test_a_column_that_is_not_there_is_not_counted() -> None:
    assert found(table(note=["a"])) == ()


@pytest.mark.parametrize("absent", [{"age"}, {"age", "note"}])
def test_only_columns_with_a_default_are_taken_away(absent: set[str]) -> None:
    rows = table(age=[None], plan=["paid"], note=["a"])

    left = with_defaults(Packed(), rows, absent)  # type: ignore[arg-type]

    assert left.frame.columns == ["plan", "note"]
