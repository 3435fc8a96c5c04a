from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from everfit.assess.leaks import skill
from everfit.records import Assessment
from tests.tables import assessed, found, make_table, open_set

N = 1_200


def dropped(assessment: Assessment) -> set[str]:
    return {act.column for act in assessment.acts if act.kind == "drop_column"}


def people(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    age, income = rng.integers(18, 80, N), rng.gamma(2, 900, N)
    y = (age / 40 + income / 1_800 + rng.normal(0, 0.7, N) > 2).astype(int)
    return {"age": age, "income": income, "y": y}


def houses(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    size, rooms = rng.gamma(9, 12, N), rng.integers(1, 9, N)
    price = 3 * size**1.2 + 20 * rooms + rng.normal(0, 60, N)
    return {"size": size, "rooms": rooms, "price": price}


CLASS_LEAKS = {
    "copy": lambda y, rng: y,
    "words": lambda y, rng: np.where(y == 1, "left", "stayed"),
    "parted number": lambda y, rng: y * 10 + rng.normal(size=len(y)),
    "missing when 0": lambda y, rng: np.where(y == 1, rng.normal(size=len(y)), np.nan),
    "detailed": lambda y, rng: np.char.add(
        np.where(y == 1, "left-", "stays-"), rng.integers(0, 5, len(y)).astype(str)
    ),
}
NUMBER_LEAKS = {
    "copy": lambda y, rng: y,
    "other unit": lambda y, rng: y * 1.19 + 7,
    "rounded": lambda y, rng: np.round(y, -1),
    "logarithm": lambda y, rng: np.log(y - y.min() + 1),
    "bins": lambda y, rng: np.digitize(y, np.quantile(y, [0.2, 0.4, 0.6, 0.8])),
    "bins in words": lambda y, rng: np.array(["low", "mid", "high"])[
        np.digitize(y, np.quantile(y, [0.3, 0.7]))
    ],
    "with noise": lambda y, rng: y + rng.normal(0, 0.03 * y.std(), len(y)),
}


@pytest.mark.parametrize("kind", CLASS_LEAKS)
def test_a_column_that_gives_a_class_away_is_left_out(kind: str) -> None:
    data = people()
    data["leak"] = CLASS_LEAKS[kind](data["y"], np.random.default_rng(1))

    assessment = assessed(make_table(data, target="y"), "y")

    assert dropped(assessment) == {"leak"}
    assert found(assessment, "target given away")[0].severity == "fail"


@pytest.mark.parametrize("kind", NUMBER_LEAKS)
def test_a_column_that_gives_a_number_away_is_left_out(kind: str) -> None:
    data = houses()
    data["leak"] = NUMBER_LEAKS[kind](data["price"], np.random.default_rng(1))

    assessment = assessed(make_table(data, target="price"), "price")

    assert dropped(assessment) == {"leak"}


@pytest.mark.parametrize("terms", [2, 3, 4])
def test_columns_that_add_up_to_the_target_are_left_out(terms: int) -> None:
    rng = np.random.default_rng(0)
    parts = {f"part{i}": rng.gamma(2, 50, N).round() for i in range(terms)}
    total = sum(parts.values())

    table = make_table({"x": rng.normal(size=N), **parts, "total": total}, target="total")
    assessment = assessed(table, "total")

    assert dropped(assessment) == set(parts)
    assert "exactly" in found(assessment, "target given away")[0].headline


def test_columns_that_nearly_add_up_stay() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.gamma(2, 50, N), rng.gamma(2, 50, N)

    table = make_table({"a": a, "b": b, "y": a + b + rng.normal(0, 1, N)}, target="y")

    assert dropped(assessed(table, "y")) == set()


@pytest.mark.parametrize("seed", range(5))
def test_honest_columns_stay(seed: int) -> None:
    classes = assessed(make_table(people(seed), target="y"), "y")
    numbers = assessed(make_table(houses(seed), target="price"), "price")

    assert found(classes, "target given away") == []
    assert dropped(numbers) == set()


def test_a_column_that_all_others_hardly_improve_on_is_said_and_kept() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=N)

    table = make_table(
        {"x": y + rng.normal(0, 0.17, N), "z": rng.normal(size=N), "y": y}, target="y"
    )
    assessment = assessed(table, "y")

    (finding,) = found(assessment, "target given away")
    assert (finding.severity, finding.acts) == ("warn", ())


def test_skill_of_noise_is_not_above_zero() -> None:
    rng = np.random.default_rng(0)
    folds = rng.permutation(np.arange(N) % 4)

    noise = skill(rng.integers(0, 600, N), 600, rng.normal(size=(N, 1)), folds)

    assert noise < 0.05


def test_the_parts_of_the_bike_count_are_found_and_its_row_number() -> None:
    frame = pl.read_csv(open_set("bike_hour", "data.csv"), try_parse_dates=True)

    assessment = assessed(make_table(frame, target="cnt"), "cnt")

    assert dropped(assessment) == {"casual", "registered", "instant"}
    assert (assessment.split.kind, assessment.split.column) == ("time", "dteday")


@pytest.mark.parametrize(
    ("name", "target"), [("diamonds", "price"), ("ames", "SalePrice"), ("abalone", "rings")]
)
def test_strong_but_honest_columns_of_open_sets_stay(name: str, target: str) -> None:
    frame = pl.read_parquet(open_set(name, "data.parquet"))

    assessment = assessed(make_table(frame, target=target), target)

    assert found(assessment, "target given away") == []
