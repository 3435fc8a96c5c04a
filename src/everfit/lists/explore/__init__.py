"""Lists that try something, what that costs, and what another model would have earned by them."""

from everfit.lists.explore.cost import expected_loss, temperature_for
from everfit.lists.explore.draw import Explore, Shown, explored, log_chances
from everfit.lists.explore.earned import Logs, earned
from everfit.lists.explore.places import chances_at, expected_exposure, place_chances

__all__ = [
    "Explore",
    "Logs",
    "Shown",
    "chances_at",
    "earned",
    "expected_exposure",
    "expected_loss",
    "explored",
    "log_chances",
    "place_chances",
    "temperature_for",
]
