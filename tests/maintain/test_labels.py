"""Which outcomes to ask for: where they tell most, with chances that keep them speaking for all."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from everfit.evidence.trial.differences import Differences
from everfit.maintain.labels import chances_of, draw, judging, teaching, worth
from tests.watch.matured_traffic import reduced, shadow_of, traffic


@pytest.mark.parametrize("wanted", [1, 10, 50, 99, 100, 500])
def test_chances_add_up_to_what_is_wanted_and_none_is_above_one(wanted):
    value = np.random.default_rng(0).random(100) ** 4

    found = chances_of(value, wanted)

    assert found.sum() == pytest.approx(min(wanted, 100))
    assert (found > 0).all()
    assert (found <= 1 + 1e-12).all()


def test_rows_are_drawn_as_often_as_their_chance_says():
    value = np.linspace(0, 1, 40)
    chance = chances_of(value, 10)
    counts = np.zeros(40)

    for seed in range(3000):
        counts[draw(value, 10, seed=seed).rows] += 1

    error = np.sqrt(chance * (1 - chance) / 3000)
    assert (np.abs(counts / 3000 - chance) < 4.5 * error + 1e-9).all()


def test_weighted_by_their_chance_the_drawn_rows_speak_for_all():
    rng = np.random.default_rng(1)
    truth = rng.random(400)
    value = np.clip(1 - truth, 0.01, 1)  # asks mostly where the truth is low
    means = []

    for seed in range(400):
        drawn = draw(value, 60, seed=seed)
        means.append((truth[drawn.rows] / drawn.chance).sum() / 400)

    plain = np.mean([truth[draw(value, 60, seed=s).rows].mean() for s in range(400)])
    assert np.mean(means) == pytest.approx(truth.mean(), abs=0.01)
    assert plain < truth.mean() - 0.05


def test_the_same_seed_draws_the_same_and_nothing_is_drawn_from_nothing():
    value = worth([0.2, 0.9, 0.4], disagreement=[0.0, 1.0, 0.2], known=[0.0, 0.5, 1.0])

    assert draw(value, 2, seed=3).rows.tolist() == draw(value, 2, seed=3).rows.tolist()
    assert len(draw(np.empty(0), 5, seed=0).rows) == 0
    assert value[2] == 0.0


def drawn_from(value: np.ndarray, wanted: int, seed: int, name: str) -> dict[str, object]:
    """A draw as the store keeps it."""
    found = draw(value, wanted, seed=seed)
    return {
        "ids": [f"{name}-{row}" for row in found.rows], "chances": list(found.chance),
        "of": len(value), "least": found.least,
    }  # fmt: skip


def test_those_that_judge_are_an_even_draw_of_all_rows():
    value = np.linspace(0, 1, 40) ** 2
    least = chances_of(value, 12).min()
    counts = np.zeros(40)

    for seed in range(3000):
        kept = drawn_from(value, 12, seed, str(seed))
        teach = teaching([kept])
        for name in kept["ids"]:
            counts[int(name.split("-")[1])] += name not in teach

    error = np.sqrt(least * (1 - least) / 3000)
    assert (np.abs(counts / 3000 - least) < 4.5 * error).all()


def test_a_draw_of_before_the_least_chance_was_kept_lets_fewer_judge():
    value = np.linspace(0, 1, 1000)
    kept = drawn_from(value, 300, 0, "a")
    before = {name: fact for name, fact in kept.items() if name != "least"}

    assert teaching([kept]) <= teaching([before])
    assert len(teaching([before])) < 300


def test_an_even_draw_judges_whole():
    assert teaching([drawn_from(np.ones(100), 30, 0, "a")]) == frozenset()


def test_only_outcomes_that_came_because_they_were_asked_for_are_left_out():
    frame = pl.DataFrame({
        "id": ["a", "b", "c", "s"], "of": [None, None, None, "a"], "outcome": ["y", None, "n", "y"],
    })  # fmt: skip

    assert judging(frame, {"a", "b"})["id"].to_list() == ["b", "c", "s"]
    assert judging(frame, {"a", "b"}, by="of")["id"].to_list() == ["a", "b", "c"]
    assert judging(frame.clear(), {"a"}).height == 0


@pytest.mark.parametrize("known", [0, 200])
def test_asked_for_outcomes_leave_the_measured_loss_and_gain_as_they_are(known):
    """400 requests a day; of ``known`` the outcome comes, 60 of the others are asked for."""
    whole, naive, fair = [], [], []
    for day in range(60):
        frame = traffic(day, 400)
        shadows = shadow_of(frame, sharper=0.5)
        p = frame["probabilities"].struct.field("malignant").to_numpy()[known:]
        value = 1 - np.abs(2 * p - 1)
        told = drawn_from(value, 60, day, "x")
        ids = [frame["id"][known + int(name.split("-")[1])] for name in told["ids"]]
        teach = teaching([told | {"ids": ids}])
        has = [*frame["id"][:known], *ids]
        silent = frame.with_columns(
            outcome=pl.when(pl.col("id").is_in(has)).then(pl.col("outcome"))
        )
        whole.append(loss_and_gain(frame, shadows, day))
        naive.append(loss_and_gain(silent, shadows, day))
        fair.append(loss_and_gain(judging(silent, teach), shadows, day))

    apart = {name: np.array(found) - np.array(whole) for name, found in
             (("naive", naive), ("fair", fair))}  # fmt: skip
    z = {name: np.sqrt(60) * d.mean(axis=0) / d.std(axis=0, ddof=1) for name, d in apart.items()}
    assert (np.abs(z["fair"]) < 3).all()
    assert z["naive"][0] > 5  # unsure answers are wrong more often


def loss_and_gain(frame: pl.DataFrame, shadows: pl.DataFrame, day: int) -> tuple[float, float]:
    """The champion's mean loss, and the mean gain of the shadow on the same requests."""
    facts = reduced(frame, shadows, day).facts
    return facts["versions"]["3"]["mean"], Differences.from_dict(facts["pairs"]["4"]).mean
