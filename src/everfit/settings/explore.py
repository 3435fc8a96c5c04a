"""``[models.NAME.explore]``: how the lists of a model try something. Without it they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from everfit.settings.places import Place, values
from everfit.settings.values import number, whole

if TYPE_CHECKING:
    from everfit.settings.file import Settings

EXPLORE: dict[str, Callable[[Any], Any]] = {
    "share": lambda value: number(value, 0.0, 1.0),
    "temperature": lambda value: number(value, 1e-3, 1e3),
    "seed": whole,
}


def read_explore(section: Mapping[str, Any], where: str, place: Place) -> dict[str, Any]:
    """The share of places that are drawn, the temperature of the draw, and its seed.

    Raises
    ------
    SettingsError : an unknown name, or a number that cannot be used; says its line
    """
    return values(section, f"{where}.explore", EXPLORE, place)


def explored_models(settings: Settings) -> dict[str, dict[str, Any]]:
    """The models whose lists try something, with how.

    Examples
    --------
    >>> from everfit.settings import Settings
    >>> explored_models(Settings(models={"movies": {"explore": {"share": 0.1}}, "churn": {}}))
    {'movies': {'share': 0.1}}
    """
    return {name: one["explore"] for name, one in settings.models.items() if "explore" in one}
