from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.errors import Refused, UsageError
from everfit.export.c import to_c
from everfit.export.c.call import Library
from everfit.export.c.export import build, write
from everfit.export.c.source import names_of
from everfit.export.contract import stamp_of
from everfit.export.packed import read_packed
from everfit.records import Array, Column
from tests.encoders.mixed import mixed_rows
from tests.export.versions import Made, changed, made

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler is here")
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion"]
CHECKED = ["-g", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
NAME = "everfit_mixed_model"

# one row a line: fields divided by tabs, an empty one is missing; prints the answers in full
PROGRAM = """
#include "NAME.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *next(char **line)
{
    char *field = *line, *end = strchr(field, '\\t');
    if (end) { *end = 0; *line = end + 1; }
    return *field ? field : NULL;
}

static double real(char *text) { return text ? strtod(text, NULL) : strtod("nan", NULL); }

int main(void)
{
    static char line[100000];
    while (fgets(line, sizeof line, stdin)) {
        struct NAME_row row;
        double out[NAME_N], low, high;
        char *at = line;
        int i;
        line[strcspn(line, "\\n")] = 0;
        NAME_row_init(&row);
FIELDS
        if (NAME_predict(&row, out) != 0 || NAME_range(out, &low, &high) != 0) return 1;
        for (i = 0; i < NAME_N; i++) printf("%.17g ", out[i]);
        printf("%.17g %.17g\\n", low, high);
    }
    return strcmp(NAME_outputs[0], "FIRST") != 0 || !strstr(NAME_about, "mixed-model");
}
"""


@pytest.fixture(scope="module")
def exported(two: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C source of a blend of every engine."""
    out = tmp_path_factory.mktemp("c") / "mixed"
    to_c(two.folder, out, version=two.version, rows=two.rows)
    return out


def program(version: Made, folder: Path) -> Path:
    """The C program that calls the export, beside it."""
    packed = read_packed(version.folder)
    fields = []
    for item, name in zip(
        packed.columns, names_of(packed, stamp_of(version.version)).fields, strict=True
    ):
        number = item.column.kind in ("number", "boolean", "date")
        fields.append(f"        row.{name} = {'real(next(&at))' if number else 'next(&at)'};")
    text = PROGRAM.replace("NAME_N", f"{NAME.upper()}_N_OUTPUTS").replace("NAME", NAME)
    first = (packed.labels or ("bought",))[0]
    path = folder / "app.c"
    path.write_text(text.replace("FIELDS", "\n".join(fields)).replace("FIRST", first))
    return path


def as_lines(version: Made, rows: Sequence[Mapping[str, Any]]) -> str:
    names = [item.column.name for item in read_packed(version.folder).columns]
    return "\n".join("\t".join(_field(row[name]) for name in names) for row in rows)


def _field(value: Any) -> str:
    from everfit.serve.row import seconds_of

    if value is None:
        return ""
    if hasattr(value, "year"):
        return repr(seconds_of(value))
    return str(int(value)) if isinstance(value, bool) else str(value)


def run(command: list[Any], text: str = "", **how: Any) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, **how)
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


def numbers(text: str) -> Array:
    return np.array([line.split() for line in text.splitlines()], dtype=float)


def expected(version: Made, rows: Sequence[Mapping[str, Any]]) -> Array:
    scorer = version.scorer
    given = [scorer.row(row) for row in rows]
    return np.array([[*(a.probabilities or [a.value]), *a.range] for a in given])  # type: ignore[misc]


def library(version: Made, folder: Path) -> Library:
    packed = read_packed(version.folder)
    stamp = stamp_of(version.version)
    names = names_of(packed, stamp)
    write(folder / "source", packed, stamp, names)
    path = build(folder / "source" / f"{names.prefix}.c", folder / "model.so", ["cc"])
    return Library(path, packed, names)


def test_a_source_of_every_engine_answers_as_the_version(version: Made, tmp_path: Path) -> None:
    exported = to_c(version.folder, tmp_path / "c", version=version.version, rows=version.rows)

    assert exported.parity.rows == 240
    assert exported.parity.largest < 1e-11
    assert {path.name for path in exported.files} == {
        f"{NAME}.c", f"{NAME}.h", "Makefile", "README.md"
    }  # fmt: skip
    assert all(path.is_file() for path in exported.files)


def test_a_c_program_calls_both_libraries(two: Made, exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    shutil.copytree(exported, folder)
    app, rows = program(two, folder), mixed_rows(300, seed=7)
    run(["make", "-C", folder])
    run(["cc", *STRICT, app, folder / f"lib{NAME}.a", "-lm", "-o", folder / "static"])
    run(["cc", *STRICT, app, "-L", folder, f"-l{NAME}", "-lm", "-o", folder / "dynamic"])

    answers = [
        numbers(run([folder / name], as_lines(two, rows), env={"LD_LIBRARY_PATH": str(folder)}))
        for name in ("static", "dynamic")
    ]

    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_allclose(answers[0], expected(two, rows), rtol=1e-12)


def sanitised(version: Made, folder: Path) -> Path:
    """The C program with the source, under all warnings and sanitisers."""
    packed, stamp = read_packed(version.folder), stamp_of(version.version)
    write(folder / "c", packed, stamp, names_of(packed, stamp))
    source = [folder / "c" / f"{NAME}.c", program(version, folder / "c")]
    run(["cc", *STRICT, *CHECKED, *source, "-lm", "-o", folder / "app"])
    return folder / "app"


@pytest.fixture(scope="module")
def checked(two: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sanitised(two, tmp_path_factory.mktemp("checked"))


@pytest.mark.parametrize("form", ["two", "values"])
def test_the_source_is_clean_under_all_warnings_and_sanitisers(
    form: str, request: pytest.FixtureRequest, checked: Path, tmp_path: Path
) -> None:
    version: Made = request.getfixturevalue(form)
    app = checked if form == "two" else sanitised(version, tmp_path)
    rows = mixed_rows(60, seed=3)
    rows[0] |= {"note": "ΑΣ Ünïcode " + "word " * 3_000, "town": " t1 ", "plan": "never"}
    rows[1] |= {"size": 1e308, "income": -1e308, "rooms": 0.0, "note": " NA "}

    found = numbers(run([app], as_lines(version, rows)))

    np.testing.assert_allclose(found, expected(version, rows), rtol=1e-11)


def test_bytes_that_are_no_text_do_no_harm(two: Made, checked: Path) -> None:
    packed = read_packed(two.folder)
    text_at = [item.column.name for item in packed.columns].index("note")
    rng = np.random.default_rng(0)
    lines = []
    for n in (1, 2, 3, 50, 9_000):
        noise = bytes(rng.integers(1, 256, n).tolist()).translate(None, b"\t\n\0")
        fields = [b""] * len(packed.columns)
        fields[text_at] = noise + b"\xe2\x80"
        lines.append(b"\t".join(fields))

    done = subprocess.run([checked], input=b"\n".join(lines), capture_output=True)

    assert done.returncode == 0, done.stderr[-2_000:]
    assert np.isfinite(numbers(done.stdout.decode())).all()


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler is here")
def test_the_header_is_read_by_cpp(exported: Path, tmp_path: Path) -> None:
    app = tmp_path / "app.cpp"
    app.write_text(f'#include "{NAME}.h"\nint main() {{ {NAME}_row row; {NAME}_row_init(&row);'
                   f" double out[2]; return {NAME}_predict(&row, out); }}\n")  # fmt: skip
    run(["cc", "-c", exported / f"{NAME}.c", "-o", tmp_path / "m.o"])

    run(["c++", "-Wall", "-Werror", "-I", exported, app, tmp_path / "m.o", "-o", tmp_path / "app"])

    run([tmp_path / "app"])


@pytest.mark.parametrize(
    "row",
    [
        {"plan": " pro "}, {"plan": " pro\u3000"}, {"plan": "NA"}, {"plan": ""}, {"town": "?"},
        {"grade": "mid"}, {"paid": 2.0}, {"size": float("inf")}, {"size": float("-inf")},
        {"note": "Σ ΑΣ ΑΣ. ΣΑ Α\u0345Σ"}, {"note": "İstanbul FREE_prize ٣٤ x"}, {"note": "\u2028 "},
        {"note": "free\u00a0prize call now meet lunch home later win ok prize prize"},
        {"since": None},
    ],
    ids=repr,
)  # fmt: skip
def test_odd_values_are_read_as_the_version_reads_them(
    two: Made, odd: Library, row: dict[str, Any]
) -> None:
    full = two.rows[0] | row

    np.testing.assert_allclose(odd([full]), expected(two, [full])[:, :2], rtol=1e-13)


@pytest.fixture(scope="module")
def odd(two: Made, tmp_path_factory: pytest.TempPathFactory) -> Library:
    return library(two, tmp_path_factory.mktemp("odd"))


@pytest.mark.parametrize("year", [1, 1600, 1969, 1970, 2000, 2024, 2100, 9999])
def test_dates_of_all_centuries_have_the_parts_of_the_calendar(
    two: Made, odd: Library, year: int
) -> None:
    from datetime import datetime, timedelta

    days = [datetime(year, 1, 1) + timedelta(days=d, hours=d % 24) for d in range(0, 365, 13)]
    days += [datetime(year, 2, 28, 23, 59, 59, 999_000), datetime(year, 12, 31, 12)]
    rows = [two.rows[0] | {"since": day} for day in days]

    np.testing.assert_allclose(odd(rows), expected(two, rows)[:, :2], rtol=1e-13)


def test_what_is_not_given_takes_its_default(two: Made, odd: Library) -> None:
    row = odd._row()
    start = getattr(odd._library, f"{NAME}_row_init")
    start(ctypes.byref(row))
    out = (ctypes.c_double * 2)()

    code = getattr(odd._library, f"{NAME}_predict")(ctypes.byref(row), out)

    assert code == 0
    assert row.plan == b"pro"
    assert out[:] == pytest.approx(two.scorer.row({}).probabilities, rel=1e-13)


def test_a_pointer_that_is_null_is_told(odd: Library) -> None:
    predict = getattr(odd._library, f"{NAME}_predict")
    out = (ctypes.c_double * 2)()

    assert predict(None, out) == -1
    assert predict(ctypes.byref(odd._row()), None) == -1
    assert getattr(odd._library, f"{NAME}_range")(None, out, out) == -1


def test_names_that_are_none_in_c_are_changed_and_told(tmp_path: Path) -> None:
    strange = {
        "size": "größe (m²) */",
        "rooms": "class",
        "income": "Class ",
        "plan": '7 "plans"??/',
    }
    version = made(tmp_path / "v", [("boosted", {"n_rounds": 5}), ("linear", {})], text=False)
    for name in ("plan.json", "m0/features.json", "m1/features.json"):
        text = (version.folder / name).read_text()
        for old, new in strange.items():
            text = text.replace(json.dumps(old), json.dumps(new))
        (version.folder / name).write_text(text)
    rows = [{strange.get(n, n): v for n, v in row.items()} for row in version.rows]
    model = replace(version.version, model="Größe */ 1")

    exported = to_c(version.folder, tmp_path / "c", version=model, rows=rows)

    header = next(path for path in exported.files if path.suffix == ".h")
    text = header.read_text()
    assert "double class_; /* class: number" in text
    assert "gr_e_m; /* größe (m²) * /: number" in text
    assert "x7_plans; /*" in text
    run(["cc", *STRICT, "-c", header.with_suffix(".c"), "-o", tmp_path / "m.o"])


def test_a_version_that_reads_no_column_is_a_source_too(tmp_path: Path) -> None:
    version = made(tmp_path / "v", [("prior", {})])

    exported = to_c(version.folder, tmp_path / "c", version=version.version, rows=version.rows)

    run(["cc", *STRICT, "-c", exported.files[0], "-o", tmp_path / "m.o"])
    assert exported.parity.largest == 0.0


def test_marks_of_missing_numbers_count(tmp_path: Path) -> None:
    version = made(tmp_path / "v", [("boosted", {"n_rounds": 5})], text=False)
    plan = json.loads((version.folder / "plan.json").read_text())
    for column in plan["columns"]:
        if column["name"] == "rooms":
            column["missing_marks"] = ["-1", "none"]
    changed(version.folder, columns=plan["columns"])
    rows = [row | {"rooms": -1.0} for row in version.rows]

    found = library(version, tmp_path)(rows)

    gone = version.scorer.row(version.rows[0] | {"rooms": None}).probabilities
    assert found[0] == pytest.approx(gone, rel=1e-13)


def test_a_category_with_a_zero_byte_is_refused(tmp_path: Path) -> None:
    rows = mixed_rows(100)
    for row in rows[::2]:
        row["town"] = "a\0b"
    version = made(tmp_path / "v", [("boosted", {"n_rounds": 3})], rows=rows)

    with pytest.raises(Refused, match=r"column 'town'") as caught:
        to_c(version.folder, tmp_path / "c", version=version.version, rows=version.rows)

    assert "--to python" in caught.value.do


@pytest.mark.parametrize("named", ["no-such-compiler", ""])
def test_without_a_compiler_nothing_is_exported(
    two: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("CC", named)
    monkeypatch.setattr("everfit.export.c.export.COMPILERS", ("no-such-compiler",))

    with pytest.raises(UsageError, match="no C compiler") as caught:
        to_c(two.folder, tmp_path / "c", version=two.version, rows=two.rows)

    assert "install gcc" in caught.value.do
    assert list(tmp_path.iterdir()) == []


def test_a_compiler_that_refuses_the_source_is_told(
    two: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "cc -Dstruct=oops")

    with pytest.raises(Refused, match="cannot be compiled here") as caught:
        to_c(two.folder, tmp_path / "c", version=two.version, rows=two.rows)

    assert "error" in caught.value.got
    assert list(tmp_path.iterdir()) == []


def test_a_column_is_read_by_its_kind() -> None:
    # what a struct holds for each kind stands in the docs: a new kind must be thought about here
    from typing import get_args

    from everfit.export.c.columns import HINTS, NAMED
    from everfit.records import Kind

    assert set(HINTS) | set(NAMED) | {"identifier", "constant"} == set(get_args(Kind))
    assert Column("a", "number").kind in HINTS
