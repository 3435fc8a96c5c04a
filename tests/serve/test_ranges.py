"""Ranges from a real study, packed and opened, on rows that nobody has seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.data.table import Table
from everfit.errors import ArtefactRefused
from everfit.records import Array, Hypothesis, Profile, SplitPolicy, Study
from everfit.release.plan import fitted_members, lay_plan, plan_columns
from everfit.serve import Scorer, open_plan
from everfit.serve.ranges import Ranges
from everfit.study.race import Race
from tests.study.build import Clock, studied
from tests.tables import make_table

CHEAP = (
    Hypothesis("line", "linear", {}, "the simple one", "simple"),
    Hypothesis("small trees", "boosted", {"n_rounds": 60, "leaves": 6, "lr": 0.1}, "some depth"),
    Hypothesis("large trees", "boosted", {"n_rounds": 60, "leaves": 15, "lr": 0.1}, "more depth"),
)
World = Callable[[int, np.random.Generator], tuple[Table, Array]]


def wider(n: int, rng: np.random.Generator) -> tuple[Table, Array]:
    """Noise that grows with the level."""
    x = rng.uniform(0.0, 4.0, (n, 4))
    y = x[:, 0] + x[:, 1] * x[:, 2] + (0.1 + 0.3 * x[:, 0]) * rng.standard_normal(n)
    return _table(x, y), y


def skewed(n: int, rng: np.random.Generator) -> tuple[Table, Array]:
    """A long tail to the right, never below 0."""
    x = rng.standard_normal((n, 4))
    y = np.exp(0.5 * x[:, 0] + 0.8 * rng.standard_normal(n))
    return _table(x, y), y


def counts(n: int, rng: np.random.Generator) -> tuple[Table, Array]:
    """Counts with more spread than Poisson's."""
    x = rng.standard_normal((n, 4))
    y = rng.negative_binomial(3, 3.0 / (3.0 + np.exp(1.5 + 0.7 * x[:, 0]))).astype(float)
    return _table(x, y), y


def _table(x: Array, y: Any) -> Table:
    return make_table({**{f"x{i}": x[:, i] for i in range(x.shape[1])}, "y": y}, target="y")


def classes(n: int, rng: np.random.Generator) -> tuple[Table, Array]:
    """Three classes with the probability of each."""
    x = rng.standard_normal((n, 4))
    score = np.stack([x[:, 0], 0.7 * x[:, 1] - 0.3, x[:, 2] * x[:, 3] - 0.5], axis=1)
    p = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    said = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return _table(x, [f"c{code}" for code in said]), p


@pytest.fixture(scope="module")
def cheap() -> Iterator[None]:
    class Nothing:
        def __init__(self, race: Race) -> None: ...

        def run(self, left: Any) -> tuple[str, int]:
            return "no search here", 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("everfit.study.field.entering.portfolio", lambda *_, **__: CHEAP)
        patch.setattr("everfit.study.conduct.Search", Nothing)
        yield


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, cheap: None) -> tuple[Study, Scorer, Path]:
    """A study of three classes, the scorer of its version, and where that was packed."""
    folder = tmp_path_factory.mktemp("three")
    table, _ = classes(3_000, np.random.default_rng(9))
    return *packed(folder, table), folder / "version"


def packed(folder: Path, table: Table, **more: Any) -> tuple[Study, Scorer]:
    """The study of a table, its candidate packed as a release packs it, opened as a server does."""
    found = studied(table, folder, clock=Clock(), **more)
    place = folder / "version"
    place.mkdir()
    lay_plan(
        place, problem=found.problem, columns=plan_columns(table.columns, Profile(0, ()), ()),
        members=fitted_members(found.candidate), calibration=found.candidate.calibration,
        ranges=found.candidate.ranges,
    )  # fmt: skip
    return found, open_plan(place)


@pytest.mark.parametrize("world", [wider, skewed, counts])
def test_95_of_100_fresh_outcomes_lie_in_their_ranges(
    world: World, tmp_path: Path, cheap: None
) -> None:
    rng = np.random.default_rng(7)
    table, _ = world(3_000, rng)

    _, scorer = packed(tmp_path, table)

    fresh, truth = world(20_000, rng)
    answers = scorer.table(fresh.drop(["y"]))
    ranges = scorer.ranges(answers)
    assert ranges is not None
    held = (ranges[:, 0] <= truth) & (truth <= ranges[:, 1])
    assert 0.93 <= held.mean() <= 0.97
    # and not only on average: low answers and high ones
    for part in np.array_split(np.argsort(answers[:, 0]), 4):
        assert 0.915 <= held[part].mean() <= 0.98
    assert (ranges[:, 0] >= 0).all() or world is wider


