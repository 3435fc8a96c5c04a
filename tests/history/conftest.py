"""One run that a model wins which reads history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from everfit import wire
from everfit.house import House
from everfit.loop import RunResult
from everfit.records import Hypothesis
from everfit.study.field import entering
from everfit.study.field.portfolio import portfolio
from tests.history.visits import example, visits
from tests.test_loop import run


@pytest.fixture(scope="package")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, RunResult, Path]:
    """The house, what the run gave, and the folder with ``store`` and the model's file."""
    folder = tmp_path_factory.mktemp("visits")
    house = wire.house(folder / "store")
    given = {"roles": {"day": "time", "customer": "ignore"}, "budget_s": 10.0}

    def few(*args: Any, **more: Any) -> list[Hypothesis]:
        return [one for one in portfolio(*args, **more) if one.stage == "simple"]

    with pytest.MonkeyPatch.context() as patch:
        # the other hypotheses know no history, and would only take time here
        patch.setattr(entering, "portfolio", few)
        result = run(house, visits(), "came", learners=(example(folder),), **given)  # type: ignore[arg-type]
    return house, result, folder
