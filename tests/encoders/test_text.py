from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import svds

from everfit.encoders.text import _vectors, fit_words
from everfit.encoders.words import Describer, words_of
from tests.encoders.mixed import WORDS


def texts(n: int, seed: int = 0) -> list[str | None]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, int(rng.integers(1, 9)))) for _ in range(n)]


def test_components_span_what_scipy_finds() -> None:
    made = texts(300)
    step = fit_words("note", made, seed=0, n_dims=4)
    vectors = _vectors([words_of(text or "") for text in made], step.words, step.idf)

    expected = svds(vectors, k=4, rng=np.random.default_rng(0))[2].T

    # the same subspace: the cosines between both bases are those of a rotation
    cosines = np.linalg.svd(expected.T @ step.components, compute_uv=False)
    np.testing.assert_allclose(cosines, np.ones(4), atol=1e-4)


def test_one_text_and_many_give_exactly_the_same_numbers() -> None:
    made = [*texts(50), None, "", "unknown words only"]
    describe = Describer(fit_words("note", texts(300), seed=0))

    many = describe(made)

    np.testing.assert_array_equal(np.vstack([describe([text]) for text in made]), many)


def test_vectors_of_texts_have_length_one() -> None:
    step = fit_words("note", texts(300), seed=0)

    vectors = _vectors([["free", "free", "call"]], step.words, step.idf)

    assert (vectors**2).sum() == pytest.approx(1.0)


def test_a_text_without_repeated_words_keeps_its_counts() -> None:
    step = fit_words("note", ["one", "two two", "A 12!"], seed=0)

    described = Describer(step)(["A 12!", None])

    np.testing.assert_array_equal(described, [[5, 1, 2, 1, 1], [0, 0, 0, 0, 0]])


def test_the_same_seed_gives_the_same_components() -> None:
    first, second = (fit_words("note", texts(200), seed=3) for _ in range(2))

    np.testing.assert_array_equal(first.components, second.components)
