"""A model that lives: a real version, real traffic in the log, and ``everfit tick`` in processes.

Its weeks go by a clock of their own. What is asked is not what was learnt: a new version is fitted
from the log, tried in the shadow and promoted; then a person promotes a spoiled version, and it is
gone back from.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from everfit.executors import InlineExecutor
from everfit.house import House
from everfit.loop.run import Means, Request, run
from everfit.loop.turn.windows import floor_to
from everfit.plain import as_plain
from everfit.records import Version
from everfit.release.handover import Wish, promote
from everfit.simulate.answering import Answering
from everfit.store import Journal, open_store
from everfit.store.log import Log
from everfit.store.log.frames import Logged, outcomes_frame, predictions_frame
from everfit.store.log.spool import Spool
from tests.real import ROOT, cancer
from tests.restart.turns import _moves

MODEL, TARGET = "tumour", "target"
WINDOW = timedelta(days=7)
BEGIN = floor_to(datetime(2026, 1, 10, tzinfo=UTC), WINDOW)
ROWS, MOMENTS = 120, 8  # of a window
LEARNT = 280  # rows of the first version
BORN = 2  # versions that a person made: v1 and the spoiled v2
MOST_TURNS, BUSY, INTERRUPTED = 10, 4, 130  # exit codes of `everfit tick`
# numbers of rows: a transaction that was broken off leaves a gap in those of PostgreSQL
NUMBERS = re.compile(r"\b(decision(?:\": |=| )|[Rr]un |run-)\d+")
RULES = """
[policy]
window = "7d"
least_rows = 150
learn_from = "log"
retrain_budget = "300s"
fits_a_year = 1
acts = ["recalibrate", "retrain", "roll_back", "set_aside"]
"""

encode = msgspec.json.encode


def birth(place: str, folder: Path, *, budget_s: float, spoiled: bool) -> None:
    """Make v1, which serves, and perhaps v2, a spoiled one that does not, in a store there."""
    (folder / "everfit.toml").write_text(RULES)
    path, _ = cancer(folder)
    rows = pl.read_csv(path).sample(fraction=1.0, shuffle=True, seed=1)
    rows.tail(rows.height - LEARNT).write_parquet(folder / "rest.parquet")
    begin = rows.head(LEARNT)
    half = pl.int_range(begin.height) % 2 == 0
    other = begin[TARGET].sample(fraction=1.0, shuffle=True, seed=5)
    noisy = begin.with_columns(pl.when(half).then(other).otherwise(pl.col(TARGET)).alias(TARGET))
    store = open_store(place, files=folder / "store", clock=lambda: BEGIN)
    means = Means(lambda: store, InlineExecutor, 1, lambda progress: None, lambda: BEGIN)
    for number, learnt in enumerate((begin, noisy) if spoiled else (begin,)):
        source = str(folder / f"learnt-{number}.parquet")
        learnt.write_parquet(source)
        asked = Request(source, TARGET, name=MODEL, budget_s=budget_s, started=time.monotonic())
        run(asked, means)
    assert store.champion(MODEL) == store.version(MODEL, "v1")
    assert len(store.versions(MODEL)) == 1 + spoiled
    store.close()


class Forker:
    """A process from which turns are forked."""

    def __init__(self) -> None:
        paths = f"{ROOT / 'src'}:{ROOT}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.restart.forked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ
            | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """How one turn ended: ``code``, ``seconds``, and who was ``left`` behind."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process that forks ended"
        told: dict[str, Any] = json.loads(line)
        return told

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


