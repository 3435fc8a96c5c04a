"""Reading: messy files, bad files, and what is inferred of real ones."""

from __future__ import annotations

import bz2
import codecs
import csv
import datetime as dt
import gzip
import io
import math
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everfit.data.read import read
from everfit.data.table import Table
from everfit.errors import (
    ColumnMissing,
    DataError,
    EverfitError,
    SourceMissing,
    SourceUnreadable,
    TooFewRows,
    TooManyColumns,
    UsageError,
)

SHARED = Path(os.environ.get("EVERFIT_SHARED", Path(__file__).resolve().parents[2] / "../shared"))


def put(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def real(name: str) -> Path:
    path = SHARED / "data" / name
    if not path.exists():
        pytest.skip(f"the shared data set {name} is not here")
    return path


def kinds(table: Table) -> dict[str, str]:
    return {column.name: column.kind for column in table.columns}


def rows(table: Table) -> list[tuple[object, ...]]:
    return table.frame.rows()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_each_separator_is_recognised(tmp_path: Path, separator: str) -> None:
    text = "\n".join(
        separator.join(r) for r in [("a", "b", "c"), ("1", "x", "2.5"), ("2", "y", "3")]
    )

    table = read(put(tmp_path, text))

    assert rows(table) == [(1, "x", 2.5), (2, "y", 3.0)]


def test_decimal_commas_go_with_semicolons(tmp_path: Path) -> None:
    table = read(put(tmp_path, "a;b\n1,5;1.234,5\n2,125;3\n"))

    assert rows(table) == [(1.5, 1234.5), (2.125, 3.0)]


def test_thousands_commas_are_read_in_quotes(tmp_path: Path) -> None:
    table = read(put(tmp_path, 'a,b\n"1,234",$5\n"12,345,678",$1.50\n'))

    assert rows(table) == [(1234, 5.0), (12345678, 1.5)]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_each_line_ending_is_read(tmp_path: Path, ending: str) -> None:
    table = read(put(tmp_path, ending.join(["a,b", "1,x", "2,y"]) + ending))

    assert rows(table) == [(1, "x"), (2, "y")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_each_encoding_is_recognised(tmp_path: Path, encoding: str) -> None:
    table = read(put(tmp_path, "größe,ort\n1,Zürich\n2,Orléans\n".encode(encoding)))

    assert table.frame.to_dict(as_series=False) == {"größe": [1, 2], "ort": ["Zürich", "Orléans"]}


def test_a_few_bad_bytes_do_not_spoil_utf8(tmp_path: Path) -> None:
    good = "".join(f"{i},Zürich\n" for i in range(200)).encode()

    table = read(put(tmp_path, b"a,b\n" + good + b"7,Z\xffrich\n"))

    assert table.frame["b"][0] == "Zürich"
    assert table.frame["b"][-1] == "Z\ufffdrich"
    assert "1 bytes are not valid UTF-8 and were replaced by U+FFFD" in table.source.notes


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files_are_read(tmp_path: Path, pack: object) -> None:
    table = read(put(tmp_path, pack(b"a,b\n1,x\n2,y\n"), "t.csv.gz"))  # type: ignore[operator]

    assert rows(table) == [(1, "x"), (2, "y")]


def test_a_zip_with_one_file_is_read_and_one_with_two_is_not(tmp_path: Path) -> None:
    for n in (1, 2):
        with zipfile.ZipFile(tmp_path / f"{n}.zip", "w") as archive:
            for place in range(n):
                archive.writestr(f"{place}.csv", "a,b\n1,x\n2,y\n")

    assert rows(read(tmp_path / "1.zip")) == [(1, "x"), (2, "y")]
    with pytest.raises(SourceUnreadable, match="a zip with 2 files"):
        read(tmp_path / "2.zip")


def test_a_damaged_gzip_is_named_as_such(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n" + os.urandom(5000).hex().encode())

    with pytest.raises(SourceUnreadable, match="cannot be unpacked"):
        read(put(tmp_path, packed[:-500], "t.csv.gz"))


def test_a_file_without_header_gets_numbered_names_or_those_given(tmp_path: Path) -> None:
    path = put(tmp_path, "39, State-gov, <=50K\n50, Private, >50K\n38, Private, <=50K\n")

    numbered = read(path)
    named = read(path, header=["age", "work", "income"])

    assert numbered.frame.columns == ["column_1", "column_2", "column_3"]
    assert "no header row" in numbered.source.notes[0]
    assert rows(named)[0] == (39, "State-gov", "<=50K")


def test_a_header_over_text_alone_is_told_from_data(tmp_path: Path) -> None:
    body = "".join(f"{a},{b}\n" for a in ("low", "high") for b in ("red", "blue")) * 5

    assert read(put(tmp_path, "price,colour\n" + body)).frame.columns == ["price", "colour"]
    assert read(put(tmp_path, body)).frame.columns == ["column_1", "column_2"]


def test_doubled_and_empty_names_are_made_unique(tmp_path: Path) -> None:
    table = read(put(tmp_path, "a,a,,a_2\n1,2,3,4\n5,6,7,8\n"))

    assert table.frame.columns == ["a", "a_3", "column_3", "a_2"]


def test_a_cut_off_last_line_is_left_out_and_noted(tmp_path: Path) -> None:
    table = read(put(tmp_path, "a,b,c\n1,2,3\n4,5,6\n7,8"))

    assert rows(table) == [(1, 2, 3), (4, 5, 6)]
    assert any("cut off (2 of 3 cells" in note for note in table.source.notes)


def test_short_rows_are_filled_and_long_rows_left_out_with_counts(tmp_path: Path) -> None:
    table = read(put(tmp_path, "a,b,c\n1,2,3\n4,5\n6,7,8,9\n1,1,1\n"))

    assert rows(table) == [(1, 2, 3), (4, 5, None), (1, 1, 1)]
    assert any("1 rows with fewer than 3" in note for note in table.source.notes)
    assert any("1 rows with more than 3" in note for note in table.source.notes)


def test_empty_lines_and_blanks_after_the_separator_do_not_matter(tmp_path: Path) -> None:
    table = read(put(tmp_path, 'a, b\n1, "x, y"\n\n2, z\n\n'))

    assert rows(table) == [(1, "x, y"), (2, "z")]


def test_an_open_quote_is_a_letter_and_swallows_no_rows(tmp_path: Path) -> None:
    body = "".join(f'{i},"word, {i}"\n' for i in range(30))

    table = read(put(tmp_path, "a,b\n" + body + '30,"open\n' + "31,after\n"))

    assert table.n_rows == 32
    assert table.frame["b"].to_list()[-2:] == ['"open', "after"]


def test_line_breaks_inside_quotes_stay_in_their_cell(tmp_path: Path) -> None:
    table = read(put(tmp_path, 'a,b\n1,"two\nlines"\n2,"one ""line"""\n'))

    assert rows(table) == [(1, "two\nlines"), (2, 'one "line"')]


def test_title_lines_above_the_table_are_skipped(tmp_path: Path) -> None:
    table = read(put(tmp_path, "Sales report\n\nplan,age,n\nx,2,1\ny,4,2\n"))

    assert table.frame.columns == ["plan", "age", "n"]


def test_marks_count_as_missing_and_are_recorded(tmp_path: Path) -> None:
    table = read(put(tmp_path, "n,t,u\n1,x,none\n?,NA,a\n3,y,b\nnone,?,none\n -,null,a\n"))

    assert rows(table) == [
        (1, "x", "none"),
        (None, None, "a"),
        (3, "y", "b"),
        (None, None, "none"),
        (None, None, "a"),
    ]
    assert table.column("n").missing_marks == ("-", "?", "none")
    assert table.column("t").missing_marks == ("?", "NA", "null")
    assert table.column("u").missing_marks == ()


def test_na_is_a_value_among_codes_of_countries(tmp_path: Path) -> None:
    table = read({"country": ["DE", "FR", "GB", "NA", "ZA", "NA"] * 3})

    assert table.column("country").n_missing == 0
    assert table.frame["country"][3] == "NA"


def test_numbers_that_stand_for_missing_are_left_to_the_assessment(tmp_path: Path) -> None:
    table = read(put(tmp_path, "income,x\n99999999,1\n120,2\n130,1\n"))

    assert table.frame["income"].to_list() == [99999999, 120, 130]


def test_a_word_far_down_the_file_changes_the_whole_column(tmp_path: Path) -> None:
    lines = [f"{i % 97},{i % 11}" for i in range(200_000)]
    lines[150_000:150_000] = [f"A{i},5" for i in range(3_000)]

    table = read(put(tmp_path, "code,n\n" + "\n".join(lines) + "\n"))

    assert kinds(table) == {"code": "category", "n": "number"}
    assert table.frame["code"][0] == "0"
    assert table.frame["code"][150_000] == "A0"
    assert table.n_rows == 203_000


def test_a_fraction_far_down_the_file_keeps_whole_numbers_exact(tmp_path: Path) -> None:
    lines = [str(i) for i in range(300_000)] + ["0.5"]

    table = read(put(tmp_path, "x,y\n" + "\n".join(f"{v},{v}" for v in lines) + "\n"))

    assert table.frame["x"].dtype == pl.Float64
    assert table.frame["x"][299_999] == 299_999.0


def test_day_and_month_are_told_apart_by_the_whole_column(tmp_path: Path) -> None:
    days = ["01/02/2020"] * 150_000 + ["25/02/2020"]

    table = read(put(tmp_path, "d,x\n" + "\n".join(f"{d},1.5" for d in days) + "\n"))

    assert table.frame["d"][0] == dt.datetime(2020, 2, 1)
    assert table.frame["d"][-1] == dt.datetime(2020, 2, 25)


def test_codes_with_leading_zeros_stay_words(tmp_path: Path) -> None:
    table = read(put(tmp_path, "zip,x\n02134,1\n10001,2\n02134,3\n"))

    assert table.frame["zip"].to_list() == ["02134", "10001", "02134"]


def test_rows_keep_the_order_of_the_file(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(400_000)

    table = read(put(tmp_path, "x,y\n" + "\n".join(f"{v},{v}" for v in order) + "\n"))

    assert (table.frame["x"].to_numpy() == order).all()


def test_infinite_values_are_kept_for_the_assessment(tmp_path: Path) -> None:
    table = read(put(tmp_path, "x,y\n1.5,1\ninf,2\n-inf,3\n"))

    assert table.frame["x"].to_list() == [1.5, math.inf, -math.inf]


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        (b"", SourceUnreadable, "is empty"),
        (b"\n \n\n", SourceUnreadable, "is empty"),
        (b"a,b\n", TooFewRows, "has no rows"),
        (bytes(range(256)) * 40, SourceUnreadable, "is a binary file"),
        (b"PAR1" + b"\0" * 50, SourceUnreadable, "is not a text file"),
        (b"\x89PNG\r\n\x1a\n", SourceUnreadable, "is not a text file"),
        (",".join(f"c{i}" for i in range(10_000)).encode(), TooManyColumns, "more columns"),
    ],
)
def test_a_bad_file_gives_its_error_with_all_four_parts(
    tmp_path: Path, content: bytes, error: type[EverfitError], match: str
) -> None:
    with pytest.raises(error, match=match) as caught:
        read(put(tmp_path, content))

    assert all([caught.value.what, caught.value.got, caught.value.expected, caught.value.do])


def test_a_missing_file_offers_near_names(tmp_path: Path) -> None:
    put(tmp_path, "a\n1\n", "customers.csv")

    with pytest.raises(SourceMissing, match=r"did you mean 'customers\.csv'"):
        read(tmp_path / "custmers.csv")


def test_a_folder_and_an_unknown_object_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="is a folder"):
        read(tmp_path)
    with pytest.raises(UsageError, match="cannot be read as a table"):
        read(42)
    with pytest.raises(UsageError, match="a query needs a database"):
        read(put(tmp_path, "a\n1\n"), query="select 1")


def test_files_of_a_pattern_are_joined_in_order_of_name(tmp_path: Path) -> None:
    put(tmp_path, "a,b\n3,z\n4,w\n", "p2.csv")
    put(tmp_path, "a,b\n1,x\n2,y\n", "p1.csv")

    table = read(str(tmp_path / "p*.csv"))

    assert table.frame["a"].to_list() == [1, 2, 3, 4]
    assert table.source.notes[0] == "2 files"


def test_overrides_win_and_are_checked(tmp_path: Path) -> None:
    path = put(tmp_path, "zip,plan,y\n1,a,0\n2,b,1\n3,a,1\n")

    table = read(path, kinds={"zip": "category"}, roles={"y": "target", "plan": "ignore"})

    assert table.frame["zip"].to_list() == ["1", "2", "3"]
    assert table.column("plan").role == "ignore"
    assert table.column("y").role == "target"
    with pytest.raises(ColumnMissing, match="did you mean 'plan'"):
        read(path, roles={"plam": "target"})
    with pytest.raises(DataError, match="'plan' cannot be of kind number"):
        read(path, kinds={"plan": "number"})


def test_a_target_of_two_words_stays_a_category() -> None:
    data = {"y": ["yes", "no"] * 20, "x": ["yes", "no"] * 20}

    table = read(data, roles={"y": "target"})

    assert kinds(table) == {"y": "category", "x": "boolean"}
    assert table.column("x").levels == ("no", "yes")


def test_reading_like_gives_the_same_columns_and_marks_what_does_not_fit(tmp_path: Path) -> None:
    like = read(put(tmp_path, "age,plan,on\n41,a,yes\n36,b,no\n"), roles={"on": "feature"}).columns

    table = read(put(tmp_path, "on,age\nyes,old\nno,3\n"), like=like)

    assert table.frame.columns == ["age", "plan", "on"]
    assert rows(table) == [(None, None, True), (3.0, None, False)]
    assert any("'age': 1 of 2" in note for note in table.source.notes)
    assert any("'plan' is not there" in note for note in table.source.notes)


def test_frames_of_all_kinds_read_the_same() -> None:
    data = {"n": [1, 2, None], "f": [1.5, None, 2.5], "t": ["a", "b", None]}
    sources = [
        data,
        pl.DataFrame(data),
        pl.DataFrame(data).lazy(),
        pa.table(data),
        pd.DataFrame({"n": pd.array([1, 2, None], dtype="Int64"), "f": data["f"], "t": data["t"]}),
        [{"n": 1, "f": 1.5, "t": "a"}, {"n": 2, "t": "b"}, {"f": 2.5}],
    ]

    tables = [read(source) for source in sources]

    for table in tables:
        assert rows(table) == [(1, 1.5, "a"), (2, None, "b"), (None, 2.5, None)]
        assert table.source.sha256 == tables[0].source.sha256


def test_pandas_oddities_are_read() -> None:
    frame = pd.DataFrame(
        {
            0: [1, "a", None],
            "size": pd.Categorical(["l", "h", "l"], categories=["l", "h"], ordered=True),
            "when": pd.to_datetime(["2020-01-01", "2020-01-02", None]).tz_localize("Europe/Paris"),
        }
    )

    table = read(frame)

    assert table.frame["0"].to_list() == ["1", "a", None]
    assert table.column("size").levels == ("l", "h")
    assert table.frame["when"][0] == dt.datetime(2019, 12, 31, 23)


def test_real_files_are_read_as_a_data_scientist_would() -> None:
    telco = read(real("telco_churn/data.csv"), roles={"Churn": "target"})
    titanic = read(real("titanic/data.csv"))
    bike = read(real("bike_hour/data.csv"))
    sms = read(real("sms_spam/data.tsv"))
    cars = read(real("car_eval/data.csv"))

    assert telco.column("customerID").role == "ignore"
    assert telco.column("TotalCharges").kind == "number"
    assert (telco.column("TotalCharges").n_missing, telco.column("Partner").kind) == (11, "boolean")
    assert telco.column("TotalCharges").missing_marks == (" ",)
    assert (titanic.column("Name").kind, titanic.column("Cabin").n_missing) == ("text", 687)
    assert titanic.column("PassengerId").kind == "identifier"
    assert (bike.column("dteday").role, bike.column("instant").role) == ("time", "ignore")
    assert (sms.n_rows, kinds(sms)) == (5574, {"column_1": "category", "column_2": "text"})
    assert cars.column("number of doors").levels == ("2", "3", "4", "5more")


def test_adult_and_pima_have_no_header_and_credit_keeps_its_none() -> None:
    adult = read(real("adult/data.csv"))
    pima = read(real("pima/data.csv"))
    credit = read(real("credit_g/data.csv"))

    assert (adult.n_rows, pima.n_rows) == (32_561, 768)
    assert adult.column("column_2").missing_marks == ("?",)
    assert adult.column("column_2").n_missing == 1836
    assert "none" in credit.frame["other_debtors"].to_list()


plain_words = st.sampled_from(
    ["red", "blue, dark", 'say "hi"', "semi;colon", "tab\there", "a|b", "été"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    numbers=st.lists(
        st.one_of(st.none(), st.floats(-1e9, 1e9).map(lambda v: round(v, 4))),
        min_size=6,
        max_size=30,
    ),
    cells=st.lists(plain_words, min_size=30, max_size=30),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    ending=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    last=st.booleans(),
)
def test_a_frame_written_in_any_dialect_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[float | None],
    cells: list[str],
    separator: str,
    quoting: int,
    ending: str,
    encoding: str,
    last: bool,
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=ending)  # type: ignore[arg-type]
    writer.writerow(["count", "number", "word"])
    for place, (number, cell) in enumerate(zip(numbers, cells, strict=False)):
        writer.writerow([place * 3, "" if number is None else number, cell])
    text = out.getvalue() if last else out.getvalue().removesuffix(ending)

    table = read(put(tmp_path_factory.mktemp("dialect"), text.encode(encoding)))

    n = len(numbers)
    assert table.frame.columns == ["count", "number", "word"]
    assert table.frame["count"].cast(pl.Int64).to_list() == [place * 3 for place in range(n)]
    if any(number is not None for number in numbers):
        read_back = [None if v is None else float(v) for v in table.frame["number"].to_list()]
        assert read_back == numbers
    assert table.frame["word"].to_list() == cells[:n]


def test_the_same_bytes_have_the_same_hash(tmp_path: Path) -> None:
    first = read(put(tmp_path, "a,b\n1,x\n2,y\n", "one.csv"))
    second = read(put(tmp_path, "a,b\n1,x\n2,y\n", "two.csv"))
    third = read(put(tmp_path, "a,b\n1,x\n2,z\n", "three.csv"))

    assert first.source.sha256 == second.source.sha256 != third.source.sha256
    assert (first.source.n_rows, first.source.n_columns) == (2, 2)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    table = read(put(tmp_path, codecs.BOM_UTF8 + b"age,b\n1,x\n2,y\n"))

    assert table.frame.columns == ["age", "b"]


def test_one_thousands_comma_far_down_the_file_decides_the_style(tmp_path: Path) -> None:
    lines = [f'"{i % 900}",1' for i in range(150_000)] + ['"1,234",1']

    table = read(put(tmp_path, "n,x\n" + "\n".join(lines) + "\n"))

    assert table.frame["n"][-1] == 1234
    assert table.column("n").n_missing == 0


def test_columns_named_by_years_are_a_header(tmp_path: Path) -> None:
    table = read(put(tmp_path, "land,2018,2019,2020\nFR,1,2,3\nDE,4,5,6\n"))

    assert table.frame.columns == ["land", "2018", "2019", "2020"]
