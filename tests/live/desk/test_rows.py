"""JSON bodies as rows; what a server does with bad ones: tests/faces/http/test_bad_input.py."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from everfit.errors import UsageError
from everfit.live.desk import rows as module
from everfit.live.desk.limits import Limits, TooMuch
from everfit.live.desk.rows import decoded, rows_of

LIMITS = Limits(rows=3, depth=4)


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Fail a block that takes many times as long as it should."""

    def over(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"still not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_row_and_rows_are_what_was_sent() -> None:
    row = {"a": 1, "b": 2.5, "c": None, "d": "é: ", "e": True}

    assert rows_of(json.dumps(row).encode(), LIMITS) == row
    assert rows_of(json.dumps([row, {}]).encode(), LIMITS) == [row, {}]


def test_a_plain_row_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_look_again", None)  # would raise

    assert rows_of(b'{"a": 1, "b": "text"}', LIMITS) == {"a": 1, "b": "text"}


def shapes(rng: random.Random, depth: int = 0) -> str:
    """JSON objects written in every way, keys chosen from few so that some stand twice."""
    if depth > 2 or rng.random() < 0.5:
        return rng.choice(["1", '"x:y"', '"\\"a\\" : 1"', "null", '":"', '"\\\\"', "[]", "{}"])
    space = rng.choice(["", " ", "\n"])
    items = [
        f'"{rng.choice("abcd")}"{space}:{space}{shapes(rng, depth + 1)}'
        for _ in range(rng.randrange(4))
    ]
    inside = ", ".join(items)
    return f"[{inside and '{' + inside + '}'}]" if rng.random() < 0.2 else f"{{{inside}}}"


def has_twice(text: str) -> bool:
    """Whether an object in it has a key twice, by the reader of the standard library."""
    found = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(len({name for name, _ in items}) < len(items))
        return dict(items)

    json.loads(text, object_pairs_hook=pairs)
    return any(found)


def test_a_key_twice_is_always_found_and_never_imagined() -> None:
    rng = random.Random(7)
    seen = {True: 0, False: 0}
    for _ in range(5_000):
        text = "{" + ", ".join(f'"{k}": {shapes(rng)}' for k in rng.sample("abcd", 2)) + "}"
        twice = has_twice(text)
        seen[twice] += 1
        try:
            decoded(text.encode(), Limits())
            refused = False
        except UsageError as error:
            assert "times" in error.what
            refused = True
        assert refused == twice, text
    assert min(seen.values()) > 500


@pytest.mark.parametrize(("depth", "fits"), [(4, True), (5, False)])
def test_depth_is_counted_from_the_outside(depth: int, fits: bool) -> None:
    body = b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)

    if fits:
        decoded(body, LIMITS)
    else:
        with pytest.raises(UsageError, match="nests too deep"):
            decoded(body, LIMITS)


def test_a_row_too_many_is_refused() -> None:
    with pytest.raises(TooMuch, match="too many rows"):
        rows_of(b"[{},{},{},{}]", LIMITS)


def test_one_key_twice_among_very_many_is_found_in_a_moment() -> None:
    """Each key was compared with all others before: a body of 10 MB kept a core for hours."""
    n = 200_000
    body = ("{" + ",".join(f'"k{i}":1' for i in range(n)) + f',"k{n - 1}":2}}').encode()

    with limited(10), pytest.raises(UsageError, match=r"'k199999' 2 times"):
        rows_of(body, Limits())
