from __future__ import annotations

import json

import numpy as np
import pytest

from everfit.export.symmetric import read_symmetric
from everfit.serve.engines.statistic import CannotCompile
from tests.export.versions import Made


def test_statistics_of_combinations_are_read(plain: Made) -> None:
    model = read_symmetric(json.loads((plain.folder / "m3" / "model.json").read_text()))

    together = [item for item in model.combinations if len(item.categories) + len(item.bits) > 1]
    assert together  # what the other tests of this engine rest on
    assert model.n_inputs > len(model.numbers)
    assert model.leaf_start[-1] + (1 << np.diff(model.tree_start)[-1]) == len(model.value)
    assert all((np.diff(table.keys.astype(object)) > 0).all() for table in model.counts)


def test_trees_deeper_than_any_that_are_grown_are_refused(plain: Made) -> None:
    model = json.loads((plain.folder / "m3" / "model.json").read_text())
    tree = model["oblivious_trees"][0]
    tree["splits"] = tree["splits"][:1] * 17

    with pytest.raises(CannotCompile, match="deeper than 16"):
        read_symmetric(model)
