"""The kinds of question that Everfit answers: one file a task, one line in this list."""

from __future__ import annotations

from collections.abc import Mapping

from everfit.data.table import Table
from everfit.errors import UsageError, near
from everfit.named import by_name
from everfit.tasks.classify import Classify
from everfit.tasks.contract import Task
from everfit.tasks.recommend import Recommend
from everfit.tasks.regress import Regress

__all__ = ["TASKS", "Task", "pick"]


_ALL: tuple[Task, ...] = (Classify(), Regress(), Recommend())
TASKS: Mapping[str, Task] = by_name("task", _ALL)


def pick(target: Table, name: str | None = None) -> tuple[Task, str]:
    """The task that a one-column table of the target asks for, and why, in words.

    Raises
    ------
    UsageError : ``name`` is not a task
    """
    if name is not None:
        if name not in TASKS:
            hint = near(name, TASKS)
            raise UsageError(
                f"there is no task called {name!r}",
                got=repr(name),
                expected=", ".join(sorted(TASKS)),
                do=f"did you mean {hint}?" if hint else "leave --task out to let Everfit decide",
            )
        return TASKS[name], "you said so"
    reasons = []
    for task in TASKS.values():
        fits, why = task.fits(target)
        if fits:
            return task, why
        reasons.append(f"{task.name}: {why}")
    raise UsageError(
        f"no task fits the target {target.columns[0].name!r}",
        got="; ".join(reasons),
        expected="a column of classes or of numbers",
        do="name the task with --task",
    )
