"""What an older release wrote, this one opens and answers as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.learners import LEARNERS
from everfit.serve.load import FORMAT, open_plan
from everfit.serve.verify import check_golden
from tests.golden.write import SETTINGS

HERE = Path(__file__).parent
FORMATS = sorted(HERE.glob("format_*"))


def test_every_format_number_up_to_ours_has_an_artefact() -> None:
    assert [path.name for path in FORMATS] == [f"format_{n}" for n in range(1, FORMAT + 1)]


def test_every_learner_of_rows_but_the_users_own_is_inside() -> None:
    # a user's estimator is stored by scikit-learn's rules, which promise nothing over versions;
    # those of lists are not in a format that was given out yet
    rows = {name for name, learner in LEARNERS.items() if learner.forms != ("lists",)}

    assert set(SETTINGS) == rows - {"foreign"}


@pytest.mark.parametrize("folder", FORMATS, ids=lambda path: path.name)
def test_an_old_artefact_answers_its_golden_rows(folder: Path) -> None:
    checked = check_golden(folder)

    assert checked.error == ""
    assert checked.ok


@pytest.mark.parametrize("folder", FORMATS, ids=lambda path: path.name)
def test_an_old_artefact_answers_one_row_in_its_own_labels(folder: Path) -> None:
    answer = open_plan(folder).row({"alcohol": 13.5, "hue": 1.0, "proline": 900, "kind": "strong"})

    assert answer.value in (0, 1, 2)
    assert sum(answer.probabilities or ()) == pytest.approx(1.0)
