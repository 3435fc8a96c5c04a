"""``[models.X.facts]``: what people know, read with its line or refused with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.errors import SettingsError
from everfit.settings import Settings, plan_run, read_settings
from everfit.settings.facts import TOLD, facts_of


def written(folder: Path, text: str) -> Path:
    path = folder / "everfit.toml"
    path.write_text(text)
    return path


def test_words_and_an_oldest_age_are_read(tmp_path: Path) -> None:
    text = '[models.churn.facts]\nprivacy = "keys are hashed"\nstale_after = "90d"\n'

    found = facts_of(read_settings(written(tmp_path, text), environ={}), "churn")

    assert found == ({"privacy": "keys are hashed"}, 90 * 86_400.0)


def test_nobody_who_said_nothing_is_made_to_have_said_something() -> None:
    assert facts_of(Settings(), "churn") == ({}, None)


def test_facts_are_no_setting_of_a_run(tmp_path: Path) -> None:
    path = written(tmp_path, '[models.churn]\nseed = 3\n[models.churn.facts]\nprivacy = "yes"\n')

    assert plan_run(read_settings(path, environ={}), "churn", {}).values["seed"] == 3
    assert "facts" not in plan_run(read_settings(path, environ={}), "churn", {}).values


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('privcy = "yes"', "did you mean 'privacy'"),
        ("privacy = 3", "a text"),
        ('privacy = ""', "a text"),
        ('stale_after = "soon"', "a time above zero"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path, f"[models.churn.facts]\n{line}\n")

    with pytest.raises(SettingsError, match="line 2") as error:
        read_settings(path, environ={})

    assert said in str(error.value)


def test_every_word_is_read_by_a_test_of_the_score() -> None:
    root = Path(__file__).resolve().parents[2] / "src" / "everfit" / "rubric"
    source = "".join(path.read_text() for path in root.glob("*.py"))

    assert [name for name in TOLD if f'"{name}"' not in source] == []
