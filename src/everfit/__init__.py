"""Everfit: from a messy table and a target to a tested, released model.

>>> import everfit
>>> sorted(everfit.__all__)[:3]
['ArtefactRefused', 'BudgetSpent', 'Classifier']

Everything is loaded when it is first used, so that ``import everfit`` costs next to nothing.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from everfit.errors import (
        ArtefactRefused,
        BudgetSpent,
        ColumnMissing,
        DataError,
        EverfitError,
        Interrupted,
        LearnerFailed,
        ModelUnknown,
        NothingToLearn,
        Refused,
        SettingsError,
        SourceMissing,
        SourceUnreadable,
        StoreBusy,
        StoreFailed,
        TargetUnusable,
        TooFewRows,
        TooManyColumns,
        Unreachable,
        UsageError,
    )
    from everfit.evidence.interval import Interval
    from everfit.faces.client.client import Client
    from everfit.faces.python.calls import assess, load, models, run
    from everfit.faces.python.estimators import Classifier, Regressor
    from everfit.faces.python.model import Model
    from everfit.faces.python.simulating import simulate
    from everfit.faces.words.misfits import InputWarning
    from everfit.records import Policy

__all__ = [
    "ArtefactRefused",
    "BudgetSpent",
    "Classifier",
    "Client",
    "ColumnMissing",
    "DataError",
    "EverfitError",
    "InputWarning",
    "Interrupted",
    "Interval",
    "LearnerFailed",
    "Model",
    "ModelUnknown",
    "NothingToLearn",
    "Policy",
    "Refused",
    "Regressor",
    "SettingsError",
    "SourceMissing",
    "SourceUnreadable",
    "StoreBusy",
    "StoreFailed",
    "TargetUnusable",
    "TooFewRows",
    "TooManyColumns",
    "Unreachable",
    "UsageError",
    "__version__",
    "assess",
    "load",
    "models",
    "run",
    "simulate",
]

_PLACES = {
    "__version__": "everfit.faces.version",
    "Classifier": "everfit.faces.python.estimators",
    "Client": "everfit.faces.client.client",
    "InputWarning": "everfit.faces.words.misfits",
    "Interval": "everfit.evidence.interval",
    "Model": "everfit.faces.python.model",
    "Policy": "everfit.records",
    "Regressor": "everfit.faces.python.estimators",
    "assess": "everfit.faces.python.calls",
    "load": "everfit.faces.python.calls",
    "models": "everfit.faces.python.calls",
    "run": "everfit.faces.python.calls",
    "simulate": "everfit.faces.python.simulating",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'everfit' has no attribute {name!r}")
    module = importlib.import_module(_PLACES.get(name, "everfit.errors"))
    value = module.version() if name == "__version__" else getattr(module, name)
    globals()[name] = value  # found once, then an ordinary name
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(types.ModuleType):
    """This package: ``everfit.assess`` is a function for people and a folder for us.

    When the folder is imported, Python hangs it into its parent under its name; that is left out
    here, so that the name stays the function. ``from everfit.assess.check import ...`` does not
    ask the parent and works as ever.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _PLACES or not isinstance(value, types.ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
