"""Where jobs run: in this process, or in supervised processes of this machine."""

from __future__ import annotations

from everfit.executors.contract import Executor, Job, Outcome
from everfit.executors.inline import InlineExecutor
from everfit.executors.local import LocalExecutor

__all__ = ["EXECUTORS", "Executor", "InlineExecutor", "Job", "LocalExecutor", "Outcome"]

EXECUTORS = {"inline": InlineExecutor, "local": LocalExecutor}
