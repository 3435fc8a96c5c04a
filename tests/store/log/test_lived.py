"""What many keys have lived through, from tables and files alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.store.log.build import Scene
from tests.store.log.test_read import START, all_sealed, fill, half_sealed, not_sealed


@pytest.fixture(params=[not_sealed, half_sealed, all_sealed], ids=lambda f: f.__name__)
def filled(request: pytest.FixtureRequest, scene: Scene) -> Scene:
    fill(scene)
    request.param(scene)
    return scene


def test_each_key_has_its_last_known_outcomes_oldest_first(filled: Scene) -> None:
    keys = [f"k{i}" for i in range(10)]

    found = filled.log.lived("churn", ["nobody", *keys, "k4"], 5)

    # every third of thirty hours has an outcome, and each tenth hour is the same key's
    known = [[i for i in range(k, 30, 10) if i % 3 == 0] for k in range(10)]
    assert [[one.row["age"] for one in rows] for rows in found] == [[], *known, known[4]]
    for rows in found:
        assert [one.outcome for one in rows] == [one.row["age"] % 2 == 0 for one in rows]
        assert [one.at for one in rows] == [START + timedelta(hours=one.row["age"]) for one in rows]
        assert all(one.row["id"] == str(one.row["age"]) for one in rows)
    assert filled.log.lived("prices", ["k4"], 5) == [[]]


def test_no_more_than_the_last_are_given_and_those_without_outcomes_do_not_push_them_out(
    scene: Scene,
) -> None:
    spool = scene.spool()
    for i in range(4):
        scene.now_us += 1_000_000
        name = scene.predict(spool, id=f"a{i}", key="anna", row={"age": i})
        scene.tell(spool, {"id": name, "outcome": f"old {i}"}, {"id": name, "outcome": i})
    for i in range(60):
        scene.now_us += 1_000_000
        scene.predict(spool, id=f"b{i}", key="anna", row={"age": 100 + i})
    spool.close()
    scene.drain()

    (found,) = scene.log.lived("churn", ["anna"], 3)

    assert [(one.row["age"], one.outcome) for one in found] == [(1, 1), (2, 2), (3, 3)]
    assert all(one.at < datetime.fromtimestamp(scene.now_us / 1e6, UTC) for one in found)


def test_a_shadow_s_answers_are_no_events(scene: Scene) -> None:
    spool = scene.spool()
    name = scene.predict(spool, id="a", key="anna", row={"age": 1})
    scene.predict(spool, id="a~v2", key="anna", row={"age": 1}, of="a", arm="shadow")
    scene.tell(spool, {"id": name, "outcome": "yes"})
    spool.close()
    scene.drain()

    (found,) = scene.log.lived("churn", ["anna"], 5)

    assert [one.outcome for one in found] == ["yes"]