@dataclass
class Life:
    """One model in a folder of its own; ``place`` is its store."""

    place: str
    folder: Path
    forker: Forker
    spoiled: bool = False  # somebody promotes v2, once a version of the loop's own serves
    index: int = 0

    def __post_init__(self) -> None:
        self.rest = pl.read_parquet(self.folder / "rest.parquet")
        self.store: Journal = open_store(self.place, files=self.files, create=False)
        self.log = Log.open(self.place if "://" in self.place else self.files, root=self.files)
        self.answering = Answering(self.store, MODEL)

    @property
    def files(self) -> Path:
        return self.folder / "store"

    @property
    def now(self) -> datetime:
        """A little after the last window that was asked is over."""
        return BEGIN + self.index * WINDOW + timedelta(minutes=5)

    def ask(self) -> None:
        """A window of traffic: whoever serves answers, whoever is in the shadow too, as logged."""
        if self.spoiled and self.store.version(MODEL, "champion").number > BORN:
            self._promote_by_hand()
        rng = np.random.default_rng(self.index)
        rows = changed(self.rest[rng.integers(0, self.rest.height, ROWS)])
        spool = Spool(self.files / "spool" / "w1")
        champion = self.store.version(MODEL, "champion")
        start = BEGIN + self.index * WINDOW
        for number, part in enumerate(rows.iter_slices(ROWS // MOMENTS)):
            at_us = round((start + number * WINDOW / MOMENTS).timestamp() * 1e6)
            ids = [f"{self.index}-{number}-{i}" for i in range(part.height)]
            self._answer(spool, champion, part, ids, at_us)
            for shadow in self.answering.shadows(champion):
                self._answer(spool, shadow, part, ids, at_us, shadow=True)
            told = [
                {"receipt": f"r{name}", "id": name, "outcome": outcome}
                for name, outcome in zip(ids, part[TARGET], strict=True)
            ]
            spool.append(outcomes_frame(MODEL, at_us, encode(told)))
        spool.close()
        self.log.drain(self.files / "spool", most_s=60.0)
        self.index += 1

    def _answer(
        self,
        spool: Spool,
        version: Version,
        rows: pl.DataFrame,
        ids: list[str],
        at_us: int,
        *,
        shadow: bool = False,
    ) -> None:
        asked = rows.drop(TARGET)
        values = self.answering.values(version, asked)
        scorer = self.answering.scorer(version)
        labels = [str(label) for label in scorer.labels]
        answers: list[dict[str, Any]] = [
            {
                "id": f"{name}~{version.name}" if shadow else name,
                "prediction": said,
                "probabilities": dict(zip(labels, map(float, shares), strict=True)),
                "range": None,
                "warnings": [],
            }
            for name, said, shares in zip(ids, scorer.decide(values), values, strict=True)
        ]
        arm = "shadow" if shadow else "champion"
        header = Logged(MODEL, version.number, arm, at_us, None, ids if shadow else None)
        many = {"model": MODEL, "version": version.name, "predictions": answers}
        spool.append(predictions_frame(encode(header), encode(asked.to_dicts()), encode(many)))

    def _promote_by_hand(self) -> None:
        """Somebody promotes the spoiled version, once, as the command does it."""
        if "stand_by" in {step.kind for step in self.store.steps(MODEL)}:
            return
        house = House(self.place, lambda create: self.store, InlineExecutor, 1)
        champion, target = house.version(MODEL), house.version(MODEL, "v2")
        wish = Wish(MODEL, "promote v2", "ann")
        row = replace(promote(wish, champion, target, house.checks(target)), at=self.now)
        moves = {"champion": target.number, "previous": champion.number}
        self.store.commit(row, aliases=moves)

    def turn(self, **more: Any) -> dict[str, Any]:
        """``everfit tick`` in a process; ``after_s`` kills it then, ``point`` at a write."""
        order = {"place": self.place, "files": str(self.files), "folder": str(self.folder)}
        told = self.forker.ask({**order, "now": self.now.isoformat(), **more})
        assert told["left"] == []
        return told

    def whole(self) -> float:
        """Turns that nobody kills until one ends by itself; the seconds that they took.

        On a machine that is very busy a turn may lose its right meanwhile: the next goes on.
        """
        seconds = 0.0
        for _ in range(MOST_TURNS):
            told = self.turn()
            seconds += float(told["seconds"])
            if told["code"] == 0:
                return seconds
            assert told["code"] in (BUSY, INTERRUPTED)
        raise AssertionError(f"no turn of {MOST_TURNS} came to its end")

    def mark(self) -> tuple[int, int, int]:
        """What changes with all that stays: decisions, steps, finished fits."""
        fits = len(list((self.files / "work").glob("*")))
        return self.store.revision(), len(self.store.steps(MODEL)), fits

    def kinds(self) -> set[str]:
        """What has been decided so far."""
        return {decision.kind for decision in self.store.decisions(MODEL)}

    def close(self) -> None:
        """Let go of the store."""
        self.log.close()
        self.store.close()

    def story(self) -> dict[str, Any]:
        """All that the turns left behind, but ids of rows and runs, and times of the machine."""
        decisions = self.store.decisions(MODEL, newest_first=False)
        steps = self.store.steps(MODEL)
        return {
            "ledger": [_row(replace(d, id=0, run="")) for d in decisions],
            "steps": [
                (s.kind, "" if s.kind == "stand_by" else s.key, _plain(s.record), s.decision > 0)
                for s in steps
            ],
            "aliases": {n: a.number for n, a in sorted(self.store.aliases(MODEL).items())},
            "moves": [move[:3] for move in _moves(self.store, MODEL)],
            "versions": [(v.name, v.state, v.until) for v in self.store.versions(MODEL)],
            "answers": {
                v.name: self.answering.values(v, self.rest[:50].drop(TARGET)).tolist()
                for v in self.store.versions(MODEL)
            },
        }


def changed(rows: pl.DataFrame) -> pl.DataFrame:
    """The same tumours, measured otherwise: what was learnt before does not hold."""
    numbers = [name for name in rows.columns if name != TARGET]
    return rows.with_columns((pl.col(name).max() - pl.col(name)).alias(name) for name in numbers)


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Where two stories differ: the part, and what each has there."""
    found = []
    for part, told in one.items():
        if told != other[part] and isinstance(told, list):
            pairs = zip_longest(told, other[part])
            found += [(part, a, b) for a, b in pairs if a != b]
        elif told != other[part]:
            found.append((part, told, other[part]))
    return found


def _row(decision: Any) -> str:
    told = as_plain(decision)
    for because in (*told["because"], *told["also_checked"]):
        if because["unit"] in ("s", "ms"):
            because["measured"] = 0.0  # how long something took
    return NUMBERS.sub(r"\1", json.dumps(told, sort_keys=True))


def _plain(record: Mapping[str, Any]) -> str:
    return NUMBERS.sub(r"\1", json.dumps(as_plain(record), sort_keys=True))
