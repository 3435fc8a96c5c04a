"""The newest look at each model's health, as numbers that every worker shows in ``/metrics``."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from everfit.errors import EverfitError
from everfit.live import orders
from everfit.records import Step

EVERY_S = 5.0
STATES = ("healthy", "watch", "needs_you", "not_enough_data", "paused")
SEVERITIES = ("fail", "warn")
ABOUT = {
    "everfit_health": "1 for the state of the model by the newest look, 0 for the other states",
    "everfit_health_timestamp_seconds": "When the newest look was, in seconds since 1970",
    "everfit_findings": "Findings of the newest look, by severity",
    "everfit_drift_alarms": "Columns, answers and outcomes whose drift alarm has gone off",
    "everfit_loss": "Mean loss of the newest window, measured by outcomes",
    "everfit_loss_estimated": "Mean loss of the newest window, estimated without outcomes",
    "everfit_loss_bound": "Mean loss that may not be exceeded",
}
Stand = Callable[[str, Mapping[str, Any]], None]
Gauge = tuple[str, dict[str, str], float | None]  # name, labels, value; None: not known any more


class Looks(Protocol):
    """What is asked of the house."""

    def models(self) -> tuple[str, ...]:
        """Names of all models."""
        ...

    def steps(
        self, model: str, kind: str | None = None, *, last: int | None = None
    ) -> tuple[Step, ...]:
        """What turns of the loop did, oldest first."""
        ...


class Gauges:
    """Reads the newest look at each model now and then, and has every worker told.

    Whoever runs the loop, here or on another machine, writes looks into the store. A store that
    does not answer leaves the numbers as they are: their time stands beside them.

    Parameters
    ----------
    house : opens the house, or gives the one that is open
    stand : tells all workers, and those to come
    """

    def __init__(
        self, house: Callable[[], Looks], stand: Stand, *, every_s: float = EVERY_S
    ) -> None:
        self._house, self._stand, self._every_s = house, stand, every_s
        self._told: dict[str, str] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gauges", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(EverfitError):  # the follower says that the store is away
                self._read(self._house())
            self._closed.wait(self._every_s)

    def _read(self, house: Looks) -> None:
        for model in house.models():
            looks = house.steps(model, "health", last=1)
            if not looks or self._told.get(model) == looks[-1].key:
                continue
            for name, labels, value in gauges_of(model, looks[-1].record, looks[-1].at):
                place = " ".join(("gauge", name, *labels.values()))
                self._stand(place, orders.gauge(name, value, ABOUT[name], labels))
            self._told[model] = looks[-1].key


def gauges_of(model: str, health: Mapping[str, Any], at: datetime) -> Iterator[Gauge]:
    """The numbers of one look.

    Parameters
    ----------
    health : the record of a look, as plain JSON

    Examples
    --------
    >>> from datetime import UTC
    >>> found = gauges_of("churn", {"state": "watch"}, datetime(1970, 1, 2, tzinfo=UTC))
    >>> [labels["state"] for name, labels, value in found if name == "everfit_health" and value]
    ['watch']
    """
    mine = {"model": model}
    for state in STATES:
        yield "everfit_health", mine | {"state": state}, float(health["state"] == state)
    yield "everfit_health_timestamp_seconds", mine, at.timestamp()
    severities = [finding["severity"] for finding in health.get("findings", ())]
    for severity in SEVERITIES:
        yield "everfit_findings", mine | {"severity": severity}, float(severities.count(severity))
    drifted = [alarm for alarm in health.get("alarms", ()) if alarm["budget"] == "drift"]
    yield "everfit_drift_alarms", mine, float(len(drifted))
    yield "everfit_loss", mine, _newest(health.get("measured"))
    yield "everfit_loss_estimated", mine, _newest(health.get("estimated"))
    yield "everfit_loss_bound", mine, health.get("bound")


def _newest(windows: Any) -> float | None:
    return windows[-1]["loss"]["mid"] if windows else None
