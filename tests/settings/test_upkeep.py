from __future__ import annotations

from pathlib import Path

import pytest

from everfit.errors import SettingsError
from everfit.faces.cli.template import TEMPLATE
from everfit.loop.turn.trials import lasting
from everfit.records import Upkeep
from everfit.settings import Settings, plan_run, read_settings, upkeep_of
from everfit.settings.rules import READERS

FULL = """
[policy]
floor = 0.8
label_delay = "7d"
window = "12h"
acts = ["retrain", "roll_back"]

[policy.error_budget]
total = 0.1
drift = 0.1
promotion = 0.5

[policy.guardrails]
"plan=trial" = 0.05
"age above 60" = 0.1

[models.churn.policy]
floor = 0.85
alpha = 0.01

[models.churn.policy.guardrails]
"plan=trial" = 0.02
"""
WHO, OWN = "everfit.toml [policy]", "everfit.toml [models.churn]"


def read(folder: Path, text: str) -> Settings:
    file = folder / "everfit.toml"
    file.write_text(text, encoding="utf-8")
    return read_settings(file, environ={})


def upkeep(folder: Path, text: str, metric: str | None = "auc") -> Upkeep:
    return upkeep_of(read(folder, text), "churn", metric=metric)


def refused(folder: Path, text: str, metric: str | None = "auc") -> SettingsError:
    settings = read(folder, text)
    with pytest.raises(SettingsError) as caught:
        upkeep_of(settings, "churn", metric=metric)
    return caught.value


def test_without_a_file_all_rules_are_the_defaults() -> None:
    assert upkeep_of(Settings(), "churn") == Upkeep()


def test_a_model_says_what_differs_from_the_rules_for_all(tmp_path: Path) -> None:
    found = upkeep(tmp_path, FULL)

    assert (found.floor, found.window_s, found.label_delay_s) == (0.85, 43_200.0, 7 * 86_400.0)
    assert found.acts == ("retrain", "roll_back")
    assert found.guardrails == {"plan=trial": 0.02, "age above 60": 0.1}
    assert found.error_budget == 0.1
    assert found.shares == {"promotion": 0.5, "rollback": 0.2, "degradation": 0.2, "drift": 0.1}


def test_every_rule_knows_who_set_it(tmp_path: Path) -> None:
    assert upkeep(tmp_path, FULL).set_by == {
        "floor": OWN, "label_delay_s": WHO, "window_s": WHO, "acts": WHO, "error_budget": WHO,
        "shares": WHO, "shares.promotion": WHO, "shares.drift": WHO, "guardrails": WHO,
        "guardrails.plan=trial": OWN, "guardrails.age above 60": WHO,
    }  # fmt: skip


def test_the_rules_of_one_model_are_not_those_of_another(tmp_path: Path) -> None:
    other = upkeep_of(read(tmp_path, FULL), "fraud", metric="auc")

    assert (other.floor, other.set_by["floor"]) == (0.8, WHO)
    assert other.guardrails["plan=trial"] == 0.05


def test_the_rules_of_upkeep_are_no_values_of_a_run(tmp_path: Path) -> None:
    plan = plan_run(read(tmp_path, FULL), "churn", {}, environ={})

    assert dict(plan.values) == {}
    assert plan.policy.alpha == 0.01


def test_a_call_wins_over_the_file(tmp_path: Path) -> None:
    given = {"floor": 0.9, "guardrails.plan=pro": 0.2, "error_budget.total": 0.2}

    found = upkeep_of(read(tmp_path, FULL), "churn", metric="auc", given=given)

    assert (found.floor, found.error_budget, found.guardrails["plan=pro"]) == (0.9, 0.2, 0.2)
    assert found.set_by["floor"] == found.set_by["guardrails.plan=pro"] == "command line"


def test_a_number_is_the_whole_error_budget(tmp_path: Path) -> None:
    assert upkeep(tmp_path, "[policy]\nerror_budget = 0.2\n").error_budget == 0.2


def test_windows_that_nobody_set_grow_with_the_label_delay(tmp_path: Path) -> None:
    found = upkeep(tmp_path, "[policy]\nlabel_delay = '60d'\n")

    assert found.rollback_window_s == 67 * 86_400.0
    assert found.trial_s == 90 * 86_400.0
    assert "label_delay" in found.set_by["trial_s"]


def test_windows_that_nobody_set_grow_to_what_an_answer_needs(tmp_path: Path) -> None:
    found = upkeep(tmp_path, "[policy]\nwindow = '7d'\n")

    assert found.rollback_window_s == 70 * 86_400.0
    assert found.set_by["rollback_window_s"] == "default, grown with label_delay and window"
    assert lasting(found) == found


