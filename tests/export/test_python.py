from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from everfit.errors import Refused
from everfit.export.alone import rows as reading
from everfit.export.alone.model import Model
from everfit.export.contract import stamp_of
from everfit.export.packed import read_packed
from everfit.export.python import data, source, to_python
from everfit.records import Column
from everfit.serve import row as serving
from everfit.serve.row import Asked, RowReader
from tests.encoders.mixed import as_table, mixed_rows
from tests.export.versions import Made, changed, made

# a process that finds numpy and the file, and nothing else that was installed
BARE = """\
import sys, json
sys.path[:] = [p for p in sys.path if "site-packages" not in p] + [{folder!r}]
import churn
rows = json.load(sys.stdin)
answers = churn.predict_many(rows)
assert churn.predict(rows[0])["prediction"] == answers[0]["prediction"]
heavy = [m for m in sys.modules if m.split(".")[0] in ("everfit", "polars", "lightgbm", "sklearn")]
json.dump({{"answers": answers, "heavy": heavy, "about": churn.ABOUT}}, sys.stdout)
"""


def expected(version: Made, rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    scorer = version.scorer
    given = [scorer.row(row) for row in rows]
    return np.array([answer.probabilities or [answer.value] for answer in given])


def model_of(version: Made) -> Model:
    return Model(data(read_packed(version.folder)))


def test_a_file_of_every_engine_answers_as_the_version(version: Made, tmp_path: Path) -> None:
    out = tmp_path / "churn.py"

    exported = to_python(version.folder, out, version=version.version, rows=version.rows)

    assert exported.path == out
    assert exported.files == (out,)
    assert exported.parity.rows == 240
    assert exported.parity.largest < 1e-11


@pytest.mark.parametrize("line", ["{bad", "[1]", "null"])
def test_a_line_that_is_no_row_is_named_and_nothing_is_answered(
    two: Made, tmp_path: Path, line: str
) -> None:
    out = tmp_path / "churn.py"
    to_python(two.folder, out, version=two.version, rows=two.rows)

    done = subprocess.run(
        [sys.executable, str(out)], input="{}\n\n" + line, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("line 3 is not ")


def test_it_runs_where_nothing_but_numpy_is_installed(two: Made, tmp_path: Path) -> None:
    to_python(two.folder, tmp_path / "churn.py", version=two.version, rows=two.rows)
    numpy_folder = Path(np.__file__).parent
    for path in (numpy_folder, numpy_folder.parent / "numpy.libs"):
        if path.exists():
            (tmp_path / path.name).symlink_to(path)
    rows = [{k: v.isoformat() if isinstance(v, datetime) else v for k, v in r.items()}
            for r in two.rows]  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BARE.format(folder=str(tmp_path))],
        input=json.dumps(rows), capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["heavy"] == []
    assert told["about"]["sha256"] == two.version.sha256
    for row, answer in zip(two.rows, told["answers"], strict=True):
        own = two.scorer.row(row)
        assert answer["prediction"] == own.value
        assert list(answer["probabilities"].values()) == pytest.approx(own.probabilities)
        assert answer["range"] == pytest.approx(own.range)


def test_json_lines_in_are_json_lines_out(two: Made, tmp_path: Path) -> None:
    out = tmp_path / "churn.py"
    out.write_text(source(read_packed(two.folder), stamp_of(two.version)))
    rows = [{"size": 1.0, "plan": "pro"}, {}]

    done = subprocess.run(
        [sys.executable, str(out)],
        input="\n".join(map(json.dumps, rows)), capture_output=True, text=True, check=True,
    )  # fmt: skip

    answers = [json.loads(line) for line in done.stdout.splitlines()]
    found = [list(answer["probabilities"].values()) for answer in answers]
    np.testing.assert_allclose(found, expected(two, rows), rtol=1e-13)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"size": "1.5", "rooms": " 3 ", "income": "n/a"},
        {"size": True, "rooms": 10**400, "income": float("inf")},
        {"size": [1], "plan": ["pro"], "paid": [1], "since": 5, "note": 7},
        {"plan": " pro ", "town": 7, "grade": "MID"},
        {"paid": "YES"},
        {"paid": "no"},
        {"paid": 1},
        {"paid": 2},
        {"paid": "maybe"},
        {"paid": ""},
        {"since": "2022-02-29"},
        {"since": "2024-02-29T23:59:59.999999"},
        {"since": date(1969, 12, 31)},
        {"since": datetime(2022, 1, 1, tzinfo=timezone(timedelta(hours=5)))},
        {"since": "2022-01-01T00:00:00Z"},
        {"since": np.datetime64("2022-01-01T05:00:00")},
        {"town": float("nan"), "plan": None, "note": None, "since": float("nan")},
        {"note": "  free PRIZE, free call!  ", "unknown": 1},
        {"note": "NA", "town": "NA"},
        {"note": "free " * 2_000},
    ],
    ids=str,
)
def test_odd_values_are_read_as_the_version_reads_them(two: Made, row: dict[str, Any]) -> None:
    np.testing.assert_allclose(model_of(two).scores([row]), expected(two, [row]), rtol=1e-13)


