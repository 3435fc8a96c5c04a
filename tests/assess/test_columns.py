from __future__ import annotations

import numpy as np
import pytest

from everfit.assess.columns import id_like
from everfit.records import Assessment
from tests.tables import assessed, found, make_table

N = 400


def dropped(assessment: Assessment) -> set[str]:
    return {act.column for act in assessment.acts if act.kind == "drop_column"}


def judge(**columns: object) -> Assessment:
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(size=N), **columns, "y": rng.choice(["a", "b"], N)}
    return assessed(make_table(data, target="y"), "y")


def test_constants_are_left_out_and_a_lone_value_beside_missing_stays() -> None:
    lone = ["only" if i % 3 else None for i in range(N)]

    assessment = judge(same=["one"] * N, empty=[None] * N, lone=lone)

    assert dropped(assessment) == {"same", "empty"}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("row", np.arange(N)),
        ("backwards", np.arange(N)[::-1] * 3),
        ("shuffled", np.random.default_rng(1).permutation(N)),
        ("customer_id", np.random.default_rng(2).choice(10**9, N, replace=False)),
        ("code", [f"{i * 7919 % 10007:05d}-AB" for i in range(N)]),
    ],
)
def test_columns_that_name_rows_are_left_out(name: str, values: object) -> None:
    assessment = judge(**{name: values})

    assert dropped(assessment) == {name}
    assert found(assessment, "identifiers")[0].number > 0.95


def test_measurements_that_are_all_distinct_stay() -> None:
    rng = np.random.default_rng(3)

    assessment = judge(
        weight=rng.normal(70, 9, N),
        price=rng.choice(10**7, N, replace=False),
        rising=np.sort(rng.normal(size=N)),
        seen=1_600_000_000 + np.sort(rng.choice(10**7, N, replace=False)),
    )

    assert dropped(assessment) == set()


def test_phrases_are_not_taken_for_identifiers() -> None:
    assessment = judge(name=[f"Ms Person Number{i}" for i in range(N)])

    assert "name" not in dropped(assessment)


@pytest.mark.parametrize("name", ["id", "user_id", "PassengerId", "customerID", "PID", "order.key"])
def test_names_of_identifiers_are_known(name: str) -> None:
    assert id_like(name)


@pytest.mark.parametrize("name", ["paid", "humid", "width", "Valid", "grid", "keyboard", "note"])
def test_other_names_are_not_taken_for_identifiers(name: str) -> None:
    assert not id_like(name)


def test_an_exact_copy_is_left_out_and_a_scaled_one_only_said() -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(size=N)
    word = rng.choice(["r", "g", "b"], N)
    other = np.char.upper(word)

    assessment = judge(a=a, b=a.copy(), scaled=3 * a + 1, word=word, copy=word, other=other)

    assert dropped(assessment) == {"b", "copy"}
    (said,) = [f for f in found(assessment, "copies of columns") if not f.acts]
    assert set(said.columns) == {"a", "scaled", "word", "other"}


def test_sparse_columns_are_not_called_one_to_one() -> None:
    rng = np.random.default_rng(5)
    pool = [rng.choice(["a", "b", "c"]) if i % 100 == 0 else None for i in range(N)]

    assessment = judge(pool=pool, type=rng.choice(["u", "v", "w"], N))

    assert found(assessment, "copies of columns") == []


def test_identifiers_that_the_reader_set_aside_are_said() -> None:
    data = {"key": [f"k{i}" for i in range(N)], "x": np.arange(N) % 7 * 0.5, "y": ["a", "b"] * 200}
    roles, kinds = {"key": "ignore"}, {"key": "identifier"}

    assessment = assessed(make_table(data, target="y", roles=roles, kinds=kinds), "y")

    assert found(assessment, "identifiers")[0].columns == ("key",)
