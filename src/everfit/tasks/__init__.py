"""The kinds of question that Everfit answers: one file a task, one line in this list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from everfit.data.table import Table
from everfit.errors import UsageError, near
from everfit.tasks.classify import Classify
from everfit.tasks.contract import Task
from everfit.tasks.regress import Regress

__all__ = ["TASKS", "Task", "index", "pick"]


def index(tasks: Iterable[Task]) -> Mapping[str, Task]:
    """Tasks by name; two of the same name are refused.

    Raises
    ------
    UsageError : a name stands twice; both classes are shown
    """
    found: dict[str, Task] = {}
    for task in tasks:
        if task.name in found:
            raise UsageError(
                f"two tasks are called {task.name!r}",
                got=f"{type(found[task.name]).__qualname__} and {type(task).__qualname__}",
                expected="one task a name",
                do="rename one of them",
            )
        found[task.name] = task
    return found


TASKS: Mapping[str, Task] = index((Classify(), Regress()))


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
