"""Rows whose outcomes tell most: drawn with known chances, written down, drawn once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.data.read import read
from everfit.errors import Refused
from everfit.executors import InlineExecutor
from everfit.house import House
from everfit.house.labelling import Wish, disagreement_of, known_of, unsure_of, wanted_labels
from everfit.records import Problem, Upkeep
from tests.loop.turn.world import MODEL, Small, small
from tests.real import cancer

LABELS = Problem("classify", "y", "log_loss", "probabilities", ("a", "b", "c"))
NUMBERS = Problem("regress", "y", "rmse", "values", label_type="float")


class Silent:
    """The record of a world in which outcomes of some requests never came."""

    def __init__(self, world: Small, known: int = 0) -> None:
        self._world, self._known = world, known

    def joined(
        self, model: str, *, columns: Sequence[str] | None = None, **wanted: Any
    ) -> Iterator[pl.DataFrame]:
        for frame in self._world.record.joined(model, columns=columns, **wanted):
            late = pl.col("id").str.extract(r"-(\d+)$").cast(pl.Int64) >= self._known
            yield frame.with_columns(
                pl.when(late).then(None).otherwise(pl.col("outcome")).alias("outcome")
            )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("world")
    path, target = cancer(folder)
    made = small(folder / "small", read(str(path)), target, acts=())
    for _ in range(2):
        made.live()
    return made


@pytest.fixture
def house(world: Small) -> House:
    return House("here", lambda create: world.store, InlineExecutor, 1)


def wish(world: Small, most: int, **rules: Any) -> Wish:
    return Wish(MODEL, most, world.clock.now, Upkeep(**rules))


def test_rows_come_with_id_chance_features_answer_and_room_for_the_outcome(
    world: Small, house: House
) -> None:
    found = wanted_labels(house, Silent(world), wish(world, 20))

    assert found.rows.columns[:4] == ["id", "chance", "at", "key"]
    assert found.rows.columns[-2:] == ["answer", "outcome"]
    assert (found.rows.height, found.rows.width, found.of) == (20, 36, 300)
    assert found.rows["outcome"].null_count() == 20
    assert found.rows["mean radius"].null_count() == 0


def test_ids_and_chances_are_in_the_store_with_their_decision(world: Small, house: House) -> None:
    found = wanted_labels(house, Silent(world), wish(world, 21))

    step = world.store.steps(MODEL, "labels")[-1]
    assert step.record["ids"] == found.rows["id"].to_list()
    assert step.record["chances"] == found.rows["chance"].to_list()
    (decision,) = [d for d in world.store.decisions(MODEL) if d.id == step.decision]
    assert (decision.kind, decision.id) == ("labels_wanted", found.decision)


def test_the_same_rows_give_the_same_draw_which_is_written_once(world: Small, house: House) -> None:
    first = wanted_labels(house, Silent(world), wish(world, 22))
    steps = len(world.store.steps(MODEL, "labels"))

    again = wanted_labels(house, Silent(world), wish(world, 22))

    assert (first.again, again.again) == (False, True)
    assert again.rows.equals(first.rows)
    assert len(world.store.steps(MODEL, "labels")) == steps


def test_rows_that_were_asked_for_are_not_drawn_again(world: Small, house: House) -> None:
    first = wanted_labels(house, Silent(world), wish(world, 23))
    other = wanted_labels(house, Silent(world), wish(world, 24))

    assert not set(first.rows["id"]) & set(other.rows["id"])


def test_the_chance_grows_with_how_unsure_the_answer_is(world: Small, house: House) -> None:
    champion = world.store.version(MODEL, "champion")
    whole = pl.concat(list(world.record.joined(MODEL)))
    unsure = dict(zip(whole["id"], unsure_of(whole, champion.problem), strict=True))

    found = wanted_labels(house, Silent(world), wish(world, 40))

    doubt = np.array([unsure[name] for name in found.rows["id"]])
    chance = found.rows["chance"].to_numpy()[np.argsort(doubt)]
    assert (np.diff(chance) >= -1e-6).all()
    assert chance[-1] > chance[0]


def test_rows_whose_outcomes_still_have_time_are_left_alone(world: Small, house: House) -> None:
    found = wanted_labels(house, Silent(world), wish(world, 25, label_delay_s=86_400.0))

    assert (found.rows["at"] < world.clock.now - timedelta(days=1)).all()


def test_where_all_outcomes_are_known_nothing_is_wanted(world: Small, house: House) -> None:
    with pytest.raises(Refused, match="no outcome of 'small' is wanted"):
        wanted_labels(house, Silent(world, known=10_000), wish(world, 26))


def test_a_model_that_nobody_asked_has_no_rows(world: Small, house: House) -> None:
    class Empty:
        def joined(self, model: str, **wanted: Any) -> Iterator[pl.DataFrame]:
            return iter(())

    with pytest.raises(Refused, match="nothing was asked of"):
        wanted_labels(house, Empty(), wish(world, 27))


def test_of_several_labels_the_two_best_say_how_sure_an_answer_is() -> None:
    frame = pl.DataFrame({"probabilities": [
        {"a": 0.4, "b": 0.4, "c": 0.2}, {"a": 0.0, "b": 1.0, "c": 0.0}]})  # fmt: skip

    assert unsure_of(frame, LABELS).tolist() == [1.0, 0.0]


def test_of_numbers_the_width_of_the_range_says_it() -> None:
    frame = pl.DataFrame({"value": [1.0, 2.0, 3.0], "low": [0.0, 1.0, None],
                          "high": [2.0, 5.0, None]})  # fmt: skip

    assert unsure_of(frame, NUMBERS).tolist() == [0.5, 1.0, 0.0]
    assert unsure_of(frame.drop("low"), NUMBERS).tolist() == [0.0] * 3


def test_disagreement_is_that_of_the_newest_shadow_on_the_same_request() -> None:
    frame = pl.DataFrame({"id": ["x", "y"], "probabilities": [
        {"a": 1.0, "b": 0.0, "c": 0.0}, {"a": 0.5, "b": 0.5, "c": 0.0}]})  # fmt: skip
    shadows = pl.DataFrame({"of": ["x", "x"], "version": [2, 3], "probabilities": [
        {"a": 1.0, "b": 0.0, "c": 0.0}, {"a": 0.0, "b": 1.0, "c": 0.0}]})  # fmt: skip

    found = disagreement_of(frame, shadows, LABELS)

    assert found is not None
    assert found.tolist() == [1.0, 0.0]
    assert disagreement_of(frame, shadows.clear(), LABELS) is None


def test_where_outcomes_are_known_already_a_row_is_worth_less() -> None:
    own = pl.DataFrame({"value": ["yes", "yes", "no", "no"], "outcome": ["yes", None, None, None]})

    found = known_of(own, own.filter(pl.col("outcome").is_null()))

    assert found.tolist() == [0.5, 0.0, 0.0]
