"""``everfit tick`` killed anywhere in the life of a model: the same ledger, and nobody is left."""

from __future__ import annotations

import random
import secrets
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from tests.postgres import ask, fresh_database
from tests.restart.life import Forker, Life, birth, differences
from tests.restart.test_turns import quick_disk

__all__ = ["quick_disk"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

WEEKS = 35  # at most, of a whole life: until a mistake of a person was gone back from
KILLS, MORE = 50, 30  # kills that are wanted, and tries at more: some turns end before
LESS = 0.7
WHOLE = {"degraded", "decided", "retrained", "promoted", "shadow", "rolled_back", "rehearsed"}
WRITES = ["note", "commit", "save_trial", "finish_run"]
RIGHTS = ["hold", "let_go"]


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    made = Forker()
    yield made
    made.close()


@pytest.fixture
def lives(
    request: pytest.FixtureRequest, quick_disk: Path, forker: Forker
) -> Iterator[Callable[..., Life]]:
    """Makes lives that begin alike: the same first versions, in a store of this kind."""
    started: list[Life] = []
    born = quick_disk / "born"
    born.mkdir()
    first = str(born / "store") if request.param == "sqlite" else fresh_database()

    def start(*, spoiled: bool = False) -> Life:
        if not (born / "everfit.toml").exists():
            birth(first, born, budget_s=3.0 if spoiled else 1.5, spoiled=spoiled)
        folder = quick_disk / secrets.token_hex(4)
        shutil.copytree(born, folder)
        place = str(folder / "store") if request.param == "sqlite" else same_database(first)
        started.append(Life(place, folder, forker, spoiled))
        return started[-1]

    yield start
    for life in started:
        life.close()


def same_database(url: str) -> str:
    """The URL of a new database with what another one holds."""
    name = f"everfit_test_{secrets.token_hex(6)}"
    ask(f"CREATE DATABASE {name} TEMPLATE {make_url(url).database}")
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def undisturbed(life: Life, weeks: int) -> tuple[dict[str, Any], list[float]]:
    """The story of a life until it is whole, and how long the turn of each week took."""
    seconds: list[float] = []
    while len(seconds) < weeks and not life.kinds() >= WHOLE:
        life.ask()
        seconds.append(life.whole())
    return life.story(), seconds


def killed_at_moments(life: Life, seconds: list[float], kills: int, rng: random.Random) -> int:
    """Live through the weeks, with turns killed at random moments; how many were."""
    done = 0
    for week, took in enumerate(seconds):
        life.ask()
        # as many as this week has of all the time that is left
        share = took / sum(seconds[week:])
        wanted = max(1, round(share * (kills - done)))
        for tries in range(wanted):
            # the turn that goes on has less to do than the one that was killed
            code = life.turn(after_s=rng.uniform(0.0, took) * LESS**tries)["code"]
            done += code == -signal.SIGKILL
            if code == 0:
                break
        life.whole()
    return done


def killed_at_writes(life: Life) -> int:
    """Turns of one week, killed before and after each of their writes; how many were."""
    done = 0

    def killed(point: int, calls: list[str]) -> bool:
        nonlocal done
        code = life.turn(point=point, calls=calls)["code"]
        done += code == -signal.SIGKILL
        return bool(code)

    killed(2, RIGHTS)  # it holds the model
    killed(1, WRITES)
    point, mark = 2, life.mark()
    while killed(point, WRITES):
        # what was written before this point stays, and the next turn goes on from it; what it does
        # anew, such as to begin a run and to end it, it must be allowed to get past
        point, mark = (2 if life.mark() != mark else point + 2), life.mark()
    killed(3, RIGHTS)  # it is about to let go
    return done


@pytest.mark.parametrize("lives", ["sqlite"], indirect=True)
def test_a_turn_that_is_killed_anywhere_goes_on_to_the_same_ledger(
    lives: Callable[..., Life],
) -> None:
    whole, (took,) = undisturbed(lives(), 1)
    life = lives()
    life.ask()

    moments = [life.turn(after_s=share * took)["code"] for share in (0.2, 0.4)]
    writes = killed_at_writes(life)

    assert -signal.SIGKILL in moments
    assert writes >= 3
    assert differences(life.story(), whole) == []


@pytest.mark.slow
@pytest.mark.parametrize("lives", ["sqlite", "postgresql"], indirect=True)
def test_a_life_killed_at_fifty_random_moments_tells_the_same_story(
    lives: Callable[..., Life],
) -> None:
    whole, seconds = undisturbed(lives(spoiled=True), WEEKS)
    life = lives(spoiled=True)

    done = killed_at_moments(life, seconds, KILLS + MORE, random.Random(4))

    assert differences(life.story(), whole) == []
    assert done >= KILLS
    assert life.kinds() >= WHOLE


@pytest.mark.slow
@pytest.mark.parametrize("lives", ["sqlite", "postgresql"], indirect=True)
def test_a_life_killed_at_every_write_tells_the_same_story(lives: Callable[..., Life]) -> None:
    whole, seconds = undisturbed(lives(spoiled=True), WEEKS)
    life = lives(spoiled=True)

    done = 0
    for _ in seconds:
        life.ask()
        done += killed_at_writes(life)

    assert differences(life.story(), whole) == []
    assert done >= 6 * len(seconds)
    assert life.kinds() >= WHOLE
