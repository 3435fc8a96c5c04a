"""``[models.NAME.facts]``: what only people know of a model, for its test score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from everfit.settings.places import Place, values
from everfit.settings.values import read_budget, text

if TYPE_CHECKING:
    from everfit.settings.file import Settings

# by name: each is one short text, counted as done by hand and written down
TOLD = (
    "feature_cost",
    "requirements",
    "privacy",
    "new_features",
    "feature_tests",
    "metric",
    "inclusion",
)
FACTS: dict[str, Callable[[Any], Any]] = dict.fromkeys(TOLD, text) | {"stale_after": read_budget}


def read_facts(section: Mapping[str, Any], where: str, place: Place) -> dict[str, Any]:
    """The facts of a model; ``stale_after`` becomes ``stale_after_s``, in seconds.

    Raises
    ------
    SettingsError : an unknown name, no text, or no time; says its line
    """
    found = values(section, f"{where}.facts", FACTS, place)
    if "stale_after" in found:
        found["stale_after_s"] = found.pop("stale_after")
    return found


def facts_of(settings: Settings, model: str) -> tuple[dict[str, str], float | None]:
    """What people said of a model by name, and the oldest in seconds that it may be.

    Examples
    --------
    >>> from everfit.settings import Settings
    >>> facts_of(Settings(models={"churn": {"facts": {"privacy": "hashed"}}}), "churn")
    ({'privacy': 'hashed'}, None)
    """
    found = dict(settings.models.get(model, {}).get("facts", {}))
    oldest = found.pop("stale_after_s", None)
    return found, oldest
