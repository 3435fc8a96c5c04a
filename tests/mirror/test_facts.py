"""Our records in the words of MLflow, within its limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from everfit.mirror import facts
from everfit.plain import as_plain
from everfit.store import RunRow
from tests.faces.build import AT, assessment, decision, study, trial, version

RESULT = {"assessment": as_plain(assessment()), "study": as_plain(study())}


def run(**changes: object) -> RunRow:
    spec = {
        "source": "postgresql://me:secret@db/shop",
        "target": "churned",
        "policy": {"alpha": 0.05, "set_by": {}},
        "learners": [],
    }
    row = RunRow("r-1", "churn", "done", spec, AT, AT + timedelta(seconds=52))
    return replace(row, **changes)  # type: ignore[arg-type]


def told(row: RunRow | None = None) -> facts.Facts:
    return facts.of_run(row or run(), RESULT, [decision()])


def metrics_of(said: facts.Facts) -> dict[str, float]:
    return {name: value for name, value, _ in said.metrics}


def test_a_run_has_its_score_with_both_ends_of_its_range() -> None:
    metrics = metrics_of(told())

    assert (metrics["auc_low"], metrics["auc"], metrics["auc_high"]) == (0.838, 0.849, 0.860)
    assert metrics["seconds"] == 52
    assert metrics["floor_loss"] == 0.69


def test_a_run_carries_its_rows_of_the_ledger() -> None:
    assert told().tags["mlflow.note.content"] == (
        "* promoted: Promoted v1: it beats the floor beyond noise"
    )


def test_passwords_and_empty_settings_are_left_out() -> None:
    assert told().params == {
        "source": "postgresql://db/shop",
        "target": "churned",
        "policy.alpha": "0.05",
    }


def test_a_run_that_found_nothing_is_told_too() -> None:
    said = facts.of_run(run(state="failed"), {}, [])

    assert said.state == "FAILED"
    assert metrics_of(said) == {"seconds": 52}


def test_a_trial_has_one_loss_a_fold() -> None:
    one = trial(4, "LightGBM", 0.8, fold_losses=(0.3, 0.2, float("nan")))

    said = facts.of_trial(as_plain(one), "auc", told())

    assert [m for m in said.metrics if m[0] == "fold_loss"] == [
        ("fold_loss", 0.3, 0),
        ("fold_loss", 0.2, 1),
    ]
    assert said.tags["mlflow.note.content"] == "because of LightGBM"
    assert said.started_ms == told().started_ms


def test_a_trial_that_failed_says_so() -> None:
    said = facts.of_trial(as_plain(trial(3, "neural", None, reason="out of memory")), "auc", told())

    assert said.state == "FAILED"
    assert said.tags["everfit.reason"] == "out of memory"
    assert "auc" not in metrics_of(said)


def test_trials_that_were_never_begun_are_named_with_their_run() -> None:
    skipped = replace(trial(9, "CatBoost, tuned", None), status="skipped")
    plain = RESULT | {"study": as_plain(study(trials=(trial(1, "prior", 0.5), skipped)))}

    said = facts.of_run(run(), plain, [])

    assert said.tags["everfit.not_begun"] == "CatBoost, tuned"
    assert metrics_of(said)["trials"] == 1


def test_a_version_is_described_by_the_newest_decision_about_it() -> None:
    newest = decision(headline="Rolled back to v1", id=9)

    tags, description = facts.of_version(version(), [newest, decision()])

    assert description == "Rolled back to v1"
    assert tags["everfit.sha256"] == "cd" * 32
    assert tags["everfit.score_low"] == "0.838"


def test_long_texts_are_cut_to_what_the_server_takes() -> None:
    assert len(facts.text("x" * 10_000)) == facts.VALUE
    assert len(facts.key("y" * 1_000)) == facts.KEY
