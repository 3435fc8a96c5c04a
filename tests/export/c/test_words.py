from __future__ import annotations

import re
import sys

from everfit.export.c.words import unicode_tables

EVERY = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]


def inside(table: list[int]) -> set[str]:
    return {chr(c) for a, b in zip(table[::2], table[1::2], strict=True) for c in range(a, b + 1)}


def test_the_letters_are_those_of_a_word() -> None:
    assert inside(unicode_tables()["letters"]) == set(re.findall(r"\w", "".join(EVERY)))


def test_small_letters_are_pythons() -> None:
    table = unicode_tables()["lower"]
    small = dict(zip(table[::2], table[1::2], strict=True))

    for c in EVERY:
        if ord(c) >= 128 and c != "İ":
            assert chr(small.get(ord(c), ord(c))) == c.lower()
    # the C code knows this one letter that becomes two
    assert [c for c in EVERY if len(c.lower()) > 1] == ["İ"]


def test_ranges_rise() -> None:
    for name in ("letters", "ignorable", "cased"):
        table = unicode_tables()[name]
        assert table == sorted(table)
        assert len(table) % 2 == 0
