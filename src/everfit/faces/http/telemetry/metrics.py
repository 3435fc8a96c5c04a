"""Counters of requests, and all numbers as Prometheus text.

A worker counts into slots of its own; whoever is asked sums the files of all workers. The format is
text version 0.0.4 (prometheus.io, Exposition formats).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from everfit.live.desk.slots import MOST, Labels, Series, Slots, as_labels

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
# seconds; a row costs tens of microseconds, a large body some hundred milliseconds
BOUNDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
          0.5, 1.0, 2.5, 5.0, 10.0)  # fmt: skip
HELP = {
    "everfit_requests_total": ("counter", "Requests that were answered"),
    "everfit_request_seconds": ("histogram", "Time from the head of a request to its answer"),
    "everfit_requests_in_flight": ("gauge", "Requests that are being answered"),
    "everfit_predictions_total": ("counter", "Rows that were answered"),
    "everfit_predictions_warned_total": ("counter", "Rows that were answered with warnings"),
    "everfit_outcomes_total": ("counter", "Outcomes that were taken"),
    "everfit_interactions_total": ("counter", "Interactions that were taken"),
    "everfit_spool_errors_total": ("counter", "Times that the spool could not be written"),
    "everfit_version_loaded": ("gauge", "Workers that have the version loaded"),
    "everfit_worker_up": ("gauge", "Workers that count here"),
}


@dataclass(frozen=True, slots=True)
class Watch:
    """Slots of one route and model: where its requests and their times are counted."""

    ok: int  # answered with 200
    first: int  # of the buckets, which follow each other
    total_s: int


class Metrics:
    """Counts requests.

    Parameters
    ----------
    slots : of this worker; only the thread of the event loop may call this class
    """

    def __init__(self, slots: Slots) -> None:
        self._slots, self.values = slots, slots.values
        self._watches: dict[tuple[str, str], Watch] = {}
        self._gauges: dict[Series, tuple[float, str]] = {}
        self.in_flight = slots.slot("everfit_requests_in_flight", (), "gauge")
        self.spool_errors = slots.slot("everfit_spool_errors_total")
        slots.put(slots.slot("everfit_worker_up", (), "gauge"), 1.0)

    def watch(self, route: str, model: str = "") -> Watch:
        """The slots of a route; ``model`` must be one that is served, lest names grow for ever."""
        found = self._watches.get((route, model))
        if found is None:
            labels = as_labels({"route": route} | ({"model": model} if model else {}))
            names: list[Series] = [
                ("everfit_request_seconds_bucket", (*labels, ("le", bound)))
                for bound in (*(f"{bound:g}" for bound in BOUNDS), "+Inf")
            ]
            n_buckets = len(names)
            names.append(("everfit_requests_total", (*labels, ("status", "200"))))
            names.append(("everfit_request_seconds_sum", labels))
            first = self._slots.run(names)  # at once: versions that load take places, too
            found = Watch(first + 2 * n_buckets, first, first + 2 * n_buckets + 2)
            if first < 2 * MOST:
                self._watches[route, model] = found
        return found

    def count(self, watch: Watch, seconds: float) -> None:
        """Count a request that was answered with 200."""
        values = self.values
        values[watch.ok] += 1.0
        values[watch.first + 2 * bisect_left(BOUNDS, seconds)] += 1.0
        values[watch.total_s] += seconds

    def answered(self, route: str, model: str, status: int, seconds: float) -> None:
        """Count a request with any status."""
        watch = self.watch(route, model)
        if status != 200:
            labels = as_labels({"route": route} | ({"model": model} if model else {}))
            slot = self._slots.slot("everfit_requests_total", (*labels, ("status", str(status))))
            self.values[slot] += 1.0
            self.values[watch.ok] -= 1.0
        self.count(watch, seconds)

    def add(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Count anything else."""
        self.values[self._slots.slot(name, as_labels(labels))] += amount

    def loaded(self, versions: Iterable[tuple[str, str, str]]) -> None:
        """Say which versions answer: (model, version, arm) of each."""
        now = {as_labels({"model": m, "version": v, "arm": a}) for m, v, a in versions}
        for name, labels in self._slots.read():
            if name == "everfit_version_loaded" and labels not in now:
                self._slots.put(self._slots.slot(name, labels, "gauge"), 0.0)
        for labels in now:
            self._slots.put(self._slots.slot("everfit_version_loaded", labels, "gauge"), 1.0)

    def gauge(self, name: str, labels: Mapping[str, str], value: float | None, about: str) -> None:
        """Take a number that the keeper knows, None to forget it; every worker has the same."""
        series = name, as_labels(labels)
        if value is None:
            self._gauges.pop(series, None)
        else:
            self._gauges[series] = (float(value), about)

    def text(self, numbers: Mapping[Series, float]) -> bytes:
        """All numbers as Prometheus reads them.

        Parameters
        ----------
        numbers : of this worker, or the sums over all
        """
        shown: dict[str, list[tuple[Labels, str, float]]] = defaultdict(list)
        help_ = {name: (kind, about) for name, (kind, about) in HELP.items()}
        for (name, labels), value in _with_counts(_cumulative(numbers)).items():
            if name == "everfit_version_loaded" and value == 0.0:
                continue
            family = name
            for end in ("_bucket", "_sum", "_count"):
                if name.endswith(end) and name.removesuffix(end) in HELP:
                    family = name.removesuffix(end)
            shown[family].append((labels, name, value))
        for (name, labels), (value, about) in self._gauges.items():
            help_.setdefault(name, ("gauge", about))
            shown[name].append((labels, name, value))
        lines = []
        for family in sorted(shown):
            kind, about = help_.get(family, ("untyped", ""))
            lines += [f"# HELP {family} {_plain(about)}", f"# TYPE {family} {kind}"]
            lines += [f"{name}{_labels(labels)} {value!r}" for labels, name, value in shown[family]]
        return ("\n".join(lines) + "\n").encode()


def _cumulative(numbers: Mapping[Series, float]) -> dict[Series, float]:
    """Buckets as Prometheus wants them: each with all that are below it, in order."""
    made: dict[Series, float] = {}
    running: dict[Labels, float] = defaultdict(float)
    for (name, labels), value in numbers.items():
        if name != "everfit_request_seconds_bucket":
            made[name, labels] = value
            continue
        # the bounds of a route were given their places in order, in this process and any other
        running[labels[:-1]] += value
        made[name, labels] = running[labels[:-1]]
    return made


def _with_counts(numbers: dict[Series, float]) -> dict[Series, float]:
    ends = {
        ("everfit_request_seconds_count", labels[:-1]): value
        for (name, labels), value in numbers.items()
        if name == "everfit_request_seconds_bucket" and labels[-1] == ("le", "+Inf")
    }
    return numbers | ends


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inside}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _plain(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
