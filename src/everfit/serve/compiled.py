"""Reading a dict by a function written for its kinds of columns: a third of the time of a loop.

The interpreter is fastest on straight code with local names. Only the kinds of the columns, one
letter each, become source; names, ranges and levels are handed to it as values, so nothing that an
artefact says is ever compiled.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

MOST = 64  # columns of one function: compiling grows faster than their number
MOST_WRITTEN = 1_024  # values that one function writes
Read = Callable[[Mapping[str, Any]], "list[Any] | None"]
# a name in ``_VALUES``, the places of columns, and constants
Item = tuple[str, tuple[int, ...], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Write:
    """Values that go into ``buffer`` by ``pack`` (``Struct.pack_into``), in order.

    ``coded`` are columns whose levels are looked up, which tells of one that is not known;
    ``size`` is the number of values.
    """

    pack: Callable[..., None]
    buffer: array[float]
    items: tuple[Item, ...]
    coded: frozenset[int]
    size: int


# how values are made of columns x0, x1 and constants c0, c1, ...
_VALUES: Mapping[str, str] = {
    "x": "{x0}",
    # a number for a level, or several
    "c": "{c0}[{x0}]",
    "s": "*{c0}[{x0}]",
    # several for a number, which c2 stands in for where it is missing
    "l": "*{c0}.get({x0} if {x0} == {x0} else {c2}, {c1})",
    # several for a pair, each a level (numbered by c2, c4) or a number; c3: how many a second has
    "cc": "*{c0}.get({c2}[{x0}] * {c3} + {c4}[{x1}], {c1})",
    "cx": "*{c0}.get({c2}[{x0}] * {c3} + ({x1} if {x1} == {x1} else {c4}), {c1})",
    "xc": "*{c0}.get(({x0} if {x0} == {x0} else {c2}) * {c3} + {c4}[{x1}], {c1})",
    "xx": "*{c0}.get(({x0} if {x0} == {x0} else {c2}) * {c3} + ({x1} if {x1} == {x1} else {c4}),"
    " {c1})",
    # filled with c0 where missing, minus c1, by c2, from c4 to c3
    "z": "y if {c4} <= (y := (({c0} if {x0} != {x0} else {x0}) - {c1}) / {c2}) <= {c3}"
    " else ({c3} if y > 0.0 else {c4})",
    "m": "1.0 if {x0} != {x0} else 0.0",
    "d": "{x0} - {x1}",
    "t": "{x0} * {x1}",
    "r": "{x0} / {x1} if {x1} else {c0}",
    "g": "{x0} - {c0}[{x1}]",
}

# what each kind does with x, the value of its column, given its arguments a and b
_STEPS: Mapping[str, tuple[str, ...]] = {
    # a number from a (lowest) to b (highest)
    "n": (
        "if {x}.__class__ is not float:",
        "    {x} = float({x}) if {x}.__class__ is int else number({x})",
        "if not {a} <= {x} <= {b} and {x} == {x}: return None",
    ),
    # the same, but none of those that a[0] lists; a[1] and b are its range
    "m": (
        "if {x}.__class__ is not float:",
        "    {x} = float({x}) if {x}.__class__ is int else number({x})",
        "if {x} in {a}[0] or not {a}[1] <= {x} <= {b} and {x} == {x}: return None",
    ),
    # a word or truth value: a says which number it is
    "b": ("{x} = {a}[{x}]",),
    # one of the levels in a, None among them
    "l": ("if {x} not in {a}: return None",),
    # the same where a code is looked up, which tells of a level that is not known
    "k": (),
    # a date without a zone, or None
    "d": (
        "if {x} is not None and ({x}.__class__ is not datetime or {x}.tzinfo is not None):"
        " return None",
    ),
    # a text, which a strips, or None
    "t": (
        "if {x} is not None:",
        "    if {x}.__class__ is not str: return None",
        "    {x} = {a}({x})",
    ),
}


def reading(columns: Sequence[tuple[str, str, Any, Any]]) -> Read:
    """A function from a dict to the base values of ``columns``, or None when one is odd.

    Parameters
    ----------
    columns : name, kind (a letter, see above) and two arguments of the kind, for each

    Raises
    ------
    KeyError, TypeError, OverflowError : by what is returned, for what does not fit at all

    Examples
    --------
    >>> read = reading([("age", "n", 18.0, 90.0), ("plan", "l", {"pro", None}, None)])
    >>> read({"age": 41, "plan": "pro"}), read({"age": 17.0, "plan": "pro"})
    ([41.0, 'pro'], None)
    """
    blocks = [_block(columns[start : start + MOST]) for start in range(0, len(columns), MOST)]
    if len(blocks) == 1:
        return blocks[0]

    def read(values: Mapping[str, Any]) -> list[Any] | None:
        row: list[Any] = []
        for block in blocks:
            found = block(values)
            if found is None:
                return None
            row += found
        return row

    return read


def filling(columns: Sequence[tuple[str, str, Any, Any]], writes: Sequence[Write]) -> Read | None:
    """As :func:`reading`, and what is read is written into buffers too; None for many columns.

    An odd row may have been written in part: whoever gets None or an error writes all again.

    Examples
    --------
    >>> from array import array
    >>> from struct import Struct
    >>> buffer, codes = array("d", [0.0, 0.0]), {"pro": 3.0, None: 9.0}
    >>> items = (("c", (1,), (codes,)), ("x", (0,), ()))
    >>> write = Write(Struct("2d").pack_into, buffer, items, frozenset({1}), 2)
    >>> read = filling([("age", "n", 18.0, 90.0), ("plan", "l", {"pro", None}, None)], [write])
    >>> read({"age": 41, "plan": "pro"}), buffer
    ([41.0, 'pro'], array('d', [3.0, 41.0]))
    """
    if len(columns) > MOST or sum(write.size for write in writes) > MOST_WRITTEN:
        return None
    coded = {at for write in writes for at in write.coded}
    kinds = "".join("k" if i in coded else kind for i, (_, kind, _, _) in enumerate(columns))
    shape = tuple(
        tuple((letter, places, len(given)) for letter, places, given in write.items)
        for write in writes
    )
    given = [
        [write.pack, write.buffer, *(one for _, _, given in write.items for one in given)]
        for write in writes
    ]
    return _made(_maker(kinds, shape), columns, given)


def _block(columns: Sequence[tuple[str, str, Any, Any]]) -> Read:
    return _made(_maker("".join(kind for _, kind, _, _ in columns)), columns, [])


def _made(
    made: Callable[..., Read], columns: Sequence[tuple[str, str, Any, Any]], writes: list[list[Any]]
) -> Read:
    flat = [item for name, _, a, b in columns for item in (name, a, b)]
    return made([flat, *writes], _number, datetime)


@lru_cache(maxsize=256)
def _maker(
    kinds: str, shape: tuple[tuple[tuple[str, tuple[int, ...], int], ...], ...] = ()
) -> Callable[..., Read]:
    """The function that makes the function for columns of these kinds and writes of this shape.

    ``shape`` has for each value of a write its name, columns and number of constants.
    """
    lines = ["def made(given, number, datetime):"]
    for i in range(len(kinds)):
        lines.append(f"    k{i}, a{i}, b{i} = given[0][{3 * i}:{3 * i + 3}]")
    ends = []
    for w, items in enumerate(shape):
        values, taken = [], 0
        for letter, places, n in items:
            named = {f"x{i}": f"x{at}" for i, at in enumerate(places)}
            named |= {f"c{i}": f"w{w}c{taken + i}" for i in range(n)}
            values.append(_VALUES[letter].format(**named))
            taken += n
        names = "".join(f", w{w}c{i}" for i in range(taken))
        lines.append(f"    w{w}p, w{w}b{names} = given[{w + 1}]")
        ends.append(f"        w{w}p(w{w}b, 0, {', '.join(values)})")
    lines.append("    def read(values):")
    for i, kind in enumerate(kinds):
        own = {"x": f"x{i}", "a": f"a{i}", "b": f"b{i}"}
        lines.append(f"        x{i} = values[k{i}]")
        lines += ["        " + step.format(**own) for step in _STEPS[kind]]
    lines += [
        *ends,
        f"        return [{', '.join(f'x{i}' for i in range(len(kinds)))}]",
        "    return read",
    ]
    space: dict[str, Any] = {}
    exec(compile("\n".join(lines), "<columns>", "exec"), space)  # noqa: S102 - letters only, see above
    made: Callable[..., Read] = space["made"]
    return made


def _number(value: Any) -> float:
    """A value that is no float as one, None as NaN; what array takes, so no text."""
    if value is None:
        return float("nan")
    return float(value) if value.__class__ is int else array("d", (value,))[0]
