from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from everfit.encoders import steps as st
from everfit.records import Array
from everfit.serve.engines import forest as forest_
from everfit.serve.engines.forest import Forest
from everfit.serve.vector import Vector

NAMES = [f"f{i}" for i in range(5)]


def vector_of() -> Vector:
    inputs = [st.Input(name, "number") for name in NAMES]
    return Vector([st.Take(n) for n in NAMES], inputs, {}, {n: i for i, n in enumerate(NAMES)})


def arrays_of(trees: list[Array], values: list[Array]) -> dict[str, Array]:
    offsets = np.cumsum([0, *(tree.node_count for tree in trees)])

    def joined(name: str) -> Array:
        parts = zip(trees, offsets[:-1], strict=True)
        return np.concatenate([np.where(getattr(t, name) < 0, -1, getattr(t, name) + o)
                               for t, o in parts])  # fmt: skip

    feature = np.concatenate([tree.feature for tree in trees])
    return {
        "offsets": offsets, "feature": np.where(feature < 0, -1, feature),
        "threshold": np.concatenate([tree.threshold for tree in trees]),
        "left": joined("children_left"), "right": joined("children_right"),
        "value": np.concatenate(values),
    }  # fmt: skip


@pytest.mark.parametrize("few", [0, 2_000], ids=["groups", "whole"])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_answers_equal_scikit_learns(
    classes: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forest_, "FEW", few)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 5))
    y = x[:, 0] + x[:, 1] ** 2
    labels = np.digitize(y, np.quantile(y, np.linspace(0, 1, classes + 1)[1:-1])) if classes else y
    kind = ExtraTreesClassifier if classes else ExtraTreesRegressor
    model = kind(n_estimators=25, random_state=0).fit(x, labels)
    trees = [tree.tree_ for tree in model.estimators_]
    vector, asks = vector_of(), rng.standard_normal((100, 5))
    forest = Forest(arrays_of(trees, [tree.value[:, 0, :] for tree in trees]), vector)

    table = forest.table(asks, 1)
    rows = []
    for row in asks:
        vector.fill(row.tolist())
        rows.append(forest.row())

    expected = model.predict_proba(asks) if classes else model.predict(asks)[:, None]
    np.testing.assert_allclose(table, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(rows, table, rtol=1e-12, atol=1e-13)
