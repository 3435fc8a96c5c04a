"""A model that reads history, from the study to its packed version."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import wire
from everfit.data.read import read
from everfit.data.timeline import Timeline, marks
from everfit.errors import ColumnMissing, UsageError
from everfit.events import Reads, to_plain
from everfit.house import House
from everfit.learners import load
from everfit.learners.contract import answered
from everfit.loop import RunResult
from everfit.records import Column, Cut, Hypothesis, SplitPolicy, Truth
from everfit.release.plan import Fitted
from everfit.release.stage import golden
from everfit.serve.links import calibrated
from everfit.serve.load import open_plan
from everfit.serve.verify import check_golden
from everfit.study.fold import ALL_ROWS, fit_fold
from everfit.study.workspace import lay_out
from everfit.tasks import TASKS
from tests.history.visits import visits
from tests.release.build import candidate
from tests.test_loop import run

SPY = '''
"""Writes down what it is given."""
import json
import os

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Spy(ClassifierMixin, BaseEstimator):
    reads_history = True
    history_key = "customer"
    history_events = 7

    def fit(self, X, y, history=None):
        self.classes_ = np.unique(y)
        self._tell("fit", history)
        return self

    def predict_proba(self, X, history=None):
        self._tell("ask", history)
        return np.full((len(X), 2), 0.5)

    def _tell(self, verb, history):
        told = [[event.values["row"] for event in events] for events in history]
        with open(os.environ["SPY"], "a") as file:
            file.write(json.dumps([verb, told]) + "\\n")
'''


def spied(folder: Path, cut: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a fit on one cut and its answers were given, by verb; rows tell their number."""
    data = visits(300).with_row_index("row").with_columns(pl.col("row").cast(pl.Float64))
    rng = np.random.default_rng(0)
    order = rng.permutation(300)
    data = data[order].with_columns(row=pl.Series(np.arange(300.0)))
    table = read(data, kinds={"customer": "identifier", "row": "number"}, roles={"came": "target"})
    kept = np.sort(rng.choice(300, 100, replace=False))
    cuts = (Cut("a", np.setdiff1d(np.arange(300), kept), kept),)
    features = table.drop(["customer", "day", "came"])
    truth = Truth(np.arange(300), (table.frame["came"] == "yes").to_numpy().astype(float))
    reads = Reads("customer", 7, "day")
    marked, timed = marks(table, reads, SplitPolicy("random"))
    lay_out(folder / "w", features, truth, cuts, marked, timed=timed)
    (folder / "spy.py").write_text(SPY)
    monkeypatch.setitem(os.environ, "SPY", str(folder / "told.jsonl"))
    fit_fold(
        workspace=str(folder / "w"), folder=str(folder / "fit"), learner="foreign",
        settings={"source": f"{folder / 'spy.py'}:Spy", "history": reads.as_dict()}, cut=cut,
        form="probabilities", n_outputs=2, seed=0, seconds=60.0, threads=1, rounds=None,
    )  # fmt: skip
    told = [json.loads(line) for line in (folder / "told.jsonl").read_text().splitlines()]
    asked = kept if cut != ALL_ROWS else None
    seen = cuts[0].history if cut != ALL_ROWS else np.arange(300)
    return {"table": table, "seen": seen, "asked": asked, "told": told}


def expected(table: Any, row: int, seen: Any) -> list[float]:
    who, day = table.frame["customer"].to_list(), table.frame["day"].to_list()
    may = [r for r in seen.tolist() if who[r] == who[row] and day[r] < day[row]]
    return [float(r) for r in sorted(may, key=lambda r: day[r])[-7:]]


def test_a_fold_never_shows_what_it_holds_back_or_what_came_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = spied(tmp_path, 0, monkeypatch)
    (_, fitted), (_, asked) = found["told"]

    assert fitted == [expected(found["table"], row, found["seen"]) for row in found["seen"]]
    assert asked == [expected(found["table"], row, found["seen"]) for row in found["asked"]]
    assert sum(map(len, asked)) > 100
    held_back = set(found["asked"].tolist())
    assert not held_back & {row for rows in fitted + asked for row in rows}


def test_a_fit_on_all_rows_keeps_golden_rows_with_their_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = spied(tmp_path, ALL_ROWS, monkeypatch)
    (_, fitted), _ = found["told"]
    rows = json.loads((tmp_path / "fit" / "golden_rows.json").read_text())
    past = json.loads((tmp_path / "fit" / "golden_past.json").read_text())

    assert fitted == [expected(found["table"], row, found["seen"]) for row in range(300)]
    for row, events in zip(rows, past, strict=True):
        known = [values["row"] for _, values, _ in events]
        assert known == expected(found["table"], int(row["row"]), found["seen"])


