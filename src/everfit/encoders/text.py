"""Learn how to turn a text column into numbers.

tf-idf: Sparck Jones 1972; latent semantic analysis: Deerwester et al. 1990; the SVD is found by
randomised subspace iteration (Halko, Martinsson and Tropp 2011).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from everfit.encoders.steps import Words
from everfit.encoders.words import weigh, words_of
from everfit.records import Array

N_WORDS = 2_000
N_DIMS = 24
FIT_ROWS = 20_000


def fit_words(
    column: str, texts: Sequence[str | None], *, seed: int, n_words: int = N_WORDS,
    n_dims: int = N_DIMS, rows: int = FIT_ROWS,
) -> Words:  # fmt: skip
    """Learn the vocabulary and the components of a text column from at most ``rows`` texts.

    A word must be in at least 2 texts (5 from 1,000 texts on). Fewer than two such words leave
    the five counts only.
    """
    rng = np.random.default_rng(seed)
    known = [text for text in texts if text]
    if len(known) > rows:
        known = [known[i] for i in np.sort(rng.choice(len(known), rows, replace=False))]
    split = [words_of(text) for text in known]
    found = Counter(word for words in split for word in set(words))
    least = 5 if len(known) >= 1_000 else 2
    often = sorted(((-n, word) for word, n in found.items() if n >= least))[:n_words]
    vocabulary = tuple(sorted(word for _, word in often))
    none = np.empty(0)
    if len(vocabulary) < 2:
        return Words(column, (), none, np.empty((0, 0)), none, none)
    seen = np.array([found[word] for word in vocabulary], dtype=float)
    idf = np.log((1.0 + len(known)) / (1.0 + seen)) + 1.0
    k = min(n_dims, len(vocabulary) - 1, len(known))
    components = _subspace(_vectors(split, vocabulary, idf), k, rng)
    return Words(column, vocabulary, idf, np.ascontiguousarray(components), none, none)


def _vectors(split: list[list[str]], vocabulary: Sequence[str], idf: Array) -> sparse.csr_array:
    place = {word: at for at, word in enumerate(vocabulary)}
    scale = idf.tolist()
    columns: list[int] = []
    weights: list[float] = []
    ends = [0]
    for words in split:
        found = weigh(words, place, scale)
        columns += found.keys()
        weights += found.values()
        ends.append(len(columns))
    shape = (len(split), len(vocabulary))
    return sparse.csr_array((weights, columns, ends), shape=shape, dtype=np.float64)


def _subspace(matrix: sparse.csr_array, k: int, rng: np.random.Generator) -> Array:
    """The first ``k`` right singular vectors (v, k) by randomised subspace iteration."""
    width = min(k + 10, *matrix.shape)
    basis = matrix @ rng.standard_normal((matrix.shape[1], width))
    for _ in range(4):
        basis = np.linalg.qr(basis)[0]
        basis = matrix @ np.linalg.qr(matrix.T @ basis)[0]
    small = np.linalg.qr(basis)[0].T @ matrix
    right = np.linalg.svd(small, full_matrices=False)[2][:k].T
    # the sign of a singular vector is arbitrary: fix it, so that equal data give equal features
    signs = np.sign(right[np.abs(right).argmax(axis=0), np.arange(right.shape[1])])
    return np.asarray(right * signs)
