"""docs/policy.md and the rules that there are say the same."""

from __future__ import annotations

import re
from pathlib import Path

from everfit.settings import read_settings, upkeep_of
from everfit.settings.rules import NAMES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text()


def test_every_rule_is_described() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    described = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}

    assert set(NAMES) - described == set()


def test_the_example_is_read_as_it_is_written(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "everfit.toml"
    file.write_text(text)

    upkeep = upkeep_of(read_settings(file, environ={}), "churn", metric="auc")

    assert (upkeep.floor, upkeep.guardrails) == (0.85, {"plan=trial": 0.05})
