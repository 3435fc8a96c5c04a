"""The text of the C file and of its header."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from everfit.encoders import steps as st
from everfit.export.c import columns, engines, steps, words
from everfit.export.c.text import array, comment, identifier, number, numbers, string
from everfit.export.contract import Stamp
from everfit.export.packed import Packed, Part
from everfit.serve.links import affine, line_of

LINKS = {
    "sigmoid": r"""
static void sigmoid(const double *raw, double *out)
{
    double x = raw[0] < -700.0 ? -700.0 : raw[0] > 700.0 ? 700.0 : raw[0];
    double p = 1.0 / (1.0 + exp(-x));
    out[0] = 1.0 - p;
    out[1] = p;
}
""",
    "softmax": r"""
static void softmax(const double *raw, int k, double *out)
{
    double most = raw[0], total = 0.0;
    int i;
    for (i = 1; i < k; i++) if (raw[i] > most) most = raw[i];
    for (i = 0; i < k; i++) total += out[i] = exp(raw[i] - most);
    for (i = 0; i < k; i++) out[i] /= total;
}
""",
}


@dataclass(frozen=True, slots=True)
class Names:
    """How things are called in C: ``prefix`` before every public name, and one name a column."""

    prefix: str
    fields: tuple[str, ...]

    @property
    def row(self) -> str:
        """The struct of a row."""
        return f"struct {self.prefix}_row"


def names_of(packed: Packed, stamp: Stamp) -> Names:
    """The names for a version; only letters, digits and underscores stay of the model's."""
    bare = identifier(stamp.model).lower()
    return Names(f"everfit_{bare}", tuple(columns.field_names(packed)))


def header(packed: Packed, stamp: Stamp, names: Names) -> str:
    """The text of the header."""
    p, guard = names.prefix, names.prefix.upper()
    about = "\n".join(f" * {comment(line)}" for line in stamp.lines())
    return f"""/*
{about}
 */
#ifndef {guard}_H
#define {guard}_H

#if defined(_WIN32) && defined({guard}_DLL)
#define {guard}_API __declspec(dllexport)
#else
#define {guard}_API
#endif

#ifdef __cplusplus
extern "C" {{
#endif

#define {guard}_VERSION {string(stamp.version)}
#define {guard}_SHA256 {string(stamp.sha256)}
#define {guard}_N_OUTPUTS {packed.n_outputs}

/* one row; text is read while {p}_predict runs and never kept */
{names.row} {{
{_fields(packed, names)}}};

/* {_outputs(packed)} */
extern {guard}_API const char *const {p}_outputs[{packed.n_outputs}];

/* what the version is, as JSON */
extern {guard}_API const char *const {p}_about;

/* give each column what stands in for one that is not given: its default, or missing */
{guard}_API void {p}_row_init({names.row} *row);

/* answer one row into out[{packed.n_outputs}]; 0, or -1 when a pointer is NULL; for many threads */
{guard}_API int {p}_predict(const {names.row} *row, double *out);
{_range_declared(packed, guard, p)}
#ifdef __cplusplus
}}
#endif

#endif
"""


def _fields(packed: Packed, names: Names) -> str:
    """The fields of the struct of a row."""
    made = []
    for item, name in zip(packed.columns, names.fields, strict=True):
        kind = item.column.kind
        hint = columns.HINTS.get(kind, "UTF-8 text, one of the known levels; NULL: missing")
        declared = f"{columns.TYPES.get(kind, 'const char *')} {name}".replace("* ", "*")
        told = "" if name == item.column.name else f"{comment(item.column.name)}: "
        made.append(f"    {declared}; /* {told}{hint} */\n")
    return "".join(made) or "    char none; /* the answer depends on no column */\n"


def _range_declared(packed: Packed, guard: str, p: str) -> str:
    if packed.ranges is None:
        return ""
    told = "value" if packed.form == "values" else "probability of the most probable label"
    return f"""
/* the 95% range of the {told} in out; 0, or -1 when a pointer is NULL */
{guard}_API int {p}_range(const double *out, double *low, double *high);
"""


def _range(packed: Packed, p: str) -> str:
    """The function of the 95% range, where the version has one."""
    ranges = packed.ranges
    if ranges is None:
        return ""
    tables = {"edges": ranges.edges, "low": ranges.low, "high": ranges.high}
    data = [numbers("double", f"range_{name}", np.array(x)) for name, x in tables.items()]
    k, n = packed.n_outputs, len(ranges.edges)
    least, most = number(ranges.least), number(ranges.most)
    return (
        "\n"
        + "".join(data)
        + f"""
int {p}_range(const double *out, double *low, double *high)
{{
    double top;
    int i, at = 0;
    if (!out || !low || !high) return -1;
    top = out[0];
    for (i = 1; i < {k}; i++) if (out[i] > top) top = out[i];
    while (at < {n} && range_edges[at] <= top) at++;
    *low = top + range_low[at];
    *high = top + range_high[at];
    if (*low < {least}) *low = {least};
    if (*high > {most}) *high = {most};
    return 0;
}}
"""
    )


def _outputs(packed: Packed) -> str:
    if packed.form == "values":
        return "the name of the one number that is predicted"
    return "the labels, in the order of the probabilities"


