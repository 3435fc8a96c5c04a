"""``everfit recommend``: lists with titles and reasons, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from everfit.errors import UsageError
from everfit.faces.cli.app import app
from tests.live.shelves import MODEL, lists_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lists_store(tmp_path_factory.mktemp("cli") / "store", (1,))


def asked(store: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["recommend", MODEL, *words, "--store", str(store)])


def test_each_line_has_the_title_and_with_why_those_of_past_items(store: Path) -> None:
    told = asked(store, "--history", "112,115", "--allowed", "113,119", "-k", "1", "--why")

    assert told.exit_code == 0, told.output
    assert told.stdout == "1.  113  Film 113  0.945  because of Film 112, Film 115\n"


def test_json_has_titles_scores_and_reasons(store: Path) -> None:
    told = asked(store, "--user", "u1", "-k", "2", "--why", "--json")

    body = json.loads(told.stdout)
    assert (body["model"], body["version"], body["fallback"]) == (MODEL, "v1", None)
    first = body["items"][0]
    assert first["title"] == f"Film {first['item']}"
    assert sum(share for _, share in first["because"]) == pytest.approx(1.0)


def test_an_item_without_a_title_stands_by_its_name(store: Path) -> None:
    told = asked(store, "--similar", "115", "--allowed", "123,119")

    assert [line.split()[:2] for line in told.stdout.splitlines()] == [["1.", "119"], ["2.", "123"]]
    assert "Film 119" in told.stdout
    assert "None" not in told.stdout


def test_who_is_not_known_gets_what_is_popular_with_a_word_about_it(store: Path) -> None:
    told = asked(store, "--user", "a stranger", "-k", "1")

    assert told.exit_code == 0
    assert told.stdout.startswith("1.  100  Film 100")
    assert "not known" in told.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--user", "u1", "--similar", "115"), "--user and --similar"),
        (("--user", "u1", "--allowed", "@no-such-file"), "cannot be read"),
    ],
)
def test_what_cannot_be_asked_is_refused(store: Path, words: tuple[str, ...], said: str) -> None:
    told = asked(store, *words)

    assert isinstance(told.exception, UsageError)
    assert said in str(told.exception)