def test_fold_models_that_are_packed_get_golden_rows_with_a_history_that_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = spied(tmp_path, 0, monkeypatch)["table"]
    (tmp_path / "told.jsonl").unlink()
    part = json.loads((tmp_path / "fit" / "fit.json").read_text())["part"]
    member = Fitted(1.0, tmp_path / "fit", part, Hypothesis("Spy", "foreign"))
    training = table.drop(["customer", "day"])

    rows = golden(training, [member], candidate(("fold",)), TASKS["classify"])

    ((_, told),) = [json.loads(x) for x in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert [len(row["history"]) for row in rows] == [min(i, 5) for i in range(24)]
    assert told == [[values["row"] for _, values, _ in row["history"]] for row in rows]
    assert [row["answer"] for row in rows] == [[0.5, 0.5]] * 24


# a whole run with the example of the page


def test_the_example_of_the_page_wins_where_habits_decide(
    released: tuple[House, RunResult, Path],
) -> None:
    _, result, _ = released

    trials = {trial.hypothesis.name: trial for trial in result.study.trials}
    assert trials["Recent"].status == "done"
    others = [t.loss.mid for t in result.study.trials if t.loss and t.hypothesis.name != "Recent"]
    assert trials["Recent"].loss is not None
    assert trials["Recent"].loss.mid < min(others) - 0.05
    assert result.decision.kind == "released"


def test_the_plan_says_who_reads_what(released: tuple[House, RunResult, Path]) -> None:
    house, _, _ = released
    folder = Path(house.version("m").folder)
    plan = json.loads((folder / "plan.json").read_text())

    readers = [m["folder"] for m in plan["members"] if m["part"]["engine"] == "estimator"]
    assert plan["history"] == {"key": "customer", "events": 5, "time": "day", "members": readers}


def test_golden_rows_come_out_with_their_history_and_not_without(
    released: tuple[House, RunResult, Path], tmp_path: Path
) -> None:
    house, result, _ = released
    assert result.champion is not None
    folder = shutil.copytree(house.version("m").folder, tmp_path / "v1")
    rows = json.loads((folder / "golden.json").read_text())

    assert any(row["history"] for row in rows)
    assert check_golden(folder, trusted=result.champion.trusted).ok
    (folder / "golden.json").write_text(json.dumps([row | {"history": []} for row in rows]))
    assert not check_golden(folder, trusted=result.champion.trusted).ok


def test_a_packed_version_answers_as_its_learners_do(
    released: tuple[House, RunResult, Path],
) -> None:
    house, result, _ = released
    assert result.champion is not None
    folder = Path(house.version("m").folder)
    scorer = open_plan(folder, trusted=result.champion.trusted)
    data = visits(200, seed=5)
    columns = [*scorer.columns, Column("customer", "identifier"), Column("day", "date", "time")]
    table = read(data.drop("came"), like=columns)
    features = table.drop(["customer", "day"])
    reads = scorer.reads
    assert reads is not None
    outcomes = (data["came"] == "yes").to_numpy().astype(float)
    marked, timed = marks(table, reads, SplitPolicy("random"))
    every = np.arange(200)
    past = Timeline(marked, features, outcomes, True, timed).before(every, seen=every, n=5)
    plan = json.loads((folder / "plan.json").read_text())
    learners = [(m["weight"], load(folder / m["folder"], m["part"])) for m in plan["members"]]
    learnt = sum(weight * answered(learner, features, past) for weight, learner in learners)

    by_table = scorer.table(features, past=past)
    asked = data.drop("came").with_columns(pl.col("day").dt.to_string()).to_dicts()
    # as the log has them: labels for codes, numbers as they were sent
    logged = [
        [[at, values, ("no", "yes")[code]] for at, values, code in to_plain(events)]
        for events in past
    ]
    by_row = [scorer.row(row, scorer.events(p)) for row, p in zip(asked, logged, strict=True)]

    learnt = calibrated(np.asarray(learnt), plan["calibration"])
    np.testing.assert_allclose(by_table, learnt, atol=1e-12)
    given = np.array([answer.probabilities for answer in by_row], dtype=float)
    np.testing.assert_allclose(given, by_table, atol=1e-12)


# mistakes, found before anything is written

MISTAKES = '''
from sklearn.linear_model import LogisticRegression


class Deaf(LogisticRegression):
    """Declares what it cannot take."""
    reads_history = True
    history_key = "customer"


class Reading(LogisticRegression):
    reads_history = True
    history_key = "custmer"

    def predict(self, X, history=None):
        return super().predict(X)

    def predict_proba(self, X, history=None):
        return super().predict_proba(X)


class Keyless(Reading):
    history_key = None


class Endless(Reading):
    history_key = "customer"
    history_events = 0


class OtherKey(Reading):
    history_key = "plan"


class GoodKey(Reading):
    history_key = "customer"
'''


@pytest.mark.parametrize(
    ("names", "error", "what", "do"),
    [
        (["Deaf"], UsageError, "its predict_proba takes no history", "history=None"),
        (["Reading"], ColumnMissing, "column 'custmer' is not in", "did you mean 'customer'"),
        (["Keyless"], UsageError, "nothing says of what", "--group customer"),
        (["Endless"], UsageError, "no usable length", "history_events = 20"),
        (["GoodKey", "OtherKey"], UsageError, "different keys", "a run for each"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(
    tmp_path: Path, names: list[str], error: type[Exception], what: str, do: str
) -> None:
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    learners = tuple(f"{tmp_path / 'mistakes.py'}:{name}" for name in names)

    with wire.house(tmp_path / "store") as house, pytest.raises(error, match=what) as caught:
        run(house, visits(100), "came", learners=learners, budget_s=6.0)  # type: ignore[arg-type]

    assert do in caught.value.do  # type: ignore[attr-defined]
    assert caught.value.got  # type: ignore[attr-defined]
    assert not (tmp_path / "store").exists()
