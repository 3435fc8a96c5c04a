"""A version folder holds all that it takes to answer, and says what it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from everfit.errors import ArtefactRefused
from everfit.evidence.interval import Interval
from everfit.plain import from_plain
from everfit.records import Finding, Profile, Ranges, Segment, SplitPolicy, Trial
from everfit.release import Label, fitted_members, verify
from everfit.release.card import card_facts, card_text
from everfit.release.pack import pack
from everfit.release.plan import lay_plan, plan_columns
from everfit.serve.row import UNKNOWN
from tests.release.build import (
    ASSESSMENT,
    AT,
    COLUMNS,
    FINDINGS,
    KEY,
    PROBLEM,
    PROFILE,
    SOURCE,
    candidate,
    fit_folder,
    packed,
    study,
)


def test_a_packed_version_is_verified_by_its_own_manifest(tmp_path: Path) -> None:
    folder, manifest = packed(tmp_path)

    assert verify(folder, key=KEY, sha256=manifest.sha256) == manifest
    assert sorted(manifest.files) == [
        "card.json",
        "card.md",
        "golden.json",
        "m0/features.json",
        "m0/model.txt",
        "plan.json",
    ]


def test_the_plan_holds_columns_members_and_calibration(tmp_path: Path) -> None:
    folder, _ = packed(tmp_path)

    plan = json.loads((folder / "plan.json").read_text())

    assert (plan["format"], plan["form"], plan["labels"]) == (1, "probabilities", ["no", "yes"])
    assert plan["calibration"] == {"temperature": 1.1}
    assert [column["name"] for column in plan["columns"]] == ["age", "income", "plan", "paid"]
    (member,) = plan["members"]
    assert (member["weight"], member["folder"], member["part"]["engine"]) == (1.0, "m0", "lightgbm")
    assert (folder / "m0" / "model.txt").read_text() == "tree 0"
    golden = json.loads((folder / "golden.json").read_text())
    assert golden == [{"input": {"age": 41, "plan": "trial"}, "expected": [0.7, 0.3]}]


def test_fold_models_share_the_weight_of_their_member(tmp_path: Path) -> None:
    folder, _ = packed(tmp_path, n_folds=4)

    members = json.loads((folder / "plan.json").read_text())["members"]

    assert [member["weight"] for member in members] == [0.25] * 4
    assert (folder / "m3" / "model.txt").read_text() == "tree 3"


def test_what_a_fit_leaves_for_the_study_is_not_packed(tmp_path: Path) -> None:
    folder, _ = packed(tmp_path)

    names = {path.name for path in folder.rglob("*")}

    assert not names & {"fit.json", "answers.npz"}
    assert not any(path.suffix in (".pkl", ".pickle", ".joblib") for path in folder.rglob("*"))


def test_columns_know_their_range_default_and_what_counts_as_missing() -> None:
    planned = {c["name"]: c for c in plan_columns(COLUMNS, PROFILE, ASSESSMENT.acts)}

    age, income = planned["age"], planned["income"]
    assert (age["low"], age["high"], age["default"]) == (18.0, 96.0, 41.0)
    assert (income["low"], income["high"], income["default"]) == (0.0, 9000.0, None)
    assert income["missing_marks"] == ["?", "99999999"]
    assert planned["plan"]["default"] == "trial"
    assert planned["paid"]["default"] is True


def test_a_column_without_facts_has_no_range_and_no_default() -> None:
    planned = plan_columns(COLUMNS[:1], Profile(0, ()), ())

    assert [(c["low"], c["high"], c["default"]) for c in planned] == [(None, None, None)]


def test_the_manifest_says_how_it_was_made(tmp_path: Path) -> None:
    _, manifest = packed(tmp_path)

    assert manifest.format == 1
    assert manifest.data["sha256"] == SOURCE.sha256
    assert [c["role"] for c in manifest.columns][-1] == "target"
    assert manifest.learners[0]["settings"] == {"depth": 6}
    assert {"python", "numpy"} <= set(manifest.libraries)


def test_the_card_says_in_words_what_a_user_must_know(tmp_path: Path) -> None:
    folder, _ = packed(tmp_path)

    card = (folder / "card.md").read_text()

    for fact in (
        "Predicts which of 2 values `churned` has: `no`, `yes`.",
        "log loss 0.43, 95% range 0.41 to 0.45, on 990 rows.",
        "The score speaks of the recipe, fitted on 80% of the rows.",
        "| CatBoost | catboost | 1.00 | all rows |",
        "Rows were held out at random.",
        "The score rests on 5 folds.",
        "`customers.csv`: 1,000 rows, 6 columns.",
        "990 rows were left after cleaning.",
        "Licence of the data: unknown.",
        "- `leak` gives the target away (left out)",
        "- `yes` is 12% of the rows",
        "- `plan=trial` (500 rows): mean loss 0.05 higher than that of the other rows",
        "| `age` | number | 18 to 96 | 41 |",
        "Not done: a search: no time left.",
    ):
        assert fact in card


RANGES = Ranges((0.75,), (-0.1, -0.02), (0.08, 0.01), least=0.0, most=1.0, n=990)


def test_ranges_are_packed_as_data_and_left_out_when_there_are_none(tmp_path: Path) -> None:
    for name, ranges in (("with", RANGES), ("without", None)):
        place = tmp_path / name
        place.mkdir()
        members = fitted_members(candidate((fit_folder(tmp_path / f"fit {name}"),)))
        lay_plan(place, problem=PROBLEM, columns=(), members=members, calibration={}, ranges=ranges)

    told = json.loads((tmp_path / "with" / "plan.json").read_text())
    assert from_plain(Ranges, told["ranges"]) == RANGES
    assert "ranges" not in json.loads((tmp_path / "without" / "plan.json").read_text())


def test_the_card_says_what_the_range_of_an_answer_is() -> None:
    label = Label("churn", "v1", "7", AT)

    with_ranges, without = (
        card_text(card_facts(label, study(candidate(ranges=given)), ASSESSMENT, SOURCE, ()))
        for given in (RANGES, None)
    )

    told = "95% range of the probability of the predicted label, 0.03 to 0.18 wide by the level"
    assert told in with_ranges
    assert "learnt from 990 answers to rows that the fits had not seen" in with_ranges
    assert "come without ranges" in without


def test_the_card_says_how_many_folds_the_score_rests_on() -> None:
    loss = ASSESSMENT.floor
    found = study(candidate())
    idea = found.trials[0].hypothesis
    trials = tuple(Trial(n, idea, "done", folds=n, loss=loss) for n in (1, 3, 5))
    unjudged = Trial(9, idea, "skipped", folds=0)

    facts = card_facts(
        Label("churn", "v1", "7", AT),
        replace(found, trials=(*trials, unjudged), split=SplitPolicy("random", n_folds=10)),
        ASSESSMENT,
        SOURCE,
        (),
    )

    assert "The score rests on 1 fold of 10 that were planned." in card_text(facts)


def test_the_card_says_which_segments_the_floor_serves_better(tmp_path: Path) -> None:
    harmed = (Segment("region=north", 812, Interval(0.01, 0.03, 0.05), 0.001),)
    label = Label("churn", "v1", "7", AT)

    card = card_text(card_facts(label, study(candidate(harmed=harmed)), ASSESSMENT, SOURCE, ()))

    told = "- `region=north` (812 rows): mean loss 0.03 higher than the floor's (95% range 0.01 to"
    assert told in card


def test_the_card_without_weak_segments_says_that_none_was_found() -> None:
    found = study(candidate(segments=()))

    card = card_text(card_facts(Label("churn", "v1", "7", AT), found, ASSESSMENT, SOURCE, ()))

    assert "No segment was found that is served clearly worse" in card


def test_the_card_writes_large_numbers_and_booleans_as_people_do() -> None:
    columns = (
        {"name": "paid", "kind": "boolean", "levels": ("N", "Y"), "low": None, "high": None}
        | {"default": True},
        {"name": "price", "kind": "number", "low": 0.5, "high": 146680497.0, "default": 41.25},
    )
    label = Label("churn", "v1", "7", AT)

    card = card_text(card_facts(label, study(candidate()), ASSESSMENT, SOURCE, columns))

    assert "| `paid` | boolean |  | Y |" in card
    assert "| `price` | number | 0.5 to 146,700,000 | 41.25 |" in card


def test_a_finding_that_changed_nothing_is_not_called_acted_upon() -> None:
    kept = Finding("missing", "info", "`age` is missing in 4%", ("age",), done="kept")
    assessment = replace(ASSESSMENT, findings=(*FINDINGS, kept))
    label = Label("churn", "v1", "7", AT)

    card = card_text(card_facts(label, study(candidate()), assessment, SOURCE, ()))

    acted, rest = card.split("## Findings to know about")
    assert "`age` is missing in 4% (kept)" in rest
    assert "`age` is missing" not in acted
    assert "`leak` gives the target away (left out)" in acted


def test_the_card_tells_a_new_category_in_the_words_that_its_answer_uses(tmp_path: Path) -> None:
    folder, _ = packed(tmp_path)

    card = " ".join((folder / "card.md").read_text().split())

    assert f"A category that is rare or new {UNKNOWN}, with a warning" in card


def test_the_card_of_numbers_and_of_time_reads_well(tmp_path: Path) -> None:
    problem = replace(ASSESSMENT.problem, labels=(), target="price", form="values", time="sold")
    found = replace(
        study(candidate(("a", "b"))), problem=problem, split=SplitPolicy("time", "sold", 4)
    )
    quiet = replace(ASSESSMENT, findings=FINDINGS[:0], n_rows=1000)

    card = card_text(card_facts(Label("prices", "v1", "", AT), found, quiet, SOURCE, ()))

    assert "Predicts the number `price`." in card
    assert "forward in time (`sold`)" in card
    assert "2 folds, averaged" in card
    assert "Findings" not in card


@pytest.mark.parametrize("lacks", ["members", "golden_rows"])
def test_a_version_without_members_or_golden_rows_is_not_packed(tmp_path: Path, lacks: str) -> None:
    found = candidate()
    given: dict[str, Any] = {"members": [object()], "golden_rows": [{}]} | {lacks: []}

    with pytest.raises(ArtefactRefused, match="v1 of 'churn' cannot be packed"):
        pack(
            tmp_path,
            label=Label("churn", "v1", "", AT),
            study=study(found),
            assessment=ASSESSMENT,
            source=SOURCE,
            table_columns=COLUMNS,
            key=KEY,
            **given,
        )


def test_members_whose_files_are_gone_are_told(tmp_path: Path) -> None:
    with pytest.raises(ArtefactRefused, match="(?s)trial 1 cannot be packed.*fitted again"):
        fitted_members(candidate((str(tmp_path / "gone"),)))
