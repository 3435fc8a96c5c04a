"""Maintain: what now? Health and history in, one action out."""

from everfit.maintain.history import History as History
from everfit.maintain.history import Made as Made
from everfit.maintain.stage import costs as costs
from everfit.maintain.stage import maintain as maintain
from everfit.maintain.stage import policy_table as policy_table
