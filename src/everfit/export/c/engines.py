"""C code and data of the engines: each gives raw scores for a vector of features."""

from __future__ import annotations

import numpy as np

from everfit.export.c.text import array, number, numbers
from everfit.export.packed import Constant, Layers, Part
from everfit.export.symmetric import Symmetric
from everfit.export.trees import Trees

TREES = r"""
struct node {
    double threshold;
    int32_t left, right, feature; /* below 0: leaf -left - 1 */
    int32_t kind;                 /* 0: NAN goes right, 1: NAN goes left, 2 + s: set s decides */
};

struct trees {
    int n_trees, width, leaf_width;
    const int32_t *roots;
    const struct node *nodes;
    const double *values;
    const int32_t *set_start;
    const uint32_t *set_words;
};

static int in_set(const struct trees *t, int set, double x)
{
    int64_t code, word;
    if (!(x >= 0.0 && x < 2147483648.0)) return 0;
    code = (int64_t)x;
    word = t->set_start[set] + (code >> 5);
    return word < t->set_start[set + 1] && ((t->set_words[word] >> (code & 31)) & 1u);
}

static void add_trees(const struct trees *t, const double *x, double *out)
{
    int tree, k;
    for (k = 0; k < t->width; k++) out[k] = 0.0;
    for (tree = 0; tree < t->n_trees; tree++) {
        int32_t at = t->roots[tree];
        const double *value;
        while (at >= 0) {
            const struct node *node = &t->nodes[at];
            double v = x[node->feature];
            int left;
            if (node->kind >= 2) left = in_set(t, node->kind - 2, v);
            else if (v != v) left = node->kind;
            else left = v <= node->threshold;
            at = left ? node->left : node->right;
        }
        value = t->values + (size_t)(-at - 1) * (size_t)t->leaf_width;
        if (t->leaf_width == 1) out[tree % t->width] += value[0];
        else for (k = 0; k < t->leaf_width; k++) out[k] += value[k];
    }
}
"""
LAYERS = r"""
/* out (k) = x (d) times w (d, k) plus b (k), none below 0 with a rectifier */
static void layer(const double *x, int d, const double *w, const double *b, int k, int rectify,
                  double *out)
{
    int i, j;
    for (j = 0; j < k; j++) out[j] = 0.0;
    for (i = 0; i < d; i++)
        for (j = 0; j < k; j++) out[j] += x[i] * w[(size_t)i * (size_t)k + (size_t)j];
    for (j = 0; j < k; j++) {
        out[j] += b[j];
        if (rectify && out[j] < 0.0) out[j] = 0.0;
    }
}
"""
SYMMETRIC = r"""
struct statistic {
    const uint64_t *keys;
    const int64_t *counts;
    int n, classes, first, end; /* good counts are those from first to before end */
    double denominator;         /* NAN: the sum of all counts */
    float prior, weight, shift, scale;
};

static float statistic(const struct statistic *s, uint64_t key)
{
    int low = 0, high = s->n - 1, k;
    double good = 0.0, total = 0.0;
    while (low <= high) {
        int middle = low + (high - low) / 2;
        if (s->keys[middle] == key) {
            const int64_t *counts = s->counts + (size_t)middle * (size_t)s->classes;
            for (k = 0; k < s->classes; k++) total += (double)counts[k];
            for (k = s->first; k < s->end; k++) good += (double)counts[k];
            break;
        }
        if (s->keys[middle] < key) low = middle + 1;
        else high = middle - 1;
    }
    if (s->denominator == s->denominator) total = s->denominator;
    {
        float below = (float)total + s->weight;
        float value = ((float)good + s->prior) / below;
        float shifted = value + s->shift;
        return shifted * s->scale;
    }
}

static uint64_t hashed(uint64_t before, uint64_t value)
{
    const uint64_t magic = 0x4906BA494954CB65ull;
    return magic * (before + magic * value);
}
"""
SYMMETRIC_MEMBER = r"""
static void $m_raw(const double *x, double *out)
{
    float input[$n_inputs];
    unsigned char bit[$n_splits];
    int i, j;
    size_t leaf_start = 0;
$inputs
    for (i = 0; i < $splits; i++) bit[i] = input[$m_split_input[i]] > $m_split_border[i];
    for (j = 0; j < $width; j++) out[j] = 0.0;
    for (i = 0; i < $trees; i++) {
        size_t leaf = 0;
        int first = $m_tree_start[i], depth = $m_tree_start[i + 1] - first;
        for (j = 0; j < depth; j++) leaf |= (size_t)bit[$m_tree_splits[first + j]] << j;
        for (j = 0; j < $width; j++)
            out[j] += $m_value[(leaf_start + leaf) * $width + (size_t)j];
        leaf_start += (size_t)1 << depth;
    }
    for (j = 0; j < $width; j++) out[j] = out[j] * $scale + $m_bias[j];
}
"""


