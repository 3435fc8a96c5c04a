"""The newest look at each model, told to all workers as numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from everfit.errors import StoreFailed
from everfit.evidence.interval import Interval
from everfit.live.beside.gauges import ABOUT, Gauges, gauges_of
from everfit.plain import as_plain
from everfit.records import Alarm, Finding, Health, Performance, Step

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
MEASURED = Performance(1, AT - timedelta(days=1), AT, 90, 100, Interval(0.4, 0.5, 0.6))
HEALTH = Health(
    "coin",
    "v1",
    "needs_you",
    "The loss is above what was certified.",
    measured=(MEASURED,),
    findings=(Finding("loss", "fail", "a"), Finding("drift", "warn", "b")),
    alarms=(
        Alarm("data drift", "age", "drift", 9.0, 8.0, 3, AT),
        Alarm("degradation", "", "degradation", 9.0, 8.0, 3, AT),
    ),
    bound=0.45,
)


def step(health: Health, key: str = "one", at: datetime = AT) -> Step:
    return Step("coin", "health", key, as_plain(health), at)


class Looking:
    """A house with one model, whose store may be away."""

    def __init__(self, *steps: Step) -> None:
        self.kept, self.away, self.asked = list(steps), False, 0

    def models(self) -> tuple[str, ...]:
        self.asked += 1
        if self.away:
            raise StoreFailed("away")
        return ("coin",)

    def steps(
        self, model: str, kind: str | None = None, *, last: int | None = None
    ) -> tuple[Step, ...]:
        return tuple(self.kept)[-(last or len(self.kept)) :]


class Stood:
    """What all workers were told last, by place, and how often."""

    def __init__(self) -> None:
        self.told: dict[str, Mapping[str, Any]] = {}
        self.times = 0

    def __call__(self, place: str, message: Mapping[str, Any]) -> None:
        self.told[place] = message
        self.times += 1

    def value(self, name: str, **labels: str) -> Any:
        wanted = {"model": "coin"} | labels
        found = [m for m in self.told.values() if (m["name"], m["labels"]) == (name, wanted)]
        return found[0]["value"] if found else "not told"


def until(happened: Callable[[], object]) -> bool:
    end = time.monotonic() + 20.0
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.01)
    return False


def test_a_look_is_told_as_numbers_to_all_workers():
    stood = Stood()
    gauges = Gauges(lambda: Looking(step(HEALTH)), stood, every_s=0.01)
    try:
        assert until(lambda: stood.value("everfit_loss_bound") == 0.45)
    finally:
        gauges.close()

    assert stood.value("everfit_health", state="needs_you") == 1.0
    assert stood.value("everfit_health", state="healthy") == 0.0
    assert stood.value("everfit_health_timestamp_seconds") == AT.timestamp()
    assert stood.value("everfit_findings", severity="fail") == 1.0
    assert stood.value("everfit_drift_alarms") == 1.0
    assert stood.value("everfit_loss") == 0.5
    assert stood.value("everfit_loss_estimated") is None


def test_a_new_look_takes_the_place_of_the_one_before_and_what_is_gone_is_taken_away():
    house, stood = Looking(step(HEALTH)), Stood()
    gauges = Gauges(lambda: house, stood, every_s=0.01)
    try:
        assert until(lambda: stood.value("everfit_loss") == 0.5)
        house.kept.append(step(Health("coin", "v2", "healthy", "Sound."), "two"))
        assert until(lambda: stood.value("everfit_health", state="healthy") == 1.0)
        assert until(lambda: stood.value("everfit_loss_bound") is None)
    finally:
        gauges.close()

    assert stood.value("everfit_health", state="needs_you") == 0.0
    assert stood.value("everfit_loss") is None


def test_the_same_look_is_told_once():
    house, stood = Looking(step(HEALTH)), Stood()
    gauges = Gauges(lambda: house, stood, every_s=0.001)
    try:
        assert until(lambda: house.asked > 20)
    finally:
        gauges.close()

    assert stood.times == len(stood.told)


def test_a_store_that_is_away_is_asked_again():
    house, stood = Looking(step(HEALTH)), Stood()
    house.away = True
    gauges = Gauges(lambda: house, stood, every_s=0.01)
    try:
        assert until(lambda: house.asked > 3)
        assert stood.told == {}
        house.away = False
        assert until(lambda: stood.value("everfit_loss") == 0.5)
    finally:
        gauges.close()


def test_every_number_says_what_it_is():
    names = {name for name, _, _ in gauges_of("coin", as_plain(HEALTH), AT)}

    assert names == set(ABOUT)
