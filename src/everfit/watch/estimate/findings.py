"""What to say about estimates: whether they held, and why there are none."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.records import Finding, Window
from everfit.watch.estimate.backtest import OVERDUE, trust

RECENT = 12  # windows that a sentence speaks of


def estimate_findings(windows: Sequence[Window], *, version: int) -> list[Finding]:
    """At most one sentence of each kind, all for information: nothing is done about estimates.

    That their ranges keep missing what was measured later, and that the newest windows cannot be
    estimated at all.
    """
    found = []
    past = trust(windows, version=version)
    if past is not None and not past.sound:
        late = past.recent[-RECENT:]
        found.append(
            Finding(
                check="estimates",
                severity="info",
                headline=(
                    f"Estimates of the loss cannot be trusted now: {sum(late)} of the last "
                    f"{len(late)} ranges missed what was measured; only measured losses are shown."
                ),
                number=past.mean_off,
                unit="mean loss",
                done="estimates are not shown until their ranges hold again",
                evidence={
                    "test": "Shiryaev-Roberts on ranges that missed",
                    "log_e": round(past.alarm.e, 2),
                    "limit": round(past.alarm.limit, 2),
                    "n": past.n,
                    "missed": past.missed,
                },
            )
        )
    told = [w.facts["estimate"] for w in windows if _tried(w, version)][-OVERDUE:]
    refused = [one["refused"] for one in told if "refused" in one]
    if len(told) == OVERDUE and len(refused) == OVERDUE:
        found.append(
            Finding(
                check="estimates",
                severity="info",
                headline=f"The loss cannot be estimated before outcomes come: {refused[-1]}.",
                done="outcomes are waited for",
                evidence={"windows": len(refused)},
            )
        )
    return found


def _tried(window: Window, version: int) -> bool:
    return window.kind == "asked" and window.version == version and "estimate" in window.facts
