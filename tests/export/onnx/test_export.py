from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="everfit[onnx] is not installed")
runtime = pytest.importorskip("onnxruntime", reason="everfit[onnx] is not installed")

from everfit.errors import Refused, UsageError  # noqa: E402
from everfit.export.onnx import engines, to_onnx  # noqa: E402
from everfit.export.onnx.export import answers  # noqa: E402
from everfit.export.packed import read_packed  # noqa: E402
from everfit.export.symmetric import Symmetric  # noqa: E402
from everfit.records import Array  # noqa: E402
from tests.encoders.mixed import mixed_rows  # noqa: E402
from tests.export.versions import EVERY, Made, changed, made, without  # noqa: E402

Rows = Sequence[Mapping[str, Any]]


@pytest.fixture(scope="module")
def graph(plain: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blend of every engine as ONNX."""
    out = tmp_path_factory.mktemp("onnx") / "m.onnx"
    to_onnx(plain.folder, out, version=plain.version, rows=plain.rows)
    return out


def session(path: Path) -> Any:
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def expected(version: Made, rows: Rows) -> Array:
    scorer = version.scorer
    given = [scorer.row(row) for row in rows]
    return np.array([answer.probabilities or [answer.value] for answer in given])


def asked(path: Path, version: Made, rows: Rows) -> Array:
    return answers(session(path), read_packed(version.folder), rows, np.float64)


def feed(version: Made, rows: Rows) -> dict[str, Any]:
    """Inputs as a user of the file gives them."""
    given: dict[str, Any] = {}
    for item in read_packed(version.folder).columns:
        values = [row.get(item.column.name) for row in rows]
        if item.column.kind in ("category", "ordered"):
            given[item.column.name] = np.array([[v or ""] for v in values], dtype=object)
        else:
            seconds = [v.timestamp() if isinstance(v, datetime) else v for v in values]
            given[item.column.name] = np.array(
                [[np.nan if v is None else float(v)] for v in seconds]
            )
    return given


@pytest.mark.parametrize("k", [1, 3])
def test_a_graph_of_every_engine_answers_as_the_version(k: int, tmp_path: Path) -> None:
    calibration = {"temperature": 0.8, "bias_1": 0.1} if k > 1 else {"scale": 1.2, "shift": -0.5}
    version = made(tmp_path / "v", EVERY, k=k, text=False, calibration=calibration)

    exported = to_onnx(
        version.folder, tmp_path / "m.onnx", version=version.version, rows=version.rows
    )

    assert exported.parity.rows == 240
    assert exported.parity.largest < 1e-12  # in double precision it is exact, not just near


def test_many_rows_and_one_row_are_answered_alike(plain: Made, graph: Path) -> None:
    rows = without(mixed_rows(300, seed=8), False)

    many = asked(graph, plain, rows)

    np.testing.assert_allclose(many, expected(plain, rows), rtol=1e-12)
    np.testing.assert_allclose(asked(graph, plain, rows[:1]), many[:1], rtol=1e-13)


def test_the_graph_gives_labels_probabilities_and_ranges(plain: Made, graph: Path) -> None:
    found = session(graph)
    names = [item.name for item in found.get_outputs()]

    outputs = dict(zip(names, found.run(None, feed(plain, plain.rows[:20])), strict=True))

    scorer = plain.scorer
    rows = [
        row | {"since": row["since"] and datetime.fromtimestamp(row["since"].timestamp())}
        for row in plain.rows[:20]
    ]
    given = [scorer.row(row) for row in rows]
    assert set(outputs) == {"probabilities", "label", "range"}
    assert outputs["label"].tolist() == [answer.value for answer in given]
    np.testing.assert_allclose(outputs["range"], [answer.range for answer in given], rtol=1e-12)


@pytest.mark.parametrize(
    ("label_type", "labels", "kind"),
    [("int", ["0", "1"], np.int64), ("bool", ["false", "true"], np.bool_),
     ("float", ["0.5", "1.5"], np.float64)],
)  # fmt: skip
def test_labels_come_back_in_their_own_type(
    tmp_path: Path, label_type: str, labels: list[str], kind: type[Any]
) -> None:
    version = made(tmp_path / "v", [("linear", {}), ("prior", {})], text=False)
    changed(version.folder, labels=labels, label_type=label_type)
    to_onnx(version.folder, tmp_path / "m.onnx", version=version.version, rows=version.rows)

    (found,) = session(tmp_path / "m.onnx").run(["label"], feed(version, version.rows))

    assert found.dtype == kind
    scorer = version.scorer
    assert found.tolist() == [scorer.row(row).value for row in version.rows]


def test_the_file_says_where_it_comes_from(plain: Made, graph: Path) -> None:
    model = onnx.load(graph)

    facts = {item.key: item.value for item in model.metadata_props}
    assert facts["everfit_model"] == "mixed-model"
    assert facts["everfit_version"] == "v3"
    assert facts["everfit_sha256"] == plain.version.sha256
    assert "log_loss 0.2" in model.doc_string
    assert model.producer_name == "everfit"


@pytest.mark.parametrize("year", [1, 1600, 1969, 1970, 2024, 2100, 9999])
def test_dates_of_all_centuries_have_the_parts_of_the_calendar(
    plain: Made, graph: Path, year: int
) -> None:
    days = [datetime(year, 1, 1) + timedelta(days=d, hours=d % 24) for d in range(0, 365, 13)]
    days += [datetime(year, 2, 28, 23, 59, 59, 999_000), datetime(year, 12, 31, 12)]
    rows = [plain.rows[0] | {"since": day} for day in days]

    np.testing.assert_allclose(asked(graph, plain, rows), expected(plain, rows), rtol=1e-12)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 1e308, -1e308, 0.0, None])
def test_numbers_at_the_ends_are_read_as_the_version_reads_them(
    plain: Made, graph: Path, value: float | None
) -> None:
    rows = [plain.rows[0] | {"size": value, "income": value, "rooms": value}]

    np.testing.assert_allclose(asked(graph, plain, rows), expected(plain, rows), rtol=1e-12)


def test_words_for_missing_and_new_categories_are_read_as_the_version_reads_them(
    plain: Made, graph: Path
) -> None:
    rows = [plain.rows[0] | {"town": word} for word in ("", "NA", "?", "never", "t1", "null")]

    np.testing.assert_allclose(asked(graph, plain, rows), expected(plain, rows), rtol=1e-12)


def test_text_is_refused_with_its_column(two: Made, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="text column 'note'") as caught:
        to_onnx(two.folder, tmp_path / "m.onnx", version=two.version, rows=two.rows)

    assert "--drop note" in caught.value.do
    assert list(tmp_path.iterdir()) == [tmp_path / "m.onnx"] or not list(tmp_path.iterdir())


def test_a_model_that_reads_no_column_is_refused(tmp_path: Path) -> None:
    version = made(tmp_path / "v", [("prior", {})])

    with pytest.raises(Refused, match="reads no column"):
        to_onnx(version.folder, tmp_path / "m.onnx", version=version.version, rows=version.rows)


LINES = [("linear", {}), ("neural", {"layers": (8,)})]


def test_double_precision_is_exact_where_float32_is_not(tmp_path: Path) -> None:
    # seconds since 1970 have ten digits, float32 has seven
    version = made(tmp_path / "v", LINES, text=False)
    how: dict[str, Any] = {"version": version.version, "rows": version.rows}

    double = to_onnx(version.folder, tmp_path / "double.onnx", **how)
    with pytest.raises(Refused, match="does not answer as the version does") as caught:
        to_onnx(version.folder, tmp_path / "single.onnx", single=True, **how)

    assert double.parity.largest < 1e-12
    assert "through column 'since'" in caught.value.got
    assert not (tmp_path / "single.onnx").exists()


def test_float32_passes_where_nothing_turns_on_the_last_digits(tmp_path: Path) -> None:
    rows = [{n: v for n, v in r.items() if n not in ("since", "note")} for r in mixed_rows(400)]
    version = made(tmp_path / "v", LINES, rows=rows)

    exported = to_onnx(
        version.folder, tmp_path / "m.onnx", version=version.version, rows=version.rows, single=True
    )

    assert 0.0 < exported.parity.largest < 1e-4
    assert session(tmp_path / "m.onnx").get_outputs()[0].type == "tensor(float)"


def test_columns_may_be_called_like_anything_in_the_graph(tmp_path: Path) -> None:
    strange = {"size": "label", "rooms": "probabilities", "income": "~v1", "plan": "range"}
    version = made(tmp_path / "v", [("boosted", {"n_rounds": 5}), ("linear", {})], text=False)
    for name in ("plan.json", "m0/features.json", "m1/features.json"):
        text = (version.folder / name).read_text()
        for old, new in strange.items():
            text = text.replace(json.dumps(old), json.dumps(new))
        (version.folder / name).write_text(text)
    rows = [{strange.get(n, n): v for n, v in row.items()} for row in version.rows]

    exported = to_onnx(version.folder, tmp_path / "m.onnx", version=version.version, rows=rows)

    names = [item.name for item in session(exported.path).get_outputs()]
    assert names == ["probabilities_", "label_"]


def member(version: Made) -> Symmetric:
    engine = read_packed(version.folder).parts[3].engine
    assert isinstance(engine, Symmetric)
    return engine


def test_statistics_of_many_tuples_are_looked_up_one_by_one(
    plain: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert any(item.categories for item in member(plain).combinations)
    monkeypatch.setattr(engines, "DENSE", 1)

    exported = to_onnx(
        plain.folder, tmp_path / "m.onnx", version=plain.version, rows=plain.rows
    )  # fmt: skip

    assert exported.parity.largest < 1e-12


def test_statistics_of_too_many_tuples_are_refused_with_the_member(
    plain: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "MOST_TUPLES", 10)

    with pytest.raises(Refused, match="m3: catboost cannot be exported to ONNX") as caught:
        to_onnx(plain.folder, tmp_path / "m.onnx", version=plain.version, rows=plain.rows)

    assert "--to c" in caught.value.do


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_what_is_not_installed_is_told_with_the_extra(
    plain: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(UsageError, match=f"needs {name}, and it is not installed") as caught:
        to_onnx(plain.folder, tmp_path / "m.onnx", version=plain.version, rows=plain.rows)

    assert caught.value.do == "pip install 'everfit[onnx]'"
    assert list(tmp_path.iterdir()) == []


def test_another_kind_of_export_does_not_load_onnx() -> None:
    script = (
        "import sys, everfit.export.c, everfit.export.python, everfit.faces.cli.exporting;"
        "print([m for m in ('onnx', 'onnxruntime', 'mlflow') if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )  # fmt: skip

    assert done.stdout.strip() == "[]"
