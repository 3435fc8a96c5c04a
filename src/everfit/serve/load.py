"""Open a packed version: read its scoring plan and build a scorer. See docs/plan.md.

Hashes are the caller's matter: a folder is opened only after its manifest was checked, because
native model files, too, can harm the process that parses them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.column import Array, Column
from everfit.encoders import steps as st
from everfit.errors import ArtefactRefused, EverfitError, Refused
from everfit.events import Reads
from everfit.plain import from_plain
from everfit.serve.engines.foreign import Estimator, Native
from everfit.serve.engines.forest import Forest
from everfit.serve.engines.layers import linear, neural
from everfit.serve.engines.oblivious import Oblivious
from everfit.serve.engines.statistic import CannotCompile
from everfit.serve.engines.trees import Trees
from everfit.serve.links import row_link, table_link
from everfit.serve.ranges import Ranges
from everfit.serve.row import Asked, RowReader
from everfit.serve.scorer import Constant, Engine, Part, Plan, Scorer
from everfit.serve.vector import Vector

if TYPE_CHECKING:
    from everfit.serve.lists.lists import Lists

FORMAT = 1
NATIVE_ROWS = 20_000  # from here on CatBoost's own batch code is worth its import
IDENTITY = {"kind": "identity"}


def open_plan(folder: Path, *, trusted: Sequence[str] = ()) -> Scorer:
    """A scorer for the packed version in ``folder``, which answers rows.

    Parameters
    ----------
    folder : holds ``plan.json`` and a folder for each member
    trusted : types of a user's estimator that may be loaded (engine ``estimator`` only)

    Raises
    ------
    ArtefactRefused : a file is missing or damaged, of another format, or holds what is not trusted
    Refused : the version answers with lists
    """
    found = open_version(folder, trusted=trusted)
    if not isinstance(found, Scorer):
        raise Refused(
            "this version answers with ranked lists, not rows",
            got=f"form {found.form!r}", expected="probabilities or values",
            do="ask it for a list of items for a user",
        )  # fmt: skip
    return found


def open_version(folder: Path, *, trusted: Sequence[str] = ()) -> Scorer | Lists:
    """The packed version in ``folder``, whatever the form of its answers.

    Raises
    ------
    ArtefactRefused : as :func:`open_plan`
    """
    plain = _json(folder / "plan.json")
    if plain.get("format") != FORMAT:
        raise ArtefactRefused(
            "the scoring plan has a format that this release cannot read",
            got=f"format {plain.get('format')!r}", expected=f"format {FORMAT}",
            do="open it with the release of Everfit that wrote it, or a later one",
        )  # fmt: skip
    try:
        if plain.get("form") == "lists":
            from everfit.serve.lists.opening import open_lists  # scipy, which no row needs

            return open_lists(folder, plain)
        return _build(folder, plain, trusted)
    except EverfitError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, OSError) as error:
        raise ArtefactRefused(
            f"the version in {folder} cannot be opened",
            got=f"{type(error).__name__}: {error}",
            expected="files as the release wrote them",
            do="check the version's hash, or roll back to another version",
        ) from error


def _build(folder: Path, plain: Mapping[str, Any], trusted: Sequence[str]) -> Scorer:
    asked = [
        Asked(from_plain(Column, item), item.get("low"), item.get("high"), item.get("default"))
        for item in plain["columns"]
    ]
    plans, which = _plans(folder, plain["members"])
    used = {item.name for plan in plans for item in plan["inputs"]}
    known = {
        name: frozenset(
            level for plan in plans for level in plan["vocabularies"].get(name, ()) if level
        )
        for name in used
    }
    reader = RowReader([item for item in asked if item.column.name in used], known)
    ready = [Plan(**plan, vector=_vector(plan, reader)) for plan in plans]
    parts: list[Part] = []
    slow: list[str] = []
    total = sum(float(item["weight"]) for item in plain["members"])
    for item, place in zip(plain["members"], which, strict=True):
        part = item["part"]
        shared = None if place is None else ready[place]
        engine, why = _engine(folder / item["folder"], part, shared, trusted)
        slow += [f"{item['folder']}: {why}"] if why else []
        link, bounds = part.get("link", IDENTITY), part.get("range")
        weight = float(item["weight"])
        # weights that add up to 1 but for rounding stay as they are
        weight = weight if abs(total - 1.0) < 1e-9 else weight / total
        past = engine if isinstance(engine, Estimator) and engine.reads is not None else None
        parts.append(Part(
            weight, engine, row_link(link, bounds), table_link(link, bounds), place,
            f"{item['folder']}: {part['engine']}", past))  # fmt: skip
    return Scorer(
        form=plain["form"], labels=plain.get("labels") or (),
        label_type=plain.get("label_type", "str"), asked=asked, parts=parts, plans=ready,
        reader=reader, calibration=plain.get("calibration") or {}, slow=slow,
        ranges=Ranges(plain["ranges"]) if plain.get("ranges") else None,
        reads=Reads.of(plain.get("history")),
    )  # fmt: skip


def _vector(plan: Mapping[str, Any], reader: RowReader) -> Vector:
    return Vector(plan["steps"], plan["inputs"], plan["vocabularies"], reader.positions)


def _plans(
    folder: Path, members: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[int | None]]:
    """The distinct feature plans, and which of them each member reads."""
    plans: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    which: list[int | None] = []
    for member in members:
        name = member["part"].get("features")
        if name is None:
            which.append(None)
            continue
        path = _inside(folder / member["folder"], name)
        digest = sha256(path.read_bytes() + _npz_content(path)).hexdigest()
        if digest not in seen:
            seen[digest] = len(plans)
            plans.append(_read_plan(path))
        which.append(seen[digest])
    return plans, which


def _npz_content(path: Path) -> bytes:
    # the bytes of a zip hold the time of writing: its arrays decide whether plans are equal
    arrays = _arrays(path.with_suffix(".npz"))
    return b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays))


def _read_plan(path: Path) -> dict[str, Any]:
    plain = _json(path)
    if plain.get("format") != FORMAT:
        raise ArtefactRefused(
            f"{path.name} has a format that this release cannot read",
            got=f"format {plain.get('format')!r}", expected=f"format {FORMAT}",
            do="open it with the release of Everfit that wrote it, or a later one",
        )  # fmt: skip
    arrays: dict[int, dict[str, Array]] = {}
    for name, value in _arrays(path.with_suffix(".npz")).items():
        position, _, item = name.partition(".")
        arrays.setdefault(int(position), {})[item] = value
    return {
        "view": plain["view"],
        "inputs": tuple(
            st.Input(i["name"], i["kind"], tuple(i["levels"])) for i in plain["inputs"]
        ),
        "vocabularies": {name: tuple(v) for name, v in plain["vocabularies"].items()},
        "steps": tuple(
            st.join_step(step, arrays.get(i, {})) for i, step in enumerate(plain["steps"])
        ),
        "names": tuple(plain["names"]),
        "categorical": tuple(plain["categorical"]),
    }


def _engine(
    folder: Path, part: Mapping[str, Any], plan: Plan | None, trusted: Sequence[str]
) -> tuple[Engine, str]:
    """The engine of a part, and why it is slow for one row (empty when it is not)."""
    kind = part["engine"]
    if kind == "constant":
        return Constant(part["values"]), ""
    if plan is None:
        raise ArtefactRefused(
            f"a member of engine {kind!r} has no feature plan",
            got="no features", expected="features.json", do="roll back to another version",
        )  # fmt: skip
    vector = plan.vector
    if kind == "lightgbm":
        path = _inside(folder, part["files"][0])
        return Trees(path.read_text(encoding="utf-8"), vector.buffer), ""
    if kind == "catboost":
        return _symmetric(folder, part, plan)
    if kind == "forest":
        return Forest(_arrays(_inside(folder, part["files"][0])), vector), ""
    if kind == "linear":
        return linear(_arrays(_inside(folder, part["files"][0])), vector), ""
    if kind == "neural":
        return neural(_arrays(_inside(folder, part["files"][0])), vector), ""
    if kind == "estimator":
        why = "a scikit-learn estimator is answered by its own predict"
        return Estimator(folder, part, trusted, vector), why
    raise ArtefactRefused(
        "a member has an engine that this release does not know",
        got=repr(kind), expected="an engine listed in docs/plan.md",
        do="open it with the release of Everfit that wrote it, or a later one",
    )  # fmt: skip


def _symmetric(folder: Path, part: Mapping[str, Any], plan: Plan) -> tuple[Engine, str]:
    native, compiled = (_inside(folder, name) for name in part["files"][:2])
    try:
        return _Symmetric(Oblivious(_json(compiled), plan.vector), native, plan), ""
    except CannotCompile as error:
        engine = Native(native, plan.categorical, plan.vector)
        return engine, f"CatBoost answers by its own library: {error}"


class _Symmetric:
    """Compiled trees for a row and for few; CatBoost's own library, if there, for many rows."""

    def __init__(self, compiled: Oblivious, native: Path, plan: Plan) -> None:
        self._compiled, self._path, self._plan = compiled, native, plan
        self._native: Native | None = None
        self.width = compiled.width
        self.row = compiled.row
        self.compiled = compiled

    def table(self, matrix: Array, threads: int) -> Array:
        """Raw scores of many rows: (n, k)."""
        if len(matrix) < NATIVE_ROWS or find_spec("catboost") is None:
            return self._compiled.table(matrix, threads)
        if self._native is None:
            self._native = Native(self._path, self._plan.categorical, self._plan.vector)
        return self._native.table(matrix, threads)


def _inside(folder: Path, name: str) -> Path:
    """The path of a file that must lie inside ``folder``."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ArtefactRefused(
            "a packed version names a file outside its folder",
            got=name, expected="a name inside the version's folder",
            do="do not use this version",
        )  # fmt: skip
    return path


def _arrays(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtefactRefused(
            f"{path.name} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected="a JSON file as the release wrote it",
            do="check the version's hash, or roll back to another version",
        ) from error
    if not isinstance(found, dict):
        raise ArtefactRefused(
            f"{path.name} holds no object", got=type(found).__name__, expected="a JSON object",
            do="check the version's hash, or roll back to another version",
        )  # fmt: skip
    return found
