"""``everfit score``: one screen, or one object, about the champion of a real store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from everfit.faces.cli.keeping.score import score_text
from everfit.faces.cli.main import main
from everfit.rubric import score
from tests.live.coins import coin_store
from tests.live.logged import Answered, fill
from tests.rubric.facts import WHOLE


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for word in ("EVERFIT_STORE", "EVERFIT_CONFIG"):
        monkeypatch.delenv(word, raising=False)
    return coin_store(tmp_path / ".everfit")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_one_screen_has_four_sections_28_tests_and_three_things_to_do(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = told(capsys, "score", "coin")

    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("coin v1: ML Test Score 1 of 7")
    assert sum(line.endswith(" of 7") for line in lines) == 4
    assert sum(line.startswith(("  ✓", "  ✗", "  ◐")) for line in lines) == 28
    assert [line[9:11] for line in lines[-8:] if line[11:12] == ":"] == ["M2", "M7", "D3"]
    assert max(map(len, lines)) <= 80


def test_all_of_it_is_said_when_more_is_asked_for() -> None:
    found = score(WHOLE)

    text = score_text(found, full=True).replace("\n        ", " ")

    for test in found.tests:
        assert f"{test.code}  {test.name}: {test.checked}" in " ".join(text.split(" ")), test.code
    assert max(map(len, score_text(found, full=True).splitlines())) <= 80


def test_json_has_the_score_the_sums_every_test_and_what_is_next(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = told(capsys, "score", "coin", "--json")

    found = json.loads(out)
    assert (code, found["command"], found["version"]) == (0, "score", "v1")
    assert found["score"] == min(found["sections"].values())
    assert len(found["tests"]) == 28
    assert set(found["tests"][0]) == {
        "code", "section", "word", "name", "grade", "checked", "do", "effort"
    }  # fmt: skip
    assert found["next"] == ["M2", "M7", "D3"]


def test_what_the_settings_say_counts_by_half(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "everfit.toml").write_text('[models.coin.facts]\nprivacy = "keys are hashed"\n')

    _, out, _ = told(capsys, "score", "coin", "--json")

    (test,) = [t for t in json.loads(out)["tests"] if t["code"] == "D5"]
    assert (test["grade"], test["checked"]) == (0.5, "by hand: keys are hashed")


def test_outcomes_in_the_log_say_whether_columns_help(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(store, [Answered(f"k{i}", "champion", 1, 0.01, "tails") for i in range(250)]).close()

    _, out, _ = told(capsys, "score", "coin", "--json")

    (test,) = [t for t in json.loads(out)["tests"] if t["code"] == "D2"]
    assert (test["grade"], "250 rows" in test["checked"]) == (1.0, True)


def test_a_model_that_is_not_there_is_told_with_near_names(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = told(capsys, "score", "coins")

    assert code == 6
    assert "coin" in err