def test_ranges_of_rows_judged_forward_in_time_hold_for_the_next_rows(
    tmp_path: Path, cheap: None
) -> None:
    rng = np.random.default_rng(8)
    table, _ = wider(3_000, rng)
    policy = SplitPolicy("time", None, n_folds=5)

    found, scorer = packed(tmp_path, table, policy=policy)

    fresh, truth = wider(20_000, rng)
    ranges = scorer.ranges(scorer.table(fresh.drop(["y"])))
    assert found.candidate.ranges is not None
    assert found.candidate.ranges.n < 3_000
    assert ranges is not None
    assert 0.93 <= np.mean((ranges[:, 0] <= truth) & (truth <= ranges[:, 1])) <= 0.97


def test_the_range_of_a_probability_holds_the_true_one_of_its_bin(
    three: tuple[Study, Scorer, Path],
) -> None:
    found, scorer, _ = three
    fresh, p = classes(40_000, np.random.default_rng(90))
    answers = scorer.table(fresh.drop(["y"]))
    ranges = scorer.ranges(answers)
    learnt = found.candidate.ranges
    assert ranges is not None
    assert learnt is not None
    true = p[np.arange(len(p)), answers.argmax(axis=1)]
    bins = np.searchsorted(learnt.edges, answers.max(axis=1), side="right")
    held = []
    for number in range(len(learnt.low)):
        low, high = ranges[bins == number].mean(axis=0)
        held.append(low <= true[bins == number].mean() <= high)
    assert len(held) >= 4
    # at a rate of 95%, two misses of 20 bins have probability 0.26, and three 0.08
    assert sum(held) >= len(held) - 2
    assert ((ranges >= 0) & (ranges <= 1)).all()


def test_a_row_many_rows_and_a_table_get_the_same_range(
    three: tuple[Study, Scorer, Path],
) -> None:
    scorer = three[1]
    asks = classes(50, np.random.default_rng(10))[0].drop(["y"])
    rows = asks.frame.to_dicts()

    one = [scorer.row(row).range for row in rows]

    np.testing.assert_allclose(one, scorer.ranges(scorer.table(asks)), rtol=1e-12)
    np.testing.assert_allclose(one, [answer.range for answer in scorer.rows(rows)], rtol=1e-12)
    assert [answer.value for answer in scorer.rows(rows)] == [scorer.row(r).value for r in rows]


def test_a_version_without_ranges_answers_none(
    tmp_path: Path, three: tuple[Study, Scorer, Path]
) -> None:
    folder = shutil.copytree(three[2], tmp_path / "older")
    plan = json.loads((folder / "plan.json").read_text())
    del plan["ranges"]
    (folder / "plan.json").write_text(json.dumps(plan))

    scorer = open_plan(folder)

    assert scorer.row({"x0": 1.0}).range is None
    assert scorer.ranges(np.array([[0.2, 0.5, 0.3]])) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"edges": [1.0], "low": [0.0], "high": [0.0]},
        {"edges": [2.0, 1.0], "low": [0.0] * 3, "high": [0.0] * 3},
        {"edges": [None], "low": [0.0] * 2, "high": [0.0] * 2},
        {"low": [0.0], "high": [0.0]},
        [1, 2],
    ],
)
def test_damaged_ranges_are_refused(wrong: Any, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({
        "format": 1, "form": "values", "labels": [], "label_type": "float", "columns": [],
        "members": [{"weight": 1.0, "folder": "m0", "part": {"engine": "constant",
                                                             "values": [1.0]}}],
        "calibration": {}, "ranges": wrong,
    }))  # fmt: skip

    with pytest.raises(ArtefactRefused, match="cannot be opened"):
        open_plan(tmp_path)


def test_bins_begin_at_their_edges_and_ends_are_cut() -> None:
    ranges = Ranges(
        {"edges": [0.6, 0.8], "low": [-0.2, -0.1, -0.05], "high": [0.2, 0.1, 0.05],
         "least": 0.45, "most": 0.9}
    )  # fmt: skip

    asked = [0.5, 0.6, 0.79, 0.8, 0.88]

    assert [ranges.of(p) for p in asked] == [
        (0.45, 0.7), (0.5, 0.7), pytest.approx((0.69, 0.89)), (0.75, pytest.approx(0.85)),
        (pytest.approx(0.83), 0.9),
    ]  # fmt: skip
    np.testing.assert_allclose(ranges.of_many(np.array(asked)), [ranges.of(p) for p in asked])
