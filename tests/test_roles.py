"""The whole loop with columns that are no features: groups, times, weights; and a database."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import polars as pl
import pytest

from everfit import wire
from everfit.house import House
from everfit.loop import RunResult
from everfit.records import Array
from everfit.serve import Scorer
from tests.test_loop import run

BUDGET_S = 8.0
NOISE = 0.3


def asked(scorer: Scorer) -> set[str]:
    """The columns that a version wants to be given."""
    return {column.name for column in scorer.columns}


def answers(house: House, frame: pl.DataFrame) -> Array:
    """What the champion says to rows, one by one as a service would ask."""
    _, scorer = house.scorer("m")
    return np.array([scorer.row(row).value for row in frame.iter_rows(named=True)], dtype=float)


# groups, out of a database


def visits(n_people: int, each: int, rng: np.random.Generator) -> pl.DataFrame:
    """Visits of people: what a person is like is told by ``x``, and by marks of that one person."""
    person = np.repeat(np.arange(n_people), each)
    level, mark = rng.normal(size=n_people), rng.normal(size=(n_people, 2))
    x = rng.normal(size=n_people * each)
    return pl.DataFrame(
        {
            "person": [f"p{i:04d}" for i in person],
            "x": x,
            "height": mark[person, 0],  # with both of them, a person can be recognised
            "weight": mark[person, 1],
            "y": 1.5 * x + level[person] + NOISE * rng.normal(size=n_people * each),
        }
    )


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, RunResult]:
    folder = tmp_path_factory.mktemp("grouped")
    frame = visits(60, 8, np.random.default_rng(0))
    with closing(sqlite3.connect(folder / "clinic.db")) as database, database:
        database.execute("create table visits (person text, x, height, weight, y, kept integer)")
        rows = [(*row, int(i % 8 != 0)) for i, row in enumerate(frame.iter_rows())]
        database.executemany("insert into visits values (?, ?, ?, ?, ?, ?)", rows)
    house = wire.house(folder / "store")
    result = run(
        house,
        f"sqlite:///{folder / 'clinic.db'}",  # type: ignore[arg-type]
        "y",
        query="select person, x, height, weight, y from visits where kept = 1",
        roles={"person": "group"},
        budget_s=BUDGET_S,
    )
    return house, result


def test_the_rows_of_a_query_are_those_that_are_learnt(grouped: tuple[House, RunResult]) -> None:
    house, result = grouped

    assert result.assessment.n_rows == 60 * 7
    assert result.decision.kind == "released"
    assert "sqlite://" in house.runs("m")[0].spec["source"]


def test_a_named_group_decides_the_split_and_is_never_asked_for(
    grouped: tuple[House, RunResult],
) -> None:
    house, result = grouped

    _, scorer = house.scorer("m")

    assert (result.study.split.kind, result.study.split.column) == ("group", "person")
    assert "named as the group" in result.study.split.why
    assert result.study.problem.group == "person"
    assert "person" not in asked(scorer)
    assert "kept" not in asked(scorer)


def test_the_score_is_about_people_whom_nobody_has_seen(grouped: tuple[House, RunResult]) -> None:
    house, result = grouped
    strangers = visits(300, 3, np.random.default_rng(1))

    error = strangers["y"].to_numpy() - answers(house, strangers.drop("y", "person"))
    rmse = float(np.sqrt((error**2).mean()))

    # who is recognised is known to 0.3; of a stranger nobody knows the level, which varies by 1
    score = result.study.candidate.score
    assert 0.9 * score.low < rmse < 1.1 * score.high
    assert score.low > 2 * NOISE


# time


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, RunResult]:
    """Orders whose level wanders over time; the order number tells the time to a tree."""
    folder = tmp_path_factory.mktemp("dated")
    rng = np.random.default_rng(3)
    n = 600
    level = np.cumsum(rng.normal(scale=0.25, size=n))
    x = rng.normal(size=n)
    frame = pl.DataFrame(
        {
            "when": pl.datetime_range(
                pl.datetime(2024, 1, 1), pl.datetime(2025, 8, 22), "1d", eager=True
            )[:n],
            "order": np.arange(n) + 70_000.5,
            "x": x,
            "y": 2.0 * x + level + NOISE * rng.normal(size=n),
        }
    )
    path = folder / "orders.csv"
    frame.sample(n, shuffle=True, seed=5).write_csv(path)
    house = wire.house(folder / "store")
    return house, run(house, path, "y", roles={"when": "time"}, budget_s=BUDGET_S)


def test_a_named_time_decides_the_split_and_is_never_asked_for(
    dated: tuple[House, RunResult],
) -> None:
    house, result = dated

    assert (result.study.split.kind, result.study.split.column) == ("time", "when")
    assert result.study.problem.time == "when"
    if result.champion is not None:
        assert "when" not in asked(house.scorer("m")[1])


def test_the_score_is_about_later_rows_and_not_about_neighbours(
    dated: tuple[House, RunResult],
) -> None:
    _, result = dated

    # neighbours in time tell the level to about 0.5; later rows are further away
    assert result.study.candidate.score.mid > 2 * NOISE
    assert result.study.candidate.score.n <= 300  # the later half of the rows
    assert result.decision.kind in ("released", "refused")


# weights


@pytest.fixture(scope="module")
def weighted(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, RunResult, float]:
    """Two kinds of rows that pull against each other; one of them counts 20 times as much."""
    folder = tmp_path_factory.mktemp("weighted")
    rng = np.random.default_rng(7)
    n = 600
    heavy = np.arange(n) % 2 == 0
    x = rng.normal(size=n)
    y = np.where(heavy, x, -x) + NOISE * rng.normal(size=n)
    weight = np.where(heavy, 20.0, 1.0)
    frame = pl.DataFrame({"x": x, "z": rng.normal(size=n), "w": weight, "y": y})
    slope = float(np.average(x * y, weights=weight) / np.average(x * x, weights=weight))
    expected = float(np.sqrt(np.average((y - slope * x) ** 2, weights=weight)))
    house = wire.house(folder / "store")
    result = run(house, frame, "y", roles={"w": "weight"}, budget_s=BUDGET_S)  # type: ignore[arg-type]
    return house, result, expected


def test_weights_decide_what_is_learnt(weighted: tuple[House, RunResult, float]) -> None:
    house, result, _ = weighted
    line = pl.DataFrame({"x": [-1.5, 1.5], "z": [0.0, 0.0]})

    low, high = answers(house, line)

    # without weights the two kinds cancel out, and the answers would not differ
    assert result.decision.kind == "released"
    assert high - low > 1.8


def test_weights_decide_the_score_and_are_never_asked_for(
    weighted: tuple[House, RunResult, float],
) -> None:
    house, result, expected = weighted

    score = result.study.candidate.score

    # unweighted, half of the rows would be wrong by 2 x, and the error about 1.4
    assert score.low < expected * 1.1
    assert score.mid < 1.5 * expected < 1.0
    assert "w" not in asked(house.scorer("m")[1])
    assert result.study.problem.weight == "w"
