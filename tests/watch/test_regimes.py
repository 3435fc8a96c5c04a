"""Chances of three states over windows: ordered, sure of what lasts, unmoved by one bad day."""

from __future__ import annotations

import pytest

from everfit.watch.regimes import regime
from tests.watch.matured_traffic import days


def test_few_windows_have_no_regime():
    assert regime(days(7)) is None
    assert regime([]) is None


def test_sound_windows_are_stable():
    found = regime(days(20))

    assert found is not None
    assert found.name == "stable"
    assert found.stable > 0.9
    assert found.windows == 20
    assert found.stable + found.degrading + found.broken == pytest.approx(1)


def test_one_bad_window_is_less_sure_than_three_in_a_row():
    one, three = regime(days(20, wrong=[0.15])), regime(days(20, wrong=[0.15] * 3))

    assert one is not None
    assert three is not None
    assert one.stable > three.stable
    assert three.name != "stable"


@pytest.mark.parametrize(("wrong", "name"), [(0.0, "stable"), (0.08, "degrading"), (0.5, "broken")])
def test_the_worse_the_loss_the_worse_the_state(wrong, name):
    found = regime(days(24, wrong=[wrong] * 8, rows=1000))

    assert found is not None
    assert found.name == name


def test_a_model_that_recovers_is_stable_again():
    broken = days(20, wrong=[0.4] * 4)
    after = days(30)[20:]

    found = regime(broken + after)

    assert found is not None
    assert found.name == "stable"


def test_the_same_windows_give_the_same_chances():
    windows = days(15, wrong=[0.1])

    assert regime(windows) == regime(list(windows))