def test_rules_that_hold_are_those_that_the_tests_go_by(tmp_path: Path) -> None:
    for window in ("15m", "1h", "6h", "1d", "2d", "3d", "7d", "30d"):
        found = upkeep(tmp_path, f"[policy]\nwindow = '{window}'\n")
        assert lasting(found) == found


def test_a_trial_that_is_too_short_says_what_is_needed_and_why(tmp_path: Path) -> None:
    error = refused(tmp_path, "[policy]\nlabel_delay = '2d'\nrollback_window = '10d'\n")

    assert error.got == "rollback_window 10d, label_delay 2d, window 1d"
    assert error.expected == "at least 14d: an answer is read after 14 windows, and not before"
    assert error.do == 'set rollback_window = "14d" or more'


def test_a_short_label_delay_leaves_the_usual_windows(tmp_path: Path) -> None:
    found = upkeep(tmp_path, "[policy]\nlabel_delay = '5d'\n")

    assert (found.rollback_window_s, found.trial_s) == (
        Upkeep().rollback_window_s,
        Upkeep().trial_s,
    )


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("label_delay = 0", "label_delay_s", 0.0),
        ("label_delay = '0d'", "label_delay_s", 0.0),
        ("label_delay = 3600", "label_delay_s", 3600.0),
        ("window = '30m'", "window_s", 1800.0),
        ("rollback_window = '21d'", "rollback_window_s", 21 * 86_400.0),
        ("trial = '15d12h'", "trial_s", 1_339_200.0),
        ("retrain_budget = '10m'", "retrain_budget_s", 600.0),
        ("search_budget = '1h'", "search_budget_s", 3600.0),
        ("money_a_year = 500", "money_a_year", 500.0),
        ("fits_a_year = 52", "fits_a_year", 52),
        ("searches_a_year = 4", "searches_a_year", 4),
        ("tolerance = 0.1", "tolerance", 0.1),
        ("least_rows = 50", "least_rows", 50),
        ("margin = 0.02", "margin", 0.02),
        ("loss_cost = 0", "loss_cost", 0.0),
        ("fit_cost = 2.5", "fit_cost", 2.5),
        ("search_cost = 30", "search_cost", 30.0),
        ("label_cost = 1", "label_cost", 1.0),
        ("call_cost = 50", "call_cost", 50.0),
        ("learn_from = 'log'", "learn_from", "log"),
        ("acts = []", "acts", ()),
        ("acts = 'retrain, search'", "acts", ("retrain", "search")),
        ("hold_looks = 2", "hold_looks", 2),
        ("quiet_looks = 5", "quiet_looks", 5),
        ("tell = []", "tell", ()),
        ("floor = 0.7", "floor", 0.7),
        ("label_delay = '1d'\nmissing_outcome = false", "missing_outcome", "False"),
        ("label_delay = '1d'\nmissing_outcome = 'no'", "missing_outcome", "no"),
        ("label_delay = '1d'\nmissing_outcome = 0", "missing_outcome", "0"),
    ],
)
def test_every_rule_is_read(tmp_path: Path, line: str, field: str, value: object) -> None:
    found = upkeep(tmp_path, f"[policy]\n{line}\n")

    assert getattr(found, field) == value
    assert found.set_by[field] == WHO


def test_every_field_of_upkeep_can_be_set() -> None:
    settable = {field for field, _ in READERS.values()}

    assert settable | {"error_budget", "shares", "guardrails", "table", "set_by"} == set(
        Upkeep.__dataclass_fields__
    )


