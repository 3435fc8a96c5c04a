"""The policy table as people read it: what is done at which age and loss, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from everfit.faces.words.figures import plain
from everfit.faces.words.grid import WIDTH, filled, grid, wide
from everfit.records import Step

UNIT = " windows"
OWN = (
    "Overrule a state in everfit.toml by its age in windows and its loss: "
    '[policy.table] "5 to 8 windows, to 10% worse" = "search"'
)


def table_text(model: str, weighed: Step) -> str:
    """One row an age of the model, one column a level of its loss; then what was chosen and why."""
    details = weighed.record["details"]
    said = f"{model}: what is done, by age in windows and loss against what was certified"
    lines = [*filled("", said, indent=0), "", *_table(details["table"])]
    values = weighed.record["values"]
    costs = ", ".join(f"{act.replace('_', ' ')} {plain(cost)}" for act, cost in values.items())
    said = (
        f"On {weighed.at:%Y-%m-%d} the loss was {details['ratio']:.2f} times what was certified, "
        f"at an age of {details['age']:.0f} windows: {weighed.record['act'].replace('_', ' ')}. "
        f"Expected costs from there on: {costs}."
    )
    lines += ["", *filled("", said, indent=0)]
    if details["scarce"] > 1:
        scarce = f"Fits count {details['scarce']:g} times their price, so that they last the year."
        lines += filled("", scarce, indent=0)
    return "\n".join([*lines, *filled("", OWN, indent=0)])


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The states in as many tables below each other as a terminal's width asks for."""
    levels = [name for name in rows[0] if name != "age"]
    ages = [row["age"].removesuffix(UNIT).removesuffix(UNIT[:-1]) for row in rows]
    acts = {level: [row[level].replace("_", " ") for row in rows] for level in levels}
    lines: list[str] = []
    left = levels
    while left:
        shown = left
        while len(shown) > 1 and _width(shown, ages, acts) > WIDTH:
            shown = shown[:-1]
        heads = [_head(level) for level in shown]
        body = [
            ["", *(head[0] for head in heads)],
            *([age, *(acts[level][i] for level in shown)] for i, age in enumerate(ages)),
        ]
        table = grid(["age", *(head[1] for head in heads)], body)
        # the upper words of the heads stand above the lower ones
        lines += [*([""] if lines else []), table[1], table[0], *table[2:]]
        left = left[len(shown) :]
    return lines


def _head(level: str) -> tuple[str, str]:
    """The name of a level on two lines, the last word below.

    Examples
    --------
    >>> _head("to 5% worse"), _head("beyond")
    (('to 5%', 'worse'), ('', 'beyond'))
    """
    above, _, below = level.rpartition(" ")
    return above, below


def _width(levels: Sequence[str], ages: Sequence[str], acts: Mapping[str, Sequence[str]]) -> int:
    """Columns that a table of these levels takes, with its indent and two blanks between."""
    widths = [max(wide(text) for text in (*_head(level), *acts[level])) for level in levels]
    return 2 + max(map(wide, [*ages, "age"])) + sum(2 + width for width in widths)
