"""A small card of a model for notebooks: HTML without scripts, readable as plain text too."""

from __future__ import annotations

import html
from collections.abc import Sequence

from everfit.faces.words.board import Row, cells, head, short
from everfit.faces.words.figures import metric_name, number, span
from everfit.records import Decision, Version

# colours are inherited, so the card fits light and dark; only the class below is styled
STYLE = (
    ".everfit-card{font:inherit;max-width:46em}"
    ".everfit-card table{border-collapse:collapse;margin:.5em 0}"
    ".everfit-card th,.everfit-card td{padding:.15em .8em .15em 0;text-align:left;"
    "border-bottom:1px solid rgba(128,128,128,.3)}"
    ".everfit-card td.n,.everfit-card th.n{text-align:right;font-variant-numeric:tabular-nums}"
)


def card_html(
    version: Version, rows: tuple[Row, ...], decision: Decision | None, notes: Sequence[str] = ()
) -> str:
    """The card of one version: score, leaderboard, the last decision and what to watch."""
    score, metric = version.score, metric_name(version.problem.metric)
    parts = [
        f"<style>{STYLE}</style>",
        '<div class="everfit-card">',
        f"<p><b>{_esc(version.model)} {version.name}</b> · {_esc(version.state)} · predicts "
        f"<code>{_esc(version.problem.target)}</code><br>",
        f"{_esc(metric)} <b>{number(score.mid)}</b>, 95% range {span(score)}"
        + (f", {score.n:,} {_units(version)}" if score.n else "")
        + "</p>",
    ]
    if rows:
        parts.append(_table(rows, version))
    if decision is not None:
        parts.append(f"<p>{_esc(decision.headline)}</p>")
    if notes:
        items = "".join(f"<li>{_esc(note)}</li>" for note in notes)
        parts.append(f"<details><summary>What to watch</summary><ul>{items}</ul></details>")
    return "".join([*parts, "</div>"])


def _units(version: Version) -> str:
    return "lists" if version.problem.form == "lists" else "rows"


def _table(rows: tuple[Row, ...], version: Version) -> str:
    names = head(version.problem.metric)
    lines = cells(short(rows), f"{version.name}")
    top = "".join(f"<th{_right(i)}>{_esc(name)}</th>" for i, name in enumerate(names))
    body = "".join(
        "<tr>" + "".join(f"<td{_right(i)}>{_esc(c)}</td>" for i, c in enumerate(line)) + "</tr>"
        for line in lines
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _right(position: int) -> str:
    return ' class="n"' if position in (0, 2, 4, 5) else ""


def _esc(text: str) -> str:
    # names of columns and models come from files; nothing of them may become markup
    return html.escape(text, quote=True)
