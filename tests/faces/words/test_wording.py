"""One word for one idea: what people read must not use the words that the glossary avoids."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "src" / "everfit"
READ_BY_PEOPLE = sorted(
    [*(SOURCE / "faces").rglob("*.py"), *(SOURCE / "release").rglob("*.py"),
     *(SOURCE / "assess").rglob("*.py"), *(SOURCE / "settings").rglob("*.py"),
     *(p for name in ("loop", "watch", "maintain", "alert", "rubric", "simulate")
       for p in (SOURCE / name).rglob("*.py"))]
)  # fmt: skip
AVOID = (
    "use case", "model id", "ground truth", "dependent variable", "predictor", "inference result",
    "dummy", "chunk", "realized performance", "sampling error", "confidence interval", "CI",
    "anomaly", "anomalies", "leverage", "insight", "insights", "cohort", "influence", "refresh",
    # "incident" is avoided for an alert; what could not be served is one, and has no other name
    "audit log", "experiment", "recipe", "fit summary", "SLA",
    "in production", "transition", "expectation", "oops", "please", "successfully", "simply",
)  # fmt: skip
EXPERIMENT = "RAND health insurance experiment"  # its name


def texts(file: Path) -> list[tuple[int, str]]:
    """String constants of a source file that are no docstrings, with their lines."""
    tree = ast.parse(file.read_text())
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


def found(text: str) -> list[str]:
    """The avoided words in ``text``; words with capitals must match exactly."""
    text = text.replace(EXPERIMENT, "")
    return [
        word
        for word in AVOID
        if re.search(rf"\b{re.escape(word)}\b", text, 0 if word.isupper() else re.IGNORECASE)
    ]


def test_the_search_finds_an_avoided_word() -> None:
    assert found("An Anomaly was found with its CI") == ["CI", "anomaly"]
    assert found("ci-green, an incidental word") == []


def test_there_is_something_to_search() -> None:
    assert sum(len(texts(file)) for file in READ_BY_PEOPLE) > 500


@pytest.mark.parametrize("file", READ_BY_PEOPLE, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_text_of_the_program_uses_an_avoided_word(file: Path) -> None:
    hits = [(line, word) for line, text in texts(file) for word in found(text)]

    assert hits == []


@pytest.mark.parametrize("page", ["README.md", "docs/cli.md"])
def test_no_page_uses_an_avoided_word(page: str) -> None:
    assert found((ROOT / page).read_text()) == []


@pytest.mark.parametrize("file", READ_BY_PEOPLE, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_sentence_shouts(file: Path) -> None:
    shouting = [(line, text) for line, text in texts(file) if re.search(r"[a-z]!(\s|$)", text)]

    assert shouting == []


@pytest.mark.parametrize("file", READ_BY_PEOPLE, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_text_holds_an_emoji(file: Path) -> None:
    odd = [(line, text) for line, text in texts(file) if re.search("[\U0001f000-\U0001faff]", text)]

    assert odd == []
