from __future__ import annotations

from dataclasses import replace

from everfit.faces.words.board import cells, plain_rows, rows_of, short
from everfit.records import Hypothesis, Member
from tests.faces.build import study, trial


def test_the_candidate_comes_first_then_trials_by_loss_then_what_did_not_finish() -> None:
    rows = rows_of(study())

    assert [(row.rank, row.name) for row in rows] == [
        (1, "blend of 2"), (2, "LightGBM"), (3, "CatBoost"), (0, "prior"), (0, "neural"),
    ]  # fmt: skip


def test_a_candidate_of_one_trial_is_not_listed_twice() -> None:
    alone = replace(
        study().candidate,
        name="LightGBM",
        members=(Member(1, Hypothesis("LightGBM", "boosted"), 1.0, ("a",), True),),
    )

    rows = rows_of(study(candidate=alone))

    assert [row.name for row in rows].count("LightGBM") == 1
    assert rows[0].trial == 1


def test_fit_time_of_a_blend_is_the_sum_of_its_trials() -> None:
    assert rows_of(study())[0].fit_s == 82.0


def test_the_floor_stands_in_the_short_form_even_behind_many_trials() -> None:
    many = (study().trials[0], *[trial(n, f"t{n}", 0.8 - n / 100) for n in range(1, 20)])

    rows = short(rows_of(study(trials=many)))

    assert len(rows) == 6
    assert rows[-1].name == "prior"


def test_a_higher_loss_ranks_lower_whatever_the_metric_says() -> None:
    rmse = study(trials=(trial(1, "worse", 0.2), trial(2, "better", 0.9)))

    assert [row.name for row in rows_of(rmse)[1:]] == ["better", "worse"]


def test_a_trial_that_cannot_be_compared_says_so_where_its_range_would_stand() -> None:
    bare = replace(trial(4, "slow", 0.8), score=None, loss=None, folds=1)
    dropped = replace(trial(5, "weak", 0.7), status="dropped")
    found = study(trials=(*study().trials, bare, dropped))

    cells_ = {line[1]: line for line in cells(rows_of(found), "← v1")}

    assert cells_["slow"][3] == "not judged"
    assert cells_["neural"][3] == "failed"
    assert cells_["weak"][3] == "0.689 - 0.711"
    assert cells_["weak"][-1] == "dropped"
    assert cells_["blend of 2"][-1] == "← v1"


def test_plain_rows_have_null_for_what_is_missing() -> None:
    failed = plain_rows(study())[-1]

    assert failed["score"] is None
    assert failed["rank"] is None
    assert failed["reason"] == "fold 1: ran out of memory"
