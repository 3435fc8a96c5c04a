"""What screens read."""

from __future__ import annotations

from pathlib import Path

from everfit.evidence.interval import Interval
from everfit.records import Hypothesis, Trial
from everfit.store import Journal, open_store, views
from tests.store.build import decision, release


def trial(number: int, loss: float | None, status: str = "done") -> Trial:
    interval = None if loss is None else Interval(loss - 0.01, loss, loss + 0.01, n=700)
    idea = Hypothesis(f"idea {number}", "boosted", {"depth": 6}, why="trees see steps")
    return Trial(number, idea, status, loss=interval, score=interval)  # type: ignore[arg-type]


def filled(folder: Path) -> Journal:
    store = open_store(folder)
    run = store.begin_run("churn", {})
    for number in (1, 2):
        release(store, run, number)
    trials = [trial(1, 0.5), trial(2, None, "failed"), trial(3, 0.3), trial(4, 0.4, "dropped")]
    store.finish_run(run, "done", [decision(kind="studied")], {"study": {"trials": trials}})
    store.begin_run("prices", {})
    return store


def test_status_has_one_row_a_model(tmp_path: Path) -> None:
    churn, prices = views.status(filled(tmp_path))

    assert (churn.model, churn.champion, churn.metric) == ("churn", "v2", "log_loss")
    assert churn.score == Interval(0.41, 0.43, 0.45, n=700)
    assert (churn.n_versions, churn.n_runs, churn.running) == (2, 1, None)
    assert churn.last_decision is not None
    assert churn.last_decision.kind == "studied"
    assert (prices.champion, prices.score, prices.last_decision) == ("", None, None)
    assert prices.running is not None


def test_the_leaderboard_ranks_judged_trials_and_keeps_the_others(tmp_path: Path) -> None:
    rows = views.leaderboard(filled(tmp_path), "churn")

    assert [(row.rank, row.trial, row.status) for row in rows] == [
        (1, 3, "done"),
        (2, 1, "done"),
        (None, 2, "failed"),
        (None, 4, "dropped"),
    ]
    assert rows[0].why == "trees see steps"
    assert rows[0].score == Interval(0.29, 0.3, 0.31, n=700)


def test_a_leaderboard_of_a_run_that_found_nothing_is_empty(tmp_path: Path) -> None:
    store = filled(tmp_path)

    assert views.leaderboard(store, "prices") == ()
    assert views.leaderboard(store, "churn", run="99") == ()


def test_versions_tell_the_newest_decision_about_them(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.commit(decision(kind="rolled_back", version="v1"), aliases={"champion": 1})

    two, one = views.versions(store, "churn")

    assert (two.version.name, two.why) == ("v2", "released it")
    assert (one.version.state, one.why) == ("champion", "rolled_back it")


def test_the_ledger_can_be_asked_for_kinds_and_runs(tmp_path: Path) -> None:
    store = filled(tmp_path)

    kinds = [d.kind for d in views.ledger(store, "churn", kinds=("released",))]

    assert kinds == ["released", "released"]
    assert len(views.ledger(store, "churn", run="1")) == 3
    assert views.ledger(store, "churn", run="2") == ()
