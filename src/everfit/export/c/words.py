"""C code and data of text: words found as Python finds them, then tf-idf and its components.

Python's rules for letters come from Unicode; the tables of the Python that exports are written
into the C file, so that both split and lower every text alike.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from everfit.encoders import steps as st
from everfit.export.c.text import array, numbers, string
from everfit.serve.row import MISSING_WORDS

CODE = r"""
#define TEXT_LIMIT 4000 /* characters of a text that are read */

struct vocabulary {
    int n, k, longest; /* words, components, bytes of the longest word */
    const char *const *words;
    const double *idf, *components, *centre, *spread; /* centre: NULL when nothing is scaled */
};

/* the next character of n bytes of UTF-8; a byte that is none counts as U+FFFD */
static uint32_t next_character(const char **text, size_t *n)
{
    const unsigned char *s = (const unsigned char *)*text;
    uint32_t c = s[0];
    size_t length = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    size_t i;
    if (length > *n) length = 0;
    if (length > 1) c &= 0xFFu >> (length + 1);
    for (i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            length = 0;
            break;
        }
        c = (c << 6) | (s[i] & 0x3Fu);
    }
    if (length == 0) {
        c = 0xFFFD;
        length = 1;
    }
    *text += length;
    *n -= length;
    return c;
}

static size_t put_character(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xC0 | (c >> 6));
        to[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xE0 | (c >> 12));
        to[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        to[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | (c >> 18));
    to[1] = (char)(0x80 | ((c >> 12) & 0x3F));
    to[2] = (char)(0x80 | ((c >> 6) & 0x3F));
    to[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* whether a character lies in one of n ascending ranges (first, last) */
static int in_ranges(uint32_t c, const uint32_t *ranges, int n)
{
    int low = 0, high = n - 1;
    while (low <= high) {
        int middle = low + (high - low) / 2;
        if (c < ranges[2 * middle]) high = middle - 1;
        else if (c > ranges[2 * middle + 1]) low = middle + 1;
        else return 1;
    }
    return 0;
}

static uint32_t lower_of(uint32_t c)
{
    int low = 0, high = N_LOWER - 1;
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    while (low <= high) {
        int middle = low + (high - low) / 2;
        if (lower[2 * middle] == c) return lower[2 * middle + 1];
        if (lower[2 * middle] < c) low = middle + 1;
        else high = middle - 1;
    }
    return c;
}

/* a capital sigma at the end of a word has a small letter of its own */
static int ends_word(const uint32_t *c, int n, int at)
{
    int i = at - 1;
    while (i >= 0 && in_ranges(c[i], ignorable, N_IGNORABLE)) i--;
    if (i < 0 || !in_ranges(c[i], cased, N_CASED)) return 0;
    i = at + 1;
    while (i < n && in_ranges(c[i], ignorable, N_IGNORABLE)) i++;
    return i == n || !in_ranges(c[i], cased, N_CASED);
}

static int lowered(const uint32_t *c, int n, uint32_t *to)
{
    int i, m = 0;
    for (i = 0; i < n; i++) {
        if (c[i] == 0x3A3) to[m++] = ends_word(c, n, i) ? 0x3C2 : 0x3C3;
        else to[m++] = lower_of(c[i]);
        if (c[i] == 0x130) to[m++] = 0x307; /* a dotted capital i becomes two characters */
    }
    return m;
}

/* numpy's order of adding: the same roundings as in training */
static double pairwise(const double *a, int n)
{
    double r[8], sum = 0.0;
    int i, j;
    if (n > 128) {
        int half = n / 2;
        half -= half % 8;
        return pairwise(a, half) + pairwise(a + half, n - half);
    }
    if (n < 8) {
        for (i = 0; i < n; i++) sum += a[i];
        return sum;
    }
    for (j = 0; j < 8; j++) r[j] = a[j];
    for (i = 8; i < n - n % 8; i += 8)
        for (j = 0; j < 8; j++) r[j] += a[i + j];
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++) sum += a[i];
    return sum;
}

/* count the words of a text that are known: places ascending in at, counts beside them */
static int count_words(const uint32_t *c, int n, const struct vocabulary *v, double *n_words,
                       int *at, double *count)
{
    char word[4 * MOST_BYTES + 8];
    int i = 0, known = 0;
    while (i < n) {
        size_t length = 0;
        int first = i, place, j;
        while (i < n && in_ranges(c[i], letters, N_LETTERS)) {
            if (length <= (size_t)v->longest) length += put_character(c[i], word + length);
            i++;
        }
        if (i - first < 2) {
            i += i == first;
            continue;
        }
        *n_words += 1.0;
        place = length <= (size_t)v->longest ? place_of(word, length, v->words, v->n) : -1;
        if (place < 0) continue;
        for (j = 0; j < known && at[j] < place; j++) continue;
        if (j < known && at[j] == place) {
            count[j] += 1.0;
            continue;
        }
        memmove(at + j + 1, at + j, (size_t)(known - j) * sizeof *at);
        memmove(count + j + 1, count + j, (size_t)(known - j) * sizeof *count);
        at[j] = place;
        count[j] = 1.0;
        known++;
    }
    return known;
}

static void add_components(const struct vocabulary *v, int known, const int *at, double *weight,
                           double *out)
{
    double norm = 0.0, terms[TEXT_LIMIT];
    int i, j;
    if (known == 0) return;
    for (i = 0; i < known; i++) {
        weight[i] = pow(weight[i], 0.5) * v->idf[at[i]];
        norm += weight[i] * weight[i];
    }
    norm = pow(norm, 0.5);
    for (i = 0; i < known; i++) weight[i] /= norm;
    for (j = 0; j < v->k; j++) {
        for (i = 0; i < known; i++)
            terms[i] = v->components[(size_t)at[i] * (size_t)v->k + (size_t)j] * weight[i];
        out[j] = known == 1 ? terms[0] : terms[0] + pairwise(terms + 1, known - 1);
    }
}

/* characters, words, digits, capitals and marks of a text, then its components */
static void describe(const char *text, const struct vocabulary *v, const char *const *marks,
                     int n_marks, double *out)
{
    uint32_t c[TEXT_LIMIT], small[2 * TEXT_LIMIT];
    int at[TEXT_LIMIT], n = 0, i;
    double count[TEXT_LIMIT];
    size_t length = 0;
    if (text) {
        text = stripped(text, &length);
        if (place_of(text, length, marks, n_marks) >= 0) length = 0;
    }
    while (length > 0 && n < TEXT_LIMIT) c[n++] = next_character(&text, &length);
    for (i = 0; i < 5 + v->k; i++) out[i] = 0.0;
    out[0] = n;
    for (i = 0; i < n; i++) {
        out[2] += c[i] >= '0' && c[i] <= '9';
        out[3] += c[i] >= 'A' && c[i] <= 'Z';
        out[4] += c[i] > 0 && c[i] < 128 && strchr("!?$%&*#@+", (int)c[i]) != NULL;
    }
    n = lowered(c, n, small);
    add_components(v, count_words(small, n, v, &out[1], at, count), at, count, out + 5);
    if (!v->centre) return;
    for (i = 0; i < 5 + v->k; i++) {
        double y = (out[i] - v->centre[i]) / v->spread[i];
        out[i] = y > 8.0 ? 8.0 : y < -8.0 ? -8.0 : y;
    }
}
"""


def shared(steps: list[st.Words]) -> str:
    """The tables of Unicode and the functions that describe a text."""
    longest = max((len(word.encode()) for step in steps for word in step.words), default=0)
    tables = unicode_tables()
    made = [f"\n#define N_TEXT_MARKS {len(MISSING_WORDS)}\n#define MOST_BYTES {longest}\n"]
    for name, values in tables.items():
        made.append(f"#define N_{name.upper()} {len(values) // 2}\n")
        made.append(array("uint32_t", name, [str(value) for value in values]))
    return "".join(made) + CODE


def words_data(name: str, step: st.Words) -> str:
    """The vocabulary of a step as C data called ``name``."""
    places = sorted(range(len(step.words)), key=lambda i: step.words[i].encode())
    if places != list(range(len(places))):
        raise ValueError("the words of a text step are not in order")
    k = step.components.shape[1] if step.components.ndim == 2 else 0
    longest = max((len(word.encode()) for word in step.words), default=0)
    made = [
        array("char *const", f"{name}_words", map(string, step.words)),
        numbers("double", f"{name}_idf", step.idf),
        numbers("double", f"{name}_components", step.components),
    ]
    scaled = "NULL, NULL"
    if len(step.centre):
        made += [numbers("double", f"{name}_centre", step.centre)]
        made += [numbers("double", f"{name}_spread", step.spread)]
        scaled = f"{name}_centre, {name}_spread"
    made.append(
        f"static const struct vocabulary {name} = {{\n    {len(step.words)}, {k}, {longest}, "
        f"{name}_words, {name}_idf, {name}_components,\n    {scaled}}};\n"
    )
    return "".join(made)


@lru_cache(maxsize=1)
def unicode_tables() -> dict[str, list[int]]:
    """Letters of words, small letters, and the two classes that decide about a final sigma.

    What no table of the standard library says is found by asking ``str.lower`` itself: a character
    is skipped before a sigma when ``A`` in front of it still makes the sigma final, and it counts
    as a letter with case when it does so alone.
    """
    every = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]
    small = [(ord(c), ord(c.lower()[0])) for c in every if c.lower() != c and ord(c) >= 128]

    def ends(text: str) -> bool:
        """Whether a sigma after ``text`` is a final one."""
        return (text + "Σ").lower()[-1] == "ς"

    skipped = {c for c in every if ends("A" + c) and not ends(c)}
    return {
        "letters": _ranges(every, lambda c: c.isalnum() or c == "_"),
        "lower": [value for pair in small for value in pair],
        "ignorable": _ranges(every, skipped.__contains__),
        "cased": _ranges(every, lambda c: c not in skipped and ends(c)),
    }


def _ranges(every: list[str], test: Callable[[str], bool]) -> list[int]:
    codes = np.array([ord(c) for c in every if test(c)])
    breaks = np.flatnonzero(np.diff(codes) > 1)
    first = np.append(codes[:1], codes[breaks + 1])
    last = np.append(codes[breaks], codes[-1:])
    return [int(value) for value in np.column_stack([first, last]).reshape(-1)]
