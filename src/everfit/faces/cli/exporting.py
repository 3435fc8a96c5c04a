"""The command ``export``: a released version as a file or folder for somewhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from everfit.errors import Refused, UsageError, near
from everfit.export.contract import Export, Exported
from everfit.export.packed import golden_inputs
from everfit.export.placing import replaced
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of
from everfit.faces.found import scorer_of
from everfit.faces.words.shapes import dump, envelope
from everfit.records import Version

# each kind: where its function lives, and the name of what it writes
KINDS: dict[str, tuple[str, Callable[[str], str]]] = {
    "onnx": ("everfit.export.onnx", lambda name: f"{name}.onnx"),
    "c": ("everfit.export.c", lambda name: f"{name}-c"),
    "python": ("everfit.export.python", lambda name: re.sub(r"\W", "_", name) + ".py"),
    "mlflow": ("everfit.export.mlflow", lambda name: f"{name}-mlflow"),
}


def do_export(
    face: Face, model: str, kind: str, output: str | None, version: str | None, *, force: bool
) -> None:
    """Write the export, compare its answers with the version's, and say where it is."""
    if kind not in KINDS:
        hint = near(kind, KINDS)
        raise UsageError(
            "there is no such kind of export",
            got=kind,
            expected=", ".join(KINDS),
            do=f"did you mean {hint}?" if hint else "give one of these with --to",
        )
    with house_of(face) as house:
        found, _ = scorer_of(house, model, version)
        folder = house.folder(found)
        out = Path(output) if output is not None else Path(default_name(found, kind))
        if out.exists() and not force:
            raise Refused(
                f"{out} is already there",
                got="a folder" if out.is_dir() else "a file",
                expected="a name that is free",
                do="give another name with -o, or add --force to replace it",
            )
        exported = replaced(out, lambda free: _export(kind, folder, free, found))
    _tell(face, found, kind, exported)


def default_name(version: Version, kind: str) -> str:
    """What an export is called when nobody says.

    Examples
    --------
    >>> from types import SimpleNamespace as Named
    >>> [default_name(Named(model="churn", name="v3"), kind) for kind in KINDS]
    ['churn-v3.onnx', 'churn-v3-c', 'churn_v3.py', 'churn-v3-mlflow']
    """
    return KINDS[kind][1](f"{version.model}-{version.name}")


def _export(kind: str, folder: Path, out: Path, version: Version) -> Exported:
    function: Export = getattr(import_module(KINDS[kind][0]), f"to_{kind}")
    return function(folder, out, version=version, rows=golden_inputs(folder))


def _tell(face: Face, version: Version, kind: str, exported: Exported) -> None:
    if face.as_json:
        shape = envelope(
            "export",
            model=version.model,
            version=version.name,
            to=kind,
            output=str(exported.path),
            files=[str(path) for path in exported.files],
            parity=exported.parity,
            notes=exported.notes,
        )
        face.data(dump(shape))
        return
    parity = exported.parity
    face.tell(
        f"{version.model} {version.name} as {kind}: {parity.rows:,} rows answered alike, largest "
        f"difference {parity.largest:.2g} (limit {parity.limit:.2g})."
    )
    for note in exported.notes:
        face.tell(note)
    face.data(str(exported.path))
