from __future__ import annotations

import pytest

from everfit.faces.words.figures import METRICS
from everfit.faces.words.figures import metric_name as on_screen
from everfit.release.figures import metric_name, short


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_has_one_name_in_decisions_and_on_screens(metric: str) -> None:
    assert metric_name(metric).lower() == on_screen(metric).lower()


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.08412, 3, "0.0841"), (4451.2, 3, "4,450"), (-17320000.0, 4, "-17,320,000"), (1.0, 4, "1")],
)
def test_a_number_shows_few_digits_and_no_power_of_ten(
    value: float, digits: int, text: str
) -> None:
    assert short(value, digits) == text
