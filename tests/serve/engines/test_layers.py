from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPRegressor

from everfit.encoders import steps as st
from everfit.serve.engines.layers import linear, neural
from everfit.serve.vector import Vector

NAMES = ["a", "b", "c"]


def vector_of() -> Vector:
    inputs = [st.Input(name, "number") for name in NAMES]
    return Vector([st.Take(n) for n in NAMES], inputs, {}, {n: i for i, n in enumerate(NAMES)})


def test_a_network_answers_as_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3))
    model = MLPRegressor(hidden_layer_sizes=(8, 4), max_iter=300, tol=1e-2, random_state=0).fit(
        x, x[:, 0]
    )
    arrays = {f"w{i}": w for i, w in enumerate(model.coefs_)}
    arrays |= {f"b{i}": b for i, b in enumerate(model.intercepts_)}
    vector = vector_of()
    engine = neural(arrays, vector)

    table = engine.table(x, 1)
    vector.fill(x[0].tolist())

    np.testing.assert_allclose(table[:, 0], model.predict(x), rtol=1e-10)
    np.testing.assert_allclose(engine.row(), table[0], rtol=1e-12)


def test_a_linear_model_is_one_product() -> None:
    vector = vector_of()
    engine = linear({"coef": np.array([1.0, 2.0, 3.0]), "intercept": np.array(0.5)}, vector)

    vector.fill([1.0, 1.0, 2.0])

    assert engine.row() == [9.5]
    assert engine.width == 1
