"""The policy table as people read it: what is done at which age and loss, and what it costs."""

from __future__ import annotations

from everfit.faces.words.figures import plain
from everfit.faces.words.grid import filled, grid
from everfit.records import Step

OWN = 'Overrule a state in everfit.toml: [policy.table] "9 to 16 windows, beyond" = "search"'


def table_text(model: str, weighed: Step) -> str:
    """One row an age of the model, one column a level of its loss; then what was chosen and why."""
    details = weighed.record["details"]
    rows = details["table"]
    levels = [name for name in rows[0] if name != "age"]
    head = f"{model}: what is done, by age of the version and loss against what was certified"
    lines = [head, ""]
    body = [[row["age"], *(row[level].replace("_", " ") for level in levels)] for row in rows]
    lines += grid(["age", *levels], body)
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
    own = (
        'Overrule a state in everfit.toml: [policy.table] "5 to 8 windows, to 10% worse" = "search"'
    )
    return "\n".join([*lines, *filled("", own, indent=0)])
