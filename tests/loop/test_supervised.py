"""A fit in a child: its decision comes back, and one that fails is a decision as well."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from everfit.errors import Interrupted, StoreBusy, Unreachable
from everfit.loop.fit.job import FitJob
from everfit.loop.supervised import Fitter
from everfit.plain import as_plain, from_plain
from everfit.records import Step
from everfit.store import Journal, RunHandle, open_store
from tests.restart.turns import make
from tests.store.build import AT, decision

HERE = "tests.loop.test_supervised"
JOB = FitJob("churn", "retrain", AT, AT, 1, about="2026-11-20")


def fits(job: Mapping[str, Any], hold: Mapping[str, Any], place: str, **more: Any) -> Any:
    """Writes under the hold that it was given, as the real one does."""
    store = open_store(place)
    run = store.begin_run(job["model"], {}, under=from_plain(RunHandle, hold))
    step = Step("churn", "fit", job["about"], {"act": job["act"]}, AT)
    made = store.commit(decision(kind="retrained"), run=run, steps=[step])
    store.finish_run(run, "done")
    return {"decision": as_plain(made)}


def raises(**asked: Any) -> Any:
    raise ZeroDivisionError("by nought")


def finds_the_store_busy(**asked: Any) -> Any:
    raise StoreBusy("the store is busy", got="database is locked")


def dies(**asked: Any) -> Any:
    os._exit(9)


def lingers(**asked: Any) -> Any:
    time.sleep(120.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Journal]:
    make(lambda: open_store(tmp_path), "churn")
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def hold(store: Journal) -> RunHandle:
    return store.hold("churn", ttl_s=120.0)


def fitter(store: Journal, work: str, *, ending: bool = False) -> Fitter:
    place = str(store.root)
    return Fitter(store, place, None, 1, lambda: ending, work=f"{HERE}:{work}")


def test_a_fit_writes_under_the_hold_of_the_turn(store: Journal, hold: RunHandle) -> None:
    made = fitter(store, "fits").fit(JOB, hold)

    assert store.decisions("churn") == (made,)
    assert [(s.kind, s.key, s.decision) for s in store.steps("churn")] == [
        ("fit", "2026-11-20", made.id)
    ]
    store.heartbeat(hold)  # it is the turn's as before


@pytest.mark.parametrize(
    ("work", "words"),
    [("raises", "it failed"), ("dies", "its process died")],
)
def test_a_fit_that_fails_is_a_decision_and_is_not_tried_again_at_once(
    store: Journal, hold: RunHandle, work: str, words: str
) -> None:
    made = fitter(store, work).fit(JOB, hold)

    assert (made.kind, made.headline) == ("refused", f"Did not retrain: {words}")
    assert ("by nought" in made.because[0].note) == (work == "raises")
    assert store.decisions("churn") == (made,)
    assert [s.key for s in store.steps("churn", "fit")] == ["2026-11-20"]


def test_a_fit_that_the_store_refused_is_tried_again(store: Journal, hold: RunHandle) -> None:
    with pytest.raises(Unreachable, match="(?s)did not answer a fit.*StoreBusy"):
        fitter(store, "finds_the_store_busy").fit(JOB, hold)

    assert store.decisions("churn") == ()
    assert store.steps("churn") == ()


def test_a_fit_is_stopped_with_its_turn(store: Journal, hold: RunHandle) -> None:
    with pytest.raises(Interrupted, match="the fit was stopped"):
        fitter(store, "lingers", ending=True).fit(JOB, hold)

    assert store.steps("churn") == ()


def test_a_fit_whose_hold_was_lost_writes_nothing(store: Journal, hold: RunHandle) -> None:
    store.let_go(hold)

    for work in ("fits", "raises"):
        with pytest.raises((StoreBusy, Unreachable)):
            fitter(store, work).fit(JOB, hold)

    assert store.decisions("churn") == ()
