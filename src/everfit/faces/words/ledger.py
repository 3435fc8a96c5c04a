"""A decision of the ledger in plain words, built from its fields and never the other way round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from everfit.evidence.interval import Interval
from everfit.faces.words.figures import counted, decimals, ends, number, plain
from everfit.faces.words.grid import filled, pad
from everfit.records import Because, Decision

SHOWN = 9  # of what was checked too, unless all is asked for
IDLE = "did_nothing"
INDENT = 14  # of what stands behind a label
PASSED = {True: "passed", False: "failed", None: "not checked"}


def when(at: datetime) -> str:
    """A moment in the reader's time zone, with the zone.

    Examples
    --------
    >>> from datetime import UTC
    >>> len(when(datetime(2026, 11, 18, 4, 12, tzinfo=UTC)).split())
    3
    """
    local = at.astimezone()
    zone = local.tzname() or ""
    return f"{local:%Y-%m-%d %H:%M} {zone}".rstrip()


def because_line(because: Because) -> str:
    """One rule: its name, what was measured with range and rows, the limit and who set it.

    Examples
    --------
    >>> because_line(Because("gap", False, 0.004, -0.003, 0.011, n=9612, limit=0.005))
    'gap: 0.004 (95% range -0.003 to 0.011), 9,612 rows; limit 0.005 (default) - failed'
    """
    parts = []
    scale, unit = _scaled(because)
    if because.measured is not None:
        measured, low, high = because.measured, because.low, because.high
        if low is not None and high is not None:
            interval = Interval(scale * low, scale * measured, scale * high)
            places = decimals([interval])
            parts.append(
                f"{number(scale * measured, places)}{unit} (95% range {ends(interval, places)})"
            )
        else:
            parts.append(f"{plain(scale * measured)}{unit}")
        if because.n:
            parts[-1] += f", {counted(because.n, because.counts)}"
    if because.limit is not None:
        of_what = unit if because.limit else ""  # nothing is nothing in any unit
        parts.append(f"limit {plain(scale * because.limit)}{of_what} ({because.limit_by})")
    if because.note:
        parts.append(because.note)
    told = f"{because.rule}: {'; '.join(parts)}" if parts else because.rule
    if because.passed is None and (because.measured is not None or because.note):
        return told  # something told, not a rule that had to hold
    return f"{told} - {PASSED[because.passed]}"


def _scaled(because: Because) -> tuple[float, str]:
    """What numbers are multiplied by, and what stands behind them: shares are read as percent."""
    share, _, of_what = because.unit.partition("share of ")
    if of_what and not share:
        return 100.0, f"% of {of_what}"
    return 1.0, f" {because.unit}" if because.unit else ""


def decision_lines(decision: Decision, *, full: bool = False) -> list[str]:
    """A decision as text: headline, rules, what else was checked, what would change it, undo."""
    head = f"#{decision.id}  {decision.headline}" if decision.id else decision.headline
    lines = filled("", head, indent=0)
    who = "the system" if decision.by == "system" else decision.by
    facts = [when(decision.at), f"by {who}", f"policy {decision.policy}"]
    if decision.run:
        facts.append(f"run {decision.run}")
    lines += filled("", " · ".join(facts), indent=4)
    lines += _bullets("Because", [because_line(b) for b in decision.because])
    also = [because_line(b) for b in decision.also_checked]
    if not full and len(also) > SHOWN:
        more = len(also) - SHOWN + 1
        also = [*also[: SHOWN - 1], f"and {more} more: everfit why {decision.model} {decision.id}"]
    lines += _bullets("Also", also)
    lines += _bullets("Not done", decision.not_done)
    if decision.would_change:
        lines += _bullets("Until", [decision.would_change])
    if decision.undo:
        lines += _bullets("Undo", [decision.undo])
    if full and decision.data_sha256:
        lines += _bullets("Data", [f"sha256 {decision.data_sha256}"])
    if full and decision.log_e is not None:
        lines += _bullets("Evidence", [f"log e-value {decision.log_e:.3f}, looks {decision.looks}"])
    return lines


def _bullets(label: str, texts: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for text in texts:
        mark = "· " if len(texts) > 1 else ""
        folded = filled("", text, indent=INDENT + len(mark))
        lines += [pad(f"    {label}", INDENT) + mark + folded[0].lstrip(), *folded[1:]]
        label = ""  # the label once, its other lines below
    return lines


def ledger_text(decisions: Iterable[Decision], *, full: bool = False) -> str:
    """Decisions, newest first, an empty line between them.

    What a run left undone is told where it was decided, not again in its later decisions. Of looks
    in a row after which nothing was done the newest is told, unless ``full``.
    """
    told: dict[str, set[str]] = {}
    texts: list[str] = []
    idle: list[Decision] = []  # nothing was done since the newest text, but for the last of these
    for made in sorted(decisions, key=lambda d: (d.at, d.id)):
        if made.kind != IDLE or full:
            idle = []
        elif idle:
            del texts[-1]
        idle.append(made)
        known = told.setdefault(made.run, set()) if made.run else set()
        fresh = tuple(text for text in made.not_done if text not in known)
        known |= set(made.not_done)
        lines = decision_lines(replace(made, not_done=fresh), full=full)
        if made.kind == IDLE and len(idle) > 1:
            lines += _bullets("Before", [_before(idle[:-1])])
        texts.append("\n".join(lines))
        if made.kind != IDLE:
            idle = []
    return "\n\n".join(reversed(texts))


def _before(idle: Sequence[Decision]) -> str:
    """How often nothing was done before, since when, and where to read it."""
    first = idle[0]
    times = "once more" if len(idle) == 1 else f"{len(idle):,} times more"
    return (
        f"nothing was done {times} since {when(first.at)}: "
        f"everfit why {first.model} {first.id}, or --verbose for all"
    )
