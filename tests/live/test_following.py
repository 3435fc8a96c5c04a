"""From pointers to orders: what is bad is never offered, who answered goes on, all is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from everfit.errors import Unreachable
from everfit.live.arms import Arms
from everfit.live.following import Following, Incident, Judges
from everfit.live.orders import Placed
from everfit.live.pointers import Pointed
from everfit.records import Because

YES, NO = (Because("files as packed", True),), (Because("files as packed", False, note="changed"),)


def placed(number: int) -> Placed:
    return Placed(number, f"/s/v{number}", f"{number}" * 64)


def pointed(rev: int, arms: Arms, previous: int | None = None) -> Pointed:
    numbers = {arms.champion, arms.canary, arms.shadow, previous} - {None}
    shadows = (arms.shadow,) if arms.shadow else ()
    versions = {n: placed(n) for n in numbers if n}
    return Pointed("churn", rev, arms, versions, previous, shadows)


@dataclass
class World:
    """A store, its workers and judges, all in memory."""

    now: dict[str, Pointed] = field(default_factory=dict)
    bad: set[int] = field(default_factory=set)
    away: bool = False
    told: list[dict[str, Any]] = field(default_factory=list)
    waiting: bool = False
    judged: list[tuple[str, int]] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)

    def changed(self) -> bool:
        if self.away:
            raise Unreachable("the store does not answer")
        return True

    def read(self) -> dict[str, Pointed]:
        self.changed()
        return dict(self.now)

    def close(self) -> None: ...

    def order(self, order: dict[str, Any]) -> None:
        self.told.append(order)

    def settled(self, model: str) -> bool:
        return not self.waiting

    def judge(self, when: str, one: Placed) -> Sequence[Because]:
        self.judged.append((when, one.number))
        return NO if one.number in self.bad else YES

    def point(self, rev: int, arms: Arms, previous: int | None = None) -> None:
        self.now["churn"] = pointed(rev, arms, previous)

    def last(self) -> tuple[int, Arms, list[int]]:
        order = self.told[-1]
        assert order["do"] == "serve"
        numbers = [version["number"] for version in order["versions"]]
        return order["rev"], Arms.from_dict(order["arms"]), numbers


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def following(world: World) -> Following:
    judges = Judges(lambda one: world.judge("first", one), lambda one: world.judge("later", one))
    return Following(world, world, judges, world.incidents.append)


def confirm(world: World, following: Following) -> None:
    following.served("churn", world.told[-1]["rev"])


def test_the_champion_is_ordered_once(world, following):
    world.point(1, Arms(1))

    assert following.step()
    assert world.last() == (1, Arms(1), [1])
    assert not following.step()
    assert len(world.told) == 1
    assert following.models() == {"churn": Arms(1)}


def test_at_the_start_versions_are_judged_the_quick_way_and_later_the_full_one(world, following):
    world.point(1, Arms(1))
    following.step()
    world.point(2, Arms(2), 1)
    following.step()

    assert world.judged == [("first", 1), ("later", 2)]
    assert world.last() == (2, Arms(2), [2])


def test_a_bad_champion_is_not_offered_and_who_answered_goes_on(world, following):
    world.point(1, Arms(1))
    following.step()
    confirm(world, following)
    world.bad = {2}
    world.point(2, Arms(2), 1)

    assert not following.step()
    assert [order["rev"] for order in world.told] == [1]
    assert world.incidents == [Incident("churn", 2, 1, NO)]
    following.step()
    assert len(world.incidents) == 1


def test_with_a_bad_champion_at_the_start_the_one_before_answers(world, following):
    world.bad = {2}
    world.point(5, Arms(2), 1)
    following.step()

    assert world.last() == (5, Arms(1), [1])
    assert world.incidents == [Incident("churn", 2, 1, NO)]


def test_with_nobody_to_stand_in_nobody_answers_and_it_is_told(world, following):
    world.bad = {1, 2}
    world.point(5, Arms(2), 1)
    following.step()

    assert world.told == [{"do": "drop", "model": "churn"}]
    assert {(one.number, one.still) for one in world.incidents} == {(1, None), (2, None)}


def test_a_bad_canary_gets_no_keys_and_the_hold_out_stays(world, following):
    world.bad = {2}
    world.point(1, Arms(1, canary=2, share=0.2, holdout=0.1))
    following.step()

    assert world.last() == (1, Arms(1, holdout=0.1), [1])
    assert world.incidents == [Incident("churn", 2, 1, NO)]


def test_a_canary_without_keys_is_neither_loaded_nor_judged(world, following):
    world.point(1, Arms(1, canary=2, share=0.0))
    following.step()

    assert world.last()[2] == [1]
    assert world.judged == [("first", 1)]


def test_a_version_that_no_worker_can_load_is_taken_back(world, following):
    world.point(1, Arms(1))
    following.step()
    confirm(world, following)
    world.point(2, Arms(2), 1)
    following.step()

    following.failed("churn", 2, "out of memory")
    assert following.step()

    assert world.last() == (1, Arms(1), [1])
    (incident,) = world.incidents
    assert (incident.number, incident.still) == (2, 1)
    assert incident.checks[0].note == "out of memory"


def test_what_only_one_worker_confirmed_does_not_count_as_in_force(world, following):
    world.point(1, Arms(1))
    following.step()
    confirm(world, following)
    world.point(2, Arms(2), 1)
    following.step()
    world.waiting = True
    confirm(world, following)

    following.failed("churn", 2, "out of memory")
    following.step()

    assert world.last() == (1, Arms(1), [1])


def test_a_moved_alias_gives_a_version_that_was_bad_another_look(world, following):
    world.point(1, Arms(1))
    following.step()
    confirm(world, following)
    world.bad = {2}
    world.point(2, Arms(2), 1)
    following.step()
    world.bad = set()
    world.point(3, Arms(1), 2)
    following.step()
    world.point(4, Arms(2), 1)
    following.step()

    assert world.last() == (4, Arms(2), [2])
    assert len(world.incidents) == 1


def test_who_died_with_an_order_died_of_what_was_new_in_it(world, following):
    world.point(1, Arms(1))
    following.step()
    confirm(world, following)
    world.point(2, Arms(1, canary=3, share=0.1))
    following.step()

    assert following.suspect(world.told[-1]) == 3
    assert following.suspect(world.told[0]) == 1


def test_a_shadow_is_judged_and_never_ordered(world, following):
    world.point(1, Arms(1, shadow=2))
    following.step()

    assert following.shadows() == {"churn": (placed(2),)}
    assert world.last()[2] == [1]

    world.bad = {3}
    world.point(2, Arms(1, shadow=3))
    following.step()
    assert following.shadows() == {}
    assert world.incidents == [Incident("churn", 3, 1, NO)]


def test_a_model_that_is_gone_is_dropped(world, following):
    world.point(1, Arms(1))
    following.step()
    world.now.clear()
    following.step()

    assert world.told[-1] == {"do": "drop", "model": "churn"}
    assert following.models() == {}


def test_a_store_that_is_away_changes_nothing(world, following):
    world.point(1, Arms(1))
    following.step()
    world.away = True
    with pytest.raises(Unreachable, match="does not answer"):
        following.step()
    assert following.models() == {"churn": Arms(1)}

    world.away = False
    world.now["churn"] = replace(world.now["churn"], rev=2, arms=Arms(1, holdout=0.5))
    following.step()
    assert world.last() == (2, Arms(1, holdout=0.5), [1])


def test_a_version_that_fails_while_the_store_is_away_is_replaced_all_the_same(world, following):
    world.point(2, Arms(2), 1)
    following.step()
    following.failed("churn", 2, "out of memory")
    world.away = True
    with pytest.raises(Unreachable, match="does not answer"):
        following.step()

    assert world.last() == (2, Arms(1), [1])
    assert [one.number for one in world.incidents] == [2]
