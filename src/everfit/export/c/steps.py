"""C code and data of a feature plan: base values in, a vector of features out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from everfit.encoders import steps as st
from everfit.encoders.plan import FeaturePlan
from everfit.export.c.text import array, number, numbers
from everfit.export.c.words import words_data
from everfit.export.packed import Packed
from everfit.records import Array

PARTS = ("year", "month", "day", "weekday", "hour", "days")

DATES = r"""
/* a part of a date: 0 year, 1 month, 2 day, 3 weekday (Monday 0), 4 hour */
static double part_of(double seconds, int part)
{
    int64_t whole, days, era, of_era, year_of_era, of_year, month;
    if (seconds != seconds) return NAN;
    whole = (int64_t)floor(seconds);
    days = whole / 86400 - (whole % 86400 < 0);
    if (part == 4) return (double)((whole - days * 86400) / 3600);
    if (part == 3) return (double)(((days + 3) % 7 + 7) % 7);
    days += 719468; /* from 0000-03-01: a year then ends with its leap day */
    era = (days >= 0 ? days : days - 146096) / 146097;
    of_era = days - era * 146097;
    year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (5 * of_year + 2) / 153;
    if (part == 2) return (double)(of_year - (153 * month + 2) / 5 + 1);
    month = month < 10 ? month + 3 : month - 9;
    if (part == 1) return (double)month;
    return (double)(year_of_era + era * 400 + (month <= 2));
}
"""
# struct of one item of each kind of step, the loop over all items, and what the loop calls
KINDS: Mapping[str, tuple[str, str]] = {
    "take": ("int32_t out, column;", "x[s->out] = v[s->column];"),
    "missing": ("int32_t out, column;", "x[s->out] = v[s->column] != v[s->column];"),
    "scale": (
        "int32_t out, column; double fill, centre, spread, limit;",
        """double y = v[s->column];
        y = ((y != y ? s->fill : y) - s->centre) / s->spread;
        x[s->out] = y > s->limit ? s->limit : y < -s->limit ? -s->limit : y;""",
    ),
    "quantile": (
        "int32_t out, column; double fill; int32_t n; const double *knots, *marks, *slopes;",
        """double y = v[s->column];
        int low = 0, high = s->n;
        if (y != y) y = s->fill;
        if (y < s->knots[0]) y = s->knots[0];
        if (y > s->knots[s->n - 1]) y = s->knots[s->n - 1];
        while (low < high) { /* the first knot above y */
            int middle = low + (high - low) / 2;
            if (s->knots[middle] <= y) low = middle + 1;
            else high = middle;
        }
        low = low < 1 ? 0 : low > s->n - 1 ? s->n - 2 : low - 1;
        x[s->out] = s->marks[low] + s->slopes[low] * (y - s->knots[low]);""",
    ),
    "one_hot": (
        "int32_t out, column, levels, other;",
        """double code = v[s->column];
        if (code < s->levels) x[s->out + (int)code] = 1.0; /* not for NAN */
        else if (s->other) x[s->out + s->levels] = 1.0;""",
    ),
    "date_part": (
        "int32_t out, column, part; double reference;",
        """double seconds = v[s->column];
        if (s->part == 5) x[s->out] = (seconds - s->reference) / 86400.0;
        else x[s->out] = part_of(seconds, s->part);""",
    ),
    "cycle": (
        "int32_t out, column, part, period; const double *table;",
        """double y = part_of(v[s->column], s->part);
        if (y == y) {
            int at = 2 * ((int)y % s->period);
            x[s->out] = s->table[at];
            x[s->out + 1] = s->table[at + 1];
        }""",
    ),
    "lookup": (
        "int32_t out, size, n_columns; const int32_t *columns, *sizes; int32_t n;\n"
        "    const int64_t *keys; const double *table, *unknown;",
        """int64_t key = 0;
        int low = 0, high = s->n - 1, k;
        const double *found = s->unknown;
        for (k = 0; k < s->n_columns; k++) {
            double code = v[s->columns[k]];
            key = key * (s->sizes[k] + 1) + (code != code ? s->sizes[k] : (int64_t)code);
        }
        while (low <= high) {
            int middle = low + (high - low) / 2;
            if (s->keys[middle] == key) {
                found = s->table + (size_t)middle * (size_t)s->size;
                break;
            }
            if (s->keys[middle] < key) low = middle + 1;
            else high = middle - 1;
        }
        for (k = 0; k < s->size; k++) x[s->out + k] = found[k];""",
    ),
    "arithmetic": (
        "int32_t out, left, right, operation;",
        """double left = v[s->left], right = v[s->right];
        if (s->operation == 0) x[s->out] = left - right;
        else if (s->operation == 1) x[s->out] = left * right;
        else x[s->out] = right == 0.0 ? NAN : left / right;""",
    ),
    "gap": (
        "int32_t out, column, category, unknown; const double *table;",
        """double code = v[s->category];
        x[s->out] = v[s->column] - s->table[code != code ? s->unknown : (int)code];""",
    ),
    "words": (
        "int32_t out; const struct vocabulary *words; const char *const *marks; int32_t n_marks;\n"
        "    int32_t column;",
        "describe(text[s->column], s->words, s->marks, s->n_marks, x + s->out);",
    ),
}
OPERATIONS = ("difference", "product", "ratio")


def shared(plans: Sequence[FeaturePlan]) -> str:
    """The structs and functions that the steps of these plans need."""
    kinds = {step.kind for plan in plans for step in plan.steps}
    made = [DATES] if kinds & {"date_part", "cycle"} else []
    for kind, (fields, _) in KINDS.items():
        if kind in kinds:
            made.append(f"\nstruct {kind} {{\n    {fields}\n}};\n")
    return "".join(made)


def features_function(number_: int, plan: FeaturePlan, packed: Packed) -> str:
    """The data of a plan, and ``p0_features(base, level, text, x)``, which fills ``x``."""
    name = f"p{number_}"
    data = _Data(name, packed)
    items: dict[str, list[str]] = {}
    start = 0
    for step in plan.steps:
        items.setdefault(step.kind, []).append(data.item(step, start))
        start += step.size
    n = max(1, len(packed.columns))
    body = [f"    double v[{n}];\n    int i;\n"]
    body.append(f"    (void)level;\n    (void)text;\n    memcpy(v, base, {n} * sizeof(double));\n")
    for item in plan.inputs:
        if item.kind in ("category", "ordered"):
            at = packed.position(item.name)
            table = _places(plan.vocabularies[item.name], packed.columns[at].levels)
            data.add("double", f"codes_{at}", table)
            body.append(f"    v[{at}] = {name}_codes_{at}[level[{at}]];\n")
    body.append(f"    for (i = 0; i < {max(1, start)}; i++) x[i] = 0.0;\n")
    tables = []
    for kind, rows in items.items():
        tables.append(array(f"struct {kind}", f"{name}_{kind}", [f"\n    {row}" for row in rows]))
        body.append(
            f"    for (i = 0; i < {len(rows)}; i++) {{\n"
            f"        const struct {kind} *s = &{name}_{kind}[i];\n"
            f"        {KINDS[kind][1]}\n    }}\n"
        )
    return (
        "".join([*data.made, *tables])
        + f"\nstatic void {name}_features(const double *base, const int *level,\n"
        + f"                        const char *const *text, double *x)\n{{\n{''.join(body)}}}\n"
    )


def _places(vocabulary: Sequence[str | None], levels: Sequence[str]) -> Array:
    """The code of each known level in a plan, then that of missing, then NaN for unknown."""
    place = {level: float(i) for i, level in enumerate(vocabulary)}
    asked: list[str | None] = [*levels, None]
    return np.array([*(place.get(level, np.nan) for level in asked), np.nan])


class _Data:
    """Collects the arrays of a plan's steps; :meth:`item` is one row of a table of steps."""

    def __init__(self, name: str, packed: Packed) -> None:
        self.name, self.packed = name, packed
        self.made: list[str] = []

    def add(self, kind: str, name: str, values: Array) -> str:
        """Append an array; gives its name."""
        full = f"{self.name}_{name}"
        self.made.append(numbers(kind, full, np.asarray(values)))
        return full

    def item(self, step: st.Step, out: int) -> str:
        """The initialiser of one step whose features begin at ``out``."""
        values = [str(out), *self._fields(step, f"s{out}")]
        return "{" + ", ".join(values) + "}"

    def _fields(self, step: st.Step, own: str) -> list[str]:
        at = self.packed.position
        if isinstance(step, (st.Take, st.Missing)):
            return [str(at(step.column))]
        if isinstance(step, st.Scale):
            values = (step.fill, step.centre, step.spread, step.limit)
            return [str(at(step.column)), *map(number, values)]
        if isinstance(step, st.Quantile):
            return [str(at(step.column)), number(step.fill), *self._curve(step, own)]
        if isinstance(step, st.OneHot):
            return [str(at(step.column)), str(step.levels), str(int(step.other))]
        if isinstance(step, st.DatePart):
            part = PARTS.index(step.part)
            return [str(at(step.column)), str(part), number(step.reference)]
        if isinstance(step, st.Cycle):
            table = self.add("double", f"{own}_table", step.table)
            part = PARTS.index(step.part)
            return [str(at(step.column)), str(part), str(len(step.table)), table]
        if isinstance(step, st.Lookup):
            return self._lookup(step, own)
        if isinstance(step, st.Arithmetic):
            sides = [str(at(step.left)), str(at(step.right))]
            return [*sides, str(OPERATIONS.index(step.operation))]
        if isinstance(step, st.Gap):
            table = self.add("double", f"{own}_table", step.table)
            columns = [str(at(step.column)), str(at(step.category))]
            return [*columns, str(len(step.table) - 1), table]
        self.made.append(words_data(f"{self.name}_{own}", step))
        column = at(step.column)
        return [f"&{self.name}_{own}", f"marks_{column}", f"N_TEXT_MARKS, {column}"]

    def _curve(self, step: st.Quantile, own: str) -> list[str]:
        knots, marks = np.array(step.knots), np.array(step.marks)
        slopes = np.diff(marks) / np.diff(knots)
        curve = {"knots": knots, "marks": marks, "slopes": slopes}
        made = [self.add("double", f"{own}_{name}", values) for name, values in curve.items()]
        return [str(len(knots)), *made]

    def _lookup(self, step: st.Lookup, own: str) -> list[str]:
        columns = np.array([self.packed.position(name) for name in step.columns])
        arrays = (
            self.add("int32_t", f"{own}_columns", columns),
            self.add("int32_t", f"{own}_sizes", np.array(step.sizes)),
            self.add("int64_t", f"{own}_keys", step.keys),
            self.add("double", f"{own}_table", step.table),
            self.add("double", f"{own}_unknown", np.array(step.default)),
        )
        head = [str(step.size), str(len(step.columns)), arrays[0], arrays[1], str(len(step.keys))]
        return [*head, *arrays[2:]]