def test_a_state_of_the_policy_table_is_overruled_by_its_name(tmp_path: Path) -> None:
    found = upkeep(tmp_path, '[policy.table]\n"9 to 16 windows, beyond" = "search"\n')

    assert found.table == {"9 to 16 windows, beyond": "search"}
    assert found.set_by["table"] == "everfit.toml [policy]"


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("[policy.table]\n'9 to 16 windows, beyond' = 'dance'", 3, "one of: nothing"),
        ("label_delay = '-1d'", 2, "a time from zero"),
        ("label_delay = true", 2, "a time from zero"),
        ("window = 0", 2, "a time above zero"),
        ("trial = 'long'", 2, "a time above zero"),
        ("error_budget = 0.6", 2, "a number from 1e-06 to 0.5"),
        ("error_budget = 0", 2, "a number from 1e-06 to 0.5"),
        ("[policy.error_budget]\ntotal = 0.6", 3, "a number from 1e-06 to 0.5"),
        ("[policy.error_budget]\ndrift = 0", 3, "a number from 1e-06 to 1"),
        ("error_budget = {total = 'much'}", 2, "a number from 1e-06 to 0.5"),
        ("loss_cost = -1", 2, "a number from 0"),
        ("call_cost = nan", 2, "a number from 0"),
        ("money_a_year = -5", 2, "a number from 0"),
        ("fits_a_year = 1.5", 2, "a whole number from 0"),
        ("least_rows = 0", 2, "a whole number from 1"),
        ("hold_looks = 0", 2, "a whole number from 1"),
        ("acts = ['retrian']", 2, "did you mean 'retrain'?"),
        ("acts = ['nothing']", 2, "a list of: recalibrate, retrain"),
        ("acts = 5", 2, "a list of texts"),
        ("learn_from = 'web'", 2, "one of: source, log, both"),
        ("floor = 'high'", 2, "a number from"),
        ("[policy.guardrails]\n'plan=trial' = -0.1", 3, "a number from 0 to 100"),
        ("[policy.guardrails]\n'plan=trial' = 'some'", 3, "a number from 0 to 100"),
        ("guardrails = 3", 2, "a section"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, expected: str
) -> None:
    with pytest.raises(SettingsError, match=f"line {line}: .* cannot be used") as caught:
        read(tmp_path, f"[policy]\n{text}\n")

    assert expected in caught.value.expected


@pytest.mark.parametrize(
    ("text", "line", "near"),
    [
        ("[policy]\nflor = 0.8\n", 2, "floor"),
        ("[policy]\nlabeldelay = '7d'\n", 2, "label_delay"),
        ("[policy]\nguardrials = {}\n", 2, "guardrails"),
        ("[policy]\n[policy.error_budget]\ndegradatoin = 0.2\n", 3, "degradation"),
        ("[models.churn.policy]\nquiet_loks = 2\n", 2, "quiet_looks"),
        ("[policy]\nerror_budget = { prom = 0.2 }\n", 2, "promotion"),
    ],
)
def test_a_misspelt_rule_gets_its_line_and_the_nearest_name(
    tmp_path: Path, text: str, line: int, near: str
) -> None:
    with pytest.raises(SettingsError, match=f"line {line}: there is no setting") as caught:
        read(tmp_path, text)

    assert f"'{near}'" in caught.value.do


@pytest.mark.parametrize("name", ["plan", "=trial", "plan=", "", "age above", "age above x"])
def test_a_segment_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="segment of a guardrail cannot be read") as caught:
        read(tmp_path, f"[policy]\n[policy.guardrails]\n'{name}' = 0.1\n")

    assert caught.value.got == repr(name)
    if name:
        assert "line 3" in caught.value.what


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("plan=trial", "plan=trial"), ("plan = trial", "plan=trial"), ("a=b=c", "a=b=c"),
        ("age up to 30", "age up to 30"), ("my age above -1.5e3", "my age above -1.5e3"),
        ("age 30 to 60", "age 30 to 60"), ("plan=missing", "plan=missing"),
    ],
)  # fmt: skip
def test_segments_are_called_as_assess_calls_them(tmp_path: Path, name: str, kept: str) -> None:
    found = upkeep(tmp_path, f"[policy.guardrails]\n'{name}' = 0.1\n")

    assert found.guardrails == {kept: 0.1}


# what contradicts, the line that is named, and a word of what is said
CLASHES = [
    ("[policy]\n[policy.error_budget]\ndrift = 0.5\n", "line 3", "do not sum to 1"),
    ("[policy]\nfloor = 1.2\n", "line 2", "cannot stay on the good side of the floor 1.2"),
    ("[policy]\nfloor = 1\n", "line 2", "cannot stay on the good side"),
    ("[policy]\nfloor = 0.4\n", "line 2", "on the wrong side"),
    ("[policy]\nlabel_delay = '20d'\nrollback_window = '20d'\n", "line 3", "rollback window ends"),
    ("[policy]\nlabel_delay = '20d'\ntrial = '19d'\n", "line 3", "a trial would end before"),
    # an answer is read after 14 windows of a day, and after 10 of a week
    ("[policy]\nrollback_window = '13d'\n", "line 2", "rollback window ends before its outcomes"),
    ("[policy]\ntrial = '13d'\n", "line 2", "trial would end before its outcomes"),
    ("[policy]\nwindow = '7d'\nrollback_window = '69d'\n", "line 3", "rollback window ends before"),
    ("[policy]\nwindow = '1h'\ntrial = '23h'\n", "line 3", "trial would end before its"),
    ("[policy]\nmissing_outcome = 'no'\n", "line 2", "before its outcome could come"),
    (
        "[serve]\nkeep_days = 20\n[policy]\nlabel_delay = '7d'\n",
        "line 2",
        "dropped before a promotion could be taken back",
    ),
    ("[policy]\nfits_a_year = 0\n", "line 2", "not once in a year"),
    ("[policy]\nsearches_a_year = 0\n", "line 2", "not once in a year"),
    ("[policy]\nmoney_a_year = 5\n", "line 2", "does not pay for one"),
    ("[policy]\ntell = ['ops']\n", "line 2", "no target 'ops'"),
    ("[policy]\nfloor = 0.8\n\n[models.churn.policy]\nfloor = 2\n", "line 5", "cannot stay"),
]


