"""What ``everfit.toml``, the environment and the command line ask for, merged into one plan.

The first of these that says something wins, and the plan remembers who it was::

    command line or call  >  environment  >  [models.<name>]  >  [run] or [policy]  >  default

An unknown name is an error with its line and the nearest known name: a misspelt limit that is
silently left out would be worse than no limit.
"""

from everfit.settings.file import FILE, Settings, read_settings
from everfit.settings.plan import Plan, limits_of, plan_run, store_place
from everfit.settings.upkeep import tell_of, upkeep_of
from everfit.settings.values import LIMITS, SERVE, read_budget

__all__ = [
    "FILE",
    "LIMITS",
    "SERVE",
    "Plan",
    "Settings",
    "limits_of",
    "plan_run",
    "read_budget",
    "read_settings",
    "store_place",
    "tell_of",
    "upkeep_of",
]
