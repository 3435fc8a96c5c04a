"""A rate for each client: a bucket that fills with time and is emptied by requests."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import ceil
from time import monotonic

from everfit.faces.http.errors import TooManyRequests

MOST_CLIENTS = 100_000  # beyond it the one that was silent longest is forgotten


class Rate:
    """Lets each client have ``per_s`` requests a second, and ``burst`` at once.

    Examples
    --------
    >>> now = 0.0
    >>> rate = Rate(1.0, burst=2, clock=lambda: now)
    >>> rate.wait_s("a"), rate.wait_s("a"), rate.wait_s("a"), rate.wait_s("b")
    (0.0, 0.0, 1.0, 0.0)
    """

    def __init__(
        self, per_s: float, *, burst: int, clock: Callable[[], float] = monotonic
    ) -> None:  # fmt: skip
        self._per_s, self._burst, self._clock = per_s, float(burst), clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: Hashable) -> float:
        """Seconds until the client may ask again; 0.0 when it may now, which is counted."""
        now = self._clock()
        full, at = self._buckets.pop(client, (self._burst, now))
        full = min(self._burst, full + max(0.0, now - at) * self._per_s)
        wait_s = 0.0 if full >= 1.0 else (1.0 - full) / self._per_s
        self._buckets[client] = (full if wait_s else full - 1.0, now)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return wait_s


def too_many(wait_s: float, per_s: float) -> TooManyRequests:
    """The refusal of a request above the rate."""
    error = TooManyRequests(
        "too many requests from this client",
        got=f"more than {per_s:g} a second", expected=f"at most {per_s:g} a second",
        do=f"try again in {ceil(wait_s)} s, or send many rows in one request",
    )  # fmt: skip
    error.wait_s = wait_s
    return error
