"""JSON bodies as rows: strict where a lax reader would guess, cheap where nothing is odd.

msgspec reads a row in about a microsecond but keeps the last of two equal keys without a word.
Every key is followed by a colon, so a body with as many colons as keys has no key twice; only
other bodies are looked at again.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from everfit.errors import UsageError
from everfit.live.desk.limits import Limits, check_rows

Row = dict[str, Any]
_decode = msgspec.json.Decoder().decode
_KEY_END = re.compile(rb'"[ \t\r\n]*:')
_TOKEN = re.compile(rb"[-+]?(?:NaN|nan|Infinity|inf)\b")
_BYTE = re.compile(r"\(byte (\d+)\)")
EXAMPLE = '{"age": 41, "plan": "trial"} or a list of such rows'


def rows_of(body: bytes, limits: Limits) -> Row | list[Row]:
    """The row or rows of a JSON body.

    Raises
    ------
    UsageError : no JSON, an object with a key twice, or no object where a row should be
    TooMuch : more rows or deeper values than ``limits`` allow
    """
    found = decoded(body, limits)
    if found.__class__ is dict:
        return found
    if found.__class__ is not list:
        raise UsageError(
            "the body is neither a row nor a list of rows",
            got=_said(found), expected=f"JSON such as {EXAMPLE}",
            do="send each row as a JSON object from column name to value",
        )  # fmt: skip
    check_rows(len(found), limits)
    return objects(found)


def objects(found: Sequence[Any], word: str = "row") -> list[Row]:
    """The items of a list when each is a JSON object.

    Raises
    ------
    UsageError : with the position of the first that is none
    """
    for at, item in enumerate(found):
        if item.__class__ is not dict:
            raise UsageError(
                f"{word} {at + 1} of {len(found)} is not a JSON object",
                got=_said(item), expected=f"each {word} as an object from name to value",
                do=f"check position {at} of the list",
            )  # fmt: skip
    return found  # type: ignore[return-value]


def decoded(body: bytes, limits: Limits) -> Any:
    """Any JSON value, when no object in it has a key twice and it is not too deep.

    Raises
    ------
    UsageError : the body is no JSON, or ambiguous
    TooMuch : it is too deep
    """
    try:
        found = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(body, error) from None
    except RecursionError:
        raise _too_deep(limits) from None
    if found.__class__ is dict and body.count(b":") == len(found) and b"[" not in body:
        return found  # a flat row, like nearly all
    if body.count(b":") != _keys(found):
        _look_again(body, found)
    if body.count(b"[") + body.count(b"{") > limits.depth and _deeper(found, limits.depth):
        raise _too_deep(limits)
    return found


def _keys(found: Any) -> int:
    """How many keys the objects of the two outer levels have."""
    if found.__class__ is dict:
        return len(found)
    if found.__class__ is list:
        return sum(len(row) for row in found if row.__class__ is dict)
    return 0


def _look_again(body: bytes, found: Any) -> None:
    """Refuse two equal keys in an object, however deep; colons inside texts are no keys."""
    if len(_KEY_END.findall(body)) != _keys(found):
        try:
            json.loads(body, object_pairs_hook=_once)
        except RecursionError:
            return  # the depth check says it better


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, n in counts.items() if n > 1)
        values = [value for name, value in pairs if name == twice]
        raise UsageError(
            f"a JSON object has the key {twice[:80]!r} {len(values)} times",
            got=", ".join(repr(value)[:40] for value in values[:3]),
            expected="each key once, so that its value is clear",
            do="send the column once",
        )
    return made


def _deeper(found: Any, depth: int) -> bool:
    level = [found] if isinstance(found, (dict, list)) else []
    for _ in range(depth):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, (dict, list))
        ]
    return bool(level)


def _too_deep(limits: Limits) -> UsageError:
    return UsageError(
        "the JSON nests too deep",
        got=f"more than {limits.depth} levels", expected="rows of plain values",
        do="send each value as a number, text, boolean or null",
    )  # fmt: skip


def _unreadable(body: bytes, error: Exception) -> UsageError:
    """Why the body is no JSON, with the place, in words of a person who must repair it."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        return UsageError(
            "the body is not UTF-8",
            got=f"the byte 0x{error.object[error.start]:02x} in a text",
            expected="JSON in UTF-8", do="encode the body as UTF-8",
        )  # fmt: skip
    if not body.strip():
        return UsageError(
            "the body is empty", got="0 bytes" if not body else "white space",
            expected=f"JSON such as {EXAMPLE}", do="send the row as JSON in the body",
        )  # fmt: skip
    if "out of range" in text:
        return UsageError(
            "a number is too large for JSON readers", got=text,
            expected="numbers up to 1.8e308, integers up to 4,300 digits",
            do="send null for a value that is not known",
        )  # fmt: skip
    place = _BYTE.search(text)
    at = int(place.group(1)) if place else len(body)
    token = _TOKEN.match(body, max(0, at - 1)) or _TOKEN.match(body, at)
    if token:
        return UsageError(
            f"JSON has no {token.group().decode()}", got=f"{token.group().decode()} at byte {at}",
            expected="a number or null", do="send null for a value that is missing or infinite",
        )  # fmt: skip
    # the decoder's sentence begins with a capital, unless with the name JSON
    said = text if text.startswith("JSON") else f"{text[0].lower()}{text[1:]}"
    near = body[max(0, at - 20) : at + 20].decode("utf-8", "replace")
    return UsageError(
        "the body is not JSON", got=f"{said}, near {near!r}",
        expected=f"JSON such as {EXAMPLE}", do="check quotes, commas and brackets",
    )  # fmt: skip


def _said(value: Any) -> str:
    if value is None:
        return "null"
    kind = {str: "a text", bool: "a boolean", list: "a list", dict: "an object"}
    shown = "" if isinstance(value, (list, dict)) else f" {value!r}"[:50]
    return kind.get(type(value), "a number") + shown
