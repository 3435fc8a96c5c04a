"""A model that a person has made, once; each test gets its own copy of the store."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from everfit.executors import InlineExecutor
from everfit.loop.fit import FitJob, Fitted, Hands, fit
from everfit.loop.run import Means, Request, run
from everfit.store import Journal, RunHandle, open_store
from tests.loop.asked import BEGIN, DAY, Asked, asked
from tests.real import cancer

SEEN = 350  # rows that the person had
NOW = BEGIN + 30 * DAY


@dataclass
class Scene:
    """A store with a champion ``v1``, its source, and rows that came since."""

    folder: Path
    target: str
    came: pl.DataFrame
    store: Journal = field(init=False)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = open_store(self.folder / "store", create=False)

    @property
    def source(self) -> Path:
        return self.folder / "cancer.csv"

    @property
    def log(self) -> Asked:
        return Asked(asked(self.came, self.target))

    def job(self, act: str = "retrain", **more: Any) -> FitJob:
        given = FitJob(
            "m", act, until=NOW, now=NOW, champion=1, budget_s=30.0,  # type: ignore[arg-type]
            spec={"source": str(self.source)},
        )  # fmt: skip
        return replace(given, **more)

    def hands(self, log: Asked | None = None) -> Hands:
        return Hands(self.store, log or self.log, InlineExecutor, tell=self.told.append)

    def fit(
        self,
        act: str = "retrain",
        *,
        log: Asked | None = None,
        hold: RunHandle | None = None,
        **more: Any,
    ) -> Fitted:
        return fit(self.job(act, **more), self.hands(log), hold)

    def alias(self, name: str) -> int | None:
        found = self.store.aliases("m").get(name)
        return None if found is None else found.number

    def kinds(self) -> list[str]:
        """Kinds of decisions since the release, oldest first."""
        return [decision.kind for decision in self.store.decisions("m", newest_first=False)][3:]


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, pl.DataFrame]:
    """A folder with a store, and rows that its champion has not seen."""
    folder = tmp_path_factory.mktemp("released")
    path, target = cancer(folder)
    whole = pl.read_csv(path).sample(fraction=1.0, shuffle=True, seed=1)
    whole.head(SEEN).write_csv(path)

    def clock() -> datetime:
        return BEGIN - timedelta(days=1)

    store = open_store(folder / "store", clock=clock)
    request = Request(path, target, name="m", budget_s=5.0, started=time.monotonic())
    means = Means(lambda: store, InlineExecutor, 1, lambda progress: None, clock)
    run(request, means)
    store.close()
    return folder, target, whole.tail(whole.height - SEEN)


@pytest.fixture
def scene(released: tuple[Path, str, pl.DataFrame], tmp_path: Path) -> Iterator[Scene]:
    folder, target, came = released
    shutil.copytree(folder, tmp_path / "copy")
    made = Scene(tmp_path / "copy", target, came)
    yield made
    made.store.close()
