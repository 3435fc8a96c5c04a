"""The model of an exported Python file: answers, and the command line."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from everfit.export.alone.engines import ENGINES
from everfit.export.alone.features import Plain, features, tables_of
from everfit.export.alone.rows import Array, Column

DATA = ""

# <body>
CHUNK = 1024  # rows answered at one time


def linked(raw: Array, link: Plain, bounds: tuple[float, float] | None) -> Array:
    """Raw scores (n, k) as answers (n, outputs)."""
    if link["kind"] == "sigmoid":
        p = 1.0 / (1.0 + np.exp(-np.clip(raw[:, 0], -700.0, 700.0)))
        return np.stack([1.0 - p, p], axis=1)
    if link["kind"] == "softmax":
        grown = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))
    values = raw * link.get("scale", 1.0) + link.get("shift", 0.0)
    if link.get("inverse") == "expm1":
        values = np.expm1(np.minimum(values, 700.0))
    return np.asarray(values if bounds is None else np.clip(values, bounds[0], bounds[1]))


def calibrated(p: Array, calibration: Plain) -> Array:
    """Probabilities (n, k) after temperature and biases; numbers after scale and shift."""
    if not calibration:
        return p
    if "scale" in calibration or "shift" in calibration:
        return np.asarray(p * calibration.get("scale", 1.0) + calibration.get("shift", 0.0))
    bias = [calibration.get(f"bias_{k}", 0.0) for k in range(p.shape[1])]
    grown = np.log(np.maximum(p, 1e-15)) / calibration.get("temperature", 1.0) + np.array(bias)
    grown = np.exp(grown - grown.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def ranges_of(answers: Array, ranges: Plain) -> Array:
    """The 95% range of values, or of the probabilities of predicted labels: (n, 2)."""
    at = np.searchsorted(ranges["edges"], answers, side="right")
    low, high = answers + np.array(ranges["low"])[at], answers + np.array(ranges["high"])[at]
    return np.stack([np.maximum(low, ranges["least"]), np.minimum(high, ranges["most"])], axis=1)


def typed_label(text: str, kind: str) -> Any:
    """A label in the type in which it is given back."""
    if kind == "bool":
        return text.strip().lower() in ("true", "1", "1.0", "yes")
    return {"int": lambda: int(float(text)), "float": lambda: float(text)}.get(kind, lambda: text)()


class Model:
    """A version of a model: rows as dicts in, answers out."""

    def __init__(self, data: str) -> None:
        with np.load(io.BytesIO(base64.b64decode(data)), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        self.spec = json.loads(bytes(arrays.pop("spec")).decode("utf-8"))
        self.labels = [typed_label(x, self.spec["label_type"]) for x in self.spec["labels"]]
        self.columns = [Column(item) for item in self.spec["columns"]]
        self.arrays: dict[str, dict[str, Array]] = {}
        for name, array in arrays.items():
            group, _, item = name.partition(".")
            self.arrays.setdefault(group, {})[item] = array
        self.tables = [
            tables_of(plan, self.arrays.get(f"p{i}", {}))
            for i, plan in enumerate(self.spec["plans"])
        ]

    def scores(self, rows: Iterable[Mapping[str, Any]]) -> Array:
        """Probabilities in the order of the labels, or one value: float64 (n, outputs)."""
        asked = list(rows)
        parts = [self._scores(asked[i : i + CHUNK]) for i in range(0, len(asked), CHUNK)]
        return np.vstack(parts) if parts else np.empty((0, max(1, len(self.labels))))

    def _scores(self, rows: list[Mapping[str, Any]]) -> Array:
        values = {column.name: column.read(rows) for column in self.columns}
        vectors = [
            features(plan, values, self.tables[i], len(rows))
            for i, plan in enumerate(self.spec["plans"])
        ]
        total: Any = 0.0
        for i, part in enumerate(self.spec["parts"]):
            x = np.empty((len(rows), 0)) if part["plan"] is None else vectors[part["plan"]]
            raw = ENGINES[part["engine"]](part, self.arrays.get(f"m{i}", {}), x)
            total = total + part["weight"] * linked(raw, part["link"], part["bounds"])
        return calibrated(np.asarray(total), self.spec["calibration"])

    def answers(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A dict for each row: prediction, probabilities by label, range where there is one."""
        scores = self.scores(rows)
        if self.labels:
            made: list[dict[str, Any]] = [
                {
                    "prediction": self.labels[k],
                    "probabilities": dict(zip(self.spec["labels"], p, strict=True)),
                }
                for k, p in zip(scores.argmax(axis=1).tolist(), scores.tolist(), strict=True)
            ]
        else:
            made = [{"prediction": value} for value in scores[:, 0].tolist()]
        if self.spec["ranges"]:
            ranges = ranges_of(scores.max(axis=1), self.spec["ranges"])
            for answer, ends in zip(made, ranges.tolist(), strict=True):
                answer["range"] = ends
        return made


_model: Model | None = None


def model() -> Model:
    """The model, made ready when it is first needed."""
    global _model  # noqa: PLW0603 - one model a process
    _model = _model or Model(DATA)
    return _model


def predict(row: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one row; what is not given takes its default or counts as missing."""
    return model().answers([row])[0]


def predict_many(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The answers to many rows, much faster than one by one."""
    return model().answers(rows)


def main() -> None:
    """Read JSON objects from stdin, one a line; write the answers to stdout."""
    rows = []
    for at, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            sys.exit(f"line {at} is not JSON: {error}")
        if not isinstance(row, dict):
            sys.exit(f"line {at} is not a JSON object: {line.strip()[:60]}")
        rows.append(row)
    for answer in predict_many(rows):
        sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
