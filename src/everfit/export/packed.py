"""A packed version as plain records: what every target of an export is written from.

Files are read here once, without any native library: LightGBM's text, CatBoost's JSON and arrays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import inf, isnan
from pathlib import Path
from typing import Any

import numpy as np

from everfit.encoders.plan import FeaturePlan
from everfit.errors import ArtefactRefused, EverfitError, Refused
from everfit.export.symmetric import Symmetric, read_symmetric
from everfit.export.trees import Trees, read_forest, read_lightgbm
from everfit.plain import from_plain
from everfit.records import Array, Column
from everfit.serve.engines.statistic import CannotCompile
from everfit.serve.load import FORMAT, IDENTITY
from everfit.serve.row import MISSING_WORDS


@dataclass(frozen=True, slots=True)
class Constant:
    """The same raw scores for every row."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Layers:
    """``x @ w + b`` with a rectifier between layers; a linear model has one layer."""

    weights: tuple[tuple[Array, Array], ...]


Engine = Constant | Trees | Symmetric | Layers


@dataclass(frozen=True, slots=True)
class Part:
    """One member: its share of the answer, the plan whose features it reads, and its engine."""

    name: str  # "m0: lightgbm"
    weight: float
    plan: int | None
    engine: Engine
    link: Mapping[str, Any]
    bounds: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A column that some member reads, and what stands in when a row does not have it."""

    column: Column
    default: Any
    levels: tuple[str, ...]  # of a category: all that some plan knows, sorted by their UTF-8 bytes

    @property
    def marks(self) -> tuple[str, ...]:
        """Words that stand for missing, sorted by their UTF-8 bytes."""
        own = () if self.column.kind == "text" else self.column.missing_marks
        return tuple(sorted({*MISSING_WORDS, *own}, key=str.encode))

    @property
    def number_marks(self) -> tuple[float, ...]:
        """Numbers that stand for missing."""
        found = set()
        for mark in self.column.missing_marks:
            try:
                found.add(float(mark))
            except ValueError:
                continue
        return tuple(sorted(value for value in found if not isnan(value)))


@dataclass(frozen=True, slots=True)
class Ranges:
    """The 95% range of an answer: its bin says what to add below and above; then kept in bounds.

    ``edges`` rise; ``low`` and ``high`` have one more; bounds may be infinite.
    """

    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Packed:
    """A version: columns, feature plans, members and calibration."""

    form: str
    labels: tuple[str, ...]
    label_type: str
    columns: tuple[Asked, ...]
    ignored: tuple[str, ...]  # columns that no member reads
    plans: tuple[FeaturePlan, ...]
    parts: tuple[Part, ...]
    calibration: Mapping[str, float]
    ranges: Ranges | None
    places: Mapping[str, int]  # of each column in ``columns``

    @property
    def n_outputs(self) -> int:
        """Numbers in one answer."""
        return max(1, len(self.labels))

    def position(self, name: str) -> int:
        """Where a column stands in ``columns``."""
        return self.places[name]


def read_packed(folder: Path) -> Packed:
    """The packed version in ``folder``; its hashes are the caller's matter.

    Raises
    ------
    Refused : a member that no export can hold; it is named
    ArtefactRefused : a file is missing, damaged, or of another format
    """
    try:
        plain = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        if plain["format"] != FORMAT:
            raise ValueError(f"format {plain['format']}")
        return _packed(folder, plain)
    except EverfitError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, OSError) as error:
        raise ArtefactRefused(
            f"the version in {folder} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected=f"a version of format {FORMAT}, as the release wrote it",
            do="check the version's hash, or export another version",
        ) from error


def _packed(folder: Path, plain: Mapping[str, Any]) -> Packed:
    total = sum(float(item["weight"]) for item in plain["members"])
    plans: dict[str, FeaturePlan] = {}
    parts = []
    for item in plain["members"]:
        place = _inside(folder, item["folder"])
        part, key = item["part"], None
        if part.get("features") is not None:
            plan = FeaturePlan.load(place)
            key = _digest(plan)
            plans.setdefault(key, plan)
        bounds = part.get("range")
        parts.append(
            Part(
                f"{item['folder']}: {part['engine']}",
                float(item["weight"]) / total,
                None if key is None else list(plans).index(key),
                _engine(place, part, f"member {item['folder']} ({part['engine']})"),
                part.get("link", IDENTITY),
                None if bounds is None else (float(bounds[0]), float(bounds[1])),
            )
        )
    known = tuple(plans.values())
    used = {item.name for plan in known for item in plan.inputs}
    columns = tuple(
        Asked(from_plain(Column, c), c.get("default"), _levels(c["name"], known))
        for c in plain["columns"]
        if c["name"] in used
    )
    ignored = tuple(c["name"] for c in plain["columns"] if c["name"] not in used)
    return Packed(
        plain["form"], tuple(plain.get("labels") or ()), plain.get("label_type", "str"),
        columns, ignored, known, tuple(parts), plain.get("calibration") or {},
        _ranges(plain.get("ranges")),
        {item.column.name: i for i, item in enumerate(columns)},
    )  # fmt: skip


def _ranges(plain: Mapping[str, Any] | None) -> Ranges | None:
    if not plain:
        return None
    edges, low, high = (tuple(float(x) for x in plain[name]) for name in ("edges", "low", "high"))
    least, most = plain.get("least"), plain.get("most")
    return Ranges(
        edges, low, high,
        -inf if least is None else float(least), inf if most is None else float(most),
    )  # fmt: skip


def golden_inputs(folder: Path) -> list[dict[str, Any]]:
    """The inputs of the golden rows of a version: real rows.

    Raises
    ------
    ArtefactRefused : ``golden.json`` is missing or damaged
    """
    try:
        rows = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
        return [dict(row["input"]) for row in rows]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArtefactRefused(
            f"golden.json in {folder} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected="a list of rows with input and expected",
            do="check the version's hash, or export another version",
        ) from error


def _levels(name: str, plans: Sequence[FeaturePlan]) -> tuple[str, ...]:
    found = {level for plan in plans for level in plan.vocabularies.get(name, ()) if level}
    return tuple(sorted(found, key=str.encode))


def _digest(plan: FeaturePlan) -> str:
    arrays = plan.arrays()
    parts = [json.dumps(plan.to_plain()).encode()]
    parts += [name.encode() + arrays[name].tobytes() for name in sorted(arrays)]
    return sha256(b"".join(parts)).hexdigest()


def _engine(folder: Path, part: Mapping[str, Any], name: str) -> Engine:
    kind = part["engine"]
    files = [_inside(folder, file) for file in part.get("files", ())]
    if kind == "constant":
        return Constant(tuple(float(v) for v in part["values"]))
    if kind == "lightgbm":
        return read_lightgbm(files[0].read_text(encoding="utf-8"))
    if kind == "catboost":
        try:
            return read_symmetric(json.loads(files[1].read_text(encoding="utf-8")))
        except CannotCompile as error:
            raise _cannot(name, f"CatBoost's own library answers it: {error}") from error
    if kind == "forest":
        return read_forest(_arrays(files[0]))
    if kind == "linear":
        found = _arrays(files[0])
        return _layers([(found["coef"], found["intercept"])])
    if kind == "neural":
        found = _arrays(files[0])
        n = sum(item.startswith("w") for item in found)
        return _layers([(found[f"w{i}"], found[f"b{i}"]) for i in range(n)])
    if kind == "estimator":
        raise _cannot(name, "a scikit-learn estimator is code, not data")
    raise _cannot(name, f"the engine {kind!r} is not known to this release")


def _cannot(name: str, why: str) -> Refused:
    return Refused(
        f"{name} cannot be exported",
        got=why,
        expected="members made of data: trees, lines, networks, constants",
        do="export another version (--use), or run again without that learner",
    )


def _layers(pairs: Sequence[tuple[Array, Array]]) -> Layers:
    return Layers(
        tuple(
            (
                np.asarray(w, dtype=np.float64).reshape(len(w), -1),
                np.atleast_1d(np.asarray(b, dtype=np.float64)),
            )
            for w, b in pairs
        )
    )


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ArtefactRefused(
            "a packed version names a file outside its folder",
            got=name,
            expected="a name inside the version's folder",
            do="do not use this version",
        )
    return path


def _arrays(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
