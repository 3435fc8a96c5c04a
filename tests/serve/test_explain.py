from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.data.table import Table
from everfit.errors import UsageError
from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from everfit.records import Array, Column
from everfit.serve import Scorer, open_plan
from everfit.serve.explain import Contributions, contributions
from tests.encoders.mixed import COLUMNS, as_table, mixed_rows, target_of
from tests.serve.packed import pack

KEPT = ("size", "income", "rooms", "paid", "town", "plan", "since")
ROWS = [{name: row[name] for name in KEPT} for row in mixed_rows(400)]
TABLE = as_table(ROWS, tuple(c for c in COLUMNS if c.name in KEPT))
CLASSES = target_of(mixed_rows(400))
BACKGROUND, ASKED = ROWS[:6], ROWS[100:103]


def packed(folder: Path, learners: Sequence[Any], form: str, target: Array) -> Scorer:
    k = 1 if form == "values" else int(target.max()) + 1
    parts = []
    for i, learner in enumerate(learners):
        history = History(TABLE, target, form, k)  # type: ignore[arg-type]
        (folder / f"m{i}").mkdir(parents=True)
        fitted = learner.fit(history, FitBudget(seconds=60.0))
        parts.append(fitted.save(folder / f"m{i}"))
    calibration = {"temperature": 1.4, "bias_0": 0.3} if form == "probabilities" else {}
    labels = [f"c{i}" for i in range(k)]
    pack(folder, TABLE, parts, form=form, labels=labels, calibration=calibration)
    return open_plan(folder)


