from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from everfit.assess import assess
from everfit.records import SplitPolicy
from tests.tables import assessed, found, make_table, open_set, pose

N = 1_500


def drifting(seed: int) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    t = np.arange(N)
    x = rng.normal(size=N)
    y = 3 * x + t / 150 + 2 * np.sin(t / 40) + rng.normal(0, 0.5, N)
    when = np.datetime64("2021-01-01", "us") + (t * 3_600).astype("timedelta64[s]")
    return {"when": when, "x": x, "y": y}


def still(seed: int) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=N), rng.normal(size=N)
    when = np.datetime64("2021-01-01", "us") + rng.integers(0, 10**7, N).astype("timedelta64[s]")
    people = rng.integers(0, 300, N)
    y = x + x * z + rng.normal(size=N)
    return {"when": when, "user_id": people, "x": x, "z": z, "y": y}


def test_a_target_that_moves_in_time_is_split_forward() -> None:
    assessment = assessed(make_table(drifting(0), target="y"), "y")

    assert (assessment.split.kind, assessment.split.column) == ("time", "when")
    (finding,) = found(assessment, "split")
    assert finding.evidence["p"] < 0.05
    assert finding.done == "rows are held out forward in time"


def test_rows_of_a_shuffled_file_are_put_in_order_by_their_date() -> None:
    table = make_table(drifting(0), target="y")
    shuffled = table.take(np.random.default_rng(1).permutation(N))

    assert assessed(shuffled, "y").split.column == "when"


def test_a_ticking_clock_without_a_date_gives_the_order_of_rows() -> None:
    data = drifting(0)
    data["hour"] = np.arange(N) % 24
    data["level"] = np.arange(N) + np.random.default_rng(1).normal(0, 5, N)
    del data["when"]

    assessment = assessed(make_table(data, target="y"), "y")

    assert (assessment.split.kind, assessment.split.column) == ("time", None)


def test_rows_of_things_that_come_back_are_split_by_them() -> None:
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(150), 10)
    traits = rng.normal(size=(150, 4))
    sick = rng.random(150) < 0.5  # nothing to do with the traits
    x = traits[patient] + rng.normal(0, 0.05, (N, 4))
    data = {"patient_id": [f"p{i}" for i in patient]} | {f"x{k}": x[:, k] for k in range(4)}
    table = make_table({**data, "y": np.where(sick[patient], "sick", "well")}, target="y")

    assessment = assessed(table, "y")

    assert (assessment.split.kind, assessment.split.column) == ("group", "patient_id")


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_have_nothing_to_do_with_each_other_are_split_at_random(seed: int) -> None:
    assessment = assessed(make_table(still(seed), target="y"), "y")

    assert assessment.split.kind == "random"
    assert len(assessment.split.evidence["candidates"]) == 2


@pytest.mark.slow
def test_false_alarms_stay_at_their_rate() -> None:
    kinds = [assessed(make_table(still(s), target="y"), "y").split.kind for s in range(100, 220)]

    alarms = sum(kind != "random" for kind in kinds)
    # binomial(120, 0.05) exceeds 12 with probability 0.007
    assert alarms <= 12


def test_named_roles_decide() -> None:
    data = still(0)
    by_time = assessed(make_table(data, target="y", roles={"when": "time"}), "y")
    by_group = assessed(make_table(data, target="y", roles={"user_id": "group"}), "y")

    assert (by_time.split.kind, by_time.split.column) == ("time", "when")
    assert (by_group.split.kind, by_group.split.column) == ("group", "user_id")


def test_a_policy_that_a_person_set_is_taken_as_it_is() -> None:
    table = make_table(drifting(0), target="y")
    task, problem = pose(table, "y")
    policy = SplitPolicy("random", n_folds=3, why="set by maria")

    rng = np.random.default_rng(0)
    assessment = assess(table, problem, task=task, rng=rng, policy_split=policy)

    assert assessment.split is policy


def test_dates_of_birth_are_no_time() -> None:
    data = drifting(0)
    data["birth_date"] = data.pop("when")

    assessment = assessed(make_table(data, target="y"), "y")

    assert assessment.split.kind == "random"


def test_the_electricity_rows_are_in_the_order_of_time() -> None:
    frame = pl.read_parquet(open_set("elec2", "data.parquet"))

    split = assessed(make_table(frame, target="class"), "class").split

    assert (split.kind, split.column) == ("time", None)


def test_a_time_that_the_reader_found_is_still_put_to_the_test() -> None:
    why = "dates in the form of ISO 8601; the one date by which rows can be put in order"
    splits = []
    level = np.arange(N) + np.random.default_rng(1).normal(0, 5, N)
    for data in ({**drifting(0), "level": level}, still(0)):
        table = make_table(data, target="y", roles={"when": "time"})
        columns = tuple(replace(c, why=why) if c.name == "when" else c for c in table.columns)
        splits.append(assessed(replace(table, columns=columns), "y").split)

    assert [split.kind for split in splits] == ["time", "random"]
    assert splits[0].column == "when"
