"""What every learner of lists must keep to; they are found in the list of learners."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.column import DEPTH
from everfit.data.table import Table
from everfit.errors import LearnerFailed
from everfit.learners import LEARNERS, load, make, warm
from everfit.learners.contract import FitBudget, History
from everfit.lists.top import unpack
from everfit.records import Array, Column, Source
from tests.lists.walks import groups, walks

LISTS = {name: cls for name, cls in LEARNERS.items() if "lists" in cls.forms}
NAMES = sorted(LISTS)
PERSONAL = sorted(LISTS.keys() - {"popular"})
# settings that keep a fit below a second
QUICK: dict[str, dict[str, Any]] = {"factors": {"d": 8, "rounds": 2}, "reranked": {"rounds": 10}}
COLUMNS = (Column("user", "identifier", "group"), Column("at", "number", "time"))
each = pytest.mark.parametrize("name", NAMES)
personal = pytest.mark.parametrize("name", PERSONAL)


@pytest.fixture(autouse=True, scope="module")
def imported() -> None:
    warm(LISTS)


def asks_of(users: list[Any]) -> Table:
    frame = pl.DataFrame({"user": [None if u is None else str(u) for u in users]})
    return Table(frame, COLUMNS[:1], Source("test", "", frame.height, 1))


def items_table(n: int) -> Table:
    frame = pl.DataFrame(
        {
            "kind": [f"k{i // 20}" for i in range(n)],
            "said": [f"word{i // 20} same" for i in range(n)],
        }
    )
    columns = (Column("kind", "category"), Column("said", "text"))
    return Table(frame, columns, Source("test", "", n, 2))


def history(seed: int = 0, *, shuffled: bool = False, walk: bool = False) -> History:
    seen = walks(seed=seed) if walk else groups(seed=seed)
    order = np.random.default_rng(9).permutation(seen.n) if shuffled else np.arange(seen.n)
    # users are named so that their names sort otherwise than their codes
    names = np.array([f"u{(7 * user) % 1000}" for user in seen.users])
    frame = pl.DataFrame({"user": names[order], "at": (seen.at + 1.6e9)[order]})
    table = Table(frame, COLUMNS, Source("test", "", frame.height, 2))
    target = seen.items[order].astype(np.float64)
    return History(
        table, target, "lists", 2 * DEPTH, items=items_table(seen.n_items), n_items=seen.n_items
    )


def budget(seconds: float = 60.0) -> FitBudget:
    return FitBudget(seconds=seconds, threads=1)


def fitted(name: str, some: History, **settings: Any) -> Any:
    return make(name, QUICK.get(name, {}) | settings).fit(some, budget())


def met(some: History, user: str) -> set[int]:
    return set(some.target[some.table.frame["user"].to_numpy() == user].astype(int).tolist())


def check(answers: Array, n: int, n_items: int) -> None:
    codes, scores = unpack(answers)
    assert answers.shape == (n, 2 * DEPTH)
    assert answers.dtype == np.float64
    assert np.isfinite(answers).all()
    assert codes.min(initial=0) >= -1
    assert codes.max(initial=-1) < n_items
    for row, score in zip(codes, scores, strict=True):
        shown = row[row >= 0]
        assert len(set(shown.tolist())) == shown.size
        assert (row[shown.size :] == -1).all()
        assert (score[shown.size :] == 0).all()
        assert (np.diff(score[: shown.size]) <= 0).all()


def test_all_learners_of_lists_are_in_the_suite() -> None:
    assert NAMES == [
        "content", "ease", "factors", "lagged", "neighbours", "popular", "reranked",
    ]  # fmt: skip
    assert {cls.engine for cls in LISTS.values()} == {"lists"}


@each
def test_it_answers_with_lists(name: str) -> None:
    some = history()

    learner = fitted(name, some)

    users = some.table.frame["user"].unique(maintain_order=True).to_list()
    check(learner.answer(asks_of(users)), 150, 60)
    assert learner.facts_["stopped"] in ("early", "time", "end")
    assert learner.facts_["users"] == 150
    json.dumps(dict(learner.facts_))


@each
def test_what_was_met_is_left_out_unless_it_may_be_shown_again(name: str) -> None:
    some = history()

    once = unpack(fitted(name, some).answer(asks_of(["u7"])))[0][0]
    again = unpack(fitted(name, some, again=True).answer(asks_of(["u7"])))[0][0]

    known = met(some, "u7")
    assert known.isdisjoint(once.tolist())
    assert set(once[once >= 0].tolist()) | known == set(range(60))
    assert set(again[again >= 0].tolist()) == set(range(60))


@each
def test_unknown_and_missing_users_get_the_popular_items(name: str) -> None:
    some = history()

    answers = fitted(name, some).answer(asks_of(["nobody", None, ""]))

    check(answers, 3, 60)
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])
    assert unpack(answers)[0][0, :60].min() >= 0


@each
def test_a_saved_learner_answers_the_same(name: str, tmp_path: Path) -> None:
    some = history()
    asks = asks_of(["u7", "nobody", *[f"u{i}" for i in range(0, 1000, 21)]])
    learner = fitted(name, some)

    part = json.loads(json.dumps(learner.save(tmp_path)))
    again = load(tmp_path, part)

    np.testing.assert_array_equal(learner.answer(asks), again.answer(asks))
    assert part["engine"] == "lists"
    assert all((tmp_path / file).is_file() for file in part["files"])
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pkl", ".joblib")]


@each
def test_a_loaded_learner_can_be_saved_again(name: str, tmp_path: Path) -> None:
    learner = fitted(name, history())
    part = learner.save(tmp_path / "one")

    again = load(tmp_path / "one", part).save(tmp_path / "two")

    assert again == part


@each
def test_the_order_of_rows_does_not_matter_where_times_differ(name: str) -> None:
    asks = asks_of(["u7", "u14", "u21"])

    plain = fitted(name, history()).answer(asks)
    shuffled = fitted(name, history(shuffled=True)).answer(asks)

    np.testing.assert_allclose(plain, shuffled, rtol=1e-5)


@each
def test_the_same_seed_gives_the_same_answers(name: str) -> None:
    asks = asks_of(["u7", "u14", "u21"])

    first, second = (fitted(name, history()).answer(asks) for _ in range(2))

    np.testing.assert_array_equal(first, second)


@each
def test_an_ask_alone_is_answered_as_among_others(name: str) -> None:
    learner = fitted(name, history())
    users = ["u7", "u14", "u21", "nobody"]

    together = learner.answer(asks_of(users))
    alone = np.vstack([learner.answer(asks_of([user])) for user in users])

    np.testing.assert_array_equal(together[:, :10], alone[:, :10])
    np.testing.assert_allclose(together[:, DEPTH:], alone[:, DEPTH:], rtol=1e-4, atol=1e-5)


@each
def test_making_a_learner_only_stores_its_settings(name: str) -> None:
    settings = QUICK.get(name, {})

    learner = make(name, settings)

    parameters = inspect.signature(LISTS[name]).parameters
    wanted = {key: settings.get(key, p.default) for key, p in parameters.items()}
    assert vars(learner) == wanted
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters.values())
    assert "again" in parameters


@each
def test_fitting_does_not_change_its_input(name: str) -> None:
    weight = np.linspace(0.5, 2.0, 150 * 15)
    some = replace(history(), weight=weight.copy())
    frame, target = some.table.frame.clone(), some.target.copy()

    fitted(name, some)

    assert some.table.frame.equals(frame)
    np.testing.assert_array_equal(some.target, target)
    np.testing.assert_array_equal(some.weight, weight)


@each
def test_a_weight_of_one_for_all_rows_changes_nothing(name: str) -> None:
    some, asks = history(), asks_of(["u7", "u14"])

    plain = fitted(name, some).answer(asks)
    ones = fitted(name, replace(some, weight=np.full(150 * 15, 3.0))).answer(asks)

    np.testing.assert_array_equal(plain, ones)


@each
def test_items_that_nobody_met_and_a_table_without_times_are_no_trouble(name: str) -> None:
    some = history()
    table = some.table.drop(["at"])
    larger = replace(some, table=table, n_items=75, items=items_table(75))

    check(fitted(name, larger).answer(asks_of(["u7"])), 1, 75)


@each
def test_no_interactions_are_refused_in_words(name: str) -> None:
    some = history()
    empty = replace(
        some, table=some.table.take(np.array([], int)), target=np.array([], dtype=float)
    )

    with pytest.raises(LearnerFailed, match="no interactions|nothing is written"):
        fitted(name, empty)


@pytest.mark.parametrize("name", sorted(LISTS.keys() - {"reranked"}))
@pytest.mark.parametrize("case", ["one row", "one item", "one user", "one time", "twice"])
def test_small_and_flat_logs_are_learnt(name: str, case: str) -> None:
    users, items, at = {
        "one row": (["a"], [3.0], [1e9]),
        "one item": (["a", "b", "c"], [2.0, 2.0, 2.0], [1e9, 1.1e9, 1.2e9]),
        "one user": (["a"] * 6, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [1e9 + 1e6 * i for i in range(6)]),
        "one time": (["a", "b", "a", "b"], [0.0, 1.0, 2.0, 0.0], [1e9] * 4),
        "twice": (["a", "a", "b", "b"], [0.0, 0.0, 1.0, 1.0], [1e9, 1e9, 1.2e9, 1.3e9]),
    }[case]
    frame = pl.DataFrame({"user": users, "at": at})
    table = Table(frame, COLUMNS, Source("test", "", frame.height, 2))
    some = History(table, np.array(items), "lists", 2 * DEPTH, items=items_table(40), n_items=40)

    answers = fitted(name, some).answer(asks_of(["a", "nobody"]))

    check(answers, 2, 40)
    assert unpack(answers)[0][0, 0] >= 0


def test_too_little_to_learn_an_order_from_is_refused_in_words() -> None:
    frame = pl.DataFrame({"user": ["a", "b"], "at": [1e9, 2e9]})
    table = Table(frame, COLUMNS, Source("test", "", 2, 2))

    with pytest.raises(LearnerFailed, match="too little came back"):
        fitted("reranked", History(table, np.array([0.0, 1.0]), "lists", 2 * DEPTH, n_items=2))


def test_content_without_a_table_of_items_is_refused_in_words() -> None:
    with pytest.raises(LearnerFailed, match="nothing is written about the items"):
        fitted("content", replace(history(), items=None))


@personal
def test_lists_of_ones_own_beat_popularity_where_users_differ(name: str) -> None:
    some = history()
    users = some.table.frame["user"].unique(maintain_order=True).to_list()

    def own(learner: str) -> float:
        codes = unpack(fitted(learner, some).answer(asks_of(users)))[0][:, :10]
        # user i of groups() meets items of group i % 3, which are 20 each
        return float((codes // 20 == (np.arange(150) % 3)[:, None]).mean())

    order = [int(user[1:]) for user in users]
    back = {(7 * i) % 1000: i for i in range(150)}
    users = [f"u{(7 * i) % 1000}" for i in sorted(back[o] for o in order)]
    assert own(name) > own("popular") + 0.2


@each
def test_no_time_is_an_error_or_little_work_never_a_hang(name: str) -> None:
    # the clock is ours: it says that 0.4 s are left at first and 0.05 s less at each look
    looks = iter(np.arange(0.4, -1e6, -0.05))
    limit = FitBudget(seconds=1e9, threads=1, left=lambda: float(next(looks)))

    try:
        learner = make(name, QUICK.get(name, {})).fit(history(), limit)
    except LearnerFailed as error:
        assert "cannot finish" in error.what
    else:
        check(learner.answer(asks_of(["u7"])), 1, 60)