def shared(parts: tuple[Part, ...]) -> str:
    """The functions that the engines of these members need."""
    kinds = {type(part.engine) for part in parts}
    made = [code for kind, code in ((Trees, TREES), (Layers, LAYERS)) if kind in kinds]
    symmetric = [part.engine for part in parts if isinstance(part.engine, Symmetric)]
    if any(engine.combinations for engine in symmetric):
        made.append(SYMMETRIC)
    return "".join(made)


def width_of(part: Part) -> int:
    """Raw scores that the engine of a member gives."""
    engine = part.engine
    if isinstance(engine, Constant):
        return len(engine.values)
    if isinstance(engine, Trees):
        return 2 if engine.pair else engine.width
    if isinstance(engine, Layers):
        return len(engine.weights[-1][1])
    return len(engine.bias)


def raw_function(name: str, part: Part, n_features: int) -> str:
    """The data of a member and its function ``NAME_raw(const double *x, double *out)``."""
    engine = part.engine
    if isinstance(engine, Constant):
        return numbers("double", f"{name}_values", np.array(engine.values)) + _function(
            name, f"    (void)x;\n    memcpy(out, {name}_values, sizeof {name}_values);\n"
        )
    if isinstance(engine, Layers):
        return _layers(name, engine)
    if isinstance(engine, Trees):
        return _trees(name, engine, n_features)
    return _symmetric(name, engine)


def _function(name: str, body: str) -> str:
    return f"\nstatic void {name}_raw(const double *x, double *out)\n{{\n{body}}}\n"


def _layers(name: str, engine: Layers) -> str:
    made: list[str] = []
    body: list[str] = []
    before = "x"
    last = len(engine.weights) - 1
    for i, (w, b) in enumerate(engine.weights):
        made.append(numbers("double", f"{name}_w{i}", w) + numbers("double", f"{name}_b{i}", b))
        to = "out" if i == last else f"h{i}"
        if i < last:
            body.insert(i, f"    double h{i}[{len(b)}];\n")
        rectify = int(i < last)
        call = f"{before}, {len(w)}, {name}_w{i}, {name}_b{i}, {len(b)}, {rectify}, {to}"
        body.append(f"    layer({call});\n")
        before = to
    return "".join(made) + _function(name, "".join(body))


def _trees(name: str, engine: Trees, n_features: int) -> str:
    kind = np.where(engine.sets >= 0, engine.sets + 2, engine.missing_left.astype(np.int64))
    nodes = [
        f"{{{number(t)},{left},{right},{feature},{k}}}"
        for t, left, right, feature, k in zip(
            engine.threshold.tolist(), engine.left.tolist(), engine.right.tolist(),
            engine.feature.tolist(), kind.tolist(), strict=True,
        )
    ]  # fmt: skip
    parts = [
        numbers("int32_t", f"{name}_roots", engine.roots),
        array("struct node", f"{name}_nodes", nodes or ["{0,0,0,0,0}"]),
        numbers("double", f"{name}_leaves", engine.value),
        numbers("int32_t", f"{name}_set_start", engine.set_start),
        numbers("uint32_t", f"{name}_set_words", engine.set_words),
        f"static const struct trees {name}_trees = {{\n    {len(engine.roots)}, {engine.width}, "
        f"{engine.value.shape[1]}, {name}_roots, {name}_nodes, {name}_leaves,\n"
        f"    {name}_set_start, {name}_set_words}};\n",
    ]
    body, given = "", "x"
    if engine.single:
        given = "rounded"
        body += f"    double rounded[{max(1, n_features)}];\n    int i;\n"
        body += f"    for (i = 0; i < {n_features}; i++) rounded[i] = (double)(float)x[i];\n"
    body += f"    add_trees(&{name}_trees, {given}, out);\n"
    if engine.divisor != 1.0:
        for k in range(engine.width):
            body += f"    out[{k}] /= {number(engine.divisor)};\n"
    if engine.pair:
        body += "    out[1] = out[0];\n    out[0] = 1.0 - out[1];\n"
    return "".join(parts) + _function(name, body)


