"""The quick way of a row against the slow one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from everfit.data.table import Table
from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from everfit.serve import Scorer, open_plan
from everfit.serve.quick import blend
from tests.encoders.mixed import as_table, mixed_rows, target_of
from tests.serve.packed import pack

ROWS = mixed_rows(400)
ASKS = [
    {name: value for name, value in row.items() if name not in ("since", "note")}
    for row in mixed_rows(80, seed=5)
]
LEARNERS = (
    ("symmetric", {"n_rounds": 30, "lr": 0.1}),
    ("boosted", {"lr": 0.1}),
    ("linear", {}),
    ("symmetric", {"n_rounds": 12, "lr": 0.2}),
    ("prior", {}),
)  # fmt: skip


def scorer_of(folder: Path, table: Table) -> Scorer:
    history = History(table, target_of(ROWS), "probabilities", 2)
    parts = []
    for i, (name, settings) in enumerate(LEARNERS):
        (folder / f"m{i}").mkdir()
        parts.append(make(name, settings).fit(history, FitBudget(120.0)).save(folder / f"m{i}"))
    pack(folder, table, parts, weights=[0.3, 0.25, 0.2, 0.15, 0.1])
    return open_plan(folder)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return scorer_of(tmp_path_factory.mktemp("quick"), as_table(ROWS).drop(["since", "note"]))


def test_both_ways_answer_alike_to_the_last_bit(scorer: Scorer) -> None:
    taken = 0
    for row in ASKS:
        quick = scorer._quick.row(row)
        if quick is None:
            continue
        taken += 1
        answer = tuple(quick)  # buffers are shared
        read = scorer.read(row)
        for fill in scorer._fills:
            fill(read)
        assert answer == tuple(blend(scorer._slowly))

    assert taken > 60


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"town": "nowhere"}, "town: category 'nowhere' is rare or new"),
        ({"size": 1e9}, "size: 1e+09 is outside the training range"),
        ({"paid": "perhaps"}, "paid: 'perhaps' is neither true nor false"),
        ({"income": [1]}, "income: a list was given for a number"),
        ({"plan": {"a": 1}}, "plan: a dict was given for a category"),
    ],
)
def test_an_odd_row_is_left_to_the_slow_way_and_leaves_nothing_behind(
    scorer: Scorer, change: dict[str, object], said: str
) -> None:
    row = next(row for row in ASKS if scorer._quick.row(row) is not None)
    before = scorer.row(row)

    assert scorer._quick.row(row | change) is None
    (warning, *_) = scorer.row(row | change).warnings

    assert warning.startswith(said)
    assert scorer.row(row) == before


def test_a_table_with_dates_and_texts_is_answered_too(tmp_path: Path) -> None:
    whole = scorer_of(tmp_path, as_table(ROWS))

    answers = [whole.row(row) for row in mixed_rows(20, seed=6)]

    table = whole.table(as_table(mixed_rows(20, seed=6)))
    np.testing.assert_allclose([answer.probabilities for answer in answers], table, rtol=1e-12)
