"""Counts of units read as the mapping that they stand for."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from everfit.evidence.trial.counts import Counts

PLAIN = {-1000: 1.0, 3: 2.5, 0: 4.0}


def test_counts_are_equal_to_a_dict_that_says_the_same_and_keep_its_order():
    counts = Counts.of(PLAIN)

    assert counts == PLAIN
    assert counts != {**PLAIN, 3: 2.0}
    assert list(counts.items()) == list(PLAIN.items())
    assert repr(counts) == repr(PLAIN)


def test_a_step_that_no_unit_has_is_none():
    counts = Counts.of(PLAIN)

    assert counts.get(7, 0.0) == 0.0
    assert 7 not in counts
    with pytest.raises(KeyError):
        counts[7]


def test_what_was_worked_out_is_not_worked_out_again():
    counts, calls = Counts.of(PLAIN), []

    def work():
        calls.append(1)
        return np.ones(2)

    first = counts.once("wealth", work)

    assert counts.once("wealth", work) is first
    assert counts.once("other", work) is not first
    assert len(calls) == 2


def test_counts_go_to_another_process():
    assert pickle.loads(pickle.dumps(Counts.of(PLAIN))) == PLAIN
