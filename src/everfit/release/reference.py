"""What a version is watched against: rows that it can be expected to meet, and how it did on them.

::

    reference.parquet   at most 5,000 training rows: features, out-of-fold answers, what was true
    reference.json      the certified loss, its bound, the shares of the labels

They travel in the folder of the version and are covered by its manifest. Versions that were packed
before have none. The rows are people's data: exports leave them out, see docs/stores.md.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from everfit.plain import as_plain
from everfit.records import Candidate, Problem, Truth
from everfit.release.plan import write_json

FORMAT = 1
ROWS, FACTS = "reference.parquet", "reference.json"
FILES = (ROWS, FACTS)


def keep_reference(folder: Path, candidate: Candidate, problem: Problem, truth: Truth) -> bool:
    """Put the sample of ``candidate`` into ``folder``; False when the study left none.

    ``truth`` is that of all training rows.

    Raises
    ------
    OSError : the disk refused
    """
    if not candidate.sample or not Path(candidate.sample).is_file():
        return False
    shutil.copyfile(candidate.sample, folder / ROWS)
    facts = {
        "format": FORMAT,
        "form": problem.form,
        "labels": list(problem.labels),
        "label_shares": label_shares(problem, truth),
        "loss": as_plain(candidate.loss),
        "loss_bound": candidate.loss_bound,
        "n": len(truth.ids),
        "speaks_of": candidate.speaks_of,
    }
    write_json(folder / FACTS, as_plain(facts))
    return True


def label_shares(problem: Problem, truth: Truth) -> list[float]:
    """The share of each label among the training rows, by weight; empty for numbers."""
    if not problem.labels or not len(truth.ids):
        return []
    codes = truth.values.astype(np.int64)
    counts = np.bincount(codes, weights=truth.weight, minlength=len(problem.labels))
    return [float(share) for share in counts / max(float(counts.sum()), 1e-300)]