def test_rows_beyond_one_chunk_are_answered_in_order(two: Made) -> None:
    rows = mixed_rows(1_100, seed=9)

    np.testing.assert_allclose(
        model_of(two).scores(iter(rows)), two.scorer.table(as_table(rows)), rtol=1e-12
    )


def test_no_rows_have_no_answers(two: Made) -> None:
    assert model_of(two).answers([]) == []
    assert model_of(two).scores([]).shape == (0, 2)


@pytest.mark.parametrize(
    ("label_type", "labels", "typed"),
    [("int", ["0", "1"], {0, 1}), ("bool", ["false", "true"], {False, True}),
     ("float", ["0.5", "1.5"], {0.5, 1.5})],
)  # fmt: skip
def test_labels_come_back_in_their_own_type(
    tmp_path: Path, label_type: str, labels: list[str], typed: set[Any]
) -> None:
    version = made(tmp_path, [("linear", {})])
    changed(tmp_path, labels=labels, label_type=label_type)

    found = {answer["prediction"] for answer in model_of(version).answers(version.rows)}

    assert found == typed
    assert {type(value) for value in found} == {type(value) for value in typed}


def test_a_number_has_no_probabilities(values: Made) -> None:
    (answer,) = model_of(values).answers(values.rows[:1])

    assert set(answer) == {"prediction", "range"}
    assert answer["range"] == pytest.approx(values.scorer.row(values.rows[0]).range)


def test_the_same_version_gives_the_same_file(two: Made) -> None:
    texts = [source(read_packed(two.folder), stamp_of(two.version)) for _ in range(2)]

    assert texts[0] == texts[1]


def test_the_head_says_where_it_comes_from(two: Made) -> None:
    problem = replace(two.version.problem, target='a "quoted"\n""" name \\')
    stamp = stamp_of(replace(two.version, problem=problem))

    text = source(read_packed(two.folder), stamp)

    head = text.split("\n\n")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    for word in ("mixed-model v3", "2026-11-01", two.version.sha256, "log_loss 0.2"):
        assert word in head
    module = ModuleType("exported")
    exec(compile(text, "exported", "exec"), module.__dict__)
    assert module.ABOUT["target"] == problem.target


def test_a_file_that_does_not_run_is_refused(
    two: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everfit.export.python.HEAD", "import nothing_of_that_name\n")

    with pytest.raises(Refused, match="does not run") as caught:
        to_python(two.folder, tmp_path / "a.py", version=two.version, rows=two.rows)

    assert "nothing_of_that_name" in caught.value.got
    assert list(tmp_path.iterdir()) == []


def test_words_for_missing_are_those_of_the_server() -> None:
    assert reading.MISSING == serving.MISSING_WORDS
    assert (reading.NO, reading.YES) == (serving.FALSE_WORDS, serving.TRUE_WORDS)


@pytest.mark.parametrize("mark", ["-1", "-1.0", "none"])
def test_marks_of_missing_count_in_numbers_and_words(mark: str) -> None:
    columns = [Column("n", "number", missing_marks=(mark,)),
               Column("c", "category", missing_marks=(mark,))]  # fmt: skip
    own = RowReader([Asked(column) for column in columns], {"c": frozenset({"x", "-1"})})

    for value in (-1, "-1", " -1 ", "none", "x", -1.0, datetime(2020, 1, 1, tzinfo=UTC)):
        found = [
            reading.Column({"name": c.name, "kind": c.kind, "default": None, "levels": (),
                            "marks": c.missing_marks, "known": ["x", "-1"]}).read([{c.name: value}])
            for c in columns
        ]  # fmt: skip
        row, _ = own({"n": value, "c": value})
        assert str(found[0][0]) == str(row[0])
        assert found[1][0] == row[1]