def _symmetric(name: str, engine: Symmetric) -> str:
    data = [
        numbers("int32_t", f"{name}_split_input", engine.split_input),
        numbers("float", f"{name}_split_border", engine.split_border),
        numbers("int32_t", f"{name}_tree_start", engine.tree_start),
        numbers("int32_t", f"{name}_tree_splits", engine.tree_splits),
        numbers("double", f"{name}_value", engine.value),
        numbers("double", f"{name}_bias", np.array(engine.bias)),
    ]
    if engine.combinations:
        data += _statistics(name, engine)
    made = {
        "n_inputs": max(1, engine.n_inputs),
        "n_splits": max(1, len(engine.split_border)),
        "splits": len(engine.split_border),
        "inputs": _inputs(name, engine, data),
        "width": len(engine.bias),
        "trees": len(engine.tree_start) - 1,
        "scale": number(engine.scale),
        "m": name,
    }
    code = SYMMETRIC_MEMBER
    for word in sorted(made, key=len, reverse=True):
        code = code.replace(f"${word}", str(made[word]))
    return "".join(data) + code


def _statistics(name: str, engine: Symmetric) -> list[str]:
    made = [numbers("uint64_t", f"{name}_hashes", engine.hashes)]
    for i, table in enumerate(engine.counts):
        made.append(numbers("uint64_t", f"{name}_keys{i}", table.keys))
        made.append(numbers("int64_t", f"{name}_counts{i}", table.counts))
    rows = []
    for item in (s for combination in engine.combinations for s in combination.statistics):
        table = engine.counts[item.counts]
        denominator = "NAN" if item.denominator is None else number(item.denominator)
        floats = (item.prior, item.weight, item.shift, item.scale)
        rows.append(
            f"\n    {{{name}_keys{item.counts}, {name}_counts{item.counts}, {len(table.keys)}, "
            f"{table.counts.shape[1]}, {item.first}, {item.end}, {denominator}, "
            f"{', '.join(number(float(np.float32(f))) + 'f' for f in floats)}}}"
        )
    return [*made, array("struct statistic", f"{name}_statistics", rows)]


def _inputs(name: str, engine: Symmetric, data: list[str]) -> str:
    """Statements that fill ``input``; tables that they need are appended to ``data``."""
    n = len(engine.numbers)
    data.append(numbers("int32_t", f"{name}_numbers", np.array(engine.numbers, dtype=np.int64)))
    made = f"    for (i = 0; i < {n}; i++) input[i] = (float)x[{name}_numbers[i]];\n"
    for at in engine.high_nan:
        made += f"    if (input[{at}] != input[{at}]) input[{at}] = INFINITY;\n"
    if not engine.categories:
        return made
    data.append(numbers("int32_t", f"{name}_categories", np.array(engine.categories)))
    most = len(engine.hashes) - 2
    made += f"""    for (i = 0; i < {len(engine.categories)}; i++) {{
        double c = x[{name}_categories[i]];
        code[i] = c <= {most}. ? (int)c : -1;
    }}
"""
    head = f"    int code[{len(engine.categories)}];\n"
    for at, (category, hot) in enumerate(engine.hots, n):
        made += f"    input[{at}] = (float)(code[{category}] == {hot});\n"
    if engine.combinations:
        head += "    uint64_t hash;\n"
    at = n + len(engine.hots)
    first = at
    for item in engine.combinations:
        made += "    hash = 0;\n"
        for category in item.categories:
            made += f"    hash = hashed(hash, {name}_hashes[code[{category}] + 1]);\n"
        for bit in item.bits:
            kind, place, value = engine.bits[bit]
            border = number(float(np.float32(value)))
            test = (
                f"code[{place}] == {int(value)}" if kind == "hot" else f"input[{place}] > {border}f"
            )
            made += f"    hash = hashed(hash, (uint64_t)({test}));\n"
        for _ in item.statistics:
            made += f"    input[{at}] = statistic(&{name}_statistics[{at - first}], hash);\n"
            at += 1
    return head + made
