"""C code that reads a row: numbers, words and dates as the version's own reader takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from everfit.export.c.text import array, identifier, number, numbers, string
from everfit.export.packed import Packed

TYPES = {"number": "double", "boolean": "double", "date": "double"}
HINTS = {
    "number": "number; NAN: missing",
    "boolean": "0 or 1; NAN: missing",
    "date": "seconds since 1970-01-01 UTC; NAN: missing",
    "text": "UTF-8 text; NULL: missing",
}
NAMED = ("category", "ordered")

NUMBERS = r"""
/* a number as it counts: infinite ones and those that stand for missing are missing */
static double read_number(double value, const double *marks, int n_marks)
{
    int i;
    if (!(fabs(value) <= DBL_MAX)) return NAN;
    for (i = 0; i < n_marks; i++)
        if (value == marks[i]) return NAN;
    return value;
}
"""
BOOLEANS = r"""
static double read_boolean(double value)
{
    return value == 0.0 || value == 1.0 ? value : NAN;
}
"""
DATES = r"""
/* years 1 to 9999, as dates have them elsewhere */
static double read_date(double seconds)
{
    return seconds >= -62135596800.0 && seconds < 253402300800.0 ? seconds : NAN;
}
"""
SPACES = r"""
/* bytes of the white space that text begins with, 0 when it is none */
static size_t space_at(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (n == 0) return 0;
    if ((s[0] >= 9 && s[0] <= 13) || (s[0] >= 28 && s[0] <= 32)) return 1;
    if (n >= 2 && s[0] == 0xC2 && (s[1] == 0x85 || s[1] == 0xA0)) return 2;
    if (n < 3) return 0;
    if (s[0] == 0xE1 && s[1] == 0x9A && s[2] == 0x80) return 3;
    if (s[0] == 0xE3 && s[1] == 0x80 && s[2] == 0x80) return 3;
    if (s[0] == 0xE2 && s[1] == 0x81 && s[2] == 0x9F) return 3;
    if (s[0] != 0xE2 || s[1] != 0x80) return 0;
    return s[2] <= 0x8A || s[2] == 0xA8 || s[2] == 0xA9 || s[2] == 0xAF ? 3 : 0;
}

/* the text without white space at both ends: where it begins, and its bytes in *n */
static const char *stripped(const char *text, size_t *n)
{
    size_t length = strlen(text), at, step, end = 0;
    while ((step = space_at(text, length)) > 0) {
        text += step;
        length -= step;
    }
    for (at = 0; at < length; at += step) {
        step = space_at(text + at, length - at);
        if (step == 0) {
            step = 1;
            end = at + 1;
        }
    }
    *n = end;
    return text;
}

/* the place of a text of n bytes in an ascending list, -1 when it is not there */
static int place_of(const char *text, size_t n, const char *const *list, int size)
{
    int low = 0, high = size - 1;
    while (low <= high) {
        int middle = low + (high - low) / 2;
        int order = strncmp(list[middle], text, n);
        if (order == 0 && list[middle][n] != '\0') order = 1;
        if (order == 0) return middle;
        if (order < 0) low = middle + 1;
        else high = middle - 1;
    }
    return -1;
}
"""
LEVELS = r"""
/* the place of a category among n levels; n when it is missing, n + 1 when nobody knows it */
static int read_level(const char *text, const char *const *levels, int n,
                      const char *const *marks, int n_marks)
{
    size_t length;
    int found;
    if (!text) return n;
    found = place_of(text, strlen(text), levels, n);
    if (found >= 0) return found;
    text = stripped(text, &length);
    found = place_of(text, length, levels, n);
    if (found >= 0) return found;
    return place_of(text, length, marks, n_marks) >= 0 ? n : n + 1;
}
"""


def field_names(packed: Packed) -> list[str]:
    """The names of the columns in the struct of a row."""
    names: list[str] = []
    for item in packed.columns:
        names.append(identifier(item.column.name, names))
    return names


def readers(packed: Packed) -> str:
    """The functions and tables that :func:`reading` uses."""
    kinds = {item.column.kind for item in packed.columns}
    made = [code for kind, code in (("number", NUMBERS), ("boolean", BOOLEANS)) if kind in kinds]
    made += [DATES] if "date" in kinds else []
    made += [SPACES] if kinds & {*NAMED, "text"} else []
    made += [LEVELS] if kinds & set(NAMED) else []
    for i, item in enumerate(packed.columns):
        if item.column.kind in NAMED:
            made.append(array("char *const", f"levels_{i}", map(string, item.levels)))
            made.append(array("char *const", f"marks_{i}", map(string, item.marks)))
        elif item.column.kind == "number" and item.number_marks:
            made.append(numbers("double", f"marks_{i}", np.array(item.number_marks)))
        elif item.column.kind == "text":
            made.append(array("char *const", f"marks_{i}", map(string, item.marks)))
    return "".join(made)


def reading(packed: Packed, fields: Sequence[str]) -> str:
    """Statements that fill ``base`` (numbers) and ``level`` (places of categories) from ``row``."""
    made = []
    for i, (item, name) in enumerate(zip(packed.columns, fields, strict=True)):
        kind = item.column.kind
        if kind == "number":
            n_marks = len(item.number_marks)
            given = f"marks_{i}, {n_marks}" if n_marks else "NULL, 0"
            made.append(f"    base[{i}] = read_number(row->{name}, {given});\n")
        elif kind in ("boolean", "date"):
            made.append(f"    base[{i}] = read_{kind}(row->{name});\n")
        elif kind in NAMED:
            made.append(
                f"    level[{i}] = read_level(row->{name}, levels_{i}, {len(item.levels)}, "
                f"marks_{i}, {len(item.marks)});\n"
            )
    return "".join(made)


def starting(packed: Packed, fields: Sequence[str]) -> str:
    """Statements that give each column of ``row`` what stands in when it is not given."""
    made = []
    for item, name in zip(packed.columns, fields, strict=True):
        default, kind = item.default, item.column.kind
        if kind in TYPES:
            value = "NAN" if default is None or kind == "date" else number(float(default))
        else:
            value = "NULL" if default is None else string(str(default))
        made.append(f"    row->{name} = {value};\n")
    return "".join(made)
