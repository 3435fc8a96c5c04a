from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from everfit.faces.cli.main import main
from everfit.plain import as_plain
from everfit.records import Step
from everfit.store import open_store
from tests.faces.http.stores import MODEL, released_store
from tests.house.test_previewing import windows

POLICY = f"""
[policy]
label_delay = "2d"
tell = []

[models.{MODEL}.policy]
tolerance = 0.1
alpha = 0.01

[models.{MODEL}.policy.guardrails]
"plan=trial" = 0.02
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a store with one version, and a folder with settings that is the current one."""
    shutil.copytree(released_store(), tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVERFIT_STORE", str(tmp_path / "store"))
    (tmp_path / "everfit.toml").write_text(POLICY)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["policy", MODEL, *words])
    out, err = capsys.readouterr()
    return code, out, err


def rules(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    code, out, err = said(capsys, "--json")
    assert code == 0, err
    return {rule["name"]: rule for rule in json.loads(out)["rules"]}


def test_every_rule_is_shown_with_its_value_and_who_set_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rules(capsys)

    told = {name: (found[name]["shown"], found[name]["by"]) for name in (
        "label_delay", "tolerance", "alpha", "guardrails.plan=trial", "tell", "window",
        "error_budget.drift", "acts.retrain", "keep_days",
    )}  # fmt: skip
    own = f"everfit.toml [models.{MODEL}]"
    assert told == {
        "label_delay": ("2d", "everfit.toml [policy]"), "tolerance": ("10%", own),
        "alpha": ("0.01", own), "guardrails.plan=trial": ("2%", own),
        "tell": ("nobody", "everfit.toml [policy]"), "window": ("1d", "default"),
        "error_budget.drift": ("1%", "default"), "acts.retrain": ("by itself", "default"),
        "keep_days": ("for ever", "default"),
    }  # fmt: skip


def test_the_table_fits_a_terminal_and_names_the_settings(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys)

    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert out.startswith(f"{MODEL}: the rules in force (v1 serves; everfit.toml)")
    assert all(name in out for name in rules(capsys))


def test_a_contradiction_is_refused_with_its_line(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "everfit.toml").write_text("[policy]\nfits_a_year = 0\n")

    code, _, err = said(capsys)

    assert code == 2
    assert "everfit.toml, line 2: it may retrain by itself" in err


def test_a_floor_that_this_model_cannot_reach_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, "--floor", "-1")

    assert code == 2
    assert "command line: the floor -1 is on the wrong side: auc never gets that bad" in err


def test_without_windows_a_preview_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "--floor", "0.9")

    assert code == 0
    assert "no windows to look back on" in out


def test_a_preview_counts_the_alerts_that_other_rules_would_have_brought(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_windows(place)

    code, out, err = said(capsys, "--floor", "0.9", "--json", "--days", "60")

    assert code == 0, err
    found = json.loads(out)
    causes = {side: [a["cause"] for a in found[side]["alerts"]] for side in ("before", "after")}
    assert "floor" not in causes["before"]
    assert causes["after"].count("floor") == 1
    assert found["given"] == {"floor": 0.9}


def test_a_preview_is_told_in_words(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_windows(place)

    _, out, _ = said(capsys, "--floor", "0.9", "--days", "20")

    assert "With these rules you would have had" in out
    assert "in the 20 days up to 2026-05-06" in out
    assert max(map(len, out.splitlines())) <= 80


def with_windows(place: Path) -> None:
    """Windows of a model that was worse for five days; their metric is not this model's own."""
    store = open_store(place / "store")
    hold = store.hold(MODEL, ttl_s=60.0)
    now = datetime.now(UTC)
    store.note(hold, [
        Step(MODEL, window.kind, window.start.isoformat(), as_plain(window), now)
        for window in windows()
    ])  # fmt: skip
    store.let_go(hold)
    store.close()
