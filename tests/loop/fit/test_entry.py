"""A fit in a process of its own, and what is left when that process is killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from everfit.loop.child import Limits, in_child
from everfit.loop.fit import WORK, FitJob, arguments
from everfit.records import Upkeep
from everfit.store import RunHandle
from tests.loop.conftest import Scene

ROOT = Path(__file__).resolve().parents[3]
MOMENTS = ("when it is written",)
MORE = ("before it is written", "in the study", "when all is fitted", "when it is packed")


def plain(scene: Scene, hold: RunHandle) -> dict[str, Any]:
    return arguments(job(scene), hold, place=str(scene.folder / "store"))


def job(scene: Scene) -> FitJob:
    # a log that was never written to: the child opens the store's own
    return scene.job(about="monday", upkeep=Upkeep(learn_from="source"))


def left(scene: Scene) -> dict[str, Any]:
    """What a fit leaves in the store, without what is told by a clock or a counter."""
    store = scene.store
    return {
        "ledger": [(d.kind, d.headline, d.at) for d in store.decisions("m", newest_first=False)],
        "aliases": {name: alias.number for name, alias in store.aliases("m").items()},
        "versions": [(v.name, v.state, v.until) for v in store.versions("m")],
        "steps": [(s.kind, s.key, dict(s.record)) for s in store.steps("m")],
        "folders": sorted(path.name for path in (store.root / "models" / "m").iterdir()),
    }


def undisturbed(scene: Scene) -> dict[str, Any]:
    hold = scene.store.hold("m", ttl_s=120.0)
    scene.fit(hold=hold, about="monday", upkeep=Upkeep(learn_from="source"))
    scene.store.let_go(hold)
    return left(scene)


def test_a_child_makes_the_version_under_the_hold_of_its_parent(scene: Scene) -> None:
    hold = scene.store.hold("m", ttl_s=120.0)

    outcome = in_child(WORK, plain(scene, hold), Limits(120.0))
    scene.store.let_go(hold)

    assert outcome.status == "ok", outcome.error
    assert outcome.value["version"] == 2
    assert outcome.value["decision"]["kind"] == "retrained"
    assert scene.alias("shadow") == 2


def test_a_child_whose_parent_lost_the_model_writes_nothing(scene: Scene) -> None:
    hold = scene.store.hold("m", ttl_s=120.0)
    scene.store.let_go(hold)
    scene.store.let_go(scene.store.hold("m", ttl_s=120.0))

    outcome = in_child(WORK, plain(scene, hold), Limits(120.0))

    assert outcome.status == "error"
    assert "StoreBusy" in outcome.error
    assert scene.kinds() == []


@pytest.mark.parametrize(
    "moment", [*MOMENTS, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)]
)
def test_after_a_kill_the_same_job_ends_as_if_nothing_had_been(
    scene: Scene, moment: str, released: Any, tmp_path: Path
) -> None:
    folder, target, came = released
    shutil.copytree(folder, tmp_path / "calm")
    calm = Scene(tmp_path / "calm", target, came)
    shutil.copy(scene.source, calm.source)
    hold = scene.store.hold("m", ttl_s=120.0)
    killed = subprocess.run(
        [sys.executable, "-m", "tests.loop.fit.doomed", moment, json.dumps(plain(scene, hold))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert killed.returncode == -9, killed.stderr
    scene.store.let_go(hold)
    found = undisturbed(scene)

    assert found == undisturbed(calm)
    calm.store.close()
