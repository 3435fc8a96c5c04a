"""The newest look at a model's health, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from everfit.faces.words.answers import state_words
from everfit.faces.words.figures import counted, decimals, duration, ends, number, plain
from everfit.faces.words.findings import finding_lines, worst_first
from everfit.faces.words.grid import filled, shorten
from everfit.faces.words.ledger import when
from everfit.plain import as_plain
from everfit.records import Finding, Health, Performance, Regime

FEW = 5  # findings that are told without --verbose
LATE_S = 300.0  # a look may be so much later than two windows


@dataclass(frozen=True, slots=True)
class Look:
    """The newest look at one model, and what has happened since.

    Parameters
    ----------
    health : None when nobody looked yet
    at : when that was
    champion : who answers now; None for nobody
    window_s : seconds of one window, by the policy
    """

    model: str
    health: Health | None
    at: datetime | None
    champion: str | None
    window_s: float
    paused: bool = False

    @property
    def state(self) -> str:
        """The state of the model; ``not_enough_data`` before the first look at it."""
        return "not_enough_data" if self.health is None else self.health.state

    def late(self, now: datetime) -> timedelta | None:
        """For how long nobody looked, when that is longer than it should be; else None."""
        if self.at is None or now - self.at <= timedelta(seconds=2 * self.window_s + LATE_S):
            return None
        return now - self.at


def check_lines(look: Look, now: datetime, *, full: bool = False) -> list[str]:
    """One look as text: state and headline, loss, findings worst first, what was not looked at."""
    mark, health = state_words(look.state), look.health
    if health is None:
        told = "nobody looked at it yet" if look.champion else "it has no champion"
        return [*filled("", f"{mark} · {look.model}: {told}", indent=0), *_no_look(look)]
    lines = filled("", f"{mark} · {look.model} {health.version}: {health.headline}", indent=0)
    lines += _said("Loss", _loss(health.measured, health.bound))
    if not health.measured:
        lines += _said("Loss", _loss(health.estimated, health.bound))
    if health.regime is not None:
        lines += _said("Course", regime_words(health.regime))
    lines += _findings(health, full=full)
    if full:
        lines += _said("Skipped", "; ".join(health.skipped))
    lines += _said("Looked", _looked(look, health))
    for told in _notes(look, health, now):
        lines += filled("  Note", told, indent=11)
    return lines


def check_shape(look: Look, now: datetime) -> Mapping[str, Any]:
    """One look for ``--json``: what the record holds, and when it was."""
    plain_health = {} if look.health is None else as_plain(look.health)
    return {
        **plain_health,
        "model": look.model,
        "state": look.state,
        "looked_at": as_plain(look.at),
        "champion": look.champion,
        "paused": look.paused,
        "late": look.late(now) is not None,
    }


def regime_words(regime: Regime) -> str:
    """How the loss reads over its windows.

    Examples
    --------
    >>> regime_words(Regime(0.91, 0.08, 0.01, windows=30))
    'stable (chance 91%; degrading 8%, broken 1%), by 30 windows'
    """
    chances = {"stable": regime.stable, "degrading": regime.degrading, "broken": regime.broken}
    rest = ", ".join(f"{name} {chances[name]:.0%}" for name in chances if name != regime.name)
    return (
        f"{regime.name} (chance {chances[regime.name]:.0%}; {rest}), "
        f"by {counted(regime.windows, 'window')}"
    )


def _no_look(look: Look) -> list[str]:
    if look.champion is None:
        return filled("  Next", f"everfit why {look.model}", indent=11)
    told = (
        f"a window of {duration(look.window_s)} must be over, with requests in it, and the loop "
        "must run: everfit up, or everfit tick from cron"
    )
    return filled("  Next", told, indent=11)


def _said(label: str, text: str) -> list[str]:
    return filled(f"  {label}", text, indent=11) if text else []


def _loss(windows: tuple[Performance, ...], bound: float | None) -> str:
    """The loss of the newest window, beside what may not be exceeded."""
    if not windows:
        return ""
    newest = windows[-1]
    places = decimals([newest.loss])
    told = (
        f"{number(newest.loss.mid, places)} {newest.how} "
        f"(95% range {ends(newest.loss, places)}), "
        f"{newest.n:,} of {counted(newest.asked, 'prediction')}"
    )
    limit = f"; may be {plain(bound)} at most" if bound is not None else ""
    return f"{told}, window up to {when(newest.end)}{limit}"


def _findings(health: Health, *, full: bool) -> list[str]:
    found = worst_first(health.findings)
    shown = found if full else [f for f in found if f.severity != "info"][:FEW]
    lines = [line for finding in shown for line in _finding(finding, health.headline, full=full)]
    if more := len(found) - len(shown):
        what = counted(more, "finding") if shown else counted(more, "thing to know")
        lines.append(shorten(f"  {what} {'more ' if shown else ''}with --verbose", 80))
    return lines


def _finding(finding: Finding, headline: str, *, full: bool) -> list[str]:
    """A finding; when it is the headline already, what is behind it."""
    lines = finding_lines(finding, full=full)
    if not headline.startswith(finding.headline):
        return lines
    said = len(filled("", finding.headline, indent=4))
    return lines[said:]


def _looked(look: Look, health: Health) -> str:
    at = "" if look.at is None else f"{when(look.at)}: "
    return f"{at}{counted(health.asked, 'prediction')}, {health.matured:,} with outcome"


def _notes(look: Look, health: Health, now: datetime) -> list[str]:
    notes = []
    if look.champion is None:
        notes.append("it has no champion now")
    elif look.champion != health.version:
        notes.append(f"{look.champion} is the champion since; nobody looked at it yet")
    if look.paused:
        notes.append(f"it is paused: watched, and left alone (everfit resume {look.model})")
    late = look.late(now)
    if late is not None:
        ago = duration(late.total_seconds())
        notes.append(f"nobody looked for {ago}: does everfit up, or everfit tick from cron, run?")
    return notes
