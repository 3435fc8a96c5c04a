"""A glance at an SQLite file and the house give the same pointers, and tell when they change."""

from __future__ import annotations

import sqlite3

import pytest

from everfit.errors import StoreFailed
from everfit.live.arms import Arms
from everfit.live.pointers import Asked, Glance
from everfit.records import Decision
from everfit.store import open_store
from tests.live.coins import coin_store, house_at


@pytest.fixture
def store(tmp_path):
    return coin_store(tmp_path / "store", (1, 2, 3))


def put(store, model, aliases):
    """Move aliases as a turn of the loop does."""
    kept = open_store(store)
    kept.commit(Decision(model, "retrained", "put there"), aliases=aliases)
    kept.close()


def both(store, house):
    glance, asked = Glance(store), Asked(house)
    try:
        found, same = glance.read(), asked.read()
    finally:
        glance.close()
    assert found == same
    return found["coin"]


def test_the_champion_is_found_with_its_folder_and_hash(store):
    with house_at(store) as house:
        found = both(store, house)
        version = house.version("coin")

    assert found.arms == Arms(1)
    assert list(found.versions) == [1]
    assert (found.versions[1].folder, found.versions[1].sha256) == (version.folder, version.sha256)
    assert found.previous is None


def test_canary_hold_out_shadow_and_previous_are_found(store):
    with house_at(store) as house:
        house.promote("coin", "v2")
        house.canary("coin", "v3", 0.2, holdout=0.05)
        house.shadow("coin", "v1")
        found = both(store, house)

        assert found.arms == Arms(2, canary=3, share=0.2, holdout=0.05, shadow=1)
        assert found.previous == 1
        assert sorted(found.versions) == [1, 2, 3]

        house.canary("coin")
        house.shadow("coin")
        after = both(store, house)

    assert after.arms == Arms(2, holdout=0.05)
    assert after.rev > found.rev


def test_a_canary_that_became_champion_by_another_hand_is_a_canary_no_more(store):
    from everfit.records import Decision
    from everfit.store import open_store

    with house_at(store) as house:
        house.canary("coin", "v2", 0.2)
        journal = open_store(store)
        moved = Decision("coin", "promoted", "Promoted v2")
        journal.commit(moved, aliases={"champion": 2, "previous": 1})
        journal.close()
        found = both(store, house)

    assert found.arms == Arms(2)


@pytest.mark.parametrize("kind", ["glance", "asked"])
def test_a_change_is_told_once(store, kind):
    with house_at(store) as house, house_at(store) as other:
        pointers = Glance(store) if kind == "glance" else Asked(house)
        assert pointers.changed()
        pointers.read()
        assert not pointers.changed()

        other.promote("coin", "v2")

        assert pointers.changed()
        assert pointers.read()["coin"].arms.champion == 2
        assert not pointers.changed()
        pointers.close()


def test_a_store_that_is_made_later_is_found_then(tmp_path):
    glance = Glance(tmp_path / "store")
    assert glance.read() == {}
    assert not glance.changed()

    coin_store(tmp_path / "store")

    assert glance.changed()
    assert list(glance.read()) == ["coin"]
    glance.close()


def test_a_file_that_another_took_the_place_of_is_read_anew(store, tmp_path):
    """A backup that is put back: what was open would never change again."""
    coin_store(tmp_path / "other", (1, 2, 3))
    with house_at(tmp_path / "other") as house:
        house.promote("coin", "v3")
    glance = Glance(store)
    assert glance.read()["coin"].arms == Arms(1)

    for name in ("journal.db-wal", "journal.db-shm"):
        (store / name).unlink(missing_ok=True)
    with sqlite3.connect(tmp_path / "other" / "journal.db") as copy:
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy.close()
    (tmp_path / "other" / "journal.db").rename(store / "journal.db")

    assert glance.changed()
    assert glance.read()["coin"].arms == Arms(3)
    assert not glance.changed()
    glance.close()


def test_a_store_without_traffic_of_an_older_release_is_read_too(store):
    with sqlite3.connect(store / "journal.db") as connection:
        connection.execute("DROP TABLE traffic")
    connection.close()
    glance = Glance(store)

    assert glance.read()["coin"].arms == Arms(1)
    glance.close()


def test_a_file_that_is_no_store_is_told(tmp_path):
    (tmp_path / "journal.db").write_bytes(b"this is no database at all" * 100)
    glance = Glance(tmp_path)

    assert glance.changed()
    with pytest.raises(StoreFailed, match="cannot be read"):
        glance.read()


def test_versions_that_the_loop_may_go_back_to_stand_in_the_shadow_too(store):
    with house_at(store) as house:
        put(store, "coin", {"shadow": 2, "fallback": 3, "base": 1})
        found = both(store, house)

        assert found.shadows == (2, 3)  # the champion needs no shadow of itself
        assert sorted(found.versions) == [1, 2, 3]

        put(store, "coin", {"shadow": None, "fallback": 2, "base": 2})

        assert both(store, house).shadows == (2,)