def source(packed: Packed, stamp: Stamp, names: Names, about: str) -> str:
    """The text of the C file; ``about`` is JSON."""
    p = names.prefix
    head = "\n".join(f" * {comment(line)}" for line in stamp.lines())
    texts = [s for plan in packed.plans for s in plan.steps if isinstance(s, st.Words)]
    outputs = packed.labels or (stamp.target,)
    made = [
        f'/*\n{head}\n */\n#define {p.upper()}_DLL\n#include "{p}.h"\n\n'
        "#include <float.h>\n#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n"
        "#include <string.h>\n",
        columns.readers(packed),
        words.shared(texts) if texts else "",
        steps.shared(packed.plans),
        engines.shared(packed.parts),
        *(code for kind, code in LINKS.items() if kind in _links(packed)),
    ]
    for i, plan in enumerate(packed.plans):
        made.append(steps.features_function(i, plan, packed))
    for i, part in enumerate(packed.parts):
        made.append(engines.raw_function(f"m{i}", part, _width(packed, part)))
    made.append(
        array("char *const", f"{p}_outputs", map(string, outputs)).replace("static ", "", 1)
    )
    made.append(f"const char *const {p}_about =\n    {_long(about)};\n")
    init = columns.starting(packed, names.fields) or "    row->none = 0;\n"
    made.append(f"\nvoid {p}_row_init({names.row} *row)\n{{\n{init}}}\n")
    made.append(_predict(packed, names))
    made.append(_range(packed, p))
    return "".join(made)


def _links(packed: Packed) -> set[str]:
    softened = {"softmax"} if packed.calibration and not affine(packed.calibration) else set()
    return {part.link["kind"] for part in packed.parts} | softened


def _long(text: str) -> str:
    return "\n    ".join(string(line) for line in text.splitlines())


def _width(packed: Packed, part: Part) -> int:
    return 0 if part.plan is None else len(packed.plans[part.plan].names)


def _predict(packed: Packed, names: Names) -> str:
    p, n = names.prefix, max(1, len(packed.columns))
    k = packed.n_outputs
    has_words = any(item.column.kind == "text" for item in packed.columns)
    made = [f"\nint {p}_predict(const {names.row} *row, double *out)\n{{\n"]
    if packed.plans:
        made.append(f"    double base[{n}];\n    int level[{n}];\n    const char *text[{n}];\n")
    for i, plan in enumerate(packed.plans):
        made.append(f"    double x{i}[{max(1, len(plan.names))}];\n")
    most = max(engines.width_of(part) for part in packed.parts)
    made.append(f"    double raw[{most}], found[{max(most, k)}];\n    int i;\n")
    made.append("    if (!row || !out) return -1;\n")
    if packed.plans:
        made.append(f"    for (i = 0; i < {n}; i++) {{\n        base[i] = NAN;\n")
        made.append("        level[i] = 0;\n        text[i] = NULL;\n    }\n")
        made.append(columns.reading(packed, names.fields))
        for i, (item, name) in enumerate(zip(packed.columns, names.fields, strict=True)):
            if item.column.kind == "text" and has_words:
                made.append(f"    text[{i}] = row->{name};\n")
        made += [f"    p{i}_features(base, level, text, x{i});\n" for i in range(len(packed.plans))]
    made.append(f"    for (i = 0; i < {k}; i++) out[i] = 0.0;\n")
    for i, part in enumerate(packed.parts):
        x = "NULL" if part.plan is None else f"x{part.plan}"
        made.append(f"    m{i}_raw({x}, raw); /* {comment(part.name)} */\n")
        made.append(_linked(part, k))
        weight = number(part.weight)
        made.append(f"    for (i = 0; i < {k}; i++) out[i] += {weight} * found[i];\n")
    made.append(_calibrated(packed))
    return "".join(made) + "    return 0;\n}\n"


def _linked(part: Part, k: int) -> str:
    """Statements from ``raw`` to ``found``."""
    link = part.link
    if link["kind"] == "sigmoid":
        return "    sigmoid(raw, found);\n"
    if link["kind"] == "softmax":
        return f"    softmax(raw, {k}, found);\n"
    scale, shift = float(link.get("scale", 1.0)), float(link.get("shift", 0.0))
    body = f"        double y = raw[i] * {number(scale)} + {number(shift)};\n"
    if (scale, shift) == (1.0, 0.0):
        body = "        double y = raw[i];\n"
    if link.get("inverse") == "expm1":
        body += "        y = expm1(y > 700.0 ? 700.0 : y);\n"
    if part.bounds is not None:
        low, high = map(number, part.bounds)
        body += f"        y = y < {low} ? {low} : y > {high} ? {high} : y;\n"
    return f"    for (i = 0; i < {k}; i++) {{\n{body}        found[i] = y;\n    }}\n"


def _calibrated(packed: Packed) -> str:
    if not packed.calibration:
        return ""
    if affine(packed.calibration):
        scale, shift = map(number, line_of(packed.calibration))
        k = packed.n_outputs
        return f"    for (i = 0; i < {k}; i++) out[i] = out[i] * {scale} + {shift};\n"
    temperature = number(float(packed.calibration.get("temperature", 1.0)))
    k = packed.n_outputs
    bias = [float(packed.calibration.get(f"bias_{i}", 0.0)) for i in range(k)]
    made = [f"    for (i = 0; i < {k}; i++) {{\n"]
    made.append("        double q = log(out[i] > 1e-15 ? out[i] : 1e-15);\n")
    made.append(f"        found[i] = q / {temperature};\n    }}\n")
    made += [f"    found[{i}] += {number(b)};\n" for i, b in enumerate(bias) if b]
    return "".join([*made, f"    softmax(found, {k}, out);\n"])
