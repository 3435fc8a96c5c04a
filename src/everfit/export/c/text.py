"""Python values as C99 text: numbers that are read back exactly, strings, identifiers, arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import isfinite, isnan

from everfit.records import Array

WIDTH = 100
# of C99 and of C++, since a header is read by both
_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl
    const constexpr const_cast continue decltype default delete do double dynamic_cast else enum
    explicit export extern false float for friend goto if inline int long mutable namespace new
    noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast restrict return short signed sizeof static static_assert static_cast struct
    switch template this thread_local throw true try typedef typeid typename union unsigned using
    virtual void volatile wchar_t while xor xor_eq NAN INFINITY NULL linux unix errno
    DBL_MAX HUGE_VAL EOF BUFSIZ RAND_MAX stdin stdout stderr"""
KEYWORDS = frozenset(_KEYWORDS.split())


def number(value: float) -> str:
    """A double as C text that is read back as the same double.

    Examples
    --------
    >>> number(0.1), number(3.0), number(float("nan"))
    ('0x1.999999999999ap-4', '3.', 'NAN')
    """
    if isnan(value):
        return "NAN"
    if not isfinite(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    if value == int(value) and abs(value) < 1e6:
        return "-0." if str(value) == "-0.0" else f"{int(value)}."
    return re.sub(r"0+p", "p", float(value).hex())


def string(text: str) -> str:
    r"""A C string literal of the UTF-8 bytes of ``text``.

    Examples
    --------
    >>> print(string('a "b"\\n??/ é'))
    "a \"b\"\\n\?\?/ \303\251"
    """
    made = []
    for byte in text.encode("utf-8", "surrogatepass"):
        char = chr(byte)
        if char in '"\\?':
            made.append("\\" + char)  # a question mark could begin a trigraph
        elif 32 <= byte < 127:
            made.append(char)
        else:
            made.append(f"\\{byte:03o}")
    return '"' + "".join(made) + '"'


def comment(text: str) -> str:
    """Text that may stand in a C comment: one line, which ends no comment.

    Examples
    --------
    >>> comment("a */ b")
    'a * / b'
    """
    line = re.sub(r"\s", " ", text)
    return line.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")


def identifier(text: str, taken: Iterable[str] = ()) -> str:
    """A C identifier like ``text`` that is neither a keyword nor in ``taken``.

    Examples
    --------
    >>> identifier("Größe (cm)"), identifier("class"), identifier("7 days"), identifier("a", ["a"])
    ('Gr_e_cm', 'class_', 'x7_days', 'a_2')
    """
    bare = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_") or "x"
    if bare[0].isdigit():
        bare = f"x{bare}"
    if bare in KEYWORDS:
        bare += "_"
    known, name, n = set(taken), bare, 1
    while name in known:
        n += 1
        name = f"{bare}_{n}"
    return name


def array(kind: str, name: str, items: Iterable[str]) -> str:
    """A static array; one element that is never read stands in for an empty one.

    Examples
    --------
    >>> print(array("int", "a", ["1", "2"]), end="")
    static const int a[2] = {
    1,2};
    """
    found = list(items)
    return f"static const {kind} {name}[{max(1, len(found))}] = {{\n{wrapped(found or ['0'])}}};\n"


def numbers(kind: str, name: str, values: Array) -> str:
    """A static array of doubles, floats or whole numbers."""
    flat = values.reshape(-1).tolist()
    if kind in ("double", "float"):
        end = "f" if kind == "float" else ""
        made = [number(float(value)) for value in flat]
        return array(kind, name, [x if x.endswith(("NAN", "Y")) else x + end for x in made])
    end = "u" if kind == "uint32_t" else "ull" if kind == "uint64_t" else ""
    return array(kind, name, [f"{int(value)}{end}" for value in flat])


def wrapped(items: Sequence[str]) -> str:
    """Items joined by commas, in lines of about 100 characters."""
    lines, line, length = [], [], 0
    for item in items:
        line.append(item)
        length += len(item) + 1
        if length >= WIDTH:
            lines.append(",".join(line))
            line, length = [], 0
    if line:
        lines.append(",".join(line))
    return ",\n".join(lines)
