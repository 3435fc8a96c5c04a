"""Release: pack a candidate, hold it against its gates, and decide whether it may serve."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from everfit.release.manifest import Label, Manifest, verify
    from everfit.release.plan import Fitted, fitted_members
    from everfit.release.promote import Case, judge, moves, release_first
    from everfit.release.rollback import after_rollback, refused, roll_back
    from everfit.release.stage import Released, release

# Loaded when first used: a roll back must not cost the import of every learner.
_HOMES = {
    "Case": "promote",
    "Fitted": "plan",
    "Label": "manifest",
    "Manifest": "manifest",
    "Released": "stage",
    "after_rollback": "rollback",
    "fitted_members": "plan",
    "judge": "promote",
    "moves": "promote",
    "refused": "rollback",
    "release": "stage",
    "release_first": "promote",
    "roll_back": "rollback",
    "verify": "manifest",
}

__all__ = [
    "Case",
    "Fitted",
    "Label",
    "Manifest",
    "Released",
    "after_rollback",
    "fitted_members",
    "judge",
    "moves",
    "refused",
    "release",
    "release_first",
    "roll_back",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
