"""CSV bodies as rows."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from everfit.errors import UsageError
from everfit.live.desk.limits import Limits, check_rows

if TYPE_CHECKING:
    from everfit.records import Column

TYPE = b"text/csv"
Row = dict[str, Any]


def csv_rows(body: bytes, columns: Sequence[Column], limits: Limits) -> list[Row]:
    """The rows of a CSV with a header; an empty field is missing, numbers are numbers.

    Raises
    ------
    UsageError : not UTF-8, no header, a name twice, none of ``columns`` in it, or a line with
        another number of fields
    TooMuch : more rows than ``limits`` allow

    Examples
    --------
    >>> from everfit.records import Column
    >>> csv_rows(b"age,plan\\n41,trial\\n,basic\\n", [Column("age", "number")], Limits())
    [{'age': 41.0, 'plan': 'trial'}, {'age': None, 'plan': 'basic'}]
    """
    try:
        # a spreadsheet's mark of UTF-8 is no part of the first name
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            "the CSV is not UTF-8", got=f"the byte 0x{body[error.start]:02x} at {error.start}",
            expected="text in UTF-8", do="save it as UTF-8",
        ) from None  # fmt: skip
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = next(reader, [])
        if not names or len(set(names)) < len(names):
            twice = next((name for name, n in Counter(names).items() if n > 1), None)
            raise UsageError(
                "the CSV has no header" if twice is None else f"the CSV has {twice!r} twice",
                got=", ".join(names)[:80] or "an empty body",
                expected="a first line with each column once", do="add or repair the header",
            )  # fmt: skip
        if columns and not {column.name for column in columns} & set(names):
            raise UsageError(
                "the CSV has none of the model's columns", got=", ".join(names)[:80],
                expected=", ".join(column.name for column in columns)[:80],
                do="name the columns in the first line, with commas between them",
            )  # fmt: skip
        numbers = [column.name for column in columns if column.kind == "number"]
        at = [i for i, name in enumerate(names) if name in numbers]
        rows: list[Row] = []
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(names):
                raise UsageError(
                    f"line {reader.line_num} of the CSV has another number of fields",
                    got=f"{len(fields)} fields", expected=f"{len(names)}, as the header has",
                    do="put quotes around fields that hold commas",
                )  # fmt: skip
            rows.append(dict(zip(names, _values(fields, at), strict=True)))
            if len(rows) > limits.rows:
                check_rows(text.count("\n") - 1, limits)
                check_rows(len(rows), limits)
    except csv.Error as error:
        raise UsageError(
            f"line {reader.line_num} of the CSV cannot be read", got=str(error),
            expected="fields as RFC 4180 has them", do="check quotes and field lengths",
        ) from None  # fmt: skip
    return rows


def _values(fields: Sequence[str], numbers: Sequence[int]) -> list[Any]:
    values: list[Any] = [field or None for field in fields]
    for i in numbers:
        try:
            values[i] = None if values[i] is None else float(fields[i])
        except ValueError:
            continue  # the scorer says that a text was given for a number
    return values
