"""The evidence of a trial look by look, against the tests that see all rows at once."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.evidence.sequential import PairedEProcess, log_e_value, mcnemar_log_e
from everfit.evidence.trial import paths
from everfit.evidence.trial.differences import Differences
from everfit.evidence.trial.paths import log_e_path, mcnemar_path


def _days(seed: int, looks: int = 40, rows: int = 25) -> tuple[np.ndarray, list[Differences]]:
    d = np.random.default_rng(seed).choice([-1.0, 0.0, 0.5, 1.0], (looks, rows))
    return d, [Differences.of_values(day) for day in d]


@pytest.mark.parametrize("margin", [0.0, 0.03])
def test_each_look_is_the_e_value_of_all_rows_so_far(margin):
    d, days = _days(0)

    path, turned = log_e_path(days, margin), log_e_path(days, margin, turned=True)

    for look in (0, 7, 39):
        rows = d[: look + 1].ravel()
        assert path[look] == pytest.approx(log_e_value(rows, margin))
        assert turned[look] == pytest.approx(log_e_value(-rows, margin))


def test_the_path_is_that_of_the_process_that_is_fed_day_by_day():
    d, days = _days(1)
    process = PairedEProcess(alpha=0.05)

    fed = [process.update(day) for day in d]

    assert log_e_path(days).tolist() == pytest.approx(fed)


def test_what_was_said_before_does_not_change_when_days_are_added():
    _, days = _days(2)

    whole = log_e_path(days)

    for end in (1, 2, 11, 39):
        assert log_e_path(days[:end]).tolist() == whole[:end].tolist()


def test_days_that_were_looked_at_before_give_the_same_bits_as_new_ones():
    _, days = _days(3)
    for end in range(1, len(days)):
        log_e_path(days[:end])
    new = [Differences.from_dict(day.as_dict()) for day in days]

    assert log_e_path(days).tolist() == log_e_path(new).tolist()


def test_a_day_is_worked_out_once_for_each_question(monkeypatch):
    _, days = _days(3)
    asked = []
    monkeypatch.setattr(paths, "_summed", lambda table, block: asked.append(block) or table[0])

    for _ in range(3):
        log_e_path(days)
    log_e_path(days, turned=True)

    assert len(asked) == 2 * len(days)


def test_a_day_without_rows_leaves_the_evidence_as_it_was():
    _, days = _days(4, looks=3)

    path = log_e_path([days[0], Differences(), days[1]])

    assert path[1] == path[0]
    assert path[2] == log_e_path(days[:2])[1]


def test_the_path_of_mcnemar_counts_wins_and_losses():
    d = np.random.default_rng(5).choice([-1.0, 0.0, 1.0], (30, 20))
    days = [Differences.of_values(day) for day in d]

    path = mcnemar_path(days)

    for look in (0, 13, 29):
        rows = d[: look + 1]
        assert path[look] == mcnemar_log_e(int((rows > 0).sum()), int((rows < 0).sum()))


def test_no_day_is_no_path():
    assert log_e_path([]).tolist() == []
