"""Engines that their own libraries answer: a user's estimator, and CatBoost where we cannot.

The list of trusted types comes from our code or from the caller, never from the artefact: a crafted
file would trust itself (anchors/serving.md, A3).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from everfit.column import Array
from everfit.encoders.frame import categories_frame
from everfit.errors import ArtefactRefused
from everfit.events import Past, Reads
from everfit.serve.vector import Vector

TRUSTED = ("sklearn.", "numpy.", "scipy.")  # what skops asks about within these is theirs


class Estimator:
    """A scikit-learn-compatible estimator from ``estimator.skops``.

    Parameters
    ----------
    folder, part : of the member; ``part["code"]`` names source files with their sha256
    trusted : names of types that the caller allows, besides those of scikit-learn, numpy, scipy

    Raises
    ------
    ArtefactRefused : skops is missing, a type is not trusted, or a source file was changed
    """

    def __init__(
        self, folder: Path, part: Mapping[str, Any], trusted: Sequence[str], vector: Vector
    ) -> None:
        self._view = vector.view
        self.reads = Reads.of(part.get("history"))
        self.past: Past = ()  # of the row that is in the vector
        self._classes = [int(c) for c in part.get("classes", ())]
        self._probable = part.get("form", "probabilities") == "probabilities"
        self.width = int(part.get("n_outputs", max(1, len(self._classes))))
        modules = {name.partition(".")[0] for name in trusted}
        for name, digest in part.get("code", {}).items():
            if Path(name).stem in modules:
                _import_source(folder / name, digest)
        self._model = _load(folder / "estimator.skops", trusted)

    def row(self) -> list[float]:
        """Answers (k) for the features that are in the vector now."""
        return self.table(self._view[None, :], 1, self.past)[0].tolist()  # type: ignore[no-any-return]

    def table(self, matrix: Array, threads: int, past: Past = ()) -> Array:
        """Answers for many rows: (n, k); ``past`` has the events of each, where they are read."""
        more: dict[str, Any] = {}
        if self.reads is not None:
            n = self.reads.events
            more["history"] = [e[-n:] for e in past] if past else [[] for _ in range(len(matrix))]
        if not self._probable:
            found = self._model.predict(matrix, **more)
            return np.asarray(found, dtype=np.float64).reshape(-1, 1)
        given = np.asarray(self._model.predict_proba(matrix, **more), dtype=np.float64)
        answers = np.zeros((len(matrix), self.width))
        answers[:, self._classes or list(range(given.shape[1]))] = given
        return np.asarray(answers / np.maximum(answers.sum(axis=1, keepdims=True), 1e-300))


def _load(path: Path, trusted: Sequence[str]) -> Any:
    try:
        skops_io = import_module("skops.io")
    except ImportError as error:
        raise ArtefactRefused(
            "this version holds a scikit-learn estimator, and skops is not installed",
            got=str(error), expected="skops and scikit-learn", do="pip install skops",
        ) from error  # fmt: skip
    needed = skops_io.get_untrusted_types(file=path)
    refused = [n for n in needed if n not in trusted and not n.startswith(TRUSTED)]
    if refused:
        raise ArtefactRefused(
            f"{path.name} holds types that are not trusted",
            got=", ".join(refused),
            expected="types of scikit-learn, numpy or scipy, or those that the caller lists",
            do="give them as trusted when you open the version, if you trust its author",
        )
    return skops_io.load(path, trusted=list(needed))


def _import_source(path: Path, digest: str) -> None:
    """Import a user's stored source file; its hash is checked first."""
    if path.stem in sys.modules:
        return
    if not path.is_file() or sha256(path.read_bytes()).hexdigest() != digest:
        raise ArtefactRefused(
            f"{path.name} is not the file that was stored",
            got="another content" if path.is_file() else "no file",
            expected=f"sha256 {digest}",
            do="roll back to another version",
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ArtefactRefused(
            f"{path.name} is no Python file", got=path.suffix, expected=".py",
            do="roll back to another version",
        )  # fmt: skip
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)


class Native:
    """CatBoost's own library on ``model.cbm``: slow for one row, fast for very many."""

    def __init__(self, path: Path, categorical: Sequence[int], vector: Vector) -> None:
        self._view, self._categorical = vector.view, list(categorical)
        self._catboost = _catboost()
        self._model = self._catboost.CatBoost().load_model(str(path))
        self.width = len(np.atleast_1d(self._model.get_scale_and_bias()[1]))

    def row(self) -> list[float]:
        """Raw scores (k) for the features that are in the vector now."""
        return self.table(self._view[None, :], 1)[0].tolist()  # type: ignore[no-any-return]

    def table(self, matrix: Array, threads: int) -> Array:
        """Raw scores of many rows: (n, k)."""
        frame = categories_frame(matrix, self._categorical)
        pool = self._catboost.Pool(frame, cat_features=self._categorical)
        raw = self._model.predict(pool, prediction_type="RawFormulaVal", thread_count=threads)
        return np.asarray(raw, dtype=np.float64).reshape(len(matrix), -1)


def _catboost() -> Any:
    try:
        return import_module("catboost")
    except ImportError as error:
        raise ArtefactRefused(
            "this version holds a CatBoost model that cannot be compiled, and CatBoost is missing",
            got=str(error), expected="catboost", do="pip install catboost",
        ) from error  # fmt: skip
