"""Bodies of asks for lists, checked: strict about what is said, generous about who is not known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from everfit.errors import Refused, UsageError, near
from everfit.live.desk.limits import Limits, TooMuch
from everfit.live.desk.rows import Row, decoded
from everfit.serve.lists.listed import Wanted

TOP = ("user", "history", "k", "allowed", "blocked", "exclude_seen", "why")
NEAR = ("item", "k", "allowed", "blocked")
MOST_K = 1_000  # items of one list: who wants all of them wants a file
TOP_EXAMPLE = '{"user": 42, "k": 10}'
NEAR_EXAMPLE = '{"item": 50, "k": 10}'


@dataclass(frozen=True, slots=True)
class Asking:
    """Who wants a list, and what of it; ``item`` is what the listed items shall be near to."""

    wanted: Wanted
    user: Any = None
    history: Sequence[Any] | None = None
    item: Any = None
    why: bool = False


def top_asked(body: bytes, limits: Limits) -> Asking:
    """What a body for ``recommend`` asks for.

    Raises
    ------
    UsageError : a field that means nothing, or a value that cannot be one
    TooMuch : a longer history than ``limits`` allow
    """
    given = _object(body, limits, TOP, TOP_EXAMPLE)
    user = given.get("user")
    if user is not None and not _is_name(user):
        raise _unusable("user", user, "a text or a number, or no user", TOP_EXAMPLE)
    history = _items(given, "history", TOP_EXAMPLE)
    if history is not None and len(history) > limits.rows:
        raise TooMuch(
            "the history is too long", got=f"{len(history):,} items",
            expected=f"at most {limits.rows:,} items", do="send the newest ones, oldest first",
        )  # fmt: skip
    if user is not None and history is not None:
        raise UsageError(
            "a list is for a user or for a history", got="both", expected="one of them",
            do="leave the user out, or tell what is new in POST /models/{name}/interactions",
        )  # fmt: skip
    again = not _flag(given, "exclude_seen", True, TOP_EXAMPLE)
    return Asking(
        _wanted(given, TOP_EXAMPLE, again=again), user, history,
        why=_flag(given, "why", False, TOP_EXAMPLE),
    )  # fmt: skip


def near_asked(body: bytes, limits: Limits) -> Asking:
    """What a body for ``similar`` asks for.

    Raises
    ------
    UsageError : a field that means nothing, or a value that cannot be one
    """
    given = _object(body, limits, NEAR, NEAR_EXAMPLE)
    if not _is_name(given.get("item")):
        raise _unusable("item", given.get("item"), "a text or a number", NEAR_EXAMPLE)
    return Asking(_wanted(given, NEAR_EXAMPLE), item=given["item"])


def fields_of(row: Row, known: Collection[str], where: str) -> None:
    """Refuse a field that means nothing, with the near one.

    Raises
    ------
    UsageError : there is one
    """
    extra = sorted(row.keys() - set(known))
    if extra:
        like = near(extra[0], known, n=1)
        raise UsageError(
            f"{where} has a field that means nothing",
            got=repr(extra[0])[:80], expected=", ".join(known),
            do=f"did you mean {like}?" if like else "leave it out",
        )  # fmt: skip


def no_rows(model: str) -> Refused:
    """The refusal of rows by a model that answers with lists."""
    return Refused(
        f"{model!r} answers with ranked lists, not rows",
        got="a call for rows", expected=f"POST /models/{model}/recommend or .../similar",
        do=f'POST /models/{model}/recommend {{"user": 42, "k": 10}}',
    )  # fmt: skip


def no_lists(model: str) -> Refused:
    """The refusal of an ask for a list by a model that answers rows."""
    return Refused(
        f"{model!r} answers rows, not with lists",
        got="a call for a list", expected=f"POST /models/{model}/predict",
        do=f"POST /models/{model}/predict with a row; see GET /models/{model}/schema",
    )  # fmt: skip


def _object(body: bytes, limits: Limits, known: Collection[str], example: str) -> Row:
    found = decoded(body, limits)
    if found.__class__ is not dict:
        raise UsageError(
            "the body is no ask for a list", got=f"{found!r}"[:60],
            expected=f"one JSON object such as {example}", do="ask for one list at a time",
        )  # fmt: skip
    fields_of(found, known, "the ask")
    return dict(found)


def _wanted(given: Row, example: str, *, again: bool = False) -> Wanted:
    k = given.get("k", 10)
    if k.__class__ is float and k.is_integer():
        k = int(k)  # JSON has one kind of number
    if k.__class__ is not int or not 1 <= k <= MOST_K:
        raise _unusable("k", k, f"a whole number from 1 to {MOST_K:,}", example)
    allowed, blocked = _items(given, "allowed", example), _items(given, "blocked", example)
    return Wanted(k, allowed, blocked or (), again)


def _items(given: Row, name: str, example: str) -> list[Any] | None:
    """A list of items; None where the ask has none."""
    found = given.get(name)
    if found is None:
        return None
    if found.__class__ is not list:
        raise _unusable(name, found, "a list of items", example)
    for at, item in enumerate(found):
        if not _is_name(item):
            where = f"{name}, item {at + 1} of {len(found)},"
            raise _unusable(where, item, "a text or a number", example)
    return list(found)


def _flag(given: Row, name: str, otherwise: bool, example: str) -> bool:
    found = given.get(name, otherwise)
    if found.__class__ is not bool:
        raise _unusable(name, found, "true or false", example)
    return bool(found)


def _is_name(value: Any) -> bool:
    return value.__class__ in (str, int, float)


def _unusable(name: str, value: Any, expected: str, example: str) -> UsageError:
    got = "null" if value is None else repr(value)[:80]
    return UsageError(
        f"{name} cannot be used", got=got, expected=expected, do=f"send {example}"
    )  # fmt: skip
