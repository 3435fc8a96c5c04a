"""Drain, seal and forget, killed with SIGKILL at every statement and every call that writes.

Run as a program, because Polars cannot be used in a fork of a process that has used it: this one
only forks. ``python -m tests.store.log.doomed sqlite|postgresql drain|seal|forget FOLDER STEP``
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

from everfit.store.log import ingest
from everfit.store.log.forget import was_forgotten
from everfit.store.log.sealed import pack
from tests.store.log.build import DATABASES, DAY_US, Scene
from tests.store.test_kill import Countdown, _around

FILE_CALLS = ("rename", "fsync", "fdatasync", "unlink", "mkdir", "replace")
PERSON = "anna-7f3e"
EXPECTED = {f"p{n}": f"k{n % 3}" for n in range(12)} | {"mine1": PERSON, "mine2": PERSON}


def traffic(scene: Scene, shift: int = 0) -> None:
    """Two days of predictions, most with an outcome, some of them by one person."""
    spool = scene.spool(f"w{shift}", limit_bytes=1500)
    for name, key in EXPECTED.items():
        scene.now_us += DAY_US // 7
        scene.predict(spool, id=f"{name}", key=key, row={"name": key, "age": 3})
        scene.tell(spool, {"id": name, "outcome": name})
        scene.tell(spool, {"id": name, "outcome": name})
    scene.predict(spool, id="shadow", key=PERSON, arm="shadow", of="mine1")
    scene.tell(spool, {"id": "nobody's", "outcome": 1})
    spool.close()


def drained(scene: Scene) -> None:
    traffic(scene)
    scene.drain()


def half_sealed(scene: Scene) -> None:
    """One part in files, the other in the tables, and a spool that was not drained."""
    drained(scene)
    scene.now_us += 3 * DAY_US
    made = scene.log.seal()
    assert len(made) >= 3


def drain(scene: Scene) -> None:
    scene.drain()


def seal(scene: Scene) -> None:
    scene.now_us += 3 * DAY_US
    scene.log.seal()


def forget(scene: Scene) -> None:
    scene.log.forget("churn", PERSON, by="test", spools=scene.spools)


def everything(scene: Scene) -> None:
    """Every prediction once, each with its outcome."""
    names = sorted([*EXPECTED, "shadow"])
    assert sorted(scene.ids()) == names, scene.ids()
    told = {name: name for name in EXPECTED} | {"shadow": "mine1"}
    assert scene.outcomes() == told, scene.outcomes()
    assert scene.log.count("churn") == len(names)


def after_drain(scene: Scene) -> None:
    found = scene.ids()
    assert len(set(found)) == len(found), found
    scene.drain()
    everything(scene)


def after_seal(scene: Scene) -> None:
    everything(scene)
    seal(scene)
    everything(scene)
    no_strangers(scene)


def after_forget(scene: Scene) -> None:
    others = sorted(name for name, key in EXPECTED.items() if key != PERSON)
    assert set(others) <= set(scene.ids())
    forget(scene)
    assert sorted(scene.ids()) == others, scene.ids()
    assert scene.outcomes() == {name: name for name in others}
    assert was_forgotten(scene.log.place, "churn", PERSON)
    no_strangers(scene)
    for path in scene.root.rglob("*"):
        assert not path.is_file() or PERSON.encode() not in path.read_bytes(), path


def no_strangers(scene: Scene) -> None:
    """Every file below ``sealed`` is listed."""
    with scene.log.place.database.read() as connection:
        listed = {
            row.path.partition(".")[0] for row in connection.execute(pack.tables.sealed.select())
        }
    sealed = scene.root / "log" / "sealed"
    there = {p for p in sealed.rglob("*") if p.is_file()}
    assert {str(p.relative_to(scene.root / "log")).partition(".")[0] for p in there} == listed


PLANS: dict[str, tuple[Callable[[Scene], None], ...]] = {
    "drain": (traffic, drain, after_drain),
    "seal": (drained, seal, after_seal),
    "forget": (half_sealed, forget, after_forget),
}


def in_child(act: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(point: int, act: Callable[[Scene], None], scene: Scene) -> None:
    """Do ``act`` and die before the call that ``point`` counts to."""
    count = Countdown(point)
    log = scene.log
    for name in ("before_cursor_execute", "commit"):
        event.listen(log.place.database.engine, name, count)
    with pytest.MonkeyPatch.context() as patch:
        for name in FILE_CALLS:
            patch.setattr(os, name, _around(getattr(os, name), count))
        act(scene)


def killed(kind: str, plan: str, root: Path, point: int) -> bool:
    """Prepare, die at ``point``, and check what is left; whether there was such a point."""
    before, act, after = PLANS[plan]
    root.mkdir()
    place = DATABASES[kind](root)
    later = Scene(place, root).now_us + 9 * DAY_US
    assert in_child(lambda: before(Scene(place, root))) == 0, point
    died = in_child(lambda: killed_at(point, act, Scene(place, root, later)))
    assert in_child(lambda: after(Scene(place, root, later))) == 0, point
    shutil.rmtree(root)
    assert died in (0, -signal.SIGKILL), (point, died)
    return died != 0


def main(kind: str, plan: str, folder: Path, step: int) -> int:
    """Kill at every ``step``-th point until there is none; prints how many kills there were."""
    pack.CHUNK, ingest.MOST_ROWS, pack.ORPHAN_S = 5, 9, -1.0
    kills = 0
    while killed(kind, plan, folder / str(kills), 1 + kills * step):
        kills += 1
    print(kills)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))
