"""Text tables that stay inside 80 columns, without lines around them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

WIDTH = 80
_NUMBERED = re.compile(r" #\d{1,4}$")


def wide(text: str) -> int:
    """Columns that a text takes on a terminal: two for wide letters, none for marks.

    Examples
    --------
    >>> wide("naïve"), wide("年齢")
    (5, 4)
    """
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def shorten(text: str, width: int) -> str:
    """``text`` cut to ``width`` columns, its end replaced by ``...`` when it is longer.

    Line breaks and other control characters become blanks: names of columns come from files. A
    number at the end, as in ``#12``, is kept: it tells one from another.

    Examples
    --------
    >>> shorten("a very long name", 10), shorten("a very long name #12", 14)
    ('a very...', 'a very... #12')
    """
    text = "".join(c if c.isprintable() else " " for c in text)
    if wide(text) <= width:
        return text
    found = _NUMBERED.search(text)
    tail = found[0] if found and len(found[0]) + 6 <= width else ""
    kept = text.removesuffix(tail)
    while kept and wide(kept) > width - 3 - len(tail):
        kept = kept[:-1]
    return kept.rstrip() + "..."[: max(0, width)] + tail


def pad(text: str, width: int, align: str = "<") -> str:
    """``text`` filled with blanks to ``width`` terminal columns, to the left or right."""
    blanks = " " * max(0, width - wide(text))
    return text + blanks if align == "<" else blanks + text


def grid(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    flexible: int | None = None,
    indent: int = 2,
    width: int = WIDTH,
) -> list[str]:
    """Lines of a table: columns two blanks apart, ``right`` ones aligned to the right.

    When the table is wider than ``width``, the column ``flexible`` is shortened.

    Examples
    --------
    >>> print("\\n".join(grid(["model", "AUC"], [["boosted", "0.85"]], right=[1])))
      model     AUC
      boosted  0.85
    """
    cells = [list(map(str, head)), *[list(map(str, row)) for row in rows]]
    cells = [[shorten(cell, width) for cell in row] for row in cells]
    widths = [max(wide(row[i]) for row in cells) for i in range(len(head))]
    if flexible is not None:
        over = indent + sum(widths) + 2 * (len(widths) - 1) - width
        if over > 0:
            widths[flexible] = max(6, widths[flexible] - over)
    return [
        (
            " " * indent
            + "  ".join(
                pad(shorten(cell, w), w, ">" if i in right else "<")
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
        ).rstrip()
        for row in cells
    ]


def filled(label: str, text: str, *, indent: int = 9, width: int = WIDTH) -> list[str]:
    """A labelled sentence folded at ``width``: the label once, later lines under the text.

    Examples
    --------
    >>> print("\\n".join(filled("Verdict", "v1 is the champion.")))
    Verdict  v1 is the champion.
    """
    lines: list[str] = []
    line = ""
    for word in "".join(c if c.isprintable() else " " for c in text).split():
        if line and wide(line) + 1 + wide(word) > width - indent:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines.append(line)
    first = pad(label, indent) + lines[0]
    return [first.rstrip(), *[" " * indent + rest for rest in lines[1:]]]
