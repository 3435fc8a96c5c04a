"""Titles of items are packed when the table of items has a column that tells them apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from everfit.lists.titles import FILE, lay_titles
from everfit.serve.lists.opening import ITEMS
from tests.tables import make_table

CODES = list(range(10))
FILMS = [f"Film {code}" for code in CODES]


@pytest.mark.parametrize(
    ("columns", "titles"),
    [
        ({"year": CODES, "genre": ["a", "b"] * 5, "movie_title": FILMS}, FILMS),
        ({"genre": ["a", "b"] * 5, "Name": FILMS}, FILMS),
        ({"genre": ["a", "b"] * 5, "words": FILMS}, FILMS),
        ({"genre": [f"g{c}" for c in CODES], "title": ["x", None] * 5}, ["x", None] * 5),
    ],
)
def test_the_column_that_tells_items_apart_is_their_title(
    tmp_path: Path, columns: dict[str, Any], titles: list[str | None]
) -> None:
    assert lay_titles(tmp_path, make_table(columns))

    assert json.loads((tmp_path / FILE).read_text()) == {"titles": titles}


@pytest.mark.parametrize(
    "items", [None, make_table({"year": CODES}), make_table({"genre": ["a", "b"] * 5})]
)
def test_without_such_a_column_nothing_is_packed(tmp_path: Path, items: Any) -> None:
    assert not lay_titles(tmp_path, items)
    assert list(tmp_path.iterdir()) == []


def test_what_is_packed_is_what_is_opened() -> None:
    assert FILE == ITEMS
