from __future__ import annotations

from pathlib import Path

import pytest

from everfit.errors import SettingsError
from everfit.faces.cli.template import TEMPLATE
from everfit.records import Policy
from everfit.settings import Settings, limits_of, plan_run, read_budget, read_settings
from everfit.settings.rules import ERRORS, READERS
from everfit.settings.values import BESIDE, ENVIRONMENT, MODEL, POLICY

FULL = """
[store]
path = "kept"

[run]
budget = "2m"
seed = 3
learners = ["mine.py:Mine"]

[policy]
guardrail = 0.2
alpha = 0.1

[models.churn]
source = "customers.csv"
target = "churned"
metric = "auc"
kinds = { zip = "category" }

[models.churn.roles]
signup = "time"

[models.churn.policy]
alpha = 0.01
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "everfit.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60), ("90", 90), (2.5, 2.5), ("10m", 600), ("10 min", 600), ("1h30m", 5400),
        ("2 hours", 7200), ("1d", 86400), ("500ms", 0.5), (" 45 S ", 45), ("1.5h", 5400),
    ],
)  # fmt: skip
def test_a_budget_is_read_in_all_common_forms(text: str | float, seconds: float) -> None:
    assert read_budget(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "-3", "0", "0s", "5 parsecs", "60ss", "1h soon", "nan", "inf", "mm"]
)
def test_a_budget_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="budget cannot be read") as caught:
        read_budget(text)

    assert "60s" in caught.value.expected


def test_without_a_file_there_are_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert read_settings(environ={}) == Settings()


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no settings file"):
        read_settings(tmp_path / "none.toml", environ={})


def test_a_file_gives_checked_values_and_paths_from_its_own_folder(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, FULL), environ={})

    assert settings.run == {"budget": 120.0, "seed": 3, "learners": ("mine.py:Mine",)}
    assert settings.store == str(tmp_path / "kept")
    assert settings.models["churn"]["source"] == str(tmp_path / "customers.csv")
    assert settings.models["churn"]["roles"] == {"signup": "time"}


def test_sources_of_events_stand_under_their_model(tmp_path: Path) -> None:
    text = """
