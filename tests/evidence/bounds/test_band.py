"""A range at every look."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.bounds.band import Band, checked_alpha, running
from everfit.evidence.interval import Interval

BAND = Band(
    np.array([0.0, 0.2, 0.1]), np.array([0.5, 0.4, 0.4]), np.array([0.9, 0.7, 0.8]),
    np.array([1.0, 2.0, 3.0]), 0.9,
)  # fmt: skip


def test_one_look_is_an_interval():
    assert BAND.at(1) == Interval(0.2, 0.4, 0.7, n=2, level=0.9)
    assert BAND.at() == BAND.at(2)
    assert len(BAND) == 3
    with pytest.raises(UsageError, match="no such look"):
        BAND.at(3)


def test_narrowed_ranges_only_shrink():
    narrow = BAND.narrowed()

    assert narrow.low.tolist() == [0.0, 0.2, 0.2]
    assert narrow.high.tolist() == [0.9, 0.7, 0.7]


def test_running_means():
    n, mean = running(np.array([1.0, 3.0, 5.0]))

    assert n.tolist() == [1, 2, 3]
    assert mean.tolist() == [1, 2, 3]


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_error_rates_of_nonsense_are_refused(alpha):
    with pytest.raises(UsageError, match="error rate"):
        checked_alpha(alpha)
