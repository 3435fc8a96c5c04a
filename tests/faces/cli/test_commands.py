from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from everfit.faces.cli.main import main
from everfit.records import Policy
from tests.faces.build import FakeHouse

GOLDEN: dict[str, set[str]] = {
    "run x.csv --target churned --name churn": {
        "model", "run", "version", "champion", "score", "problem", "decision", "leaderboard",
        "findings", "segments", "stopped", "not_tried", "seconds", "budget_s", "interrupted",
        "store",
    },
    "assess x.csv --target churned": {
        "model", "store", "problem", "n_rows", "findings", "split", "profile", "floor",
        "smallest_gain", "n_checks", "skipped", "seconds",
    },
    "why churn": {"model", "decisions"},
    "status": {"models", "versions"},
    "models": {"models"},
    "leaderboard churn": {"model", "leaderboard"},
    "compare churn v1 v2": {"model", "a", "b", "differs", "gain", "n", "note", "verdict"},
    "rollback churn --yes": {"model", "decision"},
    "demo --list": {"examples"},
    "doctor": {"checks"},
}  # fmt: skip


def asked(arguments: str, capsys: pytest.CaptureFixture[str]) -> Any:
    code = main([*arguments.split(), "--json", "--progress", "none"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@pytest.mark.parametrize("arguments", GOLDEN)
def test_json_is_one_object_of_a_known_shape(
    arguments: str, house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = asked(arguments, capsys)

    assert set(shape) - {"schema_version", "command"} == GOLDEN[arguments]
    assert shape["schema_version"] == 1
    assert shape["command"] == arguments.split(maxsplit=1)[0]


def test_json_of_a_run_holds_the_numbers_of_the_records(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = asked("run x.csv --target churned --name churn --budget 2m", capsys)

    assert shape["score"] == {
        "metric": "auc", "better": "higher", "low": 0.838, "mid": 0.849, "high": 0.86, "n": 9612,
        "level": 0.95, "speaks_of": "the blend refitted on all rows",
    }  # fmt: skip
    assert shape["decision"]["at"] == "2026-11-18T04:12:00+00:00"
    assert shape["budget_s"] == 120.0
    assert [row["trial"] for row in shape["leaderboard"]] == [
        "blend of 2", "LightGBM", "CatBoost", "prior", "neural",
    ]  # fmt: skip
    assert shape["leaderboard"][-1]["score"] is None


def test_json_writes_null_for_what_is_no_number(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = asked("compare churn v1 v2", capsys)

    assert shape["differs"]["score"] == [0.849, None]
    assert shape["verdict"] == "no difference beyond noise"


@pytest.mark.parametrize("arguments", ["--json why churn", "why churn --json", "why --json churn"])
def test_options_of_every_command_stand_before_or_after_its_name(
    arguments: str, house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == 0
    assert json.loads(capsys.readouterr().out)["command"] == "why"


def test_everything_that_was_asked_reaches_the_loop(house: FakeHouse) -> None:
    line = (
        "run data.csv -t churned -n churn -b 90 --seed 4 --metric auc --task classify "
        "--kind zip=category --kind a=b=number --role x=ignore --time day --group who --weight w "
        "--drop id --drop other --names a,b,c --query q --learner mine.py:Mine --alpha 0.01 "
        "--min-gain 0.002 --latency-ms 5 --guardrail 0.2 -q"
    )

    code = main(line.split())

    (request,) = house.requests
    assert code == 0
    assert (request.source, request.target, request.name) == ("data.csv", "churned", "churn")
    assert (request.budget_s, request.seed) == (90.0, 4)
    assert (request.metric, request.task, request.query) == ("auc", "classify", "q")
    assert request.kinds == {"zip": "category", "a=b": "number"}
    assert request.roles == {
        "x": "ignore", "day": "time", "who": "group", "w": "weight", "id": "ignore",
        "other": "ignore",
    }  # fmt: skip
    assert request.header == ("a", "b", "c")
    assert request.policy == Policy(
        alpha=0.01, latency_ms=5, guardrail=0.2, min_gain=0.002,
        set_by=dict.fromkeys(("alpha", "latency_ms", "guardrail", "min_gain"), "command line"),
    )  # fmt: skip
    assert request.started > 0


@pytest.mark.parametrize(("flag", "header"), [("--header", True), ("--no-header", False)])
def test_a_header_can_be_said_or_denied(flag: str, header: bool, house: FakeHouse) -> None:
    main(["run", "x.csv", "-t", "y", flag, "-q"])

    assert house.requests[0].header is header


def test_a_model_of_the_settings_file_needs_only_its_name(house: FakeHouse, tmp_path: Path) -> None:
    (tmp_path / "everfit.toml").write_text(
        '[models.churn]\nsource = "customers.csv"\ntarget = "churned"\nbudget = "5m"\n'
    )

    code = main(["run", "churn", "-q"])

    (request,) = house.requests
    assert code == 0
    assert (request.name, request.target, request.budget_s) == ("churn", "churned", 300.0)
    assert request.source == str(tmp_path / "customers.csv")


def test_the_command_line_wins_over_the_environment_and_the_file(
    house: FakeHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "everfit.toml").write_text("[run]\nbudget = '5m'\nseed = 1\nmetric = 'auc'\n")
    monkeypatch.setenv("EVERFIT_BUDGET", "4m")
    monkeypatch.setenv("EVERFIT_SEED", "2")

    main(["run", "x.csv", "-t", "y", "-b", "3m", "-q"])

    (request,) = house.requests
    assert (request.budget_s, request.seed, request.metric) == (180.0, 2, "auc")


def test_an_assessment_is_printed_and_kept_under_the_name_of_the_file(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["assess", "new rows.csv", "-t", "churned", "--progress", "none"]) == 0

    out, err = capsys.readouterr()
    assert house.saved == [True]
    assert "`last_call_result` is known only after the target" in out
    assert err == "Kept in .everfit: everfit why new-rows\n"


def test_an_assessment_is_kept_under_the_name_that_was_given(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = asked("assess x.csv -t churned -n churn", capsys)

    assert (shape["model"], shape["store"]) == ("churn", house.place)
    assert house.requests[0].name == "churn"


@pytest.mark.parametrize(
    ("arguments", "trial"),
    [("", "LightGBM"), ("--use v2", "of the challenger"), ("--use v1", "LightGBM")],
)
def test_the_leaderboard_is_of_the_last_run_or_of_the_run_that_made_a_version(
    arguments: str, trial: str, house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = asked(f"leaderboard churn {arguments}", capsys)["leaderboard"]

    assert trial in [row["trial"] for row in rows]


def test_why_tells_the_newest_first_with_limits_and_who_set_them(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["why", "churn"])

    out = capsys.readouterr().out
    assert out.index("Promoted v1") < out.index("Kept v1")
    assert "limit 50 ms (everfit.toml [policy]) - passed" in out
    assert "no search beyond 60 s" in out


def test_why_of_one_decision_shows_the_hash_of_its_data(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["why", "churn", "7"])

    out = capsys.readouterr().out
    assert "ab" * 32 in out
    assert "Kept v1" not in out


def test_why_of_an_unknown_decision_lists_the_known_ones(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["why", "churn", "99"]) == 6
    assert "one of 7, 6" in capsys.readouterr().err


def test_an_unknown_model_ends_with_6_and_a_near_name(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "chrun"]) == 6
    assert "did you mean 'churn'? everfit status churn" in capsys.readouterr().err


def test_the_leaderboard_says_why_each_trial_was_tried_when_asked(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["leaderboard", "churn", "--why"])

    out = capsys.readouterr().out
    assert "because of CatBoost" in out
    assert "failed         0:41" in out
    assert "      fold 1: ran out of memory" in out


def test_rollback_without_a_terminal_is_refused_without_yes(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["rollback", "churn"])

    assert code == 6
    assert house.rolled == []
    assert "add --yes" in capsys.readouterr().err


@pytest.mark.parametrize(("user", "told"), [("ann", "ann"), ("system", "person"), (None, "person")])
def test_rollback_with_yes_names_the_user_and_prints_the_decision(
    house: FakeHouse,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    user: str | None,
    told: str,
) -> None:
    def getuser() -> str:
        if user is None:
            raise OSError("no name for this number")
        return user

    monkeypatch.setattr("everfit.faces.cli.acting.getuser", getuser)

    assert main(["rollback", "churn", "--to", "v1", "--yes"]) == 0
    assert house.rolled == [("v1", told)]
    assert "Rolled back to v1" in capsys.readouterr().out


def test_init_writes_a_file_once(tmp_path: Path, house: FakeHouse) -> None:
    first, second = main(["init"]), main(["init"])

    assert (first, second) == (0, 6)
    assert (tmp_path / "everfit.toml").read_text().startswith("# Settings of Everfit.")
    assert main(["init", "--force", "-q"]) == 0


def test_quiet_leaves_data_alone(house: FakeHouse, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", "x.csv", "-t", "y", "-q"])

    out, err = capsys.readouterr()
    assert "Verdict" in out
    assert err == ""


def test_the_demo_writes_a_csv_file_and_runs_on_it(
    house: FakeHouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["demo", "diabetes", "--budget", "5s"])

    (request,) = house.requests
    assert code == 0
    assert (tmp_path / request.source).read_text().count("\n") == 443
    assert (request.target, request.budget_s) == ("progression", 5.0)
    assert "everfit run everfit-demo-diabetes.csv" in capsys.readouterr().err


def test_an_unknown_example_is_answered_with_the_known_ones(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "digit"]) == 2
    assert "did you mean 'digits'" in capsys.readouterr().err


def test_doctor_does_not_create_a_store(
    house: FakeHouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = asked("doctor", capsys)

    names = {check["name"]: check for check in shape["checks"]}
    assert not (tmp_path / ".everfit").exists()
    assert {"Python", "SQLite", "store", "polars"} <= set(names)
    assert all(check["state"] in ("ok", "warn", "fail") for check in shape["checks"])
    assert not any(isinstance(c["value"], float) and math.isnan(c["value"]) for c in names.values())


def test_users_items_and_their_table_reach_the_loop(house: FakeHouse) -> None:
    words = "run r.csv --task recommend --user u --item i --time t --items items.csv -n shop"

    assert main([*words.split(), "--progress", "none"]) == 0

    (request,) = house.requests
    assert (request.target, request.task) == ("i", "recommend")
    assert request.roles == {"u": "group", "t": "time"}
    assert request.beside == {"items": "items.csv"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--user id --item id", "one column cannot hold the users and the items"),
        ("--user u --item i --target j", "two targets are named"),
        ("--user u", "add --item NAME"),
    ],
)
def test_users_and_items_that_cannot_be_are_refused(
    words: str, said: str, house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["run", "r.csv", "--task", "recommend", *words.split(), "--progress", "none"])

    assert code == 2
    assert said in capsys.readouterr().err
