from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from everfit.records import Problem, Truth
from everfit.release.reference import FILES, keep_reference, label_shares
from tests.release.build import PROBLEM, candidate

TRUTH = Truth(np.arange(4), np.array([0.0, 1.0, 1.0, 1.0]))


def test_the_sample_travels_with_what_was_certified(tmp_path: Path) -> None:
    sample = tmp_path / "sample.parquet"
    sample.write_bytes(b"rows")
    folder = tmp_path / "v1"
    folder.mkdir()
    found = replace(candidate(), sample=str(sample), loss_bound=2.5)

    assert keep_reference(folder, found, PROBLEM, TRUTH)

    facts = json.loads((folder / "reference.json").read_text())
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert (folder / "reference.parquet").read_bytes() == b"rows"
    assert (facts["format"], facts["labels"], facts["loss_bound"]) == (1, ["no", "yes"], 2.5)
    assert facts["label_shares"] == [0.25, 0.75]
    assert facts["loss"]["high"] == found.loss.high


@pytest.mark.parametrize("sample", ["", "gone/sample.parquet"])
def test_a_study_that_kept_no_sample_leaves_a_version_without_a_reference(
    tmp_path: Path, sample: str
) -> None:
    kept = keep_reference(tmp_path, replace(candidate(), sample=sample), PROBLEM, TRUTH)

    assert not kept
    assert list(tmp_path.iterdir()) == []


def test_shares_of_labels_go_by_weight_and_numbers_have_none() -> None:
    weighted = replace(TRUTH, weight=np.array([3.0, 1.0, 1.0, 1.0]))
    number = Problem("regress", "y", "rmse", "values")

    assert label_shares(PROBLEM, weighted) == [0.5, 0.5]
    assert label_shares(number, TRUTH) == []
