"""Write a version as an ONNX graph, and compare its answers in onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from everfit.errors import Refused
from everfit.export.contract import Exported, Rows, Stamp, stamp_of
from everfit.export.onnx.columns import Columns
from everfit.export.onnx.engines import raw_scores
from everfit.export.onnx.graph import Graph, library, rows_of
from everfit.export.onnx.steps import Features
from everfit.export.packed import Constant, Packed, Part, Ranges, read_packed
from everfit.export.parity import gate
from everfit.export.placing import placed
from everfit.plain import as_plain
from everfit.records import Array, Version
from everfit.serve import open_plan
from everfit.serve.links import affine, line_of
from everfit.serve.row import seconds_of
from everfit.serve.scorer import typed_labels

LIMIT = 1e-4  # a difference that no decision about a probability should hang on
PROBABILITIES, LABEL, VALUE, RANGE = "probabilities", "label", "value", "range"


def to_onnx(
    scorer_folder: Path, out: Path, *, version: Version, rows: Rows, single: bool = False
) -> Exported:
    """Write the version as the ONNX file ``out``; see :class:`everfit.export.contract.Export`.

    One input a column, shape (n, 1): doubles with NaN for missing (dates in seconds since 1970,
    booleans 0 or 1), strings with "" for missing. It computes in double precision, as the version
    does; with ``single`` in float32, for runtimes that have nothing else.
    """
    packed = read_packed(scorer_folder)
    scorer = open_plan(scorer_folder, trusted=version.trusted)
    model = graph_of(packed, stamp_of(version), single=single)
    runtime = library("onnxruntime")
    with placed(out) as part:
        part.write_bytes(model.SerializeToString())
        session = runtime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
        real = np.float32 if single else np.float64
        parity = gate(
            scorer, lambda asked: answers(session, packed, asked, real), rows,
            limit=LIMIT, what="the ONNX graph",
        )  # fmt: skip
    notes = "It needs a runtime with TreeEnsemble of ai.onnx.ml 5, such as onnxruntime 1.21."
    return Exported(out, (out,), parity, (notes,))


def graph_of(packed: Packed, stamp: Stamp, *, single: bool = False) -> Any:
    """The ONNX model of a version.

    Raises
    ------
    Refused : it reads text, or no column at all, or has statistics of too many categories
    UsageError : the package onnx is missing
    """
    if not packed.columns:
        raise Refused(
            "a model that reads no column cannot be exported to ONNX",
            got="an answer that is the same for every row",
            expected="at least one column",
            do="use --to c or --to python",
        )
    names = [item.column.name for item in packed.columns]
    g = Graph(names, np.float32 if single else np.float64)
    columns = Columns(g, packed)
    vectors = [Features(g, columns, plan, packed).matrix() for plan in packed.plans]
    total = ""
    for part in packed.parts:
        x = "" if part.plan is None else vectors[part.plan]
        found = _linked(g, part, raw_scores(g, part, x))
        weighed = g("Mul", found, float(part.weight))
        total = weighed if not total else g("Add", total, weighed)
    total = _calibrated(g, packed, total)
    _give(g, packed, total)
    facts = {f"everfit_{name}": str(value) for name, value in as_plain(asdict(stamp)).items()}
    return g.model("\n".join(stamp.lines()), facts)


def _linked(g: Graph, part: Part, raw: str) -> str:
    link = part.link
    if link["kind"] == "sigmoid":
        clipped = g("Min", g("Max", raw, -700.0), 700.0)
        p = g("Div", 1.0, g("Add", g("Exp", g("Neg", clipped)), 1.0))
        return g.joined([g("Sub", 1.0, p), p])
    if link["kind"] == "softmax":
        return g("Softmax", raw, axis=1)
    scale, shift = float(link.get("scale", 1.0)), float(link.get("shift", 0.0))
    values = raw if (scale, shift) == (1.0, 0.0) else g("Add", g("Mul", raw, scale), shift)
    if link.get("inverse") == "expm1":
        values = g("Sub", g("Exp", g("Min", values, 700.0)), 1.0)
    if part.bounds is not None:
        values = g("Min", g("Max", values, part.bounds[0]), part.bounds[1])
    return values


def _calibrated(g: Graph, packed: Packed, p: str) -> str:
    if not packed.calibration:
        return p
    if affine(packed.calibration):
        scale, shift = line_of(packed.calibration)
        return g("Add", g("Mul", p, scale), shift)
    bias = [float(packed.calibration.get(f"bias_{i}", 0.0)) for i in range(packed.n_outputs)]
    # float32 has nothing between 1e-38 and 0: the floor is the same in both precisions
    grown = g("Log", g("Max", p, 1e-15))
    grown = g("Div", grown, float(packed.calibration.get("temperature", 1.0)))
    return g("Softmax", g("Add", grown, rows_of(np.array(bias))), axis=1)


def _range(g: Graph, ranges: Ranges, total: str) -> str:
    """The 95% ranges of the largest numbers in the answers: (n, 2)."""
    top = g("ReduceMax", total, np.array([1]), keepdims=1)
    at = g.cast(g("LessOrEqual", rows_of(np.array(ranges.edges)), top), np.int64)
    at = g("ReduceSum", at, np.array([1]), keepdims=1)
    low = g("Max", g("Add", top, g("Gather", np.array(ranges.low), at)), ranges.least)
    high = g("Min", g("Add", top, g("Gather", np.array(ranges.high), at)), ranges.most)
    return g.joined([low, high])


def _give(g: Graph, packed: Packed, total: str) -> None:
    """The outputs of the graph: probabilities and label, or value."""
    k = packed.n_outputs
    if all(isinstance(part.engine, Constant) for part in packed.parts):
        first = packed.columns[0].column.name
        total = g("Expand", total, g("Concat", g("Shape", first, end=1), np.array([k]), axis=0))
    if packed.ranges is not None:
        g.output(_range(g, packed.ranges, total), RANGE, g.real, ["n", 2])
    if packed.form == "values":
        g.output(total, VALUE, g.real, ["n", 1])
        return
    g.output(total, PROBABILITIES, g.real, ["n", k])
    labels: Any = typed_labels(packed.labels, packed.label_type)
    kind: Any = {"int": np.int64, "float": g.real, "bool": np.bool_}.get(packed.label_type, str)
    table = np.array(labels, dtype=object if kind is str else kind)
    g.output(g("Gather", table, g("ArgMax", total, axis=1, keepdims=0)), LABEL, kind, ["n"])


def answers(session: Any, packed: Packed, rows: Sequence[Mapping[str, Any]], real: Any) -> Array:
    """What onnxruntime answers to rows of typed values: float64 (n, n_outputs)."""
    given = {}
    for item in packed.columns:
        values = [row.get(item.column.name) for row in rows]
        if item.column.kind in ("category", "ordered"):
            column: Array = np.array(["" if v is None else v for v in values], dtype=object)
        else:
            column = np.array([_float(v) for v in values]).astype(real)
        given[item.column.name] = column.reshape(-1, 1)
    wanted = VALUE if packed.form == "values" else PROBABILITIES
    names = [item.name for item in session.get_outputs()]
    name = next(name for name in names if name.rstrip("_") == wanted)
    return np.asarray(session.run([name], given)[0], dtype=np.float64)


def _float(value: Any) -> float:
    if value is None:
        return float("nan")
    return seconds_of(value) if isinstance(value, datetime) else float(value)