@pytest.mark.parametrize(("text", "line", "what"), CLASHES, ids=[c[2] for c in CLASHES])
def test_rules_that_contradict_each_other_are_refused_with_the_line(
    tmp_path: Path, text: str, line: str, what: str
) -> None:
    error = refused(tmp_path, text)

    assert what in error.what
    assert f"everfit.toml, {line}:" in error.what
    assert error.got
    assert error.expected
    assert error.do


@pytest.mark.parametrize(
    "text",
    [
        "[policy]\nfloor = 0.8\n",
        "[policy]\n[policy.error_budget]\ndrift = 0.1\npromotion = 0.5\n",
        "[policy]\nlabel_delay = '13d'\nrollback_window = '14d'\ntrial = '14d'\n",
        "[policy]\nwindow = '7d'\nrollback_window = '70d'\ntrial = '70d'\n",
        "[policy]\nwindow = '1h'\nrollback_window = '24h'\ntrial = '24h'\n",
        "[serve]\nkeep_days = 21\n[policy]\nlabel_delay = '7d'\n",
        "[policy]\nfits_a_year = 0\nacts = ['search']\n",
        "[policy]\nmoney_a_year = 5\nacts = ['retrain']\n",
        "[policy]\ntell = ['ops']\n[alerts.webhooks.ops]\nurl = 'https://ops.example/'\n",
    ],
)
def test_rules_at_the_edge_of_a_contradiction_hold(tmp_path: Path, text: str) -> None:
    assert isinstance(upkeep(tmp_path, text), Upkeep)


@pytest.mark.parametrize(
    ("metric", "floor", "what"),
    [
        ("accuracy", 0.0, "wrong side"), ("accuracy", 1.0, "cannot stay"),
        ("log_loss", 0.0, "cannot stay"), ("log_loss", -1.0, "cannot stay"),
        ("brier", 2.0, "wrong side"), ("rmse", 0.0, "cannot stay"), ("mae", -3.0, "cannot stay"),
        ("r2", 1.5, "cannot stay"), ("auc", 0.5, "wrong side"),
    ],
)  # fmt: skip
def test_a_floor_must_be_where_its_metric_can_be(
    tmp_path: Path, metric: str, floor: float, what: str
) -> None:
    error = refused(tmp_path, f"[policy]\nfloor = {floor}\n", metric)

    assert what in error.what


@pytest.mark.parametrize(
    ("metric", "floor"), [("rmse", 12.0), ("r2", -0.2), ("log_loss", 0.4), ("brier", 0.2)]
)
def test_a_floor_that_can_be_reached_is_taken(tmp_path: Path, metric: str, floor: float) -> None:
    assert upkeep(tmp_path, f"[policy]\nfloor = {floor}\n", metric).floor == floor


def test_without_a_model_the_metric_of_the_settings_is_meant(tmp_path: Path) -> None:
    text = "[policy]\nfloor = 0.3\n[models.churn]\nmetric = 'auc'\n"

    assert "wrong side" in refused(tmp_path, text, metric=None).what
    assert upkeep_of(read(tmp_path, text), "fraud").floor == 0.3


def test_a_run_begins_with_no_policy_that_contradicts_itself(tmp_path: Path) -> None:
    settings = read(tmp_path, "[policy]\nmissing_outcome = 'no'\n")

    with pytest.raises(SettingsError, match="before its outcome could come"):
        plan_run(settings, "churn", {}, environ={})


def test_keep_days_alone_is_no_policy(tmp_path: Path) -> None:
    settings = read(tmp_path, "[serve]\nkeep_days = 3\n")

    assert plan_run(settings, "churn", {}, environ={}).values == {}


def test_a_contradiction_of_the_command_line_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="command line: the floor 0.2 is on the wrong side"):
        upkeep_of(read(tmp_path, ""), "churn", metric="auc", given={"floor": 0.2})


def test_the_defaults_do_not_contradict_each_other(tmp_path: Path) -> None:
    for metric in ("auc", "log_loss", "rmse", "r2"):
        assert upkeep(tmp_path, TEMPLATE, metric) == Upkeep()
