"""The split is counted in keys, from when it stands, and its test comes before any metric."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from everfit.live.arms import Arms, arm_of
from everfit.live.traffic.split import ByKey, arms_of, began, split_of, units
from everfit.store.log import Log
from tests.live.coins import coin_store, house_at
from tests.live.logged import Answered, fill

LATER_S = 30.0  # behind the moment at which the workers are sure to have changed


@pytest.fixture
def store(tmp_path):
    return coin_store(tmp_path / "store")


def answered(arms: Arms, n: int, *, lost: float = 0.0) -> list[Answered]:
    """Answers to n keys by their arms; the first ``lost`` of the canary's keys are not there."""
    found = []
    for i in range(n):
        arm = arm_of(f"k{i}", arms, "coin")
        if not (arm == "canary" and i < lost * n):
            found.append(Answered(f"k{i}", arm, 2 if arm == "canary" else 1))
    return found


def settled(store, answers) -> Log:
    """The log of a split that has stood for a while: its first answer came long before these."""
    fill(store, [Answered("the first", "canary", 2)], later_s=1.0, tag="first").close()
    return fill(store, answers, later_s=LATER_S)


def test_rows_of_one_key_count_once_and_rows_without_key_one_by_one(tmp_path):
    log = fill(
        tmp_path, [*[Answered("k1", "champion", 1)] * 5, *[Answered(None, "champion", 1)] * 3]
    )

    keys, rows, torn = units(log, "coin", since=None)

    assert (keys, rows, torn) == ({"champion": 4}, {"champion": 8}, 0)
    assert ByKey(log).arms("coin") == {"champion": 4}
    log.close()


def test_a_split_as_asked_is_sound(store):
    with house_at(store) as house:
        house.canary("coin", "v2", 0.3, holdout=0.1)
        log = settled(store, answered(arms_of(house, "coin"), 400))
        split = split_of(house, log, "coin")
        log.close()

    assert split.sound
    assert split.ratio is not None
    assert split.ratio.n == 400
    assert set(split.keys) == {"champion", "canary", "holdout"}


def test_a_canary_that_lost_its_keys_is_broken(store):
    with house_at(store) as house:
        house.canary("coin", "v2", 0.3)
        log = settled(store, answered(arms_of(house, "coin"), 400, lost=0.6))
        split = split_of(house, log, "coin")
        log.close()

    assert not split.sound
    assert split.ratio is not None
    assert split.ratio.broken


def test_a_key_in_two_arms_is_broken_however_few_there_are(store):
    with house_at(store) as house:
        house.canary("coin", "v2", 0.5)
        both = [Answered("k1", "champion", 1), Answered("k1", "canary", 2)]
        log = settled(store, both)
        split = split_of(house, log, "coin")
        log.close()

    assert split.torn == 1
    assert not split.sound


def test_shadows_and_requests_that_named_their_version_are_no_part_of_the_split(store):
    with house_at(store) as house:
        house.canary("coin", "v2", 0.3)
        arms = arms_of(house, "coin")
        extra = [Answered(f"k{i}", arm, 2) for i in range(50) for arm in ("shadow", "direct")]
        log = settled(store, [*answered(arms, 300), *extra])
        split = split_of(house, log, "coin")
        log.close()

    assert split.sound
    assert split.ratio is not None
    assert split.ratio.n == 300


def test_answers_from_before_the_split_stood_are_not_counted(store):
    with house_at(store) as house:
        house.canary("coin", "v2", 0.5)
        # workers that had not heard of it yet
        fill(store, [Answered(f"k{i}", "champion", 1) for i in range(200)], later_s=0.5).close()
        arms = arms_of(house, "coin")
        log = fill(store, answered(arms, 100), later_s=LATER_S, tag="q")
        fill(store, answered(arms, 100), later_s=LATER_S + 10, tag="r").close()
        split = split_of(house, log, "coin")
        log.close()

    assert split.sound
    assert split.rows == pytest.approx({"champion": 50, "canary": 50}, abs=20)


def test_a_canary_that_never_answered_is_found_broken_all_the_same(store):
    with house_at(store) as house:
        house.canary("coin", "v2", 0.5)
        never = [Answered(f"k{i}", "champion", 1) for i in range(100)]
        log = fill(store, never, later_s=LATER_S)
        split = split_of(house, log, "coin")
        decided = house.decisions("coin")[0].at
        assert began(house, log, "coin") == decided + timedelta(seconds=10)
        log.close()

    assert split.ratio is not None
    assert split.ratio.broken


def test_a_model_that_was_never_split_has_no_test(store):
    with house_at(store) as house:
        log = fill(store, [Answered("k1", "champion", 1)])
        split = split_of(house, log, "coin")
        log.close()

    assert (split.since, split.ratio, split.sound) == (None, None, True)


def test_a_changed_share_begins_a_new_split(store):
    with house_at(store) as house:
        house.canary("coin", "v2", 0.1)
        first = house.decisions("coin")[0].at
        house.canary("coin", "v2", 0.5)
        log = fill(store, [])
        found = began(house, log, "coin")
        log.close()

    assert found is not None
    assert found > first + timedelta(seconds=10)
    assert found <= datetime.now(UTC) + timedelta(seconds=10)
