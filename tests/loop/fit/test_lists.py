"""The loop makes versions of lists by itself, as it does of rows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from everfit.executors import InlineExecutor
from everfit.loop.fit import FitJob, Fitted, Hands, fit
from everfit.loop.run import Means, Request, run
from everfit.records import Upkeep
from everfit.serve.lists.lists import Lists
from everfit.serve.load import open_version
from everfit.store import Journal, open_store
from tests.loop.asked import BEGIN, DAY, Asked
from tests.meetings import catalogue, meetings

SEEN = meetings(2_000)
NOW = BEGIN + 30 * DAY


@pytest.fixture(scope="module")
def refitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Fitted]]:
    """A champion of lists, and the version that the loop made of it when the source had grown."""
    folder = tmp_path_factory.mktemp("lists")
    source, items = folder / "meetings.csv", folder / "items.csv"
    SEEN.head(1_400).write_csv(source)
    catalogue().write_csv(items)
    store = open_store(folder / "store", clock=lambda: BEGIN - timedelta(days=1))
    request = Request(
        str(source),
        "item",
        name="m",
        task="recommend",
        roles={"user": "group", "timestamp": "time"},
        beside={"items": str(items)},
        budget_s=6.0,
        started=time.monotonic(),
    )
    run(request, Means(lambda: store, InlineExecutor, 1, lambda progress: None))
    SEEN.write_csv(source)
    job = FitJob(
        "m", "retrain", until=NOW, now=NOW, champion=1, budget_s=20.0,
        upkeep=Upkeep(learn_from="source"),
    )  # fmt: skip
    yield store, fit(job, Hands(store, Asked([]), InlineExecutor, tell=lambda line: None))
    store.close()


def test_a_refit_of_lists_goes_into_the_shadow(refitted: tuple[Journal, Fitted]) -> None:
    store, made = refitted

    assert made.decision.kind == "retrained"
    assert made.version is not None
    shadow = store.aliases("m")["shadow"]
    assert shadow is not None
    assert shadow.number == made.version.number


def test_it_knows_what_was_met_since_and_the_same_catalogue(
    refitted: tuple[Journal, Fitted], tmp_path: Path
) -> None:
    store, made = refitted
    assert made.version is not None

    old, new = (
        open_version(store.root / version.folder)
        for version in (store.version("m", "v1"), made.version)
    )

    assert isinstance(old, Lists)
    assert isinstance(new, Lists)
    assert set(old.labels) == set(new.labels) == set(catalogue()["item"])
    counts = [max(p.histories.asked.items.size for p in lists._parts) for lists in (old, new)]
    assert counts == [1_400, 2_000]


def test_its_members_are_those_of_the_version_before(refitted: tuple[Journal, Fitted]) -> None:
    store, made = refitted
    assert made.version is not None

    def learners(folder: str) -> set[str]:
        manifest = json.loads((store.root / folder / "manifest.json").read_text())
        return {one["learner"] for one in manifest["learners"]}

    before = learners(store.version("m", "v1").folder)
    assert learners(made.version.folder) <= before | {"popular", "neighbours"}
    assert np.isfinite(made.version.score.mid)
