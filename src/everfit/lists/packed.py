"""A scorer and the histories of its users as files, read again without what learnt them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from everfit.column import Array
from everfit.errors import ArtefactRefused
from everfit.lists.asked import Histories
from everfit.lists.content import Content
from everfit.lists.factors import Factors
from everfit.lists.lagged import Lagged
from everfit.lists.neighbours import Neighbours
from everfit.lists.popular import Popular
from everfit.lists.reranked import Reranked
from everfit.lists.scorer import Scorer

SCORER, HISTORIES = "scorer.npz", "histories.npz"
SCORERS: dict[str, type[Any]] = {
    cls.name: cls for cls in (Popular, Neighbours, Lagged, Factors, Content, Reranked)
}


def opened(folder: Path, part: Mapping[str, Any]) -> tuple[Scorer, Histories]:
    """The scorer and the histories that a learner of lists saved in ``folder``.

    Raises
    ------
    ArtefactRefused : this release knows no such scorer
    """
    cls = SCORERS.get(str(part.get("scorer")))
    if cls is None:
        raise ArtefactRefused(
            "no scorer can read this part",
            got=repr(part.get("scorer")),
            expected=", ".join(SCORERS),
            do="open it with the release of Everfit that wrote it, or a later one",
        )
    scorer: Scorer = cls.from_arrays(_arrays(folder / SCORER), part["settings"])
    return scorer, Histories.from_arrays(_arrays(folder / HISTORIES))


def _arrays(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)
