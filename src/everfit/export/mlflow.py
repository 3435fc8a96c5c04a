"""Export as an MLflow model: the packed files as they are, and this module to load them.

The folder holds no pickle and no code. ``MLmodel`` names this module as the loader, so that
whoever loads the model needs Everfit of the same version, which stands in its requirements. The
rows of the reference stay at home: a registry is read by many who watch nothing.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.errors import Refused, SettingsError
from everfit.export.contract import Exported, Rows, stamp_of
from everfit.export.parity import EXACT, gate
from everfit.export.placing import placed
from everfit.plain import as_plain
from everfit.records import Array, Version
from everfit.release.manifest import verify
from everfit.release.reference import FILES as REFERENCE
from everfit.serve import Scorer, open_plan

if TYPE_CHECKING:
    import pandas as pd

LOADER = "everfit.export.mlflow"
FEW = 256  # up to here without a table of Polars, whose making costs more
# MLflow's own telemetry, and its search for a uv project in the current folder
SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_UV_AUTO_DETECT": "false"}


def to_mlflow(scorer_folder: Path, out: Path, *, version: Version, rows: Rows) -> Exported:
    """Write the version as an MLflow model folder; see :class:`everfit.export.contract.Export`.

    ``mlflow.pyfunc.load_model(out).predict(frame)`` gives a pandas frame with ``prediction``, one
    ``p_LABEL`` for each class, and ``low`` and ``high`` when the version has ranges;
    ``mlflow models serve -m out`` serves the same.
    """
    mlflow = _mlflow()
    if version.trusted:
        raise Refused(
            f"{version.name} cannot be an MLflow model",
            got=f"an estimator of your own: {', '.join(version.trusted)}",
            expected="members that need no trust",
            do="serve it with everfit serve, which knows what you trust",
        )
    scorer = open_plan(scorer_folder, trusted=version.trusted)
    stamp = stamp_of(version)
    with (
        placed(out) as part,
        TemporaryDirectory(prefix="everfit-") as place,
        settings(SETTINGS),
        warnings.catch_warnings(),
    ):
        packed = Path(place) / scorer_folder.name
        shutil.copytree(scorer_folder, packed, ignore=shutil.ignore_patterns(*REFERENCE))
        # MLflow would like a row as an example; rows are people's data
        warnings.filterwarnings("ignore", message=".*input example.*", category=UserWarning)
        mlflow.pyfunc.save_model(
            str(part),
            loader_module=LOADER,
            data_path=str(packed),
            # given, because MLflow would else start a process to find them out
            pip_requirements=[f"everfit=={stamp.everfit}"],
            signature=_signature(mlflow, scorer),
            metadata={"everfit": as_plain(stamp), "columns": _columns(scorer)},
        )
        loaded = mlflow.pyfunc.load_model(str(part))
        parity = gate(
            scorer,
            lambda asked: _answers(loaded, asked, scorer),
            rows,
            limit=EXACT,
            what="the MLflow model",
        )
    files = tuple(sorted(path for path in out.rglob("*") if path.is_file()))
    notes = (f"It needs everfit=={stamp.everfit} where it is loaded.",)
    return Exported(out, files, parity, notes)


class Pyfunc:
    """A packed version behind MLflow's ``predict``."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._has_ranges = _has_ranges(scorer)

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """A frame with the index of ``model_input``: see :func:`to_mlflow`."""
        import pandas as pd

        scorer = self._scorer
        rows = _rows(model_input)
        if len(rows) <= FEW:
            values = scorer.answers([scorer.read(row) for row in rows])
        else:
            values = scorer.table(scorer.as_table(rows))
        columns: dict[str, Any] = {"prediction": scorer.decide(values) if rows else []}
        columns |= {f"p_{label}": values[:, k] for k, label in enumerate(scorer.labels)}
        around = scorer.ranges(values) if rows else np.empty((0, 2))
        if self._has_ranges and around is not None:
            columns |= {"low": around[:, 0], "high": around[:, 1]}
        return pd.DataFrame(columns, index=model_input.index)


def _load_pyfunc(path: str) -> Pyfunc:
    """What MLflow calls: the packed version at ``path``, after its hashes were checked.

    Raises
    ------
    ArtefactRefused : a file is not what was packed
    """
    folder = Path(path)
    verify(folder, key=None, may_lack=REFERENCE)
    return Pyfunc(open_plan(folder))


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts of plain values, None where missing."""
    plain = frame.astype(object)
    records = plain.where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in records]


def _has_ranges(scorer: Scorer) -> bool:
    return scorer.ranges(np.ones((1, max(1, len(scorer.labels))))) is not None


def _answers(loaded: Any, rows: Rows, scorer: Scorer) -> Array:
    """What the model in MLflow's hands answers: (n, n_outputs)."""
    import pandas as pd

    found = loaded.predict(pd.DataFrame(list(rows)))
    wanted = [f"p_{label}" for label in scorer.labels] or ["prediction"]
    return np.asarray(found[wanted].to_numpy(dtype=np.float64))


def _signature(mlflow: Any, scorer: Scorer) -> Any:
    """The columns that are asked, all of which may be left out, and those of the answer."""
    from mlflow.types.schema import AnyType, ColSpec, Schema

    # a typed column would refuse what Everfit reads: whole numbers for a number, dates as text
    asked = [ColSpec(AnyType(), item.column.name, required=False) for item in scorer.asked]
    answer = [ColSpec(_label_type(scorer), "prediction")]
    if scorer.form == "probabilities":
        answer += [ColSpec("double", f"p_{label}") for label in scorer.labels]
    if _has_ranges(scorer):
        answer += [ColSpec("double", "low"), ColSpec("double", "high")]
    return mlflow.models.ModelSignature(inputs=Schema(asked), outputs=Schema(answer))


def _columns(scorer: Scorer) -> list[dict[str, Any]]:
    """What each column is, for people: the signature says only their names."""
    return [
        {"name": item.column.name, "kind": item.column.kind, "low": item.low, "high": item.high}
        for item in scorer.asked
    ]


def _label_type(scorer: Scorer) -> str:
    if scorer.form == "values":
        return "double"
    kind = type(scorer.decide(np.eye(1, len(scorer.labels)))[0])
    return {bool: "boolean", int: "long", float: "double"}.get(kind, "string")


@contextmanager
def settings(wanted: Mapping[str, str]) -> Iterator[None]:
    """Settings of MLflow, which reads them from the environment; put back afterwards."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _mlflow() -> Any:
    try:
        with settings(SETTINGS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow warns of its own types when it is imported
            import mlflow
            import mlflow.models
            import mlflow.pyfunc
    except ImportError as error:
        raise SettingsError(
            "MLflow is not installed here",
            got=str(error),
            expected="the package mlflow or mlflow-skinny",
            do="pip install 'everfit[mlflow]'",
        ) from error
    return mlflow
