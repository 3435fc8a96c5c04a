"""A process that makes a fit and is killed at a named moment: ``doomed.py WHERE ARGUMENTS``."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from everfit.loop.fit.entry import work
from everfit.store.journal import Journal


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(real: Callable[..., Any]) -> Callable[..., Any]:
    def done_and_dead(*given: Any, **named: Any) -> Any:
        real(*given, **named)
        die()

    return done_and_dead


def main(where: str, arguments: dict[str, Any]) -> None:
    made = importlib.import_module("everfit.loop.fit.made")
    recipe = importlib.import_module("everfit.loop.fit.recipe")
    if where == "in the study":
        recipe.study = die
    elif where == "when all is fitted":
        recipe.study = die_after(recipe.study)
    elif where == "when it is packed":
        made.packed = die_after(made.packed)
    elif where == "before it is written":
        Journal.commit = die  # type: ignore[assignment, method-assign]
    elif where == "when it is written":
        Journal.commit = die_after(Journal.commit)  # type: ignore[method-assign]
    work(**arguments)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
