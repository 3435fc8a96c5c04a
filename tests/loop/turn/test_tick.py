"""A turn: what is due is done once, in order, and what breaks off goes on as if nothing was."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from everfit.data.read import read
from everfit.errors import StoreFailed
from everfit.loop.tick import tick
from tests.loop.turn.world import MODEL, Small, small
from tests.real import cancer


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path, target = cancer(tmp_path_factory.mktemp("cancer"))
    return read(str(path)), target


def test_a_window_is_closed_matured_looked_at_and_decided_on_once(tmp_path, table):
    one = small(tmp_path, *table)
    one.live()

    first, again = one.turn(), one.turn()

    assert [kind for kind, _ in first.steps] == ["asked", "matured", "health", "action"]
    assert again.steps == ()
    assert [s.kind for s in one.store.steps(MODEL)] == ["asked", "matured", "health", "action"]


def test_outcomes_are_waited_for_as_long_as_the_policy_says(tmp_path, table):
    one = small(tmp_path, *table, label_delay_s=2 * 86_400.0)
    matured = []

    for _ in range(4):
        one.live()
        matured.append([kind for kind, _ in one.turn().steps].count("matured"))

    assert matured == [0, 0, 1, 1]


def test_windows_that_were_missed_are_all_closed_by_the_next_turn(tmp_path, table):
    one, other = small(tmp_path / "a", *table), small(tmp_path / "b", *table)
    for _ in range(3):
        one.live()
        one.turn()
        other.live()
    other.turn()

    def windows(world: Small):
        return [(s.kind, s.key, s.record["n"]) for kind in ("asked", "matured")
                for s in world.store.steps(MODEL, kind)]  # fmt: skip

    assert windows(one) == windows(other)
    assert len(windows(one)) == 6


def test_a_clock_that_was_set_back_closes_nothing_twice(tmp_path, table):
    one = small(tmp_path, *table)
    for _ in range(2):
        one.live()
        one.turn()
    now = one.clock.now
    one.clock.now = now.replace(year=now.year - 1)

    assert [kind for kind, _ in one.turn().steps] == ["clock"]
    assert one.turn().steps == ()


def test_a_clock_that_jumped_a_year_ahead_leaves_no_hundreds_of_empty_windows(tmp_path, table):
    one = small(tmp_path, *table)
    one.live()
    one.turn()
    one.clock.now = one.clock.now.replace(year=one.clock.now.year + 1)
    one.turn()

    asked = one.store.steps(MODEL, "asked")

    assert [s.record["n"] for s in asked] == [150, 0]


class Failing:
    """A store whose writes fail after so many of them: before anything is written, or after."""

    def __init__(self, store, left: int, after: bool) -> None:
        self._store, self._left, self._after = store, left, after

    def __getattr__(self, name):
        found = getattr(self._store, name)
        if name not in ("commit", "note"):
            return found

        def call(*args, **kwargs):
            if self._left == 0 and not self._after:
                raise StoreFailed("the power went")
            made = found(*args, **kwargs)
            if self._left == 0:
                raise StoreFailed("the power went")
            self._left -= 1
            return made

        return call


@pytest.mark.parametrize("after", [False, True])
def test_a_turn_that_breaks_off_at_any_write_goes_on_to_the_same_ledger(tmp_path, table, after):
    def told(world: Small):
        decisions = [
            (d.kind, d.headline, d.version)
            for d in world.store.decisions(MODEL)
            if d.kind not in ("assessed", "studied", "released")
            and not (d.run and d.kind == "did_nothing")  # a fit that broke off says so itself
        ]  # fmt: skip
        return decisions, [(s.kind, s.key) for s in world.store.steps(MODEL)]

    def bad(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(pl.col(rows.columns[0]) + 1.0)

    plain = small(tmp_path / "plain", *table)
    broken = small(tmp_path / f"broken-{after}", *table)
    for _ in range(3):
        plain.live(bad)
        plain.turn()
    falls = 0
    for _ in range(3):
        broken.live(bad)
        for at in range(20):
            try:
                broken.turn(Failing(broken.store, at % 2, after))
            except StoreFailed:
                falls += 1
                continue
            break

    assert falls >= 6
    assert told(broken) == told(plain)
    assert broken.store.champion(MODEL).name == plain.store.champion(MODEL).name


def test_a_turn_ends_between_steps_when_it_is_asked_to(tmp_path, table):
    from dataclasses import replace

    one = small(tmp_path, *table)
    one.live()
    hold = one.store.hold(MODEL, ttl_s=600.0)
    asked: list[int] = []

    def stopping() -> bool:
        asked.append(1)
        return len(asked) > 2

    done = tick(MODEL, replace(one.hands(), stopping=stopping), hold)
    one.store.let_go(hold)

    assert done.stopped
    assert [kind for kind, _ in done.steps] == ["asked", "matured"]
    assert [kind for kind, _ in one.turn().steps] == ["health", "action"]


def test_a_paused_model_is_watched_and_nothing_is_changed(tmp_path, table):
    from everfit.records import Decision

    one = small(tmp_path, *table, least_rows=50)
    one.store.commit(Decision(MODEL, "paused", "Paused", at=one.clock.now))
    for _ in range(3):
        one.live()
        one.turn()

    assert len(one.store.steps(MODEL, "health")) == 3
    assert one.fits == []
    assert {s.record["act"] for s in one.store.steps(MODEL, "action")} == {"nothing"}


def test_a_hold_that_was_lost_writes_nothing(tmp_path: Path, table):
    from everfit.errors import StoreBusy

    one = small(tmp_path, *table)
    one.live()
    old = one.store.hold(MODEL, ttl_s=600.0)
    one.store.let_go(old)
    new = one.store.hold(MODEL, ttl_s=600.0)

    with pytest.raises(StoreBusy):
        tick(MODEL, one.hands(), old)

    assert one.store.steps(MODEL) == ()
    one.store.let_go(new)


def test_a_champion_whose_files_changed_is_told_of_and_the_turn_goes_on(tmp_path, table):
    one = small(tmp_path, *table)
    one.live()
    champion = one.store.version(MODEL, "champion")
    (one.store.root / champion.folder / "plan.json").write_text("{}")

    done = one.turn()

    assert [kind for kind, _ in done.steps] == ["asked", "matured", "health", "action"]
    assert one.kinds()[-2:] == ["not_evaluable", "called"]
    assert "v1 can no longer be evaluated" in one.store.decisions(MODEL)[1].headline
    assert one.turn().steps == ()
