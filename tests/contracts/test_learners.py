"""What every learner of rows must keep to; learners are found in the list by themselves.

Those whose answers are lists have a contract of their own beside this one.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.errors import LearnerFailed
from everfit.learners import LEARNERS, load, make, warm
from everfit.learners.contract import FitBudget, History, Learner
from everfit.records import Array
from tests.learners.histories import features, history_of, score, table_of

ASKED = {"values": [("values", 1)], "probabilities": [("probabilities", 2), ("probabilities", 4)]}
# settings that keep a fit below a second; a learner without any needs none
QUICK: dict[str, dict[str, Any]] = {
    "boosted": {"n_rounds": 30, "leaf_rows": 5},
    "symmetric": {"n_rounds": 30},
    "forest": {"trees": 24},
    "neural": {"layers": [16]},
    "foreign": {"source": f"{Path(__file__).parent}/own_model.py:OwnModel"},
}
ROWS = {name: cls for name, cls in LEARNERS.items() if "lists" not in cls.forms}
CASES = [
    pytest.param(name, form, n_outputs, id=f"{name}-{n_outputs}-{form}")
    for name, cls in ROWS.items()
    for declared in cls.forms
    for form, n_outputs in ASKED[declared]
]
NAMES = sorted(ROWS)
cases = pytest.mark.parametrize(("name", "form", "n_outputs"), CASES)


@pytest.fixture(autouse=True, scope="module")
def imported() -> None:
    warm(ROWS)


def budget(seconds: float = 60.0, rounds: int | None = 20) -> FitBudget:
    return FitBudget(seconds=seconds, threads=1, rounds=rounds)


def fitted(name: str, history: History, *, limit: FitBudget | None = None) -> Learner:
    return make(name, QUICK.get(name, {})).fit(history, limit or budget())


def check_answers(answers: Array, n: int, form: str, n_outputs: int) -> None:
    assert answers.shape == (n, n_outputs)
    assert answers.dtype == np.float64
    assert np.isfinite(answers).all()
    if form == "probabilities":
        assert (answers >= 0).all()
        np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-9)


def test_all_learners_are_in_the_suite() -> None:
    folder = Path(inspect.getfile(LEARNERS["prior"])).parent
    written = [
        path.stem
        for path in folder.glob("*.py")
        if "def answer(self, asks" in path.read_text() and path.stem != "contract"
    ]

    assert sorted(cls.__module__.rsplit(".", 1)[1] for cls in ROWS.values()) == sorted(written)
    assert len(ROWS) == 7
    assert len({cls.engine for cls in LEARNERS.values()}) == 8
    assert len(CASES) == 21


@cases
def test_it_answers_each_form_that_it_claims(name: str, form: Any, n_outputs: int) -> None:
    asks = features(50, seed=9)

    learner = fitted(name, history_of(form, n_outputs))

    check_answers(learner.answer(asks), 50, form, n_outputs)
    assert learner.facts_["stopped"] in ("early", "time", "end")
    json.dumps(dict(learner.facts_))


@cases
def test_it_learns_more_than_the_floor(name: str, form: Any, n_outputs: int) -> None:
    if name == "prior":
        pytest.skip("it is the floor")
    history, asks = history_of(form, n_outputs, n=400), features(300, seed=5)
    truth = history_of(form, n_outputs, n=300, seed=5).target

    answers = fitted(name, history).answer(asks)
    floor = fitted("prior", history).answer(asks)

    if form == "values":
        losses, floors = (answers[:, 0] - truth) ** 2, (floor[:, 0] - truth) ** 2
    else:
        rows = np.arange(300), truth.astype(int)
        losses, floors = -np.log(np.maximum(answers[rows], 1e-15)), -np.log(floor[rows])
    assert losses.mean() < floors.mean()


@cases
def test_a_saved_learner_answers_the_same(
    name: str, form: Any, n_outputs: int, tmp_path: Path
) -> None:
    asks = features(50, seed=9)
    learner = fitted(name, history_of(form, n_outputs))

    part = json.loads(json.dumps(learner.save(tmp_path)))
    again = load(tmp_path, part)

    np.testing.assert_array_equal(learner.answer(asks), again.answer(asks))
    assert all((tmp_path / file).is_file() for file in part.get("files", []))
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pkl", ".joblib")]


@cases
def test_values_never_seen_and_one_row_are_answered(name: str, form: Any, n_outputs: int) -> None:
    strange = table_of(
        {
            "age": [None, 1e12, -5.0],
            "pay": [None, 0.0, 1.0],
            "plan": [None, "never seen", ""],
            "town": [None, "", "town1"],
            "size": [None, "xxl", "s"],
            "member": [None, True, False],
            "since": [None, None, None],
            "flat": [None, "y", "x"],
        }
    )
    learner = fitted(name, history_of(form, n_outputs))

    together = learner.answer(strange)
    alone = np.vstack([learner.answer(strange.take(np.array([i]))) for i in range(3)])

    check_answers(together, 3, form, n_outputs)
    np.testing.assert_allclose(together, alone, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_answers(name: str) -> None:
    history, asks = history_of("probabilities", 3, n=150), features(40, seed=2)

    first, second = (
        fitted(name, history, limit=budget(rounds=None)).answer(asks) for _ in range(2)
    )

    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_making_a_learner_only_stores_its_settings(name: str) -> None:
    settings = QUICK.get(name, {})

    learner = make(name, settings)

    parameters = inspect.signature(LEARNERS[name]).parameters
    wanted = {key: settings.get(key, p.default) for key, p in parameters.items()}
    assert vars(learner) == wanted
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters.values())


@cases
def test_fitting_does_not_change_its_input(name: str, form: Any, n_outputs: int) -> None:
    weight = np.linspace(0.5, 2.0, 240)
    history = history_of(form, n_outputs, weight=weight.copy())
    frame, target = history.table.frame.clone(), history.target.copy()

    fitted(name, history)

    assert history.table.frame.equals(frame)
    np.testing.assert_array_equal(history.target, target)
    np.testing.assert_array_equal(history.weight, weight)


@cases
def test_weights_change_the_answer(name: str, form: Any, n_outputs: int) -> None:
    history, asks = history_of(form, n_outputs), features(40, seed=2)
    heavy = np.where(history.target >= np.median(history.target), 5.0, 1.0)

    plain = fitted(name, history).answer(asks)
    weighted = fitted(name, replace(history, weight=heavy)).answer(asks)

    assert weighted[:, -1].mean() > plain[:, -1].mean()


@cases
def test_a_weight_of_one_for_all_rows_changes_nothing(name: str, form: Any, n_outputs: int) -> None:
    history, asks = history_of(form, n_outputs), features(40, seed=2)

    plain = fitted(name, history).answer(asks)
    ones = fitted(name, replace(history, weight=np.ones(240))).answer(asks)

    np.testing.assert_allclose(plain, ones, rtol=1e-4, atol=1e-6)


@cases
def test_three_rows_a_class_are_enough(name: str, form: Any, n_outputs: int) -> None:
    n = 3 * n_outputs if form == "probabilities" else 6
    target = np.arange(n, dtype=float) % n_outputs if form == "probabilities" else np.arange(6.0)
    history = History(features(n, seed=3), target, form, n_outputs)

    learner = fitted(name, history, limit=budget(rounds=None))

    check_answers(learner.answer(features(5, seed=4)), 5, form, n_outputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_no_row_has_gets_a_small_probability(name: str) -> None:
    history = history_of("probabilities", 3)
    lacking = replace(history, n_outputs=4)

    answers = fitted(name, lacking, limit=budget(rounds=60)).answer(features(40, seed=2))

    check_answers(answers, 40, "probabilities", 4)
    assert answers[:, 3].mean() < 0.1


@cases
def test_many_levels_are_learnt(name: str, form: Any, n_outputs: int) -> None:
    table = features(300, towns=280)
    target = history_of(form, n_outputs, n=300).target

    learner = fitted(name, History(table, target, form, n_outputs))

    check_answers(learner.answer(features(20, seed=8, towns=900)), 20, form, n_outputs)


@pytest.mark.parametrize("name", NAMES)
def test_one_class_alone_is_refused_in_words(name: str) -> None:
    if name == "prior":
        pytest.skip("the floor answers one class too")
    history = replace(history_of("probabilities", 2), target=np.zeros(240))

    with pytest.raises(LearnerFailed, match="only one class"):
        fitted(name, history)


@pytest.mark.parametrize("name", NAMES)
def test_no_time_is_an_error_or_little_work_never_a_hang(name: str) -> None:
    # the clock is ours: it says that 0.4 s are left at first and 0.05 s less at each look
    looks = iter(np.arange(0.4, -1e6, -0.05))
    limit = FitBudget(seconds=1e9, threads=1, rounds=None, left=lambda: float(next(looks)))
    rows = np.random.default_rng(0).random(2_000)
    table = features(2_000)
    history = History(table, (score(table) + rows > 0.5).astype(float), "probabilities", 2)
    patient = {
        "boosted": {}, "symmetric": {"n_rounds": None}, "forest": {"trees": 10_000}, "neural": {},
    }  # fmt: skip

    learner, refused = None, ""
    try:
        learner = make(name, patient.get(name, QUICK.get(name, {}))).fit(history, limit)
    except LearnerFailed as error:
        refused = error.what

    if learner is None:
        assert "cannot finish" in refused
    else:
        check_answers(learner.answer(features(5, seed=4)), 5, "probabilities", 2)
        assert name not in patient or learner.facts_["stopped"] == "time"


@pytest.mark.parametrize("name", NAMES)
def test_the_rounds_of_one_fold_can_be_given_to_the_next(name: str) -> None:
    history = history_of("probabilities", 2, n=120)
    learner = make(name, QUICK.get(name, {})).fit(history, budget(rounds=None))
    rounds = learner.facts_.get("rounds")
    settings = QUICK.get(name, {}) | learner.facts_.get("settings", {})

    again = make(name, settings).fit(history, budget(rounds=rounds))

    assert again.facts_.get("rounds") == rounds
    np.testing.assert_allclose(
        learner.answer(history.table), again.answer(history.table), rtol=1e-6
    )
