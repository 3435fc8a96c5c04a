"""How many connections each address has, so that one client cannot take all that there are."""

from __future__ import annotations

from collections import Counter

from everfit.faces.http.errors import TooManyRequests


class Crowd:
    """Counts connections by address; for one thread.

    Parameters
    ----------
    most : connections of one address to this worker

    Examples
    --------
    >>> crowd = Crowd(1)
    >>> crowd.come("10.0.0.5"), crowd.come("10.0.0.5"), crowd.come("10.0.0.6")
    (True, False, True)
    >>> crowd.go("10.0.0.5")
    >>> crowd.come("10.0.0.5")
    True
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._each: Counter[str] = Counter()

    def come(self, address: str) -> bool:
        """Count one more connection, when the address may have it; whether it may."""
        if self._each[address] >= self.most:
            return False
        self._each[address] += 1
        return True

    def go(self, address: str) -> None:
        """Count one less."""
        self._each[address] -= 1
        if self._each[address] <= 0:
            del self._each[address]


def too_crowded(most: int) -> TooManyRequests:
    """The refusal of a connection beyond the limit."""
    return TooManyRequests(
        "too many connections from this address", got=f"more than {most:,} at a time",
        expected=f"at most {most:,} to a worker", do="close some, or send more on each",
    )  # fmt: skip
