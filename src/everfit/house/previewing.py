"""What other rules would have brought: stored windows looked at again, as they came in time.

The real watch and the real course of alerts run over what was stored, so that a preview and what
follows it cannot differ. Rules that are worked into a window when it is reduced (its length, the
label delay, tolerances and guardrails) cannot be looked back on; the others can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from everfit.alert.causes import causes_of
from everfit.alert.course import UNJUDGED, Look, Patience, next_messages
from everfit.alert.message import Message
from everfit.records import Upkeep, Version, Window
from everfit.watch.reference import Reference
from everfit.watch.stage import watch


@dataclass(frozen=True, slots=True)
class Champion:
    """A version that answered, and what its traffic is held against."""

    version: Version
    reference: Reference | None


@dataclass(frozen=True, slots=True)
class Fired:
    """One alert that would have been; ``over_at`` is None for one that would be open now."""

    cause: str
    state: str
    headline: str
    fired_at: datetime
    over_at: datetime | None


@dataclass(frozen=True, slots=True)
class Preview:
    """The alerts of the ``days`` days that end at ``until``, from so many looks."""

    days: int
    until: datetime
    looks: int
    alerts: tuple[Fired, ...]

    @property
    def needing(self) -> int:
        """How many of them would have asked for a person."""
        return sum(alert.state == "needs_you" for alert in self.alerts)


def preview(
    windows: Sequence[Window],
    champions: Mapping[int, Champion],
    upkeep: Upkeep,
    *,
    model: str,
    now: datetime,
    days: int = 90,
) -> Preview:
    """The alerts about health that ``upkeep`` would have brought in the last ``days`` days.

    One look at the end of each window, at what was known by then: outcomes had to have their time.
    Alerts that fired earlier and were still open do not count.

    Parameters
    ----------
    windows : of the model, of both kinds, in any order
    champions : versions that answered, by number; windows of others are not looked at
    """
    begin = now - timedelta(days=days)
    asked = sorted((w for w in windows if w.kind == "asked" and w.end <= now), key=_end)
    # a course that is under way when the days begin must be known then
    warm = timedelta(seconds=upkeep.window_s * max(upkeep.hold_looks, upkeep.quiet_looks))
    at = [w for w in asked if w.end > begin - warm and w.version in champions]
    looks: list[Look] = []
    told: list[Message] = []
    patience = Patience(upkeep.hold_looks, upkeep.quiet_looks)
    for window in at:
        looks.append(_look(windows, window, champions[window.version], upkeep, model))
        told += next_messages(model, looks, told, window.end, patience)
    return Preview(
        days=days,
        until=now,
        looks=sum(window.end > begin for window in at),
        alerts=tuple(fired for fired in _fired(told) if fired.fired_at > begin),
    )


def _look(
    windows: Sequence[Window], newest: Window, champion: Champion, upkeep: Upkeep, model: str
) -> Look:
    """What the look at the end of ``newest`` would have shown."""
    delay = timedelta(seconds=upkeep.label_delay_s)
    known = [
        window
        for window in windows
        if window.end + (delay if window.kind == "matured" else timedelta(0)) <= newest.end
    ]
    health = watch(
        known,
        champion.reference,
        upkeep,
        model=model,
        version=champion.version,
        now=newest.end,
    )
    return Look(newest.end, causes_of(health, upkeep), judged=health.state not in UNJUDGED)


def _fired(told: Sequence[Message]) -> list[Fired]:
    """One for each alert, in its worst state, in the order in which they fired."""
    by_alert: dict[str, list[Message]] = {}
    for message in told:
        by_alert.setdefault(message.alert, []).append(message)
    found = []
    for own in by_alert.values():
        states = {message.cause.state for message in own}
        over = own[-1].at if own[-1].event == "resolved" else None
        first = own[0]
        found.append(
            Fired(
                first.cause.name,
                "needs_you" if "needs_you" in states else "watch",
                first.cause.headline,
                first.at,
                over,
            )
        )
    return sorted(found, key=lambda fired: fired.fired_at)


def _end(window: Window) -> datetime:
    return window.end
