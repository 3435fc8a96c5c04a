"""Export as one Python file that needs numpy alone."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from everfit.errors import Refused
from everfit.export.alone import BODIES, HEAD
from everfit.export.contract import Exported, Rows, Stamp, stamp_of
from everfit.export.packed import Constant, Layers, Packed, Part, read_packed
from everfit.export.parity import EXACT, gate
from everfit.export.placing import placed
from everfit.export.symmetric import Symmetric
from everfit.export.trees import Trees
from everfit.plain import as_plain
from everfit.records import Array, Version
from everfit.serve import open_plan

CHECK_S = 300.0
WIDTH = 100
TITLE = "A model as one Python file: it needs Python 3.11 and numpy, nothing else."
_CHECK = """\
import json, sys
sys.path.insert(0, {folder!r})
sys.modules["everfit"] = None
import {name} as exported
print(json.dumps(exported.model().scores(json.load(sys.stdin)).tolist()))
"""


def to_python(scorer_folder: Path, out: Path, *, version: Version, rows: Rows) -> Exported:
    """Write the version as the Python file ``out``; see :class:`everfit.export.contract.Export`.

    The file holds code and data; it offers ``predict(row)`` and ``predict_many(rows)``, and reads
    JSON lines when it is run. It is compared in a process of its own, which cannot import Everfit.
    """
    packed = read_packed(scorer_folder)
    scorer = open_plan(scorer_folder, trusted=version.trusted)
    text = source(packed, stamp_of(version))
    with placed(out) as part:
        part.write_text(text, encoding="utf-8")
        parity = gate(
            scorer, lambda asked: _answers(part, asked), rows, limit=EXACT, what="the Python file"
        )
    notes = ["It needs Python 3.11 or later and numpy."]
    return Exported(out, (out,), parity, tuple(notes))


def source(packed: Packed, stamp: Stamp) -> str:
    """The text of the file."""
    head = "\n".join(f"# {line}".rstrip() for line in (TITLE, "", *stamp.lines()))
    here = Path(__file__).parent / "alone"
    bodies = [(here / f"{name}.py").read_text("utf-8").split("# <body>\n")[1] for name in BODIES]
    held = data(packed)
    lines = "\n".join(held[i : i + WIDTH] for i in range(0, len(held), WIDTH))
    about = f"ABOUT = {as_plain(asdict(stamp))!r}\n"
    return f'{head}\n\n{HEAD}\n{about}DATA = """\n{lines}\n"""\n' + "\n\n".join(bodies)


def data(packed: Packed) -> str:
    """The plan as base64 of a compressed npz: arrays, and the rest as JSON in ``spec``."""
    arrays: dict[str, Array] = {}
    parts = []
    for i, plan in enumerate(packed.plans):
        arrays |= {f"p{i}.{name}": value for name, value in plan.arrays().items()}
    for i, part in enumerate(packed.parts):
        plain, own = _engine(part)
        arrays |= {f"m{i}.{name}": value for name, value in own.items()}
        parts.append(plain)
    spec = {
        "form": packed.form,
        "labels": packed.labels,
        "label_type": packed.label_type,
        "columns": [
            {
                "name": item.column.name,
                "kind": item.column.kind,
                "levels": item.column.levels,
                "marks": item.column.missing_marks,
                "default": item.default,
                "known": item.levels,
            }
            for item in packed.columns
        ],
        "plans": [plan.to_plain() for plan in packed.plans],
        "parts": parts,
        "calibration": dict(packed.calibration),
        "ranges": None if packed.ranges is None else asdict(packed.ranges),
    }
    arrays["spec"] = np.frombuffer(json.dumps(spec).encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return base64.b64encode(file.getvalue()).decode()


def _engine(part: Part) -> tuple[dict[str, Any], dict[str, Array]]:
    """One member as JSON and arrays."""
    plain: dict[str, Any] = {
        "plan": part.plan, "weight": part.weight, "link": dict(part.link), "bounds": part.bounds
    }  # fmt: skip
    engine = part.engine
    if isinstance(engine, Constant):
        return plain | {"engine": "constant"}, {"values": np.array(engine.values)}
    if isinstance(engine, Layers):
        weights = {f"w{i}": w for i, (w, _) in enumerate(engine.weights)}
        biases = {f"b{i}": b for i, (_, b) in enumerate(engine.weights)}
        return plain | {"engine": "layers", "n_layers": len(weights)}, weights | biases
    if isinstance(engine, Trees):
        facts = {name: getattr(engine, name) for name in ("width", "single", "divisor", "pair")}
        return plain | {"engine": "trees"} | facts, _tree_arrays(engine)
    facts = {
        name: getattr(engine, name) for name in ("high_nan", "hots", "bits", "scale")
    } | {"combinations": [asdict(item) for item in engine.combinations]}  # fmt: skip
    return plain | {"engine": "symmetric"} | facts, _symmetric_arrays(engine)


def _tree_arrays(engine: Trees) -> dict[str, Array]:
    whole = ("roots", "feature", "left", "right", "sets", "set_start", "slot")
    found = {name: _small(getattr(engine, name)) for name in whole}
    rest = ("threshold", "missing_left", "set_words", "value")
    return found | {name: getattr(engine, name) for name in rest}


def _symmetric_arrays(engine: Symmetric) -> dict[str, Array]:
    found = {
        "numbers": np.array(engine.numbers, dtype=np.int32),
        "categories": np.array(engine.categories, dtype=np.int32),
        "hashes": engine.hashes,
        "split_input": _small(engine.split_input),
        "split_border": engine.split_border,
        "tree_start": _small(engine.tree_start),
        "tree_splits": _small(engine.tree_splits),
        "value": engine.value,
        "bias": np.array(engine.bias),
    }
    for i, table in enumerate(engine.counts):
        found[f"keys{i}"], found[f"counts{i}"] = table.keys, _small(table.counts)
    return found


def _small(values: Array) -> Array:
    """Whole numbers in the fewest bytes."""
    if not len(values):
        return np.asarray(values, dtype=np.int32)
    for kind in (np.int16, np.int32):
        if values.min() >= np.iinfo(kind).min and values.max() <= np.iinfo(kind).max:
            return np.asarray(values, dtype=kind)
    return np.asarray(values, dtype=np.int64)


def _answers(path: Path, rows: Sequence[Mapping[str, Any]]) -> Array:
    """What the file answers, in a process that has numpy and the file alone on its path."""
    plain = [{name: _iso(value) for name, value in row.items()} for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "exported_model.py"
        module.write_bytes(path.read_bytes())
        script = _CHECK.format(folder=folder, name=module.stem)
        done = subprocess.run(
            [sys.executable, "-I", "-c", script],
            input=json.dumps(plain),
            capture_output=True,
            text=True,
            timeout=CHECK_S,
            check=False,
        )
    if done.returncode:
        raise Refused(
            "the Python file does not run",
            got=done.stderr.strip()[-400:],
            expected="answers to real rows",
            do="this is a fault of Everfit: please report it",
        )
    return np.array(json.loads(done.stdout), dtype=np.float64)


def _iso(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
