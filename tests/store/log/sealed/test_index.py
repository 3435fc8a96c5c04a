"""Indexes beside sealed files."""

from __future__ import annotations

import random
from pathlib import Path

from everfit.store.log.sealed.index import ENTRY, Index, digest, write_index


def test_every_text_is_found_with_all_its_numbers_and_no_other(tmp_path: Path) -> None:
    rng = random.Random(0)
    texts = [rng.choice(["a", "b", None, f"t{i}"]) for i in range(500)]
    numbers = [10**12 + 3 * i for i in range(500)]
    write_index(tmp_path / "x", texts, numbers, numbers[0])
    asked = ["a", "nobody", *{text for text in texts if text and text != "a"}]

    found = Index(tmp_path / "x", numbers[0]).find([digest(text) for text in asked])

    pairs = sorted((asked[at], number) for at, number in found)
    expected = [(t, n) for t, n in zip(texts, numbers, strict=True) if t is not None]
    assert pairs == sorted(expected)
    assert (tmp_path / "x").stat().st_size == ENTRY * len(expected)


def test_an_index_of_nothing_finds_nothing(tmp_path: Path) -> None:
    write_index(tmp_path / "x", [None], [5], 5)

    assert Index(tmp_path / "x", 5).find([digest("a")]) == []
