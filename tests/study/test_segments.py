"""Groups of rows that a candidate serves worse than the rest."""

from __future__ import annotations

import numpy as np

from everfit.data.groups import groups
from everfit.data.table import Table
from everfit.records import Array, Losses
from everfit.study.segments import MAX_SHOWN, harmed, least_of, segments
from tests.tables import make_table

N = 1_200
RNG = np.random.default_rng(0)
PLAN = RNG.choice(["trial", "paid", "gift"], N)
AGE = RNG.normal(40, 12, N)
TABLE = make_table({"plan": PLAN, "age": AGE})


def losses(values: Array, ids: Array | None = None) -> Losses:
    return Losses("rmse", np.arange(N) if ids is None else ids, values)


def masks(ids: Array | None = None, table: Table = TABLE) -> dict[str, Array]:
    rows = np.arange(N) if ids is None else ids
    return groups(table.take(rows), least=least_of(len(rows)))


def test_a_level_that_is_served_worse_is_named_with_its_gap() -> None:
    values = RNG.exponential(1.0, N) + 1.5 * (PLAN == "trial")

    found = segments(masks(), losses(values))

    assert found[0].name == "plan=trial"
    assert found[0].p < 0.001
    assert found[0].gap.low < 1.5 < found[0].gap.high


def test_a_third_of_a_number_is_a_group_too() -> None:
    values = RNG.exponential(1.0, N) + 2.0 * (np.quantile(AGE, 2 / 3) < AGE)

    found = segments(masks(), losses(values))

    assert found[0].name.startswith("age above ")


def test_chance_makes_no_segment() -> None:
    alarms = 0
    for seed in range(40):
        values = np.random.default_rng(seed).exponential(1.0, N)
        alarms += any(s.p < 0.05 and s.gap.low > 0 for s in segments(masks(), losses(values)))

    # at most 5% of 40 are to be expected; binomial(40, 0.05) exceeds 6 with probability 0.003
    assert alarms <= 6


def test_only_judged_rows_count_and_each_with_its_own_features() -> None:
    # forward in time only the later half is judged
    ids = np.arange(N // 2, N)
    values = RNG.exponential(1.0, len(ids)) + 2.0 * (PLAN[ids] == "gift")

    found = segments(masks(ids), losses(values, ids))

    assert found[0].name == "plan=gift"
    assert found[0].n <= int((PLAN[ids] == "gift").sum())


def test_a_handful_of_rows_is_no_segment() -> None:
    rare = np.where(np.arange(N) < 8, "rare", PLAN)
    table = make_table({"plan": rare})
    values = RNG.exponential(1.0, N) + 50.0 * (rare == "rare")

    found = segments(masks(table=table), losses(values))

    assert "plan=rare" not in {segment.name for segment in found}
    assert len(found) <= MAX_SHOWN


def test_rows_that_count_more_are_not_served_worse_for_it() -> None:
    weight = np.where(PLAN == "gift", 10.0, 1.0)
    counted = Losses("rmse", np.arange(N), RNG.exponential(1.0, N), weight)

    found = segments(masks(), counted)

    assert "plan=gift" not in {segment.name for segment in found}


def test_the_floor_is_beaten_or_not_by_what_rows_count() -> None:
    # within each plan a few heavy rows are served well, and many light ones badly
    heavy = RNG.random(N) < 0.3
    weight = np.where(heavy, 30.0, 1.0)
    mine, floor = np.where(heavy, 0.2, 2.0), np.ones(N)

    plain = harmed(masks(), losses(mine), losses(floor))
    counted = harmed(
        masks(),
        Losses("rmse", np.arange(N), mine, weight),
        Losses("rmse", np.arange(N), floor, weight),
    )

    assert {"plan=trial", "plan=paid", "plan=gift"} <= {segment.name for segment in plain}
    assert counted == ()