[models.a]
target = "came"
[models.a.sources.file]
source = "orders/*.csv"
key = "who"
time = "when"
reread = "10m"
[models.a.sources.shop]
source = "sqlite:///shop.db"
query = "select * from orders"
key = "who"
time = "when"
"""
    settings = read_settings(write(tmp_path, text), environ={})

    sources = settings.models["a"]["sources"]
    assert sources["file"] == {
        "source": str(tmp_path / "orders" / "*.csv"), "key": "who", "time": "when",
        "reread_s": 600.0,
    }  # fmt: skip
    assert sources["shop"]["source"] == "sqlite:///shop.db"
    assert plan_run(settings, "a", {}, environ={}).values == {"target": "came"}


@pytest.mark.parametrize("left", ["source", "key", "time"])
def test_a_source_of_events_needs_its_place_its_key_and_its_time(tmp_path: Path, left: str) -> None:
    lines = [f"{name} = 'x'" for name in ("source", "key", "time") if name != left]
    text = "\n".join(["[models.a.sources.b]", *lines])

    with pytest.raises(SettingsError, match=f"line 1: the source 'b' has no {left}") as caught:
        read_settings(write(tmp_path, text), environ={})

    assert caught.value.do == f"add {left} to [models.a.sources.b]"


def test_a_database_url_is_not_taken_for_a_path(tmp_path: Path) -> None:
    text = '[store]\npath = "postgresql://host/db"\n[models.a]\nsource = "sqlite:///x.db"\n'

    settings = read_settings(write(tmp_path, text), environ={})

    assert settings.store == "postgresql://host/db"
    assert settings.models["a"]["source"] == "sqlite:///x.db"


@pytest.mark.parametrize(
    ("text", "line", "near"),
    [
        ("[run]\n\nbugdet = '60s'\n", 3, "budget"),
        ("[polcy]\nalpha = 0.1\n", 1, "policy"),
        ("# x\n[policy]\nguardrial = 0.1\n", 3, "guardrail"),
        ("[models.a]\nsource = 'x'\ntarge = 'y'\n", 3, "target"),
        ("[models.a]\n[models.a.policy]\nmin_gian = 0.1\n", 3, "min_gain"),
        ('[models."my-model"]\nmetrc = "auc"\n', 2, "metric"),
        ("[store]\npth = 'x'\n", 2, "path"),
        ("[models.a.sources.b]\nsource = 'x'\nkye = 'y'\n", 3, "key"),
    ],
)
def test_an_unknown_name_is_an_error_with_its_line_and_the_nearest_name(
    tmp_path: Path, text: str, line: int, near: str
) -> None:
    with pytest.raises(SettingsError, match=f"line {line}: there is no setting") as caught:
        read_settings(write(tmp_path, text), environ={})

    assert f"did you mean '{near}'" in caught.value.do


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[run]\nbudget = 'soon'\n", 2),
        ("[run]\nseed = -1\n", 2),
        ("[run]\nseed = true\n", 2),
        ("[policy]\nalpha = 1.5\n", 2),
        ("[policy]\nalpha = 'small'\n", 2),
        ("[policy]\nlatency_ms = nan\n", 2),
        ("[models.a]\nkinds = {zip = 'colour'}\n", 2),
        ("[models.a]\n\n[models.a.roles]\nzip = 'boss'\n", 3),
        ("[models]\na = 3\n", 2),
        ("run = 3\n", 1),
        ("[models.a.sources.b]\nsource = 'x'\nkey = 'y'\ntime = 'z'\nreread = 'often'\n", 5),
        ("[models.a.sources]\nb = 3\n", 2),
    ],
)
def test_a_wrong_value_is_an_error_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(SettingsError, match=f"line {line}: .* cannot be used"):
        read_settings(write(tmp_path, text), environ={})


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not valid TOML") as caught:
        read_settings(write(tmp_path, "[run\nbudget = 1"), environ={})

    assert "line 1" in caught.value.got


def test_each_layer_wins_over_the_ones_below_it_and_is_named(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, FULL), environ={})
    environ = {"EVERFIT_SEED": "9", "EVERFIT_GUARDRAIL": "0.3"}

    plan = plan_run(settings, "churn", {"seed": 11, "alpha": None}, environ=environ)

    assert plan.values["seed"] == 11
    assert plan.values["budget"] == 120.0
    assert plan.values["metric"] == "auc"
    assert plan.set_by == {
        "budget": "everfit.toml [run]",
        "seed": "command line",
        "learners": "everfit.toml [run]",
        "source": "everfit.toml [models.churn]",
        "target": "everfit.toml [models.churn]",
        "metric": "everfit.toml [models.churn]",
        "kinds": "everfit.toml [models.churn]",
        "roles": "everfit.toml [models.churn]",
    }
    assert plan.policy == Policy(
        alpha=0.01,
        guardrail=0.3,
        set_by={"alpha": "everfit.toml [models.churn]", "guardrail": "environment"},
    )


def test_kinds_and_roles_are_merged_column_by_column(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, FULL), environ={})

    plan = plan_run(settings, "churn", {"kinds": {"age": "number"}}, environ={})

    assert plan.values["kinds"] == {"zip": "category", "age": "number"}


def test_the_environment_names_the_store_before_the_file(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, FULL), environ={"EVERFIT_STORE": "/else"})

    assert settings.store == "/else"


def test_a_wrong_value_from_the_environment_says_so() -> None:
    with pytest.raises(SettingsError, match=r"seed cannot be used \(from the environment\)"):
        plan_run(Settings(), None, {}, environ={"EVERFIT_SEED": "many"})


def test_the_limits_of_a_policy_are_those_that_differ_from_the_defaults() -> None:
    chosen = Policy(alpha=0.01, min_gain=0.5)

    assert limits_of(chosen) == {"alpha": 0.01, "min_gain": 0.5}
    assert limits_of(Policy()) == {}
    assert set(Policy.__dataclass_fields__) == {*POLICY, "set_by"}  # none can be forgotten


def test_what_nobody_set_is_left_to_the_defaults() -> None:
    plan = plan_run(Settings(), "churn", {"budget": None}, environ={})

    assert dict(plan.values) == {}
    assert plan.policy == Policy()


def test_every_variable_stands_for_a_known_setting() -> None:
    assert set(ENVIRONMENT.values()) <= {*MODEL, *POLICY}


def test_the_file_that_init_writes_is_valid_with_and_without_its_comments(tmp_path: Path) -> None:
    bare = "\n".join(
        line[2:] if line.startswith("# ") and ("=" in line or line.startswith("# [")) else line
        for line in TEMPLATE.splitlines()
        if not line.startswith(("#   ", "#  "))
    ).replace("constant", "# constant")
    text = "\n".join(line for line in bare.splitlines() if not line.startswith("Everything"))

    as_written = read_settings(write(tmp_path, TEMPLATE), environ={})
    settings = read_settings(write(tmp_path, text), environ={})

    assert as_written.models == {}
    assert set(settings.models["churn"]) - set(BESIDE) <= set(MODEL)
    assert set(settings.models["churn"]["sources"]["orders"]) >= {"source", "key", "time"}
    tables = {"guardrails.plan=trial", "table.5 to 8 windows, to 10% worse"} | {
        f"error_budget.{name}" for name in ERRORS
    }
    assert set(settings.policy) == {*POLICY, *READERS, *tables}
    assert {target.name for target in settings.alerts} == {"ops", "team", "people"}
    assert settings.run["budget"] == 60.0


def test_the_folder_of_files_is_meant_from_the_settings_file_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"EVERFIT_FILES": "/data/kept"}
    assert read_settings(environ=environ).files == "/data/kept"
    file = write(tmp_path, '[store]\npath = "postgresql://db/shop"\nfiles = "kept"\n')

    assert read_settings(file, environ={}).files == str(tmp_path / "kept")
    assert read_settings(file, environ={}).store == "postgresql://db/shop"
    assert read_settings(file, environ=environ).files == "/data/kept"