@pytest.fixture(scope="module")
def blend(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    learners = [make("boosted", {"lr": 0.1}), make("linear", {}), make("forest", {"trees": 10})]
    return packed(tmp_path_factory.mktemp("blend"), learners, "probabilities", CLASSES)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    size = np.array([row["size"] or 0.0 for row in ROWS])
    rooms = np.array([row["rooms"] or 0.0 for row in ROWS])
    learners = [make("boosted", {"lr": 0.1}), make("symmetric", {"n_rounds": 40, "lr": 0.1})]
    return packed(tmp_path_factory.mktemp("values"), learners, "values", size * rooms)


def exact(scorer: Scorer, row: Mapping[str, Any], background: Sequence[Mapping[str, Any]]) -> Array:
    """Shapley values by their definition: all subsets of the columns, all background rows."""
    names = scorer.read_columns
    d = len(names)

    def answer(values: Mapping[str, Any]) -> float:
        found = scorer.row(values)
        if found.probabilities is None:
            return float(found.value)
        return found.probabilities[output]

    first = scorer.row(row).probabilities or (0.0,)
    output = first.index(max(first))
    worth = {
        subset: np.mean(
            [answer({**other, **{names[j]: row[names[j]] for j in subset}}) for other in background]
        )
        for size in range(d + 1)
        for subset in combinations(range(d), size)
    }
    found = np.zeros(d)
    for subset, value in worth.items():
        for j in set(range(d)) - set(subset):
            more = worth[tuple(sorted((*subset, j)))]
            found[j] += (more - value) / (d * comb(d - 1, len(subset)))
    return found


def by_name(found: Contributions, scorer: Scorer) -> tuple[Array, Array]:
    kept = {c.column: c for c in found.columns}
    each = [kept[name] for name in scorer.read_columns]
    return np.array([c.contribution for c in each]), np.array([c.se for c in each])


@pytest.mark.parametrize("kind", ["blend", "numbers"])
def test_contributions_agree_with_all_subsets_within_their_errors(
    kind: str, request: pytest.FixtureRequest
) -> None:
    scorer: Scorer = request.getfixturevalue(kind)
    background = BACKGROUND[:3]
    truth = exact(scorer, ASKED[0], background)

    found = contributions(scorer, background, ASKED[0], permutations=600, seed=1)

    ours, error = by_name(found, scorer)
    assert len(scorer.read_columns) == len(KEPT)
    assert (np.abs(ours - truth) <= 4.0 * error + 1e-9).all()
    assert np.abs(ours - truth).max() <= 0.05 * np.abs(truth).max()
    assert error.max() < 0.05 * np.abs(truth).max()


def test_the_stated_error_is_the_spread_over_seeds(blend: Scorer) -> None:
    runs = [
        by_name(contributions(blend, BACKGROUND, ASKED[1], permutations=16, seed=s), blend)
        for s in range(60)
    ]

    spread = np.std([found for found, _ in runs], axis=0)
    told = np.mean([error for _, error in runs], axis=0)

    # the spread is a little smaller: pairs share the same few background rows
    assert (spread <= 1.3 * told + 1e-6).all()
    assert (spread >= 0.2 * told - 1e-6).all()


@pytest.mark.parametrize("kind", ["blend", "numbers"])
def test_base_and_contributions_add_up_to_the_answer(
    kind: str, request: pytest.FixtureRequest
) -> None:
    scorer: Scorer = request.getfixturevalue(kind)
    for row in ASKED:
        found = contributions(scorer, BACKGROUND, row)

        answer = scorer.row(row)
        told = float(answer.value) if answer.probabilities is None else max(answer.probabilities)
        total = found.base + sum(c.contribution for c in found.columns)
        means = [scorer.row(other) for other in BACKGROUND]
        expected = [
            float(a.value)
            if a.probabilities is None or answer.probabilities is None
            else a.probabilities[answer.probabilities.index(told)]
            for a in means
        ]
        assert total == pytest.approx(told, rel=1e-12)
        assert found.base == pytest.approx(np.mean(expected), rel=1e-12)
        assert found.of == (None if kind == "numbers" else answer.value)


def test_a_line_gives_each_column_its_weight_times_its_distance(tmp_path: Path) -> None:
    weights = {"a": 2.0, "b": -3.0, "c": 0.0}
    rng = np.random.default_rng(0)
    background = [dict(zip(weights, rng.standard_normal(3).tolist(), strict=True)) for _ in "12345"]
    columns = tuple(Column(name, "number") for name in weights)
    (tmp_path / "m0").mkdir()
    features = {
        "format": 1, "view": "dense", "vocabularies": {}, "categorical": [],
        "inputs": [{"name": name, "kind": "number", "levels": []} for name in weights],
        "steps": [{"step": "take", "column": name} for name in weights], "names": list(weights),
    }  # fmt: skip
    (tmp_path / "m0" / "features.json").write_text(json.dumps(features))
    np.savez(tmp_path / "m0" / "features.npz")
    np.savez(tmp_path / "m0" / "linear.npz",
             coef=np.array(list(weights.values()))[:, None], intercept=np.array([7.0]))  # fmt: skip
    part = {"engine": "linear", "files": ["linear.npz"], "features": "features.json"}
    table: Table = as_table(background, columns)
    pack(tmp_path, table, [part], form="values")
    asked = {"a": 1.0, "b": 2.0, "c": 5.0}

    found = contributions(open_plan(tmp_path), background, asked, permutations=10)

    mean = {name: np.mean([row[name] for row in background]) for name in weights}
    expected = {name: w * (asked[name] - mean[name]) for name, w in weights.items()}
    assert {c.column: c.contribution for c in found.columns} == pytest.approx(expected, abs=1e-12)
    assert [c.column for c in found.columns] == sorted(
        weights, key=lambda name: -abs(expected[name])
    )
    assert found.base == pytest.approx(7.0 + 2.0 * mean["a"] - 3.0 * mean["b"])
    assert [c.value for c in found.columns if c.column == "c"] == [5.0]


def test_the_same_seed_gives_the_same_and_another_seed_gives_another(blend: Scorer) -> None:
    one = contributions(blend, BACKGROUND, ASKED[0], seed=3)

    assert contributions(blend, BACKGROUND, ASKED[0], seed=3) == one
    assert contributions(blend, BACKGROUND, ASKED[0], seed=4) != one


def test_a_row_that_is_its_own_background_owes_nothing_to_any_column(blend: Scorer) -> None:
    found = contributions(blend, [ASKED[0]], ASKED[0])

    assert [c.contribution for c in found.columns] == [0.0] * len(KEPT)
    assert [c.se for c in found.columns] == [0.0] * len(KEPT)


def test_a_column_that_is_not_given_counts_as_missing(blend: Scorer) -> None:
    bare = {name: value for name, value in ASKED[0].items() if name != "size"}

    found = contributions(blend, BACKGROUND, bare)

    assert found == contributions(blend, BACKGROUND, bare | {"size": None})
    assert {c.column: c.value for c in found.columns}["size"] is None


@pytest.mark.parametrize(("background", "permutations"), [([], 32), (BACKGROUND, 3)])
def test_too_little_to_explain_from_is_refused(
    blend: Scorer, background: list[dict[str, Any]], permutations: int
) -> None:
    with pytest.raises(UsageError, match="explained"):
        contributions(blend, background, ASKED[0], permutations=permutations)


def test_answers_to_rows_that_were_read_are_those_of_row(blend: Scorer) -> None:
    found = blend.answers([blend.read(row) for row in ROWS[:40]])

    rows = [blend.row(row).probabilities for row in ROWS[:40]]
    np.testing.assert_allclose(found, rows, rtol=1e-12)
    assert blend.answers([]).shape == (0, 2)
