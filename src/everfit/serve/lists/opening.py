"""Open a packed version of form lists: its plan, and the files of its members."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from everfit.column import Column
from everfit.lists.packed import opened
from everfit.plain import from_plain
from everfit.serve.lists.lists import Lists, Part

ITEMS = "items.json"  # {"titles": [...]}, one for each label; null: none is known


def open_lists(folder: Path, plain: Mapping[str, Any]) -> Lists:
    """The version in ``folder`` whose ``plan.json`` holds ``plain``.

    Raises
    ------
    ArtefactRefused : a member is of a kind that this release cannot read
    KeyError, ValueError, OSError : files that are damaged; the caller says so
    """
    columns = [from_plain(Column, item) for item in plain["columns"]]
    total = sum(float(item["weight"]) for item in plain["members"]) or 1.0
    parts = []
    for item in plain["members"]:
        scorer, histories = opened(folder / str(item["folder"]), item["part"])
        again = bool(item["part"]["settings"].get("again", False))
        parts.append(Part(float(item["weight"]) / total, scorer, histories, again))
    return Lists(
        labels=plain["labels"], label_type=plain.get("label_type", "str"), columns=columns,
        user=columns[0].name, parts=parts, titles=_titles(folder / ITEMS, len(plain["labels"])),
    )  # fmt: skip


def _titles(path: Path, n: int) -> list[str | None]:
    """Titles of the items in the order of the labels; none when the version has no file of them.

    Raises
    ------
    ValueError : they are not as many as there are items
    """
    if not path.exists():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))["titles"]
    if len(found) != n:
        raise ValueError(f"{len(found)} titles for {n} items")
    return [None if title is None else str(title) for title in found]
