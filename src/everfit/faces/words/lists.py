"""A list of items in words: one line each, with what speaks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from everfit.serve.lists.listed import Listed

NAMED = 3  # past items that a line names


def list_lines(
    listed: Listed, named: Callable[[Any], str] = str, *, why: bool = False
) -> Iterator[str]:
    """One line an item: its place, the item, its title, its score, and what speaks for it.

    Parameters
    ----------
    named : how an item met before is called
    why : say which of them speak for each

    Examples
    --------
    >>> known = Listed((7, 12), (0.9, 0.25), because=(((3, 0.8), (4, 0.2)), ()))
    >>> list(list_lines(known, why=True))
    ['1.  7   0.900  because of 3, 4', '2.  12  0.250  popular']
    """
    items = [str(item) for item in listed.items]
    titles = [title or "" for title in listed.titles]
    wide, places = max(map(len, items), default=0), len(str(len(items)))
    long = max(map(len, titles), default=0)
    for at, (item, score) in enumerate(zip(items, listed.scores, strict=True)):
        title = f"  {titles[at]:<{long}}" if long else ""
        line = f"{at + 1:>{places}}.  {item:<{wide}}{title}  {score:.3f}"
        if why:
            found = listed.because[at] if listed.because else ()
            said = ", ".join(named(past) for past, _ in found[:NAMED])
            line += f"  because of {said}" if said else "  popular"
        yield line
